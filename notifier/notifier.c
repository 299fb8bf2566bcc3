/* SPDX-License-Identifier: Apache-2.0 */
#include "notifier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "model/frame.h"
#include "service/child_proto.h"
#include "service/confine.h"

/* How long a stopping notifier waits for the answers to what it has just sent. */
#define STOP_GRACE_MS       3000
/* After a start the bus tells first what happened meanwhile: what was deferred may be over. */
#define CATCH_UP_MS         3000
#define COMMIT_RETRY_MS     1000
/* Then the process starts anew from what is committed; the bus still has the lines. */
#define COMMIT_FAILURES_MAX 30
#define PURGE_EVERY_MS      (6 * 3600 * 1000)
/* Lines that told nothing new are read again after a crash: so much of them, and no commit a second
 * for the sake of the cursor. haled keeps lines for longer. */
#define CURSOR_EVERY_MS     5000

static void turn(struct notifier *n);

/* ---- decided: from notices to messages ---- */

static void new_id(void *ctx, char buf[37])
{
	(void)ctx;
	(void)rnd_uuid(buf);
}

/* What a channel gets of a notice: everything but the lists that only templates need. */
static json_t *make_payload(const json_t *vars, const char *id, const char *title,
			    const char *message)
{
	json_t *payload = json_copy((json_t *)vars);

	json_object_del(payload, "components");
	json_object_del(payload, "culprits");
	json_object_set(payload, "rule", json_object_get(json_object_get(vars, "rule"), "name"));
	json_object_set_new(payload, "id", json_string(id));
	json_object_set_new(payload, "title", json_string(title));
	json_object_set_new(payload, "message", json_string(message));
	return payload;
}

static void add_message(struct notifier *n, const struct effect *fx, const char *channel,
			const char *title, const char *message)
{
	int64_t now = clock_wall_ms();
	struct outgoing *g;

	n->out = mem_grow(n->out, n->out_n + 1, sizeof(*n->out));
	g = &n->out[n->out_n++];
	*g = (struct outgoing){
		.key = mem_dup(json_string_value(json_object_get(fx->alert, "key"))),
		.channel = mem_dup(channel),
		.rule = mem_dup(n->alerts.rules[fx->rule].name),
		.created_ms = now,
	};
	(void)rnd_uuid(g->id);
	(void)snprintf(g->alert, sizeof(g->alert), "%s",
		       json_string_value(json_object_get(fx->alert, "id")));
	g->message.event = mem_dup(notice_event_name(fx->event));
	g->message.title = mem_dup(title);
	g->message.text = render_join(title, message);
	g->message.payload = make_payload(fx->vars, g->id, title, message);
	g->message.give_up_ms = now + n->alerts.give_up_after_ms;
}

static void add_messages(struct notifier *n, const struct effect *fx)
{
	const struct alert_rule *rule = &n->alerts.rules[fx->rule];
	HALE_CLEANUP(cleanup_free) char *title = NULL;
	HALE_CLEANUP(cleanup_free) char *message = NULL;
	struct err err = {0};

	if (render(n->renderer, fx->rule, fx->vars, &title, &message, &err) < 0) {
		n->template_errors++;
		log_warn("template failed, told in plain words", KV_S("rule", rule->name),
			 KV_S("error", err.text));
	}
	for (size_t i = 0; i < rule->channels.n; i++)
		add_message(n, fx, rule->channels.v[i], title, message);
}

/* Takes fresh effects over. */
static void take_effects(struct notifier *n, struct effects *fresh)
{
	for (size_t i = 0; i < fresh->n; i++) {
		if (fresh->v[i].type == EFFECT_NOTICE)
			add_messages(n, &fresh->v[i]);
		n->effects.v = mem_grow(n->effects.v, n->effects.n + 1, sizeof(*n->effects.v));
		n->effects.v[n->effects.n++] = fresh->v[i];
	}
	free(fresh->v);
	*fresh = (struct effects){0};
}

/* ---- committed: announce ---- */

static void announce(struct notifier *n, const struct effect *fx)
{
	char at[CLOCK_TEXT_MAX];

	if (fx->type != EFFECT_OPEN && fx->type != EFFECT_RESOLVE)
		return;
	service_publish(n->service, TOPIC_ALERT,
			json_pack("{s:s, s:s, s:O}", "at", clock_format(fx->at_ms, at), "event",
				  fx->type == EFFECT_OPEN ? "opened" : "resolved", "alert",
				  fx->alert));
}

