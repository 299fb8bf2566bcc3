/* SPDX-License-Identifier: Apache-2.0 */
/* tcp - connects, may say something, may want to hear something
 *
 * One run goes through resolving, connecting (each address of the name in turn), sending, reading.
 * A verdict is kept until the handle is closed, and told then.
 */
#include "check.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/clock.h"
#include "base/str.h"
#include "excerpt.h"

/* A greeting or a reply is short; what does not have the expected text by then will not. */
#define ANSWER_MAX_BYTES 65536

#define US_PER_MS 1000.0

/* ---- Options ---- */

struct tcp_opts {
	char *address;
	char *send;
	char *expect;
};

static const struct conf_item tcp_items[] = {
	CONF_STR(struct tcp_opts, address, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "Where to connect, host:port or [IPv6 address]:port"),
	CONF_STR(struct tcp_opts, send, .help = "Text to send once connected"),
	CONF_STR(struct tcp_opts, expect, .flags = CONF_F_NONEMPTY,
		 .help = "Text that what comes back must contain"),
	CONF_END,
};

static const struct metric_doc tcp_metrics[] = {
	{"connect_ms", "time to connect, after the name was resolved"},
	{"first_byte_ms", "time from being connected to the first byte of the answer"},
	{NULL, NULL},
};

static void tcp_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct tcp_opts *o = opts;
	struct address address;
	struct err err;

	if (address_parse(o->address, &address, &err) != 0)
		problem(ctx, "/address", err.text);
}

/* ---- One run ---- */

struct tcp_run {
	struct address address;
	int resolve_rc;            /* of getaddrinfo */
	struct addrinfo *found;    /* owned */
	const struct addrinfo *at; /* the address being tried */

	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	bool is_open;
	bool is_cancelled;
	int64_t begun_us; /* connecting, then waiting for the answer */
	struct str answer;
	char buf[4096];

	enum reason reason; /* the verdict, told when all is closed */
	char text[256];
};

static void connect_next(struct check *c);

/* After this nothing of the run is in use any more. */
static void finish(struct check *c)
{
	struct tcp_run *run = check_run_data(c);
	char text[sizeof(run->text)];

	if (run->found != NULL)
		freeaddrinfo(run->found);
	str_done(&run->answer);
	memcpy(text, run->text, sizeof(text));
	check_done(c, run->reason, "%s", text);
}

static void on_closed(uv_handle_t *handle)
{
	struct check *c = handle->data;
	struct tcp_run *run = check_run_data(c);

	/* An address that failed is followed by the next. */
	if (run->reason != REASON_OK && !run->is_cancelled && run->at != NULL)
		connect_next(c);
	else
		finish(c);
}

HALE_PRINTF(3, 4)
static void end(struct check *c, enum reason reason, const char *fmt, ...)
{
	struct tcp_run *run = check_run_data(c);
	va_list args;

	run->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(run->text, sizeof(run->text), fmt, args);
	va_end(args);
	if (!run->is_open) {
		finish(c);
		return;
	}
	run->is_open = false;
	uv_close((uv_handle_t *)&run->tcp, on_closed);
}

static enum reason reason_of(int uv_error)
{
	switch (uv_error) {
	case UV_ECONNREFUSED:
		return REASON_CONN_REFUSED;
	case UV_ECONNRESET:
	case UV_EPIPE:
		return REASON_CONN_RESET;
	case UV_ETIMEDOUT:
		return REASON_TIMEOUT_CONNECT;
	case UV_EMFILE:
	case UV_ENFILE:
	case UV_ENOMEM:
		return REASON_INTERNAL;
	default:
		return REASON_UNREACHABLE;
	}
}

/* ---- Reading ---- */

static void judge_end(struct check *c)
{
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);
	char got[EXCERPT_SIZE];

	if (run->answer.len == 0) {
		end(c, REASON_CONN_CLOSED, "%s", reason_text(REASON_CONN_CLOSED));
		return;
	}
	(void)excerpt(str_text(&run->answer), run->answer.len, got);
	end(c, REASON_BODY_MISMATCH, "expected '%s', got: %s", o->expect, got);
}

static void on_alloc(uv_handle_t *handle, size_t size HALE_UNUSED, uv_buf_t *buf)
{
	struct tcp_run *run = check_run_data(handle->data);

	*buf = uv_buf_init(run->buf, sizeof(run->buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct check *c = stream->data;
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);

	if (n == 0)
		return;
	if (n < 0) {
		if (n == UV_EOF)
			judge_end(c);
		else
			end(c, reason_of((int)n), "%s", uv_strerror((int)n));
		return;
	}
	if (run->answer.len == 0)
		check_metric(c, "first_byte_ms",
			     (double)(clock_mono_us() - run->begun_us) / US_PER_MS);
	str_addn(&run->answer, buf->base, (size_t)n);
	if (memmem(run->answer.data, run->answer.len, o->expect, strlen(o->expect)) != NULL)
		end(c, REASON_OK, "connected and got the expected answer");
	else if (run->answer.len >= ANSWER_MAX_BYTES)
		judge_end(c);
}

/* ---- Connecting and sending ---- */

static void on_written(uv_write_t *write, int status)
{
	struct check *c = write->data;
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);

	if (!run->is_open)
		return;
	if (status < 0)
		end(c, reason_of(status), "%s", uv_strerror(status));
	else if (o->expect == NULL)
		end(c, REASON_OK, "connected and sent");
}

