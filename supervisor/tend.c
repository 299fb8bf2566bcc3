/* SPDX-License-Identifier: Apache-2.0 */
/* tend - what becomes of the children by and by: their order, and help for those that fail
 *
 * Who may start or stop now is model/order.c's to say, whether somebody is to be told of a process
 * model/failing.c's, whether a failing check restarts a program model/check_watch.c's. Here it is
 * done: at once after a command or reload; in the next turn of the loop after anything that a hook
 * told, because a child must not be told something while it is telling.
 */
#include "haled.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "model/order.h"

/* ---- order ---- */

static struct order_node look_at(struct child *c)
{
	const struct process_spec *spec = child_spec(c);
	enum child_wish wish = child_care(c)->wish;
	bool is_to_start = wish == WISH_START && child_state_of(c) != PROCESS_STOPPING;

	return (struct order_node){
		.name = spec->name,
		.after = &spec->after,
		.requires = &spec->requires,
		/* What is about to start is waited for like what waits itself. */
		.state = is_to_start ? PROCESS_WAITING : child_state_of(c),
		.is_finished = child_is_finished(c) && !is_to_start,
		.is_leaving = wish > WISH_START || child_is_leaving(c),
	};
}

static void say_waits(struct haled *d, struct child *c, const struct order_node *by, bool is_stuck)
{
	HALE_CLEANUP(cleanup_free) char *text = mem_printf("waits for %s", by->name);
	struct child_care *care = child_care(c);

	if (str_eq(text, child_status_text(c)) && care->is_stuck == is_stuck)
		return;
	child_say(c, text);
	care->is_stuck = is_stuck;
	if (child_state_of(c) == PROCESS_WAITING)
		roster_judge(d, c);
}

/* True if it was told something. */
static bool start_or_wait(struct haled *d, struct order_node *v, size_t i)
{
	struct child *c = d->children[i];
	const struct order_node *by = order_blocker(v, d->children_n, i);

	child_care(c)->wish = WISH_NONE;
	if (by == NULL) {
		child_event(c, CHILD_EV_START);
		return true;
	}
	v[i].state = PROCESS_WAITING;
	say_waits(d, c, by, order_is_stuck(v, d->children_n, i));
	if (child_state_of(c) == PROCESS_WAITING)
		return false;
	child_event(c, CHILD_EV_WAIT);
	return true;
}

static bool go_down(struct haled *d, struct order_node *v, size_t i)
{
	struct child *c = d->children[i];
	enum child_wish wish = child_care(c)->wish;

	if (!order_may_stop(v, d->children_n, i))
		return false;
	child_care(c)->wish = WISH_NONE;
	v[i] = look_at(c);
	if (wish == WISH_STOP)
		child_event(c, CHILD_EV_STOP);
	else if (child_state_of(c) != PROCESS_STOPPED || child_is_finished(c)) {
		const struct order_node *by = order_blocker(v, d->children_n, i);

		if (by != NULL)
			say_waits(d, c, by, false);
		child_event(c, by != NULL ? CHILD_EV_WAIT : CHILD_EV_RESTART);
	}
	return true;
}

/* True if others may have to be looked at again. */
static bool tend_order_of(struct haled *d, struct order_node *v, size_t i)
{
	struct child *c = d->children[i];
	struct child_care *care = child_care(c);
	enum process_state state = child_state_of(c);

	if (care->wish == WISH_NONE && order_must_go(v, d->children_n, i)) {
		care->wish = WISH_WAIT;
		return true; /* those that require it have to go in turn, and before it */
	}
	if (care->wish == WISH_START && (state == PROCESS_READY || state == PROCESS_STARTING))
		care->wish = WISH_NONE;
	v[i] = look_at(c);
	if (care->wish > WISH_START)
		return go_down(d, v, i);
	if (d->stop_stage < 0 && (care->wish == WISH_START || state == PROCESS_WAITING))
		return start_or_wait(d, v, i);
	return false;
}

static void tend_order(struct haled *d)
{
	struct order_node *v = mem_array(d->children_n + 1, sizeof(*v));
	bool has_moved = true;

	for (size_t i = 0; i < d->children_n; i++)
		v[i] = look_at(d->children[i]);
	while (has_moved) {
		has_moved = false;
		for (size_t i = 0; i < d->children_n; i++) {
			if (tend_order_of(d, v, i))
				has_moved = true;
			v[i] = look_at(d->children[i]);
		}
	}
	free(v);
}

/* ---- on_failing ---- */

static bool is_wanted(const struct child *c)
{
	enum process_state state = child_state_of(c);

	return child_is_enabled(c) && state != PROCESS_STOPPED && !child_is_leaving(c);
}

static int64_t tend_failing(struct haled *d, struct child *c, int64_t now)
{
	const struct process_spec *spec = child_spec(c);
	struct failing *f = &child_care(c)->failing;
	enum process_state state = child_state_of(c);
	struct failing_view view = {
		.is_wanted = is_wanted(c),
		.is_ready = state == PROCESS_READY,
		.is_hopeless = child_is_crash_looping(c) || state == PROCESS_HELD,
		.failing_after_ms = spec->failing_after_ms,
	};

	if (spec->on_failing == NULL)
		return INT64_MAX;
	if (failing_step(f, &view, now))
		errand_start(d, c);
	return failing_due(f, &view);
}

