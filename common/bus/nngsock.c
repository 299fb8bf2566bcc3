/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/nngsock.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "bus/pub.h"

/* A listener that comes back is found within some 10 ms, and one that stays away costs ten tries a
 * second. nng's default is one second. */
#define RECONNECT_MIN_MS 10
#define RECONNECT_MAX_MS 100
/* sun_path less its NUL. */
#define PATH_MAX_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define SOCKET_MODE 0600

int nngsock_errno(int rv)
{
	static const struct {
		int nng;
		int sys;
	} table[] = {
		{NNG_ENOMEM, ENOMEM},           {NNG_EINVAL, EINVAL},
		{NNG_EBUSY, EBUSY},             {NNG_ETIMEDOUT, ETIMEDOUT},
		{NNG_ECONNREFUSED, ECONNREFUSED}, {NNG_ECLOSED, ESHUTDOWN},
		{NNG_EAGAIN, EAGAIN},           {NNG_ENOTSUP, ENOTSUP},
		{NNG_EADDRINUSE, EADDRINUSE},   {NNG_ENOENT, ENOENT},
		{NNG_EPERM, EACCES},            {NNG_EMSGSIZE, EMSGSIZE},
		{NNG_ENOFILES, EMFILE},         {NNG_ENOSPC, ENOSPC},
		{NNG_EADDRINVAL, EINVAL},       {NNG_EEXIST, EEXIST},
	};

	if ((rv & NNG_ESYSERR) != 0)
		return -(rv & ~NNG_ESYSERR);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].nng == rv)
			return -table[i].sys;
	}
	return -EIO;
}

int nngsock_path_check(const char *path, struct err *err)
{
	size_t len = strlen(path);

	if (len <= PATH_MAX_BYTES)
		return 0;
	return err_set(err, -ENAMETOOLONG,
		       "%s: a socket's path has at most %zu bytes, this one has %zu: "
		       "choose a shorter run directory",
		       path, (size_t)PATH_MAX_BYTES, len);
}

/* nng unlinks whatever stands in its way, so that must be nothing but a former socket. */
static int check_in_the_way(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISSOCK(st.st_mode))
		return 0;
	return err_set(err, -EEXIST, "%s: stands where a socket must be: remove it", path);
}

static void tell_loop(struct nngsock *ns)
{
	if (atomic_load(&ns->is_wired))
		(void)uv_async_send(&ns->wake);
}

/* nng's thread. */
static void on_pipe_add_pre(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct nngsock *ns = arg;
	uint64_t uid;

	(void)ev;
	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) == 0 &&
	    (uid == 0 || uid == (uint64_t)geteuid()))
		return;
	atomic_fetch_add(&ns->refused, 1);
	(void)nng_pipe_close(pipe);
}

/* nng's thread. */
static void on_pipe_add_post(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct nngsock *ns = arg;

	(void)ev;
	/* A connection that was lost before it was announced leaves its id behind. */
	if (atomic_exchange(&ns->live, (unsigned)nng_pipe_id(pipe)) != 0)
		atomic_fetch_add(&ns->removed, 1);
	atomic_fetch_add(&ns->added, 1);
	tell_loop(ns);
}

/* nng's thread. Also called for pipes refused above, which were never live. */
static void on_pipe_rem_post(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct nngsock *ns = arg;
	unsigned id = (unsigned)nng_pipe_id(pipe);

	(void)ev;
	if (!atomic_compare_exchange_strong(&ns->live, &id, 0))
		return;
	atomic_fetch_add(&ns->removed, 1);
	tell_loop(ns);
}

static int open_kind(enum nngsock_kind kind, nng_socket *s)
{
	switch (kind) {
	case NNGSOCK_PUB:
		return nng_pub0_open(s);
	case NNGSOCK_SUB:
		return nng_sub0_open(s);
	case NNGSOCK_REP:
		return nng_rep0_open(s);
	case NNGSOCK_REQ_RAW:
		return nng_req0_open_raw(s);
	}
	return NNG_EINVAL;
}

/* Not every protocol has every buffer. */
static int set_buffer(nng_socket s, const char *option)
{
	int rv = nng_socket_set_int(s, option, BUS_BUFFER_MESSAGES);

	return rv == NNG_ENOTSUP ? 0 : rv;
}

static int set_options(struct nngsock *ns, size_t recv_max_bytes)
{
	nng_socket s = ns->socket;
	int rv;

	if ((rv = set_buffer(s, NNG_OPT_SENDBUF)) != 0 ||
	    (rv = set_buffer(s, NNG_OPT_RECVBUF)) != 0 ||
	    (rv = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, recv_max_bytes)) != 0 ||
	    (rv = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS)) != 0 ||
	    (rv = nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS)) != 0 ||
	    (rv = nng_pipe_notify(s, NNG_PIPE_EV_ADD_PRE, on_pipe_add_pre, ns)) != 0 ||
	    (rv = nng_pipe_notify(s, NNG_PIPE_EV_ADD_POST, on_pipe_add_post, ns)) != 0 ||
	    (rv = nng_pipe_notify(s, NNG_PIPE_EV_REM_POST, on_pipe_rem_post, ns)) != 0)
		return rv;
	return 0;
}

/* Before anything connects, so that no message meets a socket which has not subscribed yet. */
static int subscribe(nng_socket s, const char *prefix)
{
	if (prefix == NULL)
		prefix = "";
	return nng_socket_set(s, NNG_OPT_SUB_SUBSCRIBE, prefix, strlen(prefix));
}

