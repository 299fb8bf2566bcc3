/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dial.h"
#include "resolve.h"
#include "stream.h"
#include "tls_context.h"
#include "tls_stream.h"

/* As much as a TLS record holds. */
#define READ_BYTES 16384

#define US_PER_MS 1000.0

/* What the connections of a process share. */
struct common {
	struct resolver *resolver;
	struct tls_contexts *contexts;
	char raw[READ_BYTES];   /* as it came */
	char plain[READ_BYTES]; /* out of TLS, for the kind */
	char out[READ_BYTES];   /* out of TLS, for the peer */
};

enum state {
	RESOLVING,
	CONNECTING,
	SHAKING,
	OPEN,
	FAILING, /* the loop will tell */
	CLOSED,  /* nobody is told anything any more */
};

struct conn {
	struct check *check;
	struct conn_events events;
	struct common *common;
	enum state state;
	uv_timer_t timer; /* for what the loop is to tell; the conn is freed when it is closed */
	char *host;
	uint16_t port;
	bool wants_tls;
	struct conn_tls tls_options; /* texts owned */
	int64_t begun_us;            /* the step that is under way */

	struct resolve_wait *wait;
	struct dial *dial;
	struct stream *stream;
	struct tls_stream *tls;
	int unsent; /* error of writing; 0 */
	struct tls_failure failure;
};

/* ---- Shared by all ---- */

static void *make_common(const struct check *c)
{
	struct common *common = mem_alloc(sizeof(*common));

	common->resolver = resolver_new(check_threads(c));
	common->contexts = tls_contexts_new();
	return common;
}

static void free_common(void *thing)
{
	struct common *common = thing;

	resolver_free(common->resolver);
	tls_contexts_free(common->contexts);
	free(common);
}

static void copy_tls(struct conn_tls *to, const struct conn_tls *from)
{
	*to = *from;
	to->ca = mem_dup(from->ca);
	to->server_name = mem_dup(from->server_name);
	to->cert = mem_dup(from->cert);
	to->key = mem_dup(from->key);
	to->alpn = mem_dup(from->alpn);
}

static void free_tls_options(struct conn_tls *tls)
{
	const char *const texts[] = {tls->ca, tls->server_name, tls->cert, tls->key, tls->alpn};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free((char *)(uintptr_t)texts[i]);
	*tls = (struct conn_tls){0};
}

/* ---- Ending ---- */

static void on_timer_closed(uv_handle_t *handle)
{
	struct conn *conn = container_of(handle, struct conn, timer);

	tls_stream_free(conn->tls);
	free_tls_options(&conn->tls_options);
	free(conn->host);
	free(conn);
}

static void close_all(struct conn *conn)
{
	conn->state = CLOSED;
	resolve_cancel(TAKE_PTR(conn->wait));
	dial_cancel(TAKE_PTR(conn->dial));
	stream_close(TAKE_PTR(conn->stream));
	uv_close((uv_handle_t *)&conn->timer, on_timer_closed);
}

static void fail(struct conn *conn, enum reason reason, const char *text)
{
	struct check *c = conn->check;

	close_all(conn);
	conn->events.on_failed(c, reason, text);
}

static void on_fail_later(uv_timer_t *timer)
{
	struct conn *conn = timer->data;

	fail(conn, conn->failure.reason, conn->failure.text);
}

/* For what goes wrong while the kind is calling us. What may still come is not listened to. */
static void fail_later(struct conn *conn)
{
	conn->state = FAILING;
	(void)uv_timer_start(&conn->timer, on_fail_later, 0, 0);
}

HALE_PRINTF(3, 4)
static void set_failure(struct conn *conn, enum reason reason, const char *fmt, ...)
{
	va_list args;

	conn->failure.reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(conn->failure.text, sizeof(conn->failure.text), fmt, args);
	va_end(args);
}

static bool is_path(const struct conn *conn)
{
	return conn->host[0] == '/';
}

static enum reason reason_of(const struct conn *conn, int error)
{
	switch (error) {
	case UV_ECONNREFUSED:
	case UV_ENOENT: /* of a Unix socket, as all others below that speak of files */
		return REASON_CONN_REFUSED;
	case UV_ECONNRESET:
	case UV_ECONNABORTED:
	case UV_EPIPE:
		return REASON_CONN_RESET;
	case UV_ETIMEDOUT:
		return conn->state == CONNECTING ? REASON_TIMEOUT_CONNECT : REASON_TIMEOUT_READ;
	case UV_EOF:
		return REASON_CONN_CLOSED;
	case UV_EMFILE:
	case UV_ENFILE:
	case UV_ENOMEM:
	case UV_ENOBUFS:
	case UV_EADDRNOTAVAIL: /* no local port is left */
		return REASON_INTERNAL;
	case UV_EACCES:
	case UV_EPERM:
		return is_path(conn) ? REASON_CONFIG : REASON_UNREACHABLE;
	case UV_ENAMETOOLONG:
	case UV_ENOTSOCK:
	case UV_EPROTOTYPE:
		return REASON_CONFIG;
	default:
		return REASON_UNREACHABLE;
	}
}