/* ---- on_check_failure ---- */

/* "api: took_ms 9000 > 5000" */
static char *what_fails(struct haled *d, const char *component)
{
	json_t *state = health_component(d->health, component);
	const char *message = json_string_value(json_object_get(state, "message"));
	char *text = mem_printf("%s: %s", component, message == NULL ? "" : message);

	json_decref(state);
	return text;
}

static void restart_for_check(struct haled *d, struct child *c, const char *component)
{
	HALE_CLEANUP(cleanup_free) char *what = what_fails(d, component);
	HALE_CLEANUP(cleanup_free)
	char *text = mem_printf("%s is restarted: %s", child_name(c), what);

	log_warn("process is restarted because a check fails", KV_S("process", child_name(c)),
		 KV_S("check", what));
	health_note_recovery(d->health, component);
	haled_event(d, "check_restart", "warning", child_name(c), text,
		    json_pack("{s:s}", "component", component));
	/* Those that require it stay: to them this is what a crash would be. */
	child_event(c, CHILD_EV_RESTART);
}

static void leave_alone(struct haled *d, struct child *c, const char *component)
{
	const struct check_watch_rule *r = &child_spec(c)->on_check_failure.rule;
	HALE_CLEANUP(cleanup_free) char *what = what_fails(d, component);
	char window[UNITS_TEXT_MAX];
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	(void)duration_format_short(r->window_ms, window);
	text = mem_printf(
		"%s was restarted %u times within %s and is left alone until recovery: %s",
		child_name(c), r->limit, window, what);
	log_error("restarts do not help; process is left alone", KV_S("process", child_name(c)),
		  KV_I("restarts", r->limit), KV_S("check", what));
	haled_event(d, "check_restart_limit", "critical", child_name(c), text,
		    json_pack("{s:s}", "component", component));
}

static int64_t tend_checks(struct haled *d, struct child *c, int64_t now)
{
	const struct strlist *components = &child_spec(c)->on_check_failure.components;
	struct check_watch *w = &child_care(c)->check;
	const struct check_watch_rule *rule = &child_spec(c)->on_check_failure.rule;
	size_t which = 0;

	/* What is frozen says nothing about now. */
	for (size_t i = 0; d->pause.is_active && i < components->n; i++)
		(void)check_watch_feed(w, i, false, now);
	if (components->n == 0)
		return INT64_MAX;
	switch (check_watch_step(w, rule, child_ready_since(c), now, &which)) {
	case CHECK_WATCH_NOTHING:
		break;
	case CHECK_WATCH_RESTART:
		restart_for_check(d, c, components->v[which]);
		break;
	case CHECK_WATCH_GIVE_UP:
		leave_alone(d, c, components->v[which]);
		break;
	}
	return check_watch_due(w, rule, child_ready_since(c));
}

void tend_health(struct haled *d, const struct health_news *news)
{
	if (d->pause.is_active)
		return;
	for (size_t i = 0; i < d->children_n; i++) {
		const struct check_restart *r = &child_spec(d->children[i])->on_check_failure;
		struct check_watch *w = &child_care(d->children[i])->check;

		for (size_t k = 0; k < r->components.n; k++) {
			/* What a parent's failure explains, a restart does not mend. */
			if (str_eq(r->components.v[k], news->component) &&
			    check_watch_feed(w, k, news->status >= r->from && !news->is_blocked,
					     clock_mono_ms()))
				tend_soon(d);
		}
	}
}

/* ---- when ---- */

static void on_timer(uv_timer_t *timer)
{
	tend(timer->data);
}

static void on_idle(uv_idle_t *idle)
{
	(void)uv_idle_stop(idle);
	tend(idle->data);
}

void tend_open(struct haled *d)
{
	(void)uv_timer_init(&d->loop, &d->tend_timer);
	(void)uv_idle_init(&d->loop, &d->tend_idle);
	d->tend_timer.data = d->tend_idle.data = d;
}

void tend_close(struct haled *d)
{
	uv_close((uv_handle_t *)&d->tend_timer, NULL);
	uv_close((uv_handle_t *)&d->tend_idle, NULL);
}

void tend_soon(struct haled *d)
{
	(void)uv_idle_start(&d->tend_idle, on_idle);
}

void tend(struct haled *d)
{
	int64_t now = clock_mono_ms();
	int64_t due = INT64_MAX;

	tend_order(d);
	roster_retire(d);
	errand_collect(d);
	for (size_t i = 0; i < d->children_n && d->stop_stage < 0; i++) {
		due = HALE_MIN(due, tend_checks(d, d->children[i], now));
		due = HALE_MIN(due, tend_failing(d, d->children[i], now));
	}
	roster_note_started(d);
	if (due == INT64_MAX)
		(void)uv_timer_stop(&d->tend_timer);
	else
		(void)uv_timer_start(&d->tend_timer, on_timer,
				     (uint64_t)HALE_MAX(due - clock_mono_ms(), 0), 0);
}

void tend_ask(struct child *c, enum child_wish wish)
{
	child_care(c)->wish = wish;
}
