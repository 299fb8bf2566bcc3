/* SPDX-License-Identifier: Apache-2.0 */
/* schedule - did a job run when it should have?
 *
 * run_evidence.h finds its last run, duty.h says when runs were due.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "duty_options.h"
#include "run_evidence.h"

/* We end a little before the runner's deadline, because we know what was being waited for. */
#define EARLY_MS         50
/* Clocks of machines differ by less; a run further in the future was written in another zone. */
#define FUTURE_MAX_MS    300000
#define GRACE_DEFAULT_MS 60000

struct schedule_opts {
	struct evidence_opts evidence;
	struct duty_opts duty;
	int64_t warn_after;
	int64_t fail_after;
	int64_t fail_missed;
};

static const struct conf_item schedule_items[] = {
	CONF_MAP(struct schedule_opts, evidence.sql, evidence_sql_items, .name = "sql",
		 .help = "Its last run is what a query tells"),
	CONF_STR(struct schedule_opts, evidence.file, .name = "file",
		 .flags = CONF_F_NONEMPTY | CONF_F_READ_BESIDE | CONF_F_TARGET,
		 .help = "Its last run is when this file was last written, an absolute path"),
	CONF_REF(struct schedule_opts, evidence.heartbeat, .name = "heartbeat", .ref = "components",
		 .help = "Its last run is the last good ping of this component of kind heartbeat"),
	CONF_MAP(struct schedule_opts, evidence.systemd, evidence_systemd_items, .name = "systemd",
		 .bare = "timer", .help = "Its last run is when this timer elapsed"),
	DUTY_ITEMS(struct schedule_opts),
	CONF_DURATION(struct schedule_opts, warn_after,
		      .help = "Instead of cron and every: a last run older than this is missed"),
	CONF_DURATION(struct schedule_opts, fail_after,
		      .help = "Instead of cron and every: one older than this is several missed"),
	CONF_DURATION(struct schedule_opts, duty.grace, .name = "grace",
		      .help = "A run is missed so long after its time; default 1m with cron and "
			      "every"),
	CONF_INT(struct schedule_opts, fail_missed, .def = "2", .min = 1, .max = 1000,
		 .help = "With cron and every: so many runs missed in a row are a failure, fewer a "
			 "warning"),
	CONF_END,
};

static void schedule_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct schedule_opts *o = opts;
	bool has_ages = o->warn_after > 0 || o->fail_after > 0;

	evidence_validate(&o->evidence, problem, ctx);
	if ((o->duty.cron.n > 0) + (o->duty.every > 0) + has_ages != 1)
		problem(ctx, "", "needs 'cron', or 'every', or 'warn_after' and 'fail_after'");
	if (o->warn_after > 0 && o->fail_after > 0 && o->warn_after > o->fail_after)
		problem(ctx, "/warn_after", "must not be longer than fail_after");
	duty_options_validate(&o->duty, problem, ctx);
}

static void *schedule_prepare(const void *opts)
{
	const struct schedule_opts *o = opts;
	struct duty *d = NULL;
	struct err err = {0};

	/* Only the holidays' file can have changed for the worse since validation. */
	if (duty_new(&o->duty, &d, &err) < 0) {
		log_warn("job has no schedule", KV_S("error", err.text));
		return NULL;
	}
	d->plan.warn_after_ms = o->warn_after;
	d->plan.fail_after_ms = o->fail_after;
	d->plan.fail_missed = (size_t)o->fail_missed;
	if (o->duty.grace == 0 && (o->duty.cron.n > 0 || o->duty.every > 0))
		d->plan.grace_ms = GRACE_DEFAULT_MS;
	return d;
}

static void schedule_unprepare(void *prep)
{
	duty_free(prep);
}

/* ---- Judging ---- */

static void detail_time(struct check *c, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	if (ms >= 0)
		check_detail(c, name, json_string(clock_format(ms, text)));
}

static void tell(struct check *c, const struct evidence *e, const struct duty_plan *p,
		 const struct duty_verdict *v, int64_t now_ms)
{
	if (e->last_ms >= 0)
		check_metric(c, "last_run_age_seconds", (double)(now_ms - e->last_ms) / 1000.0);
	if (v->state != DUTY_OUTSIDE) {
		check_metric(c, "missed_runs", (double)v->missed);
		check_metric(c, "overdue_seconds", (double)v->late_ms / 1000.0);
	} else {
		detail_time(c, "opens", duty_opens(p, now_ms));
	}
	detail_time(c, "last_run", e->last_ms);
	detail_time(c, v->missed > 0 ? "missed_since" : "next_due", v->due_ms);
	if (e->status[0] != '\0')
		check_detail(c, "last_status", json_string(e->status));
}

static enum reason reason_of(enum duty_state state)
{
	static const enum reason reasons[] = {
		[DUTY_OK] = REASON_OK,
		[DUTY_OUTSIDE] = REASON_OUTSIDE_SCHEDULE,
		[DUTY_MISSED] = REASON_MISSED_RUN,
		[DUTY_MISSED_MANY] = REASON_MISSED_RUNS,
	};

	return reasons[state];
}

static void judge(struct check *c, const struct evidence *e, const struct duty_plan *p)
{
	int64_t now_ms = clock_wall_ms();
	struct duty_verdict v = duty_judge(p, e->last_ms, now_ms);
	char ahead[UNITS_TEXT_MAX];

	tell(c, e, p, &v, now_ms);
	if (e->last_ms > now_ms + FUTURE_MAX_MS)
		check_done(c, REASON_VALUE_MISMATCH,
			   "The last run lies %s in the future: is its time in another zone?",
			   duration_format_short(e->last_ms - now_ms, ahead));
	else if (e->is_failed)
		check_done(c, REASON_JOB_FAILED,
			   e->status[0] != '\0' ? "Last run failed: %.100s" : "Last run failed",
			   e->status);
	else if (v.state == DUTY_OK)
		check_done(c, REASON_OK, "Running");
	else
		check_done(c, reason_of(v.state), NULL);
}