/* The operating system's word for it, and where that was. */
static void set_error(struct conn *conn, int error)
{
	enum reason reason = reason_of(conn, error);
	const char *where = conn->state == SHAKING ? " in the TLS handshake" : "";

	if (error == UV_EOF && conn->state == SHAKING)
		set_failure(conn, reason, "connection closed%s", where);
	else if (error == UV_EOF)
		set_failure(conn, reason, "%s", reason_text(reason));
	else if (is_path(conn))
		set_failure(conn, reason, "%.200s: %s%s", conn->host, uv_strerror(error), where);
	else
		set_failure(conn, reason, "%s%s", uv_strerror(error), where);
}

static void fail_with(struct conn *conn, int error)
{
	set_error(conn, error);
	fail(conn, conn->failure.reason, conn->failure.text);
}

/* ---- Open ---- */

static void opened(struct conn *conn)
{
	conn->state = OPEN;
	check_stage(conn->check, REASON_TIMEOUT_READ);
	conn->events.on_open(conn->check);
}

/* Sending failed: what the peer said before it went is still to be read, and that it went is heard
 * when that is through. */
static void send_raw(struct conn *conn, const char *data, size_t len)
{
	int rc = stream_write(conn->stream, data, len);

	if (rc != 0 && conn->unsent == 0)
		conn->unsent = rc;
}

static void flush(struct conn *conn)
{
	size_t n;

	while ((n = tls_stream_take(conn->tls, conn->common->out, READ_BYTES)) > 0)
		send_raw(conn, conn->common->out, n);
}

static double since_ms(const struct conn *conn)
{
	return (double)(clock_mono_us() - conn->begun_us) / US_PER_MS;
}

/* ---- TLS ---- */

static void show_peer(struct conn *conn)
{
	const struct conn_peer *peer = tls_stream_peer(conn->tls);
	struct check *c = conn->check;

	check_metric(c, "tls_ms", since_ms(conn));
	check_detail(c, "tls_version", json_string(peer->version));
	if (peer->subject == NULL)
		return;
	check_metric(c, "cert_expires_seconds",
		     (double)(peer->not_after_ms - clock_wall_ms()) / 1000.0);
	if (check_is_watched(c))
		check_saw(c, "certificate",
			  json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*}", "subject", peer->subject,
				    "issuer", peer->issuer, "names", peer->names, "cipher",
				    peer->cipher, "alpn", peer->alpn, "not_trusted",
				    peer->verify_error));
}

static enum tls_step shake(struct conn *conn)
{
	enum tls_step step = tls_stream_shake(conn->tls, &conn->failure);

	flush(conn);
	return step;
}

static void shaken(struct conn *conn)
{
	bool is_good = tls_stream_judge(conn->tls, &conn->failure);

	show_peer(conn);
	if (is_good)
		opened(conn);
	else
		fail(conn, conn->failure.reason, conn->failure.text);
}

static void start_tls(struct conn *conn)
{
	conn->state = SHAKING;
	conn->begun_us = clock_mono_us();
	check_stage(conn->check, REASON_TIMEOUT_TLS);
	conn->tls = tls_stream_new(conn->common->contexts, &conn->tls_options, conn->host,
				   &conn->failure);
	if (conn->tls == NULL || shake(conn) == TLS_STEP_FAILED)
		fail_later(conn);
}

/* All plain bytes there are. */
static void read_plain(struct conn *conn)
{
	struct common *common = conn->common;
	ssize_t n;

	while (conn->state == OPEN &&
	       (n = tls_stream_read(conn->tls, common->plain, READ_BYTES, &conn->failure)) != 0) {
		if (n == -ESHUTDOWN)
			fail_with(conn, UV_EOF);
		else if (n < 0)
			fail(conn, conn->failure.reason, conn->failure.text);
		else
			conn->events.on_data(conn->check, common->plain, (size_t)n);
	}
	if (conn->state == OPEN)
		flush(conn);
}

static void on_cipher(struct conn *conn, size_t len)
{
	tls_stream_feed(conn->tls, conn->common->raw, len);
	if (conn->state == SHAKING) {
		switch (shake(conn)) {
		case TLS_STEP_MORE:
			return;
		case TLS_STEP_FAILED:
			fail(conn, conn->failure.reason, conn->failure.text);
			return;
		case TLS_STEP_DONE:
			shaken(conn);
			break;
		}
	}
	read_plain(conn);
}

/* ---- What comes ---- */

static void on_read(void *ctx, ssize_t n)
{
	struct conn *conn = ctx;

	if (conn->state == FAILING)
		return;
	if (n < 0)
		fail_with(conn, conn->unsent != 0 ? conn->unsent : (int)n);
	else if (conn->tls != NULL)
		on_cipher(conn, (size_t)n);
	else
		conn->events.on_data(conn->check, conn->common->raw, (size_t)n);
}

static void on_unsent(void *ctx, int status)
{
	struct conn *conn = ctx;

	if (conn->unsent == 0)
		conn->unsent = status;
}