/* Connected: from here on a failure is this address's answer, and no other is tried. */
static void converse(struct check *c)
{
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);
	int rc = 0;

	run->at = NULL;
	check_stage(c, REASON_TIMEOUT_READ);
	check_metric(c, "connect_ms", (double)(clock_mono_us() - run->begun_us) / US_PER_MS);
	run->begun_us = clock_mono_us();
	if (o->send == NULL && o->expect == NULL) {
		end(c, REASON_OK, "connected");
		return;
	}
	if (o->expect != NULL)
		rc = uv_read_start((uv_stream_t *)&run->tcp, on_alloc, on_read);
	if (rc == 0 && o->send != NULL) {
		uv_buf_t buf = uv_buf_init(o->send, (unsigned)strlen(o->send));

		run->write.data = c;
		rc = uv_write(&run->write, (uv_stream_t *)&run->tcp, &buf, 1, on_written);
	}
	if (rc < 0)
		end(c, reason_of(rc), "%s", uv_strerror(rc));
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct check *c = connect->data;
	struct tcp_run *run = check_run_data(c);

	if (!run->is_open)
		return;
	if (status < 0)
		end(c, reason_of(status), "%s", uv_strerror(status));
	else
		converse(c);
}

static void note_ip(struct check *c, const struct addrinfo *a)
{
	char ip[NI_MAXHOST];

	if (getnameinfo(a->ai_addr, a->ai_addrlen, ip, sizeof(ip), NULL, 0, NI_NUMERICHOST) == 0)
		check_detail(c, "ip", json_string(ip));
}

static void connect_next(struct check *c)
{
	struct tcp_run *run = check_run_data(c);
	const struct addrinfo *a = run->at;
	int rc;

	run->at = a->ai_next;
	note_ip(c, a);
	check_stage(c, REASON_TIMEOUT_CONNECT);
	HALE_ASSERT(uv_tcp_init(check_loop(c), &run->tcp) == 0);
	run->is_open = true;
	run->tcp.data = run->connect.data = c;
	run->begun_us = clock_mono_us();
	rc = uv_tcp_connect(&run->connect, &run->tcp, a->ai_addr, on_connected);
	if (rc < 0)
		end(c, reason_of(rc), "%s", uv_strerror(rc));
}

/* ---- Resolving ---- */

static int resolve(struct tcp_run *run, int flags)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};

	return getaddrinfo(run->address.host, run->address.port, &hints, &run->found);
}

static void resolve_name(void *run_data)
{
	struct tcp_run *run = run_data;

	run->resolve_rc = resolve(run, 0);
}

static void on_resolved(struct check *c)
{
	struct tcp_run *run = check_run_data(c);

	if (run->is_cancelled) {
		end(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
	} else if (run->resolve_rc != 0) {
		end(c, REASON_DNS_FAILED, "%s: %s", run->address.host,
		    gai_strerror(run->resolve_rc));
	} else {
		run->at = run->found;
		connect_next(c);
	}
}

static void tcp_start(struct check *c)
{
	const struct tcp_opts *o = check_opts(c);
	struct tcp_run *run = check_run_data(c);
	struct err err;

	if (address_parse(o->address, &run->address, &err) != 0) {
		end(c, REASON_CONFIG, "address: %s", err.text);
		return;
	}
	/* Numbers need no resolver, and so no thread. */
	run->resolve_rc = resolve(run, AI_NUMERICHOST);
	if (run->resolve_rc == 0) {
		on_resolved(c);
		return;
	}
	check_stage(c, REASON_TIMEOUT_DNS);
	check_work(c, resolve_name, on_resolved);
}

/* While the resolver's thread is out, on_resolved ends the run; while the handle closes, on_closed
 * does. */
static void tcp_cancel(struct check *c)
{
	struct tcp_run *run = check_run_data(c);

	run->is_cancelled = true;
	if (run->is_open)
		end(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
}

const struct check_ops check_ops = {
	.kind = "tcp",
	.summary = "connects to a TCP port; may send a text and expect one",
	.items = tcp_items,
	.opts_size = sizeof(struct tcp_opts),
	.run_size = sizeof(struct tcp_run),
	.metrics = tcp_metrics,
	.validate = tcp_validate,
	.start = tcp_start,
	.cancel = tcp_cancel,
};