static void on_evidence(struct check *c)
{
	struct evidence e = *(struct evidence *)check_run_data(c);
	const struct duty *d = check_prep(c);

	if (e.error[0] != '\0') {
		check_detail(c, "error", json_string(e.error));
		check_saw(c, "error", json_string(e.error));
		check_done(c, REASON_SOURCE_FAILED, "Unable to check");
	} else if (d == NULL) {
		check_done(c, REASON_CONFIG, "the schedule cannot be read; the log says why");
	} else {
		judge(c, &e, &d->plan);
	}
}

static void schedule_start(struct check *c)
{
	const struct schedule_opts *o = check_opts(c);

	check_stage(c, REASON_TIMEOUT_READ);
	evidence_start(check_run_data(c), c, &o->evidence,
		       HALE_MAX(check_timeout_ms(c) - EARLY_MS, EARLY_MS), on_evidence);
}

static void schedule_cancel(struct check *c)
{
	evidence_cancel(check_run_data(c));
}

static const struct metric_doc schedule_metrics[] = {
	{"last_run_age_seconds", "Since its last run; absent if it never ran"},
	{"missed_runs", "Runs missed since (with warn_after and fail_after: 1 if it is too old)"},
	{"overdue_seconds", "Since the first of them was due; 0 if none is missed"},
	{NULL, NULL},
};

static const struct metric_doc schedule_details[] = {
	{"last_run", "When it ran last"},
	{"last_status", "How that ended, in the source's words"},
	{"next_due", "When it should run next, if none was missed"},
	{"missed_since", "When the first missed run was due"},
	{"opens", "While the active window is closed: when it opens"},
	{"error", "Why its last run could not be found"},
	{NULL, NULL},
};

static const struct reason_doc schedule_reasons[] = {
	{REASON_OK, "it ran when it should have: `Running`"},
	{REASON_OUTSIDE_SCHEDULE, "the active window is closed, or it is a holiday"},
	{REASON_MISSED_RUN, "fewer runs are missed than fail_missed, or it is older than "
			    "warn_after"},
	{REASON_MISSED_RUNS, "fail_missed of them are, it is older than fail_after, or it never "
			     "ran"},
	{REASON_JOB_FAILED, "its last run failed, as its source tells"},
	{REASON_SOURCE_FAILED, "the source cannot be asked: `Unable to check`, and the detail "
			       "error"},
	{REASON_VALUE_MISMATCH, "the last run lies more than 5 minutes in the future"},
	REASON_DOC_END,
};

static const char schedule_about[] =
	"A job leaves a trace of each run: a row of a table, a file, a ping, the state of its "
	"timer. When the next one is due is said in one of three forms:\n\n"
	"- `cron`: at the times of a schedule, in `timezone`. Each time that passed without a run "
	"(by more than `grace`) is a missed one. Hours that clocks skip or repeat count once.\n"
	"- `every`: so long after its last run.\n"
	"- `warn_after`, `fail_after`: how old the last run may be. \"Within 35 minutes is well, "
	"within two hours it missed one\" is `warn_after: 35m, fail_after: 2h`.\n\n"
	"While `active_window` is closed, or on one of the `holidays`, the answer is `Outside "
	"schedule` and pass. After it opens `every`, `warn_after` and `fail_after` count from the "
	"opening (and `opening_grace`), for nothing was to run before; times of `cron` within the "
	"window are missed whenever they passed.\n\n"
	"A time without a zone in a row is UTC; `SELECT executed_at AT TIME ZONE "
	"'America/New_York'` makes a local time of PostgreSQL's one with a zone. Leave runs under "
	"way out of the query (`WHERE finished_at IS NOT NULL`). What is to be shown while the "
	"source "
	"cannot be asked is the component's `on_error`.\n";

const struct check_ops check_ops = {
	.kind = "schedule",
	.summary = "looks whether a job ran when it should have: a row, a file, a ping, a timer",
	.about = schedule_about,
	.items = schedule_items,
	.metrics = schedule_metrics,
	.details = schedule_details,
	.reasons = schedule_reasons,
	.example = "cron_jobs:\n"
		   "  schedule:\n"
		   "    sql:\n"
		   "      postgres: {dsn: \"host=/run/postgresql dbname=trading\"}\n"
		   "      query: SELECT max(executed_at) FROM cron_logs WHERE job_name = "
		   "'trailing_stop_reassessment'\n"
		   "    warn_after: 35m\n"
		   "    fail_after: 2h\n"
		   "    timezone: America/New_York\n"
		   "    active_window: mon-fri 09:30-16:05\n"
		   "    holidays: [\"2026-11-26\", \"12-25\"]\n"
		   "  on_error: degraded\n"
		   "nightly_dump:\n"
		   "  schedule:\n"
		   "    file: /var/backups/dump.sql.gz\n"
		   "    cron: \"30 2 * * *\"\n"
		   "    grace: 1h\n"
		   "  interval: 5m\n"
		   "logrotate:\n"
		   "  schedule: {systemd: logrotate.timer, cron: \"@daily\", grace: 2h}\n"
		   "  interval: 5m\n",
	.opts_size = sizeof(struct schedule_opts),
	.run_size = sizeof(struct evidence),
	.validate = schedule_validate,
	.prepare = schedule_prepare,
	.unprepare = schedule_unprepare,
	.start = schedule_start,
	.cancel = schedule_cancel,
};
