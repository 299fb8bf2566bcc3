/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/nngsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>

#include "base/mem.h"
#include "bus/handshake.h"
#include "bus/pub.h"

/* A listener that comes back is found within some 10 ms, and one that stays away costs ten tries a
 * second. nng's default is one second. */
#define RECONNECT_MIN_MS   10
#define RECONNECT_MAX_MS   100
/* sun_path less its NUL. */
#define PATH_MAX_BYTES     (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
/* How long a listener already there may take to answer; it is asked once, when a process starts. */
#define PROBE_MS           500
/* A deaf listener is found within two of these. The look itself takes some 5 us. */
#define GUARD_MS           1000
/* Looks at which a probe may still be without its eight bytes. */
#define PROBE_WAITS_MAX    3
/* Closing: look at the connections so often; who is still there after the last look must be in the
 * middle of a handshake, where closing is safe for us. */
#define HANG_UP_MS         5
#define HANG_UPS_MAX       60
/* A dialer may have been about to connect again (within RECONNECT_MIN_MS). It must not be closed in
 * the handshake, which would make the listener deaf, so it has to be quiet for longer. */
#define QUIET_DIALER       4
#define QUIET_LISTENER     1
/* Looks without any sign of life from a dialer that is not connected. */
#define DIALER_IDLE_MAX    3
#define RECONNECT_NEVER_MS (24 * 3600 * 1000)
/* fds looked at when hanging up; no process of ours has nearly as many. */
#define FDS_MAX            4096

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LSAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_LSAN
#endif
#ifdef HAS_LSAN
/* nng 1.5.2 never frees an endpoint that is closed while one of its connections has finished the
 * handshake and was not taken yet: some 3 kB and an fd each time a dialer is closed that early or a
 * deaf listener is replaced. The library has no symbols to be more precise about. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libnng.so\n";
}

const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN
#endif
#elif defined(__SANITIZE_THREAD__)
#define HAS_TSAN
#endif
#ifdef HAS_TSAN
/* The library is not instrumented, so that its own locks and reference counts are not seen. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race:libnng.so\n";
}
#endif

int nngsock_errno(int rv)
{
	static const struct {
		int nng;
		int sys;
	} table[] = {
		{NNG_ENOMEM, ENOMEM},
		{NNG_EINVAL, EINVAL},
		{NNG_EBUSY, EBUSY},
		{NNG_ETIMEDOUT, ETIMEDOUT},
		{NNG_ECONNREFUSED, ECONNREFUSED},
		{NNG_ECLOSED, ESHUTDOWN},
		{NNG_EAGAIN, EAGAIN},
		{NNG_ENOTSUP, ENOTSUP},
		{NNG_EADDRINUSE, EADDRINUSE},
		{NNG_ENOENT, ENOENT},
		{NNG_EPERM, EACCES},
		{NNG_EMSGSIZE, EMSGSIZE},
		{NNG_ENOFILES, EMFILE},
		{NNG_ENOSPC, ENOSPC},
		{NNG_EADDRINVAL, EINVAL},
		{NNG_EEXIST, EEXIST},
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

/* nng unlinks whatever stands in its way, so that must be nothing but a former socket. nng's own
 * test whether somebody still listens is one of those that make the other deaf, so it finds nothing
 * to be tested. */
static int check_in_the_way(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s: stands where a socket must be: remove it", path);
	if (handshake_probe(path, PROBE_MS) != -ECONNREFUSED)
		return err_set(err, -EADDRINUSE, "%s: in use by another process", path);
	(void)unlink(path);
	return 0;
}

static void tell_loop(struct nngsock *ns)
{
	if (atomic_load(&ns->is_wired))
		(void)uv_async_send(&ns->wake);
}

static const char *path_of(const struct nngsock *ns)
{
	return ns->url + strlen("ipc://");
}

static bool is_welcome(const struct nngsock *ns, uid_t peer)
{
	return ns->is_listener ? bus_access_lets(&ns->access, peer, geteuid())
			       : bus_access_believes(path_of(ns), peer, geteuid());
}

