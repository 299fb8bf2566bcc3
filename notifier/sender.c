/* SPDX-License-Identifier: Apache-2.0 */
#include "sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "rate.h"

/* How long to leave an outbox alone that could not be read or written. */
#define OUTBOX_PAUSE_MS 1000
/* Channels that answer at once (log) must not keep the loop from everything else. */
#define SENDS_PER_TURN  50

struct lane { /* one channel */
	struct sender *sender;
	const struct channel *channel;
	void *prep;
	struct rate rate;
	int64_t pause_until_ms;
	bool is_busy;
	bool is_starting;   /* inside ops->send */
	int64_t started_ms; /* monotonic */
	struct message message;
	struct delivery delivery;
};

struct test_run { /* notify.test */
	struct sender *sender;
	struct message message;
	struct delivery delivery;
	void (*on_done)(void *ctx, const struct delivery_result *r);
	void *ctx;
	const struct channel_ops *ops;
	struct test_run *next;
};

struct sender {
	struct sender_env env;
	struct lane *lanes;
	size_t lanes_n;
	struct test_run *tests;
	size_t in_flight;
	bool is_stopping;
	uv_timer_t *grace;
	void (*on_stopped)(void *ctx);
	void *stopped_ctx;
};

static struct http_client *http_of(void *ctx)
{
	const struct lane *lane = ctx;

	return lane->sender->env.http(lane->sender->env.ctx);
}

static struct http_client *http_of_test(void *ctx)
{
	const struct test_run *t = ctx;

	return t->sender->env.http(t->sender->env.ctx);
}

/* What was sent in the last minute counts, also if it was before a restart. */
static int prime_rate(struct sender *s, struct lane *lane, struct err *err)
{
	int64_t now = clock_wall_ms();
	int64_t *at = mem_array(lane->rate.n + 1, sizeof(*at));
	int n = outbox_recent(s->env.outbox, lane->channel->name, now - RATE_WINDOW_MS, at,
			      lane->rate.n, err);

	for (int i = 0; i < n; i++)
		rate_take(&lane->rate, at[i]);
	free(at);
	return n < 0 ? n : 0;
}

int sender_new(const struct sender_env *env, struct sender **s_r, struct err *err)
{
	struct sender *s = mem_alloc(sizeof(*s));
	int rc = 0;

	s->env = *env;
	s->lanes = mem_array(env->alerts->channels_n + 1, sizeof(*s->lanes));
	for (size_t i = 0; i < env->alerts->channels_n && rc == 0; i++) {
		struct lane *lane = &s->lanes[s->lanes_n++];

		lane->sender = s;
		lane->channel = &env->alerts->channels[i];
		if (lane->channel->ops->prepare)
			lane->prep = lane->channel->ops->prepare(lane->channel->opts);
		rate_init(&lane->rate, lane->channel->rate);
		rc = prime_rate(s, lane, err);
	}
	if (rc < 0) {
		sender_free(s);
		return rc;
	}
	*s_r = s;
	return 0;
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	HALE_ASSERT(s->in_flight == 0);
	for (size_t i = 0; i < s->lanes_n; i++) {
		struct lane *lane = &s->lanes[i];

		if (lane->channel->ops->unprepare)
			lane->channel->ops->unprepare(lane->prep);
		rate_done(&lane->rate);
	}
	free(s->lanes);
	free(s);
}

size_t sender_in_flight(const struct sender *s)
{
	return s->in_flight;
}

/* ---- ending ---- */

static void on_grace_closed(uv_handle_t *handle)
{
	free(handle);
}

static void check_stopped(struct sender *s)
{
	void (*on_stopped)(void *ctx) = s->on_stopped;

	if (!s->is_stopping || s->in_flight > 0 || !on_stopped)
		return;
	s->on_stopped = NULL;
	if (s->grace)
		uv_close((uv_handle_t *)s->grace, on_grace_closed);
	s->grace = NULL;
	on_stopped(s->stopped_ctx);
}

static void on_grace(uv_timer_t *timer)
{
	struct sender *s = timer->data;

	for (size_t i = 0; i < s->lanes_n; i++)
		if (s->lanes[i].is_busy)
			s->lanes[i].channel->ops->cancel(&s->lanes[i].delivery);
	while (s->tests)
		s->tests->ops->cancel(&s->tests->delivery);
}

void sender_stop(struct sender *s, int64_t grace_ms, void (*on_stopped)(void *ctx), void *ctx)
{
	HALE_ASSERT(!s->is_stopping);
	s->is_stopping = true;
	s->on_stopped = on_stopped;
	s->stopped_ctx = ctx;
	if (s->in_flight > 0) {
		s->grace = mem_alloc(sizeof(*s->grace));
		s->grace->data = s;
		(void)uv_timer_init(s->env.loop, s->grace);
		(void)uv_timer_start(s->grace, on_grace, (uint64_t)grace_ms, 0);
	}
	check_stopped(s);
}

/* ---- one attempt ---- */

static int64_t next_try(const struct lane *lane, const struct delivery_result *r, int64_t now_ms)
{
	struct backoff b = {.failures = lane->message.attempt - 1};
	int64_t delay = backoff_next(&b, &lane->sender->env.alerts->retry, rnd_u32());

	/* Not later than the last moment it is still worth trying. */
	delay = HALE_MAX(delay, r->retry_after_ms);
	return HALE_MAX(now_ms + 1, HALE_MIN(now_ms + delay, lane->message.give_up_ms));
}