/* ---- Connecting ---- */

static const struct stream_events stream_events = {
	.on_read = on_read,
	.on_unsent = on_unsent,
};

static void on_stream(void *ctx, struct stream *stream)
{
	struct conn *conn = ctx;
	uv_buf_t buf = uv_buf_init(conn->common->raw, READ_BYTES);
	int rc;

	conn->dial = NULL;
	conn->stream = stream;
	stream_take(stream, &stream_events, conn);
	check_metric(conn->check, "connect_ms", since_ms(conn));
	rc = stream_read(stream, buf);
	if (rc != 0)
		fail_with(conn, rc);
	else if (conn->wants_tls)
		start_tls(conn);
	else
		opened(conn);
}

static void on_dial_failed(void *ctx, int error)
{
	struct conn *conn = ctx;

	conn->dial = NULL;
	/* It may have moved. */
	resolve_forget(conn->common->resolver, conn->host);
	fail_with(conn, error);
}

static const struct dial_events dial_events = {
	.on_stream = on_stream,
	.on_failed = on_dial_failed,
};

static void begin_connecting(struct conn *conn)
{
	conn->state = CONNECTING;
	conn->begun_us = clock_mono_us();
	check_stage(conn->check, REASON_TIMEOUT_CONNECT);
}

static void connect_to(struct conn *conn, const union resolve_address *addresses, size_t n)
{
	begin_connecting(conn);
	conn->dial = dial_start(conn->check, addresses, n, conn->port, &dial_events, conn);
}

static void connect_to_path(struct conn *conn)
{
	begin_connecting(conn);
	conn->dial = dial_start_path(conn->check, conn->host, &dial_events, conn);
}

/* ---- Resolving ---- */

static void resolved(struct conn *conn, const struct resolve_answer *answer)
{
	check_metric(conn->check, "dns_ms", since_ms(conn));
	connect_to(conn, answer->addresses, answer->n);
}

static void on_answer(void *ctx, const struct resolve_answer *answer)
{
	struct conn *conn = ctx;

	conn->wait = NULL;
	if (answer->error == NULL) {
		resolved(conn, answer);
		return;
	}
	set_failure(conn, REASON_DNS_FAILED, "%.253s: %s", conn->host, answer->error);
	fail(conn, conn->failure.reason, conn->failure.text);
}

static void resolve(struct conn *conn)
{
	struct resolver *resolver = conn->common->resolver;
	union resolve_address number;
	struct resolve_answer kept;

	conn->begun_us = clock_mono_us();
	if (resolve_number(conn->host, &number)) {
		connect_to(conn, &number, 1);
	} else if (resolve_kept(resolver, conn->host, clock_mono_ms(), &kept)) {
		resolved(conn, &kept);
	} else {
		check_stage(conn->check, REASON_TIMEOUT_DNS);
		conn->wait = resolve_start(resolver, conn->host, on_answer, conn);
	}
}

/* ---- For kinds ---- */

struct conn *conn_open(struct check *c, const struct conn_target *target,
		       const struct conn_events *events)
{
	struct conn *conn = mem_alloc(sizeof(*conn));

	conn->check = c;
	conn->events = *events;
	conn->common = check_shared(c, make_common, free_common);
	conn->host = mem_dup(target->host);
	conn->wants_tls = target->tls != NULL;
	if (conn->wants_tls)
		copy_tls(&conn->tls_options, target->tls);
	(void)uv_timer_init(check_loop(c), &conn->timer);
	conn->timer.data = conn;
	if (is_path(conn)) {
		connect_to_path(conn);
	} else {
		conn->port = (uint16_t)strtoul(target->port, NULL, 10);
		resolve(conn);
	}
	return conn;
}

void conn_write(struct conn *conn, const void *data, size_t len)
{
	if (conn->state == FAILING || len == 0)
		return;
	HALE_ASSERT(conn->state == OPEN);
	if (len > CONN_WRITE_MAX || stream_unsent(conn->stream) + len > CONN_WRITE_MAX) {
		set_failure(conn, REASON_INTERNAL, "more than %u bytes wait to be sent",
			    CONN_WRITE_MAX);
		fail_later(conn);
	} else if (conn->tls == NULL) {
		send_raw(conn, data, len);
	} else {
		tls_stream_write(conn->tls, data, len);
		flush(conn);
	}
}

void conn_start_tls(struct conn *conn, const struct conn_tls *tls)
{
	if (conn->state == FAILING)
		return;
	HALE_ASSERT(conn->state == OPEN && conn->tls == NULL);
	copy_tls(&conn->tls_options, tls);
	start_tls(conn);
}

void conn_close(struct conn *conn)
{
	if (conn == NULL || conn->state == CLOSED)
		return;
	/* So that the peer knows this end from a cut one. */
	if (conn->state == OPEN && conn->tls != NULL) {
		tls_stream_finish(conn->tls);
		flush(conn);
	}
	close_all(conn);
}

const struct conn_peer *conn_peer(const struct conn *conn)
{
	return conn->tls != NULL ? tls_stream_peer(conn->tls) : NULL;
}