/* nng's thread. */
static void on_pipe_add_pre(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct nngsock *ns = arg;
	uint64_t uid;

	(void)ev;
	atomic_fetch_add(&ns->pipes, 1);
	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 ||
	    !is_welcome(ns, (uid_t)uid))
		atomic_fetch_add(&ns->refused, 1);
	else if (!atomic_load(&ns->is_closing))
		return;
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
	atomic_fetch_sub(&ns->pipes, 1);
	if (atomic_compare_exchange_strong(&ns->live, &id, 0))
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

static int start_listener(struct nngsock *ns)
{
	int rv, sys;

	rv = nng_listener_create(&ns->listener, ns->socket, ns->url);
	if (rv != 0)
		return rv;
	/* nng would set the mode by name, which in a directory of another user's may be another
	 * file by then. Until it is set no umask lets anybody else write to the socket, so connect.
	 */
	rv = nng_listener_start(ns->listener, 0);
	if (rv == 0 && (sys = bus_access_apply(&ns->access, path_of(ns))) < 0)
		rv = NNG_ESYSERR | -sys;
	if (rv != 0)
		(void)nng_listener_close(ns->listener);
	ns->is_listening = rv == 0;
	return rv;
}

/* Our end of a connection: a dialer's has the path as its peer's address, a listener's as its own.
 */
static bool is_connection_of(int fd, const struct nngsock *ns)
{
	struct sockaddr_un own = {0}, peer = {0};
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

	/* A listening socket has no peer. */
	return getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
	       peer.sun_family == AF_UNIX &&
	       getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
	       strcmp(ns->is_listener ? own.sun_path : peer.sun_path, path_of(ns)) == 0;
}

/* nng does not tell the fds of its connections, but their address does. What arrived is still read,
 * then nng sees the end and closes by itself. Another socket of ours at the same path would only
 * have to connect again. */
static void hang_up(const struct nngsock *ns)
{
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (is_connection_of(fd, ns))
			(void)shutdown(fd, SHUT_RD);
	}
}

/* ---- the guard ---- */

struct counters {
	uint64_t accepted;
	uint64_t errors; /* connections (a dialer's: tries too) that failed or ended; our probes are
			    rejects, not errors */
};

static bool is_stat(nng_stat *stat, const char *name)
{
	return strcmp(nng_stat_name(stat), name) == 0;
}

/* nng_stat_find_listener() of nng 1.5.2 returns the first listener of the process, whichever is
 * asked for. */
static nng_stat *find_endpoint(nng_stat *tree, const char *what, int id)
{
	for (nng_stat *one = nng_stat_child(tree); one != NULL; one = nng_stat_next(one)) {
		nng_stat *own = is_stat(one, what) ? nng_stat_find(one, "id") : NULL;
		nng_stat *below;

		if (own != NULL && nng_stat_value(own) == (uint64_t)id)
			return one;
		below = find_endpoint(one, what, id);
		if (below != NULL)
			return below;
	}
	return NULL;
}

static struct counters read_counters(const struct nngsock *ns)
{
	static const char *const errors[] = {"disconnect", "canceled", "other", "timeout",
					     "proto",      "auth",     "oom",   "refused"};
	struct counters c = {0, 0};
	nng_stat *all, *own, *one;

	if (nng_stats_get(&all) != 0)
		return c;
	own = ns->is_listener ? find_endpoint(all, "listener", nng_listener_id(ns->listener))
			      : find_endpoint(all, "dialer", nng_dialer_id(ns->dialer));
	for (one = own == NULL ? NULL : nng_stat_child(own); one != NULL;
	     one = nng_stat_next(one)) {
		if (is_stat(one, "accept"))
			c.accepted = nng_stat_value(one);
		for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
			if (is_stat(one, errors[i]))
				c.errors += nng_stat_value(one);
		}
	}
	nng_stats_free(all);
	return c;
}

static void on_guard(uv_timer_t *timer);

/* A listener must not be closed while messages come in, no more than a socket; so its connections
 * are hung up first, and it is looked at often until they have gone. */