static void forget_pending(struct notifier *n)
{
	effects_done(&n->effects);
	for (size_t i = 0; i < n->out_n; i++)
		outgoing_done(&n->out[i]);
	free(n->out);
	n->out = NULL;
	n->out_n = 0;
	n->is_cursor_moved = false;
}

static void note_trouble(struct notifier *n, const struct err *err)
{
	if (n->trouble[0] == '\0')
		log_error("cannot write the outbox, alerts wait", KV_S("error", err->text));
	(void)snprintf(n->trouble, sizeof(n->trouble), "%.250s", err->text);
	service_status(n->service, "cannot write the outbox: %s", n->trouble);
}

static void tell_status(struct notifier *n)
{
	service_status(n->service, "%zu rule%s, %zu channel%s", n->alerts.rules_n,
		       n->alerts.rules_n == 1 ? "" : "s", n->alerts.channels_n,
		       n->alerts.channels_n == 1 ? "" : "s");
}

static void note_success(struct notifier *n)
{
	n->commit_failures = 0;
	if (n->trouble[0] == '\0')
		return;
	n->trouble[0] = '\0';
	log_info("the outbox can be written again");
	tell_status(n);
}

static bool commit(struct notifier *n)
{
	struct outbox_batch batch = {
		.engine = n->engine,
		.cursor = n->is_cursor_moved ? &n->cursor : NULL,
		.effects = &n->effects,
		.out = n->out,
		.out_n = n->out_n,
	};
	struct err err = {0};
	int64_t dropped = 0;

	if (!n->is_cursor_moved && n->effects.n == 0)
		return true;
	if (outbox_commit(n->outbox, &batch, clock_wall_ms(), &dropped, &err) < 0) {
		note_trouble(n, &err);
		if (++n->commit_failures >= COMMIT_FAILURES_MAX)
			service_fail(n->service, CHILD_EXIT_TEMPFAIL, "outbox: %s", err.text);
		return false;
	}
	note_success(n);
	n->committed_ms = clock_mono_ms();
	engine_saved(n->engine);
	if (dropped > 0) {
		n->dropped += (uint64_t)dropped;
		log_warn("too many messages wait, the oldest were given up",
			 KV_I("messages", dropped));
	}
	for (size_t i = 0; i < n->effects.n; i++)
		announce(n, &n->effects.v[i]);
	forget_pending(n);
	return true;
}

/* ---- the timer ---- */

static void on_timer(uv_timer_t *timer)
{
	struct notifier *n = timer->data;
	int64_t now = clock_wall_ms();
	struct effects fresh = {0};

	if (now >= n->quiet_until_ms) {
		engine_tick(n->engine, now, &fresh);
		take_effects(n, &fresh);
	}
	turn(n);
}

static void arm(struct notifier *n, int64_t due_ms, int64_t now_ms)
{
	if (due_ms == INT64_MAX)
		(void)uv_timer_stop(&n->timer);
	else
		(void)uv_timer_start(&n->timer, on_timer, (uint64_t)HALE_MAX(0, due_ms - now_ms),
				     0);
}

/* Commits what was decided, sends what may be sent, and looks when to come back. */
static void turn(struct notifier *n)
{
	int64_t now = clock_wall_ms();
	int64_t decide_ms, send_ms;

	if (n->is_stopping)
		return;
	if (!commit(n)) {
		arm(n, now + COMMIT_RETRY_MS, now);
		return;
	}
	send_ms = sender_run(n->sender, now);
	decide_ms = engine_due(n->engine, now);
	decide_ms = HALE_MAX(decide_ms, n->quiet_until_ms);
	arm(n, HALE_MIN(decide_ms, send_ms), now);
}

/* ---- the bus ---- */

static void take_event(struct notifier *n, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "kind"));

	if (str_eq(kind, "monitoring_paused"))
		engine_pause(n->engine, true);
	else if (str_eq(kind, "monitoring_resumed"))
		engine_pause(n->engine, false);
}