static void record(struct lane *lane, const struct delivery_result *r)
{
	struct sender *s = lane->sender;
	int64_t now = clock_wall_ms();
	int64_t next = now;
	enum outbox_verdict verdict = OUTBOX_SENT;
	struct err err = {0};

	if (!r->is_sent) {
		verdict = now >= lane->message.give_up_ms ? OUTBOX_FAILED : OUTBOX_RETRY;
		next = next_try(lane, r, now);
		if (!r->is_refused)
			lane->pause_until_ms = next;
	}
	if (outbox_attempted(s->env.outbox, lane->message.seq, verdict,
			     clock_mono_ms() - lane->started_ms, r, now, next, &err) < 0) {
		/* It will be sent again under the same id: the price of not knowing. */
		lane->pause_until_ms = HALE_MAX(next, now + OUTBOX_PAUSE_MS);
		s->env.on_trouble(s->env.ctx, &err);
		return;
	}
	s->env.on_attempt(s->env.ctx, lane->channel, lane->message.seq, lane->message.attempt,
			  verdict, r);
}

static void on_lane_done(void *ctx, const struct delivery_result *r)
{
	struct lane *lane = ctx;
	struct sender *s = lane->sender;

	record(lane, r);
	message_done(&lane->message);
	lane->is_busy = false;
	s->in_flight--;
	if (!lane->is_starting)
		s->env.on_idle(s->env.ctx);
	check_stopped(s);
}

/* True if the attempt ended at once and the next message may follow. */
static bool start(struct lane *lane, int64_t now_ms)
{
	struct sender *s = lane->sender;
	struct err err = {0};

	if (outbox_attempt(s->env.outbox, lane->message.seq, now_ms, &err) < 0) {
		lane->pause_until_ms = now_ms + OUTBOX_PAUSE_MS;
		message_done(&lane->message);
		s->env.on_trouble(s->env.ctx, &err);
		return true;
	}
	rate_take(&lane->rate, now_ms);
	lane->delivery = (struct delivery){
		.message = &lane->message,
		.opts = lane->channel->opts,
		.prep = lane->prep,
		.http = http_of,
		.on_done = on_lane_done,
		.ctx = lane,
	};
	lane->started_ms = clock_mono_ms();
	lane->is_busy = true;
	s->in_flight++;
	lane->is_starting = true;
	lane->channel->ops->send(&lane->delivery);
	lane->is_starting = false;
	return !lane->is_busy;
}

static int64_t run_lane(struct lane *lane, int64_t now_ms)
{
	struct sender *s = lane->sender;
	int64_t due = INT64_MAX;

	for (int sent = 0; !lane->is_busy && !s->is_stopping; sent++) {
		int64_t when = HALE_MAX(lane->pause_until_ms, rate_when(&lane->rate, now_ms));
		struct err err = {0};
		int found;

		if (sent == SENDS_PER_TURN)
			return now_ms;
		found = when > now_ms ? 0
				      : outbox_next(s->env.outbox, lane->channel->name, now_ms,
						    &lane->message, &err);
		if (found > 0) {
			if (!start(lane, now_ms))
				return INT64_MAX;
			continue;
		}
		if (found == 0)
			found = outbox_due(s->env.outbox, lane->channel->name, &due, &err);
		if (found < 0) {
			s->env.on_trouble(s->env.ctx, &err);
			return now_ms + OUTBOX_PAUSE_MS;
		}
		return due == INT64_MAX ? due : HALE_MAX(due, when);
	}
	return INT64_MAX;
}

int64_t sender_run(struct sender *s, int64_t now_ms)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < s->lanes_n; i++) {
		int64_t lane_due = run_lane(&s->lanes[i], now_ms);

		due = HALE_MIN(due, lane_due);
	}
	return due;
}

/* ---- test messages ---- */

static void on_test_done(void *ctx, const struct delivery_result *r)
{
	struct test_run *t = ctx;
	struct sender *s = t->sender;

	for (struct test_run **at = &s->tests; *at; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			break;
		}
	}
	t->on_done(t->ctx, r);
	message_done(&t->message);
	free(t);
	s->in_flight--;
	check_stopped(s);
}

void sender_test(struct sender *s, const struct channel *c, const struct message *m,
		 void (*on_done)(void *ctx, const struct delivery_result *r), void *ctx)
{
	struct test_run *t = mem_alloc(sizeof(*t));
	size_t i = 0;

	while (s->lanes[i].channel != c)
		i++;
	t->sender = s;
	t->on_done = on_done;
	t->ctx = ctx;
	t->ops = c->ops;
	t->message = (struct message){
		.event = mem_dup(m->event),
		.title = mem_dup(m->title),
		.text = mem_dup(m->text),
		.payload = json_incref(m->payload),
		.attempt = m->attempt,
	};
	memcpy(t->message.id, m->id, sizeof(t->message.id));
	t->delivery = (struct delivery){
		.message = &t->message,
		.opts = c->opts,
		.prep = s->lanes[i].prep,
		.http = http_of_test,
		.on_done = on_test_done,
		.ctx = t,
	};
	t->next = s->tests;
	s->tests = t;
	s->in_flight++;
	c->ops->send(&t->delivery);
}