static void declare_deaf(struct nngsock *ns)
{
	ns->is_deaf = true;
	ns->hang_ups = 0;
	/* They would come back at once, to wait at a listener that takes nobody; and nng never
	 * frees who waits, neither memory nor fd, when a listener is closed. */
	(void)unlink(path_of(ns));
	hang_up(ns);
	(void)uv_timer_start(&ns->timer, on_guard, HANG_UP_MS, HANG_UP_MS);
}

static void listen_anew(struct nngsock *ns)
{
	if (ns->is_listening && atomic_load(&ns->pipes) > 0 && ns->hang_ups++ < HANG_UPS_MAX) {
		hang_up(ns);
		return;
	}
	if (ns->is_listening)
		(void)nng_listener_close(ns->listener);
	ns->is_deaf = false;
	ns->errors_seen = 0; /* it counts from zero */
	ns->reopened++;
	(void)start_listener(ns); /* if it fails, the next look tries again */
	(void)uv_timer_start(&ns->timer, on_guard, GUARD_MS, GUARD_MS);
}

static void take_verdict(struct nngsock *ns, const struct counters *now)
{
	int rv = handshake_answered(ns->probe_fd);

	/* nng's threads may have had no time yet; but there is a deafness that does not even
	 * answer. */
	if (rv == -EAGAIN && ++ns->probe_waits < PROBE_WAITS_MAX)
		return;
	cleanup_fd(&ns->probe_fd);
	if (rv == -EAGAIN || now->accepted == ns->accepted_before)
		declare_deaf(ns);
}

static void on_guard(uv_timer_t *timer)
{
	struct nngsock *ns = timer->data;
	struct counters now;

	if (ns->is_deaf || !ns->is_listening) {
		listen_anew(ns);
		return;
	}
	now = read_counters(ns);
	if (ns->probe_fd >= 0) {
		take_verdict(ns, &now);
	} else if (now.errors != ns->errors_seen) {
		ns->errors_seen = now.errors;
		ns->accepted_before = now.accepted;
		ns->probe_waits = 0;
		if (handshake_start(path_of(ns), &ns->probe_fd) < 0)
			declare_deaf(ns); /* the file is gone, or nobody takes connections */
	}
}

/* A dialer whose handshake is broken off by the other side gives up for ever (nng issue 1518, too).
 * One that still tries counts its failures, ten a second or so. */
static void on_dialer_guard(uv_timer_t *timer)
{
	struct nngsock *ns = timer->data;
	uint64_t errors = read_counters(ns).errors;

	if (errors != ns->errors_seen) {
		ns->errors_seen = errors;
		ns->idle = 0;
		return;
	}
	if (++ns->idle < DIALER_IDLE_MAX)
		return;
	(void)nng_dialer_close(ns->dialer);
	(void)nng_dial(ns->socket, ns->url, &ns->dialer, NNG_FLAG_NONBLOCK);
	ns->errors_seen = 0;
	ns->idle = 0;
	ns->reopened++;
}

static void watch_dialer(struct nngsock *ns)
{
	if (atomic_load(&ns->live) != 0) {
		(void)uv_timer_stop(&ns->timer);
	} else if (!uv_is_active((uv_handle_t *)&ns->timer)) {
		ns->idle = 0;
		(void)uv_timer_start(&ns->timer, on_dialer_guard, GUARD_MS, GUARD_MS);
	}
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

	if (ns->is_closing)
		return;
	if (!ns->is_listener)
		watch_dialer(ns);
	if (ns->ops.on_wake != NULL)
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
	(void)uv_timer_init(loop, &ns->timer);
	ns->timer.data = ns;
	ns->open_handles = 2;
	if (ns->ops.on_readable != NULL) {
		rv = uv_poll_init(loop, &ns->poll, fd);
		HALE_ASSERT(rv == 0);
		ns->poll.data = ns;
		ns->is_polling = true;
		ns->open_handles = 3;
		rv = uv_poll_start(&ns->poll, UV_READABLE, on_poll);
		HALE_ASSERT(rv == 0);
	}
	if (ns->is_listener)
		(void)uv_timer_start(&ns->timer, on_guard, GUARD_MS, GUARD_MS);
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
	ns->probe_fd = -1;
	ns->kind = kind;
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

	if (rv != 0)
		code = err_set(err, nngsock_errno(rv), "%s: %s", path,
			       rv == NNG_ENOENT ? "no such directory" : nng_strerror(rv));
	else if ((code = wire(ns, loop)) < 0)
		(void)err_errno(err, code, "%s", path);
	if (code < 0) {
		(void)nng_close(ns->socket);
		free(TAKE_PTR(ns->url));
	}
	return code;
}