static bool on_text(void *ctx, const char *topic, const char *epoch, uint64_t seq, const char *text,
		    size_t len)
{
	struct notifier *n = ctx;
	struct health_line line;

	(void)epoch;
	(void)seq;
	if (n->is_stopping || !str_eq(topic, TOPIC_HEALTH) ||
	    !health_line_is_routine(text, len, &line) || !engine_routine(n->engine, &line))
		return false;
	n->lines++;
	return true;
}

static void on_line(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		    const json_t *object)
{
	struct notifier *n = ctx;
	const char *at = json_string_value(json_object_get(object, "at"));
	int64_t now = clock_wall_ms();
	struct effects fresh = {0};

	(void)epoch;
	(void)seq;
	if (n->is_stopping)
		return;
	n->is_news = true;
	if (str_eq(topic, TOPIC_EVENT))
		take_event(n, object);
	if (!str_eq(topic, TOPIC_HEALTH))
		return;
	n->lines++;
	/* The line's own time, so that lines which are read again are judged the same again. */
	if (at)
		(void)clock_parse(at, &now);
	if (engine_health(n->engine, object, now, &fresh) < 0)
		n->bad_lines++;
	take_effects(n, &fresh);
}

static void on_snapshot(void *ctx, const json_t *snapshot)
{
	struct notifier *n = ctx;
	struct effects fresh = {0};

	if (n->is_stopping)
		return;
	n->is_news = true;
	if (engine_snapshot(n->engine, snapshot, clock_wall_ms(), &fresh) < 0)
		n->bad_lines++;
	take_effects(n, &fresh);
}

static void on_batch(void *ctx, const struct feed_cursor *cursor)
{
	struct notifier *n = ctx;

	if (n->is_stopping)
		return;
	n->cursor = *cursor;
	n->is_cursor_moved = true;
	if (!n->is_news && n->quiet_until_ms == 0 &&
	    clock_mono_ms() - n->committed_ms < CURSOR_EVERY_MS)
		return;
	n->quiet_until_ms = 0;
	n->is_news = false;
	turn(n);
}

static const struct feed_ops feed_ops = {
	.on_text = on_text,
	.on_line = on_line,
	.on_snapshot = on_snapshot,
	.on_batch = on_batch,
};

/* ---- the sender ---- */

static struct http_client *on_http(void *ctx)
{
	return service_http(((struct notifier *)ctx)->service);
}

static void on_attempt(void *ctx, const struct channel *c, int64_t seq, uint32_t attempt,
		       enum outbox_verdict verdict, const struct delivery_result *r)
{
	static const char *const words[] = {
		[OUTBOX_SENT] = "sent", [OUTBOX_RETRY] = "retrying", [OUTBOX_FAILED] = "failed"};
	struct notifier *n = ctx;
	struct err err = {0};
	json_t *line = outbox_subject(n->outbox, seq, &err);
	json_t *delivery = json_object_get(line, "delivery");

	note_success(n);
	if (verdict != OUTBOX_SENT) {
		/* S0-40 names this text. */
		char *text = mem_printf("Failed to send alert: %s", r->error);

		log_warn(text, KV_S("channel", c->name), KV_I("attempt", attempt),
			 KV_S("delivery", words[verdict]));
		free(text);
	}
	if (!json_is_object(line) || !json_is_object(json_object_get(line, "alert"))) {
		json_decref(line);
		return;
	}
	json_object_set_new(line, "event",
			    json_string(verdict == OUTBOX_SENT ? "notified" : "failed"));
	json_object_set_new(delivery, "attempt", json_integer(attempt));
	json_object_set_new(delivery, "status", json_string(words[verdict]));
	json_object_set_new(delivery, "error",
			    verdict == OUTBOX_SENT ? json_null() : json_string(r->error));
	service_publish(n->service, TOPIC_ALERT, line);
}

static void on_trouble(void *ctx, const struct err *err)
{
	note_trouble(ctx, err);
}

static void on_idle(void *ctx)
{
	struct notifier *n = ctx;

	/* In a turn of its own, not from within the answer to a request. */
	if (!n->is_stopping)
		arm(n, 0, 0);
}

/* ---- life ---- */

static void on_purge(uv_timer_t *timer)
{
	struct notifier *n = timer->data;
	struct err err = {0};

	if (outbox_purge(n->outbox, clock_wall_ms() - n->alerts.keep_ms, &err) < 0)
		log_warn("cannot remove old alerts", KV_S("error", err.text));
}

