/* SPDX-License-Identifier: Apache-2.0 */
/* systemd - are units in the state they should be in?
 *
 * Asked by D-Bus (unit_bus.h), all units of a component at once; unit_judge.h says what the answers
 * mean.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "unit_bus.h"
#include "unit_judge.h"
#include "unit_name.h"
#include "user_id.h"

/* What stands in one message and one observation's details. */
#define UNITS_MAX 100

/* ---- Options ---- */

struct systemd_opts {
	struct strlist units;
	struct strlist state;
	char *scope;
	char *user;
	char *bus;
};

static const struct conf_item systemd_items[] = {
	CONF_LIST(struct systemd_opts, units, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		  .help = "Names of one or several units; nginx is nginx.service"),
	CONF_LIST(struct systemd_opts, state, .def = "[active]", .flags = CONF_F_NONEMPTY,
		  .choices = "active|inactive|failed|activating|deactivating|reloading",
		  .help = "State or states in which a unit is as it should be"),
	CONF_ENUM(struct systemd_opts, scope, .def = "system", .choices = "system|user",
		  .help = "Whose units: the system's, or those of a user (systemctl --user)"),
	CONF_STR(struct systemd_opts, user, .flags = CONF_F_NONEMPTY,
		 .help = "With scope user: name or number of the user; default: the one hale runs "
			 "as"),
	CONF_STR(struct systemd_opts, bus, .flags = CONF_F_NONEMPTY,
		 .help = "Address of the bus if it is not in its usual place, "
			 "unix:path=/host/run/dbus/system_bus_socket"),
	CONF_END,
};

static const struct metric_doc systemd_metrics[] = {
	{"running", "number of units in the expected state"},
	{"failed", "number of units that are not, and are not on their way"},
	{"changing", "number of units that are starting or stopping"},
	{"restarts", "how often systemd restarted the units by itself, together"},
	{"memory_bytes", "memory of the units, together; where systemd accounts for it"},
	{"tasks", "processes and threads of the units, together; where systemd accounts for them"},
	{"uptime_seconds", "how long the unit that became active last has been so"},
	{NULL, NULL},
};

static const struct metric_doc systemd_details[] = {
	{"running", "names of the units in the expected state"},
	{"failed", "names of those that are not"},
	{"units", "by name: load, active, sub, result, since, restarts, pid, memory_bytes, "
		  "exit_status, and of a timer last_trigger, next_elapse, triggers and what became "
		  "of that unit"},
	{NULL, NULL},
};

static const struct reason_doc systemd_reasons[] = {
	{REASON_UNITS_DOWN, "some of several units are not in the expected state"},
	{REASON_UNIT_DOWN, "the unit is not, or none of several is; also one that does not exist"},
	{REASON_UNIT_CHANGING, "nothing is down, but a unit is starting or stopping"},
	{REASON_NO_BUS, "the bus is not there, refuses, hangs, or has no systemd on it"},
	{REASON_TIMEOUT_READ, "the bus works, but systemd does not answer within 5 s"},
	{REASON_PROTOCOL, "systemd's answer is not understood"},
	REASON_DOC_END,
};

static const char systemd_about[] =
	"Asks systemd over D-Bus, as `systemctl is-active` does, for all units at once: a unit "
	"that "
	"reloads is active. A unit's file is loaded when it is asked for, so that `inactive` and "
	"`not found` are told apart.\n\n"
	"Any user may ask for the system's units. A user's bus lets in only that user, and root: "
	"hale must run as one of them, and the user's systemd must be there (`loginctl "
	"enable-linger USER` keeps it without a login).\n\n"
	"Where there is no bus (a container), mount the host's socket and name it in `bus`, or "
	"let [exec](#exec) ask: `exec: {command: [systemctl, is-active, nginx], format: text}`.";