int nngsock_listen(struct nngsock *ns, uv_loop_t *loop, enum nngsock_kind kind, const char *path,
		   const struct bus_access *access, size_t recv_max_bytes,
		   const struct nngsock_ops *ops, struct err *err)
{
	int rv;

	rv = open_socket(ns, kind, recv_max_bytes, ops, path, err);
	if (rv < 0)
		return rv;
	ns->access = bus_access_of(access);
	rv = check_in_the_way(path, err);
	if (rv < 0) {
		(void)nng_close(ns->socket);
		return rv;
	}
	ns->url = mem_printf("ipc://%s", path);
	ns->is_listener = true;
	return finish_open(ns, loop, start_listener(ns), path, err);
}

int nngsock_dial(struct nngsock *ns, uv_loop_t *loop, enum nngsock_kind kind, const char *path,
		 size_t recv_max_bytes, const struct nngsock_ops *ops, struct err *err)
{
	int rv;

	rv = open_socket(ns, kind, recv_max_bytes, ops, path, err);
	if (rv < 0)
		return rv;
	ns->url = mem_printf("ipc://%s", path);
	/* NONBLOCK: the first try runs in the background, and so does every later one. */
	rv = nng_dial(ns->socket, ns->url, &ns->dialer, NNG_FLAG_NONBLOCK);
	return finish_open(ns, loop, rv, path, err);
}

void nngsock_wake(struct nngsock *ns)
{
	tell_loop(ns);
}

/* ---- closing ---- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct nngsock *ns = handle->data;

	if (--ns->open_handles == 0)
		ns->on_closed(ns->ops.ctx);
}

static void close_socket(struct nngsock *ns)
{
	/* Waits for nng's callbacks, so that none of them sees the handle closed. */
	(void)nng_close(ns->socket);
	atomic_store(&ns->is_wired, false);
	uv_close((uv_handle_t *)&ns->timer, on_handle_closed);
	uv_close((uv_handle_t *)&ns->wake, on_handle_closed);
	free(TAKE_PTR(ns->url));
	cleanup_fd(&ns->probe_fd);
}

static void on_hang_up(uv_timer_t *timer)
{
	struct nngsock *ns = timer->data;

	if (atomic_load(&ns->pipes) > 0) {
		ns->quiet = 0;
		hang_up(ns);
	} else {
		ns->quiet++;
	}
	ns->hang_ups++;
	if (ns->quiet >= (ns->is_listener ? QUIET_LISTENER : QUIET_DIALER) ||
	    ns->hang_ups >= HANG_UPS_MAX)
		close_socket(ns);
}

void nngsock_close(struct nngsock *ns, void (*on_closed)(void *ctx))
{
	ns->on_closed = on_closed;
	atomic_store(&ns->is_closing, true);
	ns->hang_ups = 0;
	if (ns->is_polling) {
		/* Before the socket, because its fd is closed with it. */
		(void)uv_poll_stop(&ns->poll);
		uv_close((uv_handle_t *)&ns->poll, on_handle_closed);
	}
	if (ns->is_listener && ns->kind == NNGSOCK_PUB) {
		/* Nothing comes in, and nobody is made deaf. */
		close_socket(ns);
		return;
	}
	if (ns->is_listener)
		(void)unlink(path_of(ns)); /* nobody new */
	else
		(void)nng_dialer_set_ms(ns->dialer, NNG_OPT_RECONNMINT, RECONNECT_NEVER_MS);
	hang_up(ns);
	uv_update_time(ns->timer.loop);
	(void)uv_timer_start(&ns->timer, on_hang_up, HANG_UP_MS, HANG_UP_MS);
}