static int open_outbox(struct notifier *n, struct err *err)
{
	char *path = path_join(service_state_dir(n->service), OUTBOX_FILE);
	struct strlist names = {0};
	int rc = outbox_open(path, &n->outbox, err);

	free(path);
	if (rc == 0)
		rc = outbox_load(n->outbox, n->engine, &n->cursor, err);
	for (size_t i = 0; i < n->alerts.channels_n; i++)
		strlist_add(&names, n->alerts.channels[i].name);
	if (rc == 0)
		rc = outbox_forget_channels(n->outbox, &names, clock_wall_ms(), err);
	strlist_done(&names);
	return rc == -EINVAL ? -EIO : rc; /* the file is wrong, not the configuration */
}

static int build(struct notifier *n, const json_t *slice, struct err *err)
{
	struct engine_env env = {.new_id = new_id, .node = service_node(n->service)};
	int rc = alerts_decode(json_object_get(slice, "alerts"), &n->alerts, err);

	if (rc < 0)
		return rc;
	n->instance = mem_dup(
		json_string_value(json_object_get(json_object_get(slice, "instance"), "name")));
	env.instance = n->instance;
	n->engine = engine_new(n->alerts.engine_rules, n->alerts.rules_n, &env);
	rc = renderer_new(&n->alerts, &n->renderer, err);
	if (rc == 0)
		rc = open_outbox(n, err);
	if (rc < 0)
		return rc;
	engine_adopt(n->engine, clock_wall_ms(), &n->effects);
	return sender_new(&(struct sender_env){.loop = service_loop(n->service),
					       .alerts = &n->alerts,
					       .outbox = n->outbox,
					       .http = on_http,
					       .on_attempt = on_attempt,
					       .on_trouble = on_trouble,
					       .on_idle = on_idle,
					       .ctx = n},
			  &n->sender, err);
}

static void notifier_done(void *state)
{
	struct notifier *n = state;

	forget_pending(n);
	sender_free(n->sender);
	outbox_close(n->outbox);
	renderer_free(n->renderer);
	engine_free(n->engine);
	alerts_done(&n->alerts);
	free(n->instance);
	free(n);
}

static int notifier_start(struct service *s, const json_t *slice, void **state_r, struct err *err)
{
	struct notifier *n = mem_alloc(sizeof(*n));
	int rc;

	n->service = s;
	rc = build(n, slice, err);
	if (rc < 0) {
		notifier_done(n);
		return rc;
	}
	(void)uv_timer_init(service_loop(s), &n->timer);
	(void)uv_timer_init(service_loop(s), &n->purge);
	n->timer.data = n->purge.data = n;
	(void)uv_timer_start(&n->purge, on_purge, 0, PURGE_EVERY_MS);
	n->quiet_until_ms = clock_wall_ms() + CATCH_UP_MS;
	*state_r = n;
	rc = service_feed_open(s, FEED_FROM_CURSOR, &n->cursor, &feed_ops, n, err);
	if (rc < 0)
		return rc;
	tell_status(n);
	turn(n);
	service_ready(s);
	return 0;
}

static void on_stopped(void *ctx)
{
	service_stopped(((struct notifier *)ctx)->service);
}

static void notifier_stop(void *state)
{
	struct notifier *n = state;

	n->is_stopping = true;
	uv_close((uv_handle_t *)&n->timer, NULL);
	uv_close((uv_handle_t *)&n->purge, NULL);
	sender_stop(n->sender, STOP_GRACE_MS, on_stopped, n);
}

static json_t *notifier_describe(void)
{
	return manifest_service("hale-notifier", "notifier", "decides who is told, and tells them",
				"always", alerts_sections, NULL);
}

static void notifier_check(const json_t *slice, service_problem_fn problem, void *ctx)
{
	alerts_check(json_object_get(slice, "alerts"), problem, ctx);
}

static void notifier_needs(const json_t *slice, struct confine_needs *needs)
{
	confine_needs_sections(needs, alerts_sections, slice);
}

const struct service_ops notifier_service = {
	.program = "hale-notifier",
	.summary = "decides who is told, and tells them",
	.describe = notifier_describe,
	.check = notifier_check,
	.needs = notifier_needs,
	.start = notifier_start,
	.stop = notifier_stop,
	.done = notifier_done,
	.methods = notifier_methods,
	.has_feed = true,
};