static const char systemd_example[] =
	"services:\n"
	"  label: Trading services\n"
	"  systemd:\n"
	"    units: [polymarket-trader, polymarket-dashboard, polymarket-monitor]\n"
	"    scope: user\n"
	"  interval: 30s\n"
	"  timeout: 5s\n"
	"backup_timer:\n"
	"  systemd: {units: backup.timer}\n"
	"  interval: 5m\n"
	"nginx:\n"
	"  systemd: {units: nginx}\n"
	"  interval: 10s\n"
	"  timeout: 5s\n"
	"  thresholds:\n"
	"    memory_bytes: {degraded: \"> 500000000\"}\n"
	"    restarts: {degraded: \"> 3\"}\n";

static void systemd_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct systemd_opts *o = opts;
	char name[UNIT_NAME_SIZE];
	struct err err = {0};
	uid_t uid;

	for (size_t i = 0; i < o->units.n; i++) {
		if (unit_name_complete(o->units.v[i], name, &err) < 0)
			problem(ctx, "/units", err.text);
	}
	if (o->units.n > UNITS_MAX)
		problem(ctx, "/units", "more than 100 units: make several components of them");
	if (o->user == NULL)
		return;
	if (!str_eq(o->scope, "user"))
		problem(ctx, "/user", "needs scope: user");
	else if (user_id_parse(o->user, &uid) < 0)
		problem(ctx, "/user", "there is no such user here");
}

static void *systemd_prepare(const void *opts)
{
	const struct systemd_opts *o = opts;
	struct unit_bus_at *at = mem_alloc(sizeof(*at));

	at->scope = str_eq(o->scope, "user") ? UNIT_USER : UNIT_SYSTEM;
	at->address = o->bus;
	at->has_uid = o->user != NULL && user_id_parse(o->user, &at->uid) == 0;
	return at;
}

/* ---- One run ---- */

struct question {
	struct check *c;
	struct unit_ask *ask; /* NULL: answered */
	size_t index;
};

struct systemd_run {
	struct question *questions;
	struct unit_seen *units;
	size_t n;
	size_t open;
};

static void forget(struct systemd_run *run)
{
	for (size_t i = 0; i < run->n; i++)
		unit_bus_cancel(TAKE_PTR(run->questions[i].ask));
	free(TAKE_PTR(run->questions));
	free(TAKE_PTR(run->units));
	run->n = 0;
}

static void set_count(json_t *unit, const char *name, int64_t n)
{
	if (n >= 0)
		json_object_set_new(unit, name, json_integer(n));
}

static void set_word(json_t *unit, const char *name, const char *word)
{
	if (*word != '\0')
		json_object_set_new(unit, name, json_string(word));
}

static void set_time(json_t *unit, const char *name, int64_t wall_ms)
{
	char text[CLOCK_TEXT_MAX];

	if (wall_ms > 0)
		json_object_set_new(unit, name, json_string(clock_format(wall_ms, text)));
}

static json_t *unit_detail(const struct unit_status *s)
{
	json_t *unit = json_object();

	set_word(unit, "load", s->load);
	set_word(unit, "active", s->active);
	set_word(unit, "sub", s->sub);
	set_word(unit, "enabled", s->enabled);
	set_word(unit, "result", s->result);
	set_time(unit, "since", s->active_since_ms);
	set_count(unit, "restarts", s->restarts);
	set_count(unit, "pid", s->main_pid > 0 ? s->main_pid : -1);
	set_count(unit, "memory_bytes", s->memory_bytes);
	set_count(unit, "tasks", s->tasks);
	set_count(unit, "exit_status", s->exit_status);
	set_time(unit, "last_trigger", s->last_trigger_ms);
	set_time(unit, "next_elapse", s->next_elapse_ms);
	set_word(unit, "triggers", s->triggers);
	set_word(unit, "triggered_active", s->triggered_active);
	set_word(unit, "triggered_result", s->triggered_result);
	set_count(unit, "triggered_exit_status", s->triggered_exit_status);
	return unit;
}

