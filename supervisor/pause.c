/* SPDX-License-Identifier: Apache-2.0 */
/* pause - monitoring stopped and resumed: checkers idle, health frozen, everything else goes on */
#include "haled.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

/* Its being there is the pause. */
#define PAUSE_FILE      "paused.json"
#define PAUSE_BYTES_MAX 4096
/* How late an end may be; once a second is no work. */
#define PAUSE_TICK_MS   1000

static void tell(struct haled *d, const char *kind, const char *severity, const char *message)
{
	haled_event(d, kind, severity, "monitoring", message, haled_overall(d));
}

static void tell_paused(struct haled *d)
{
	const struct pause *p = &d->pause;
	HALE_CLEANUP(str_done) struct str text = {0};
	char at[CLOCK_TEXT_MAX];

	str_addf(&text, "Monitoring is paused since %s", clock_format(p->since_ms, at));
	if (p->until_ms != 0)
		str_addf(&text, " until %s", clock_format(p->until_ms, at));
	if (p->reason[0] != '\0')
		str_addf(&text, ": %s", p->reason);
	log_warn("monitoring is paused", KV_S("reason", p->reason));
	tell(d, "monitoring_paused", "warning", str_text(&text));
}

static void save(struct haled *d)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(d->options.state_dir, PAUSE_FILE);
	HALE_CLEANUP(cleanup_free) char *text = NULL;
	json_t *json = pause_encode(&d->pause);
	struct err err;

	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!d->pause.is_active)
		(void)unlink(path);
	else if (file_write_atomic(path, text, strlen(text), 0600, &err) < 0)
		log_error("the pause cannot be remembered; a restart of haled would end it",
			  KV_S("error", err.text));
}

static void resume(struct haled *d, const char *message)
{
	(void)uv_timer_stop(&d->pause_timer);
	pause_end(&d->pause);
	save(d);
	log_info("monitoring goes on");
	health_resume(d->health, clock_wall_ms());
	tell(d, "monitoring_resumed", "info", message);
	haled_judge_config(d);
	roster_wake(d);
	haled_arm_due(d);
}

static void on_tick(uv_timer_t *timer)
{
	struct haled *d = timer->data;

	switch (pause_tick(&d->pause, clock_wall_ms())) {
	case PAUSE_REMIND:
		tell_paused(d);
		break;
	case PAUSE_OVER:
		resume(d, "Monitoring goes on, the pause is over");
		break;
	case PAUSE_NOTHING:
		break;
	}
}

static void freeze(struct haled *d)
{
	health_pause(d->health);
	(void)uv_timer_start(&d->pause_timer, on_tick, PAUSE_TICK_MS, PAUSE_TICK_MS);
}

void pause_load(struct haled *d)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(d->options.state_dir, PAUSE_FILE);
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *saved;

	if (file_read(path, PAUSE_BYTES_MAX, &text, NULL) < 0)
		return;
	saved = json_loads(str_text(&text), 0, NULL);
	/* Damaged, it still says what was wanted: nobody is woken up by mistake. */
	if (pause_decode(&d->pause, saved) < 0)
		pause_begin(&d->pause, 0, NULL, clock_wall_ms());
	json_decref(saved);
	freeze(d);
}

void pause_remind(struct haled *d)
{
	if (!d->pause.is_active)
		return;
	d->pause.told_ms = clock_wall_ms();
	tell_paused(d);
}

void pause_call(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;
	const json_t *for_ms = json_object_get(params, "for_ms");
	const json_t *reason = json_object_get(params, "reason");
	bool has_end = for_ms != NULL && !json_is_null(for_ms);

	if (has_end && (!json_is_integer(for_ms) || json_integer_value(for_ms) <= 0 ||
			json_integer_value(for_ms) > PAUSE_FOR_MAX_MS)) {
		command_fail(rq, COMMAND_E_PARAMS, NULL,
			     "for_ms must be a number of milliseconds, at most a year");
		return;
	}
	if (d->stop_stage >= 0) {
		command_fail(rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
		return;
	}
	pause_begin(&d->pause, has_end ? json_integer_value(for_ms) : 0, json_string_value(reason),
		    clock_wall_ms());
	save(d);
	freeze(d);
	tell_paused(d);
	roster_idle(d);
	haled_arm_due(d);
	command_reply(rq, pause_encode(&d->pause));
}

void pause_call_resume(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;

	(void)params;
	if (d->stop_stage >= 0) {
		command_fail(rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
		return;
	}
	if (d->pause.is_active)
		resume(d, "Monitoring goes on");
	command_reply(rq, pause_encode(&d->pause));
}
