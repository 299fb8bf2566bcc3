/* SPDX-License-Identifier: Apache-2.0 */
#include "dial.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conn.h"

struct attempt {
	union resolve_address address; /* of a path: zeroed */
	struct stream *stream;         /* NULL: not begun, or failed */
};

struct dial {
	struct check *check;
	const struct dial_events *events;
	void *ctx;
	uv_timer_t timer; /* for the next address; the dial is freed when it is closed */
	int error;        /* of the last that failed */
	size_t n, begun_n, pending_n;
	struct attempt attempts[];
};

static void on_timer_closed(uv_handle_t *timer)
{
	free(container_of(timer, struct dial, timer));
}

void dial_cancel(struct dial *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->n; i++)
		stream_close(TAKE_PTR(d->attempts[i].stream));
	uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

static void fail(struct dial *d)
{
	dial_cancel(d);
	d->events->on_failed(d->ctx, d->error);
}

static void on_fail_later(uv_timer_t *timer)
{
	fail(timer->data);
}

static void note_ip(const struct dial *d, const struct attempt *a)
{
	char ip[INET6_ADDRSTRLEN];

	if (uv_ip_name(&a->address.any, ip, sizeof(ip)) == 0)
		check_detail(d->check, "ip", json_string(ip));
}

static void on_connect(void *ctx, struct stream *stream, int status);

static const struct stream_events stream_events = {.on_connect = on_connect};

/* Begins with the next address. False if there is none left that can be begun with. */
static bool begin_next(struct dial *d)
{
	while (d->begun_n < d->n) {
		struct attempt *a = &d->attempts[d->begun_n++];

		note_ip(d, a);
		a->stream = stream_connect(check_loop(d->check), &a->address.any, &stream_events, d,
					   &d->error);
		if (a->stream != NULL) {
			d->pending_n++;
			return true;
		}
	}
	return false;
}

static void on_silence(uv_timer_t *timer);

static void arm_next(struct dial *d)
{
	if (d->begun_n < d->n)
		(void)uv_timer_start(&d->timer, on_silence, CONN_NEXT_MS, 0);
	else
		(void)uv_timer_stop(&d->timer);
}

static void on_silence(uv_timer_t *timer)
{
	struct dial *d = timer->data;

	(void)begin_next(d);
	arm_next(d);
}

static void attempt_failed(struct dial *d, struct attempt *a, int status)
{
	note_ip(d, a);
	d->error = status;
	stream_close(TAKE_PTR(a->stream));
	d->pending_n--;
	if (begin_next(d) || d->pending_n > 0)
		arm_next(d);
	else
		fail(d);
}

static void on_connect(void *ctx, struct stream *stream, int status)
{
	struct dial *d = ctx;
	struct attempt *a = d->attempts;

	while (a->stream != stream)
		a++;
	if (status < 0) {
		attempt_failed(d, a, status);
		return;
	}
	note_ip(d, a);
	a->stream = NULL;
	dial_cancel(d);
	d->events->on_stream(d->ctx, stream);
}

static struct dial *dial_new(struct check *c, size_t n, const struct dial_events *events, void *ctx)
{
	struct dial *d = mem_alloc(sizeof(*d) + n * sizeof(d->attempts[0]));

	d->check = c;
	d->events = events;
	d->ctx = ctx;
	d->n = n;
	HALE_ASSERT(uv_timer_init(check_loop(c), &d->timer) == 0);
	d->timer.data = d;
	return d;
}

struct dial *dial_start(struct check *c, const union resolve_address *addresses, size_t n,
			uint16_t port, const struct dial_events *events, void *ctx)
{
	struct dial *d = dial_new(c, n, events, ctx);

	for (size_t i = 0; i < n; i++) {
		union resolve_address *a = &d->attempts[i].address;

		*a = addresses[i];
		if (a->any.sa_family == AF_INET)
			a->v4.sin_port = htons(port);
		else
			a->v6.sin6_port = htons(port);
	}
	if (begin_next(d))
		arm_next(d);
	else
		(void)uv_timer_start(&d->timer, on_fail_later, 0, 0);
	return d;
}

struct dial *dial_start_path(struct check *c, const char *path, const struct dial_events *events,
			     void *ctx)
{
	struct dial *d = dial_new(c, 1, events, ctx);

	d->begun_n = d->pending_n = 1;
	d->attempts[0].stream =
		stream_connect_path(check_loop(c), path, &stream_events, d, &d->error);
	if (d->attempts[0].stream == NULL)
		(void)uv_timer_start(&d->timer, on_fail_later, 0, 0);
	return d;
}