static void tell_details(struct check *c, const struct systemd_run *run)
{
	json_t *running = json_array(), *failed = json_array(), *units = json_object();

	for (size_t i = 0; i < run->n; i++) {
		const struct unit_seen *unit = &run->units[i];

		if (unit->verdict == UNIT_RUNNING)
			json_array_append_new(running, json_string(unit->name));
		else if (unit->verdict == UNIT_STOPPED)
			json_array_append_new(failed, json_string(unit->name));
		json_object_set_new(units, unit->name, unit_detail(&unit->status));
	}
	check_metric(c, "running", (double)json_array_size(running));
	check_metric(c, "failed", (double)json_array_size(failed));
	check_metric(c, "changing",
		     (double)(run->n - json_array_size(running) - json_array_size(failed)));
	check_detail(c, "running", running);
	check_detail(c, "failed", failed);
	check_detail(c, "units", units);
}

/* What no unit has is no metric. */
static void tell_sum(struct check *c, const char *name, const struct systemd_run *run,
		     int64_t (*get)(const struct unit_status *s))
{
	double sum = -1;

	for (size_t i = 0; i < run->n; i++) {
		int64_t n = get(&run->units[i].status);

		if (n >= 0)
			sum = HALE_MAX(sum, 0.0) + (double)n;
	}
	if (sum >= 0)
		check_metric(c, name, sum);
}

static int64_t get_restarts(const struct unit_status *s)
{
	return s->restarts;
}

static int64_t get_memory(const struct unit_status *s)
{
	return s->memory_bytes;
}

static int64_t get_tasks(const struct unit_status *s)
{
	return s->tasks;
}

static void tell_uptime(struct check *c, const struct systemd_run *run)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < run->n; i++) {
		if (run->units[i].status.active_for_ms >= 0)
			least = HALE_MIN(least, run->units[i].status.active_for_ms);
	}
	if (least != INT64_MAX)
		check_metric(c, "uptime_seconds", (double)least / 1000.0);
}

static void tell_all(struct check *c, struct systemd_run *run)
{
	const struct systemd_opts *o = check_opts(c);
	HALE_CLEANUP(str_done) struct str message = {0};
	enum reason reason;

	for (size_t i = 0; i < run->n; i++)
		run->units[i].verdict = unit_verdict_of(&run->units[i].status, &o->state);
	tell_details(c, run);
	tell_sum(c, "restarts", run, get_restarts);
	tell_sum(c, "memory_bytes", run, get_memory);
	tell_sum(c, "tasks", run, get_tasks);
	tell_uptime(c, run);
	reason = unit_judge(run->units, run->n, &o->state, &message);
	forget(run);
	check_done(c, reason, "%s", str_text(&message));
}

static void on_answer(void *ctx, const struct unit_status *status, enum reason reason,
		      const char *text)
{
	struct question *q = ctx;
	struct check *c = q->c;
	struct systemd_run *run = check_run_data(c);

	q->ask = NULL;
	if (status == NULL) {
		/* Of one bus all say the same. */
		forget(run);
		check_done(c, reason, "%s", text);
		return;
	}
	run->units[q->index].status = *status;
	if (--run->open == 0)
		tell_all(c, run);
}

static void systemd_start(struct check *c)
{
	const struct systemd_opts *o = check_opts(c);
	struct systemd_run *run = check_run_data(c);

	run->n = run->open = o->units.n;
	run->questions = mem_array(run->n, sizeof(*run->questions));
	run->units = mem_array(run->n, sizeof(*run->units));
	for (size_t i = 0; i < run->n; i++) {
		struct question *q = &run->questions[i];

		*q = (struct question){.c = c, .index = i};
		run->units[i].name = o->units.v[i];
		q->ask = unit_bus_ask(c, check_prep(c), o->units.v[i], on_answer, q);
	}
}

static void systemd_cancel(struct check *c)
{
	forget(check_run_data(c));
	check_done(c, REASON_CANCELLED, NULL);
}

const struct check_ops check_ops = {
	.kind = "systemd",
	.summary = "looks at units of systemd over D-Bus: one or several, of the system or a user",
	.about = systemd_about,
	.items = systemd_items,
	.opts_size = sizeof(struct systemd_opts),
	.run_size = sizeof(struct systemd_run),
	.metrics = systemd_metrics,
	.details = systemd_details,
	.reasons = systemd_reasons,
	.example = systemd_example,
	.validate = systemd_validate,
	.prepare = systemd_prepare,
	.unprepare = free,
	.start = systemd_start,
	.cancel = systemd_cancel,
};