static int start_listener(nng_socket s, const char *url)
{
	nng_listener l;
	int rv;

	if ((rv = nng_listener_create(&l, s, url)) != 0 ||
	    (rv = nng_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, SOCKET_MODE)) != 0)
		return rv;
	return nng_listener_start(l, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct nngsock *ns = poll->data;

	(void)events;
	if (status == 0)
		ns->ops.on_readable(ns->ops.ctx);
}

static void on_wake(uv_async_t *wake)
{
	struct nngsock *ns = wake->data;

	if (atomic_load(&ns->is_wired) && ns->ops.on_wake != NULL)
		ns->ops.on_wake(ns->ops.ctx);
}

/* After everything that may fail for a reason, since uv handles cannot be undone in place. */
static int wire(struct nngsock *ns, uv_loop_t *loop)
{
	int fd, rv;

	if (ns->ops.on_readable != NULL &&
	    (rv = nng_socket_get_int(ns->socket, NNG_OPT_RECVFD, &fd)) != 0)
		return nngsock_errno(rv);
	rv = uv_async_init(loop, &ns->wake, on_wake);
	if (rv < 0)
		return rv;
	ns->wake.data = ns;
	ns->open_handles = 1;
	if (ns->ops.on_readable != NULL) {
		rv = uv_poll_init(loop, &ns->poll, fd);
		HALE_ASSERT(rv == 0);
		ns->poll.data = ns;
		ns->is_polling = true;
		ns->open_handles = 2;
		rv = uv_poll_start(&ns->poll, UV_READABLE, on_poll);
		HALE_ASSERT(rv == 0);
	}
	atomic_store(&ns->is_wired, true);
	/* For connections made before there was a handle to tell the loop with. */
	tell_loop(ns);
	return 0;
}

static int open_socket(struct nngsock *ns, enum nngsock_kind kind, size_t recv_max_bytes,
		       const struct nngsock_ops *ops, const char *path, struct err *err)
{
	int rv;

	memset(ns, 0, sizeof(*ns));
	ns->ops = *ops;
	rv = nngsock_path_check(path, err);
	if (rv < 0)
		return rv;
	rv = open_kind(kind, &ns->socket);
	if (rv != 0)
		return err_set(err, nngsock_errno(rv), "%s: %s", path, nng_strerror(rv));
	rv = set_options(ns, recv_max_bytes);
	if (rv == 0 && kind == NNGSOCK_SUB)
		rv = subscribe(ns->socket, ops->prefix);
	if (rv != 0) {
		(void)nng_close(ns->socket);
		return err_set(err, nngsock_errno(rv), "%s: %s", path, nng_strerror(rv));
	}
	return 0;
}

static int finish_open(struct nngsock *ns, uv_loop_t *loop, int rv, const char *path,
		       struct err *err)
{
	int code;

	if (rv != 0) {
		(void)nng_close(ns->socket);
		return err_set(err, nngsock_errno(rv), "%s: %s", path,
			       rv == NNG_ENOENT ? "no such directory" : nng_strerror(rv));
	}
	code = wire(ns, loop);
	if (code < 0) {
		(void)nng_close(ns->socket);
		return err_errno(err, code, "%s", path);
	}
	return 0;
}

int nngsock_listen(struct nngsock *ns, uv_loop_t *loop, enum nngsock_kind kind, const char *path,
		   size_t recv_max_bytes, const struct nngsock_ops *ops, struct err *err)
{
	char url[sizeof("ipc://") + PATH_MAX_BYTES] = "ipc://";
	int rv;

	rv = open_socket(ns, kind, recv_max_bytes, ops, path, err);
	if (rv < 0)
		return rv;
	rv = check_in_the_way(path, err);
	if (rv < 0) {
		(void)nng_close(ns->socket);
		return rv;
	}
	strcat(url, path);
	return finish_open(ns, loop, start_listener(ns->socket, url), path, err);
}

int nngsock_dial(struct nngsock *ns, uv_loop_t *loop, enum nngsock_kind kind, const char *path,
		 size_t recv_max_bytes, const struct nngsock_ops *ops, struct err *err)
{
	char url[sizeof("ipc://") + PATH_MAX_BYTES] = "ipc://";
	int rv;

	rv = open_socket(ns, kind, recv_max_bytes, ops, path, err);
	if (rv < 0)
		return rv;
	strcat(url, path);
	/* NONBLOCK: the first try runs in the background, and so does every later one. */
	rv = nng_dial(ns->socket, url, NULL, NNG_FLAG_NONBLOCK);
	return finish_open(ns, loop, rv, path, err);
}

void nngsock_wake(struct nngsock *ns)
{
	tell_loop(ns);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct nngsock *ns = handle->data;

	if (--ns->open_handles == 0)
		ns->on_closed(ns->ops.ctx);
}

void nngsock_close(struct nngsock *ns, void (*on_closed)(void *ctx))
{
	ns->on_closed = on_closed;
	if (ns->is_polling) {
		(void)uv_poll_stop(&ns->poll);
		uv_close((uv_handle_t *)&ns->poll, on_handle_closed);
	}
	/* Waits for nng's callbacks, so that none of them sees the handle closed. */
	(void)nng_close(ns->socket);
	atomic_store(&ns->is_wired, false);
	uv_close((uv_handle_t *)&ns->wake, on_handle_closed);
}
