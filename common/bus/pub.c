/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/pub.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bus/nngsock.h"
#include "bus/outbox.h"
#include "bus/ring.h"
#include "model/frame.h"

/* Room for the header line before the one line of a frame. */
#define LINE_MAX_BYTES    (FRAME_MAX_BYTES - 256)
/* Sent but unacknowledged: some seconds of the busiest child, and few enough frames that they fit
 * into nng's buffer, which would otherwise drop its oldest. */
#define WINDOW_MAX_BYTES  (4u << 20)
#define WINDOW_MAX_FRAMES (BUS_BUFFER_MESSAGES / 2)
/* After silence one frame probes whether haled listens again; the window then opens by this. */
#define WINDOW_MIN_BYTES  FRAME_FLUSH_BYTES
#define WINDOW_FACTOR     4
/* A haled that hangs while connected gets a probe this seldom at last, or the repeats would pile up
 * in nng's buffer. */
#define RESEND_MAX_MS     8000

struct pub {
	struct nngsock sock;
	char epoch[FRAME_EPOCH_MAX];
	uint64_t head;
	struct ring *ring; /* borrowed */
	struct pub_stats stats;

	/* Lines of this turn, not sent yet (without an outbox). */
	struct str lines;
	char topic[FRAME_TOPIC_MAX];
	uint64_t first_seq;
	uint32_t count;
	struct str text; /* scratch */

	bool has_outbox;
	struct outbox outbox;
	uint64_t acked;
	uint64_t next_seq; /* what haled expects next if all that was sent arrives */
	uint64_t sent_seq; /* newest ever sent */
	size_t window_bytes;
	uint32_t frames_in_flight; /* since the last acknowledgement */
	bool must_announce;        /* tell first that nothing up to `acked` comes again */
	uint64_t added_seen;       /* connections known */
	uint32_t resend_ms;

	uv_prepare_t prepare; /* these two run only while something waits to be sent: */
	uv_check_t check;     /* whichever comes first ends the turn */
	uv_timer_t timer;     /* runs only while lines are unacknowledged */
	unsigned open_handles;
	bool is_closing;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static void send_frame(struct pub *p, const char *topic, uint64_t first_seq, uint32_t count,
		       const char *lines, size_t len)
{
	nng_msg *msg;

	str_clear(&p->text);
	frame_format(&p->text, topic, p->epoch, first_seq, count, lines, len);
	HALE_ASSERT(nng_msg_alloc(&msg, 0) == 0);
	HALE_ASSERT(nng_msg_append(msg, p->text.data, p->text.len) == 0);
	/* A PUB socket takes everything, and drops what does not fit into a peer's buffer. */
	if (nng_sendmsg(p->sock.socket, msg, NNG_FLAG_NONBLOCK) != 0)
		nng_msg_free(msg);
	p->stats.frames++;
	p->stats.bytes += p->text.len;
}

static void flush_gathered(struct pub *p)
{
	if (p->count == 0)
		return;
	send_frame(p, p->topic, p->first_seq, p->count, p->lines.data, p->lines.len);
	p->count = 0;
	str_clear(&p->lines);
}

static bool is_connected(const struct pub *p)
{
	return atomic_load(&p->sock.live) != 0;
}

/* Nothing before seq will come any more (frame.h). */
static void send_skip(struct pub *p, uint64_t seq)
{
	send_frame(p, TOPIC_SYNC, seq, 0, "", 0);
	p->next_seq = seq;
}

/* One frame from the outbox: the next line and those that may share its frame. */
static void send_run(struct pub *p)
{
	const struct outbox_line *l = outbox_peek(&p->outbox);
	const struct outbox_line *first = l;
	uint32_t count = 0;

	if (l->seq != p->next_seq)
		send_skip(p, l->seq);
	str_clear(&p->lines);
	do {
		str_addn(&p->lines, l->text, l->len);
		if (l->seq <= p->sent_seq)
			p->stats.resent++;
		else
			p->sent_seq = l->seq;
		count++;
		outbox_step(&p->outbox);
		l = outbox_peek(&p->outbox);
	} while (l != NULL && l->seq == first->seq + count && strcmp(l->topic, first->topic) == 0 &&
		 p->lines.len + l->len <= FRAME_FLUSH_BYTES);
	send_frame(p, first->topic, first->seq, count, p->lines.data, p->lines.len);
	p->next_seq = first->seq + count;
	p->frames_in_flight++;
}

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct pub *p)
{
	if (p->acked == p->head || !is_connected(p))
		(void)uv_timer_stop(&p->timer);
	else if (!uv_is_active((uv_handle_t *)&p->timer))
		(void)uv_timer_start(&p->timer, on_timer, p->resend_ms, 0);
}

static void rewind_outbox(struct pub *p, size_t window_bytes)
{
	outbox_rewind(&p->outbox);
	p->next_seq = p->acked + 1;
	p->window_bytes = window_bytes;
	p->frames_in_flight = 0;
	p->must_announce = true;
}

/* On a new connection: whoever listens now may have seen nothing yet, and its buffer is empty. */
static void notice_connection(struct pub *p)
{
	uint64_t added = atomic_load(&p->sock.added);

	if (added == p->added_seen)
		return;
	p->added_seen = added;
	p->resend_ms = PUB_RESEND_MS;
	(void)uv_timer_stop(&p->timer);
	rewind_outbox(p, WINDOW_MAX_BYTES);
}

static void flush_outbox(struct pub *p)
{
	if (!is_connected(p)) {
		(void)uv_timer_stop(&p->timer);
		return;
	}
	notice_connection(p);
	if (p->acked == p->head)
		return;
	if (p->must_announce && p->acked > 0)
		send_skip(p, p->acked + 1);
	p->must_announce = false;
	while (outbox_peek(&p->outbox) != NULL && p->outbox.sent_bytes < p->window_bytes &&
	       p->frames_in_flight < WINDOW_MAX_FRAMES)
		send_run(p);
	/* The newest lines themselves may have been dropped. */
	if (outbox_peek(&p->outbox) == NULL && p->next_seq <= p->head)
		send_skip(p, p->head + 1);
	arm_timer(p);
}

static void on_timer(uv_timer_t *timer)
{
	struct pub *p = timer->data;

	rewind_outbox(p, WINDOW_MIN_BYTES);
	p->resend_ms = HALE_MIN(p->resend_ms * 2, (uint32_t)RESEND_MAX_MS);
	flush_outbox(p);
}

void pub_flush(struct pub *p)
{
	(void)uv_prepare_stop(&p->prepare);
	(void)uv_check_stop(&p->check);
	if (p->has_outbox)
		flush_outbox(p);
	else
		flush_gathered(p);
}

static void on_prepare(uv_prepare_t *prepare)
{
	pub_flush(prepare->data);
}

static void on_check(uv_check_t *check)
{
	pub_flush(check->data);
}

/* What timers and callbacks add is sent before the loop waits, what I/O adds right after it. */
static void flush_soon(struct pub *p)
{
	if (p->is_closing)
		return;
	(void)uv_prepare_start(&p->prepare, on_prepare);
	(void)uv_check_start(&p->check, on_check);
}

static void on_wake(void *ctx)
{
	struct pub *p = ctx;

	if (!p->is_closing)
		flush_outbox(p);
}

static struct pub *pub_new(const char *epoch, struct ring *ring)
{
	struct pub *p = mem_alloc(sizeof(*p));

	HALE_ASSERT(epoch[0] != '\0' && strlen(epoch) < sizeof(p->epoch));
	memcpy(p->epoch, epoch, strlen(epoch) + 1);
	p->ring = ring;
	p->next_seq = 1;
	p->window_bytes = WINDOW_MAX_BYTES;
	p->resend_ms = PUB_RESEND_MS;
	return p;
}

static void init_handles(struct pub *p, uv_loop_t *loop)
{
	/* None of these can fail: they only fill in the handle. */
	(void)uv_prepare_init(loop, &p->prepare);
	(void)uv_check_init(loop, &p->check);
	(void)uv_timer_init(loop, &p->timer);
	p->prepare.data = p->check.data = p->timer.data = p;
}

int pub_listen(uv_loop_t *loop, const char *path, const struct bus_access *access,
	       const char *epoch, struct ring *ring, struct pub **pub_r, struct err *err)
{
	struct pub *p = pub_new(epoch, ring);
	const struct nngsock_ops ops = {.ctx = p};
	int rv;

	rv = nngsock_listen(&p->sock, loop, NNGSOCK_PUB, path, access, FRAME_MAX_BYTES, &ops, err);
	if (rv < 0) {
		free(p);
		return rv;
	}
	init_handles(p, loop);
	*pub_r = p;
	return 0;
}

int pub_dial(uv_loop_t *loop, const char *path, const char *epoch, size_t outbox_bytes,
	     struct pub **pub_r, struct err *err)
{
	struct pub *p = pub_new(epoch, NULL);
	const struct nngsock_ops ops = {.on_wake = on_wake, .ctx = p};
	int rv;

	p->has_outbox = true;
	outbox_init(&p->outbox, outbox_bytes);
	rv = nngsock_dial(&p->sock, loop, NNGSOCK_PUB, path, FRAME_MAX_BYTES, &ops, err);
	if (rv < 0) {
		free(p);
		return rv;
	}
	init_handles(p, loop);
	*pub_r = p;
	return 0;
}

void pub_continue(struct pub *p, uint64_t head)
{
	HALE_ASSERT(p->head == 0 && !p->has_outbox);
	p->head = head;
}

static void gather(struct pub *p, const char *topic, const char *line, size_t len)
{
	if (p->count > 0 &&
	    (strcmp(p->topic, topic) != 0 || p->lines.len + len + 1 > FRAME_FLUSH_BYTES))
		flush_gathered(p);
	if (p->count == 0) {
		memcpy(p->topic, topic, strlen(topic) + 1);
		p->first_seq = p->head;
	}
	str_addn(&p->lines, line, len);
	str_addc(&p->lines, '\n');
	p->count++;
}

static uint64_t add_line(struct pub *p, const char *topic, const char *line, size_t len)
{
	p->head++;
	p->stats.lines++;
	if (p->ring != NULL)
		ring_add(p->ring, p->epoch, p->head, topic, line, len);
	if (p->has_outbox)
		p->stats.dropped += outbox_add(&p->outbox, p->head, topic, line, len);
	else
		gather(p, topic, line, len);
	flush_soon(p);
	return p->head;
}

uint64_t pub_line(struct pub *p, const char *topic, const char *line, size_t len)
{
	char *flat;
	uint64_t seq;

	HALE_ASSERT(topic[0] != '\0' && strlen(topic) < FRAME_TOPIC_MAX && len > 0);
	HALE_ASSERT(strcmp(topic, TOPIC_SYNC) != 0);
	if (len > LINE_MAX_BYTES) {
		p->stats.dropped++;
		return 0;
	}
	if (memchr(line, '\n', len) == NULL)
		return add_line(p, topic, line, len);
	/* In a JSON text a raw newline is nothing but a blank, in a frame it would end the line. */
	flat = mem_dupn(line, len);
	for (size_t i = 0; i < len; i++) {
		if (flat[i] == '\n')
			flat[i] = ' ';
	}
	seq = add_line(p, topic, flat, len);
	free(flat);
	return seq;
}

uint64_t pub_json(struct pub *p, const char *topic, json_t *object)
{
	char *text = json_dumps(object, JSON_WIRE_FLAGS);
	uint64_t seq;

	HALE_ASSERT(text != NULL);
	seq = pub_line(p, topic, text, strlen(text));
	free(text);
	json_decref(object);
	return seq;
}

void pub_sync(struct pub *p, json_t *object)
{
	char *text = json_dumps(object, JSON_WIRE_FLAGS);
	size_t len;

	HALE_ASSERT(text != NULL && !p->has_outbox);
	flush_gathered(p); /* first_seq tells what has been sent before */
	len = strlen(text);
	text[len] = '\n'; /* in place of the NUL */
	send_frame(p, TOPIC_SYNC, p->head, 1, text, len + 1);
	free(text);
	json_decref(object);
}

void pub_acked(struct pub *p, uint64_t seq)
{
	HALE_ASSERT(p->has_outbox);
	if (seq <= p->acked || seq > p->head)
		return;
	outbox_ack(&p->outbox, seq);
	p->acked = seq;
	p->next_seq = HALE_MAX(p->next_seq, seq + 1);
	p->frames_in_flight = 0;
	p->window_bytes = HALE_MIN(p->window_bytes * WINDOW_FACTOR, (size_t)WINDOW_MAX_BYTES);
	p->resend_ms = PUB_RESEND_MS;
	if (p->is_closing)
		return;
	(void)uv_timer_stop(&p->timer);
	arm_timer(p);
	if (outbox_peek(&p->outbox) != NULL)
		flush_soon(p);
}

void pub_on_sync(struct pub *p, const json_t *sync)
{
	const json_t *seq = json_object_get(json_object_get(sync, "acks"), p->epoch);

	if (json_is_integer(seq) && json_integer_value(seq) > 0)
		pub_acked(p, (uint64_t)json_integer_value(seq));
}

uint64_t pub_head(const struct pub *p)
{
	return p->head;
}

uint64_t pub_unacked(const struct pub *p)
{
	return p->has_outbox ? p->head - p->acked : 0;
}

const struct pub_stats *pub_stats_get(const struct pub *p)
{
	struct pub *own = (struct pub *)(uintptr_t)p;

	own->stats.pending = p->outbox.n;
	own->stats.refused = atomic_load(&own->sock.refused);
	own->stats.reopened = p->sock.reopened;
	return &p->stats;
}

static void on_part_closed(struct pub *p)
{
	void (*on_closed)(void *ctx) = p->on_closed;
	void *ctx = p->closed_ctx;

	if (--p->open_handles > 0)
		return;
	outbox_done(&p->outbox);
	str_done(&p->lines);
	str_done(&p->text);
	free(p);
	if (on_closed != NULL)
		on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
	on_part_closed(handle->data);
}

static void on_sock_closed(void *ctx)
{
	on_part_closed(ctx);
}

void pub_close(struct pub *p, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!p->is_closing);
	pub_flush(p);
	p->is_closing = true;
	p->on_closed = on_closed;
	p->closed_ctx = ctx;
	p->open_handles = 4;
	uv_close((uv_handle_t *)&p->prepare, on_handle_closed);
	uv_close((uv_handle_t *)&p->check, on_handle_closed);
	uv_close((uv_handle_t *)&p->timer, on_handle_closed);
	nngsock_close(&p->sock, on_sock_closed);
}
