/* SPDX-License-Identifier: Apache-2.0 */
/* heartbeat - a job that says itself that it ran: its silence is the failure
 *
 * hale-web takes pings at /ping/<token> and hands them over by the command heartbeat.ping; each is
 * stored (ping_store.h) before that is answered, and looked at in the same moment. A check only
 * looks at what was stored (ping.h) and at the clock.
 */
#include "check.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "duty_options.h"
#include "ping.h"
#include "ping_store.h"

/* As many as nobody guesses (16 of 64 letters are 96 bits), and as fit into a path. */
#define TOKEN_MIN      16
#define TOKEN_MAX      128
/* Web hands a ping over within seconds; a time further off is not taken from it. */
#define CLOCK_TRUST_MS 60000
#define EXCERPT_MAX    200

struct heartbeat_opts {
	char *token;
	struct duty_opts duty;
	int64_t late_after;
	int64_t max_run_time;
};

static const struct conf_item heartbeat_items[] = {
	CONF_STR(struct heartbeat_opts, token,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_SECRET | CONF_F_TARGET,
		 .help = "What the job pings, /ping/<token>: 16 to 128 letters, digits, - and _; "
			 "who knows it can ping"),
	DUTY_ITEMS(struct heartbeat_opts),
	CONF_DURATION(struct heartbeat_opts, duty.grace, .name = "grace", .def = "5m",
		      .help = "A ping so long after its time is overdue"),
	CONF_DURATION(struct heartbeat_opts, late_after,
		      .help = "A ping so long after its time is late; default: at once with "
			      "every, half of grace with cron"),
	CONF_DURATION(struct heartbeat_opts, max_run_time,
		      .help = "A run (from its start signal) that takes longer is overdue; "
			      "default: no limit"),
	CONF_END,
};

/* Outlives runs: one of each component. */
struct heartbeat {
	struct duty *duty;
	struct ping_rule rule;
	struct ping_state state;
	bool is_loaded;
};

static bool is_token(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
			return false;
	return len >= TOKEN_MIN && len <= TOKEN_MAX;
}

static void heartbeat_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct heartbeat_opts *o = opts;

	if (!is_token(o->token))
		problem(ctx, "/token",
			"must be 16 to 128 letters, digits, - or _; `openssl rand -hex 16` makes "
			"one");
	if ((o->duty.cron.n > 0) == (o->duty.every > 0))
		problem(ctx, "", "needs 'cron' or 'every', and not both");
	else
		duty_options_validate(&o->duty, problem, ctx);
}

static void *heartbeat_prepare(const void *opts)
{
	const struct heartbeat_opts *o = opts;
	struct heartbeat *h = mem_alloc(sizeof(*h));
	struct err err = {0};

	h->state = PING_STATE_NEW;
	/* Only the holidays' file can have changed for the worse since validation. */
	if (duty_new(&o->duty, &h->duty, &err) < 0) {
		log_warn("heartbeat has no schedule", KV_S("error", err.text));
		return h;
	}
	h->rule.plan = &h->duty->plan;
	h->rule.max_run_ms = o->max_run_time;
	h->rule.late_after_ms = o->late_after;
	if (o->late_after == 0 && o->duty.cron.n > 0)
		h->rule.late_after_ms = o->duty.grace / 2;
	return h;
}

static void heartbeat_unprepare(void *prep)
{
	struct heartbeat *h = prep;

	duty_free(h->duty);
	ping_state_done(&h->state);
	free(h);
}

static const char *state_dir_of(const struct check *c)
{
	struct service *s = check_service(c);

	return s != NULL ? service_state_dir(s) : NULL;
}

static struct heartbeat *heartbeat_of(struct check *c)
{
	struct heartbeat *h = check_prep(c);
	const char *dir = state_dir_of(c);
	struct err err = {0};
	int rc;

	if (h->is_loaded || dir == NULL)
		return h;
	h->is_loaded = true;
	rc = ping_store_load(dir, check_id(c), &h->state, &err);
	if (rc < 0 && rc != -ENOENT)
		log_warn("pings of the past are lost", KV_S("component", check_id(c)),
			 KV_S("error", err.text));
	return h;
}

/* ---- What a check sees ---- */

static void detail_time(struct check *c, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	if (ms > 0)
		check_detail(c, name, json_string(clock_format(ms, text)));
}

/* The last line that is not blank tells how it ended. */
static void detail_log(struct check *c, const char *log)
{
	char excerpt[EXCERPT_MAX];
	const char *end, *begin;
	HALE_CLEANUP(cleanup_free) char *line = NULL;

	if (log == NULL)
		return;
	check_saw(c, "log", json_string(log));
	for (end = log + strlen(log); end > log && isspace((unsigned char)end[-1]);)
		end--;
	for (begin = end; begin > log && begin[-1] != '\n';)
		begin--;
	line = mem_dupn(begin, (size_t)(end - begin));
	if (str_clean(excerpt, sizeof(excerpt), line) > 0)
		check_detail(c, "log", json_string(excerpt));
}

static void tell(struct check *c, const struct ping_state *s, const struct ping_verdict *v,
		 int64_t now_ms)
{
	check_metric(c, "pings", (double)s->pings);
	check_metric(c, "overdue_seconds", (double)v->overdue_ms / 1000.0);
	if (s->last_ms > 0)
		check_metric(c, "last_ping_age_seconds", (double)(now_ms - s->last_ms) / 1000.0);
	if (s->run_ms >= 0)
		check_metric(c, "run_seconds", (double)s->run_ms / 1000.0);
	if (v->running_ms >= 0)
		check_metric(c, "running_seconds", (double)v->running_ms / 1000.0);
	detail_time(c, "last_ping", s->last_ms);
	detail_time(c, "last_success", s->success_ms);
	detail_time(c, "last_start", s->start_ms);
	detail_time(c, "last_fail", s->fail_ms);
	detail_time(c, "next_due", v->due_ms);
	if (s->exit_code >= 0)
		check_detail(c, "exit_code", json_integer(s->exit_code));
	if (s->source[0] != '\0')
		check_detail(c, "source", json_string(s->source));
	detail_log(c, s->log);
}

static void end_overdue(struct check *c, const struct heartbeat *h, const struct ping_verdict *v)
{
	char took[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX];

	if (h->rule.max_run_ms > 0 && v->running_ms > h->rule.max_run_ms)
		check_done(c, v->reason, "Running for %s, expected at most %s",
			   duration_format_short(v->running_ms, took),
			   duration_format_short(h->rule.max_run_ms, limit));
	else
		check_done(c, v->reason, "%s by %s", reason_text(v->reason),
			   duration_format_short(v->overdue_ms, took));
}

static void end(struct check *c, const struct heartbeat *h, const struct ping_verdict *v,
		int64_t now_ms)
{
	const struct ping_state *s = &h->state;
	char ago[UNITS_TEXT_MAX], at[CLOCK_TEXT_MAX];

	switch (v->reason) {
	case REASON_NO_PING:
		check_done(c, v->reason, NULL);
		break;
	case REASON_JOB_FAILED:
		(void)duration_format_short(now_ms - s->fail_ms, ago);
		if (s->exit_code > 0)
			check_done(c, v->reason, "Job failed with exit code %d, %s ago",
				   s->exit_code, ago);
		else
			check_done(c, v->reason, "Job failed, %s ago", ago);
		break;
	case REASON_OUTSIDE_SCHEDULE:
		if (duty_opens(h->rule.plan, now_ms) < 0)
			check_done(c, v->reason, NULL);
		else
			check_done(c, v->reason, "Outside schedule until %s",
				   clock_format(duty_opens(h->rule.plan, now_ms), at));
		break;
	case REASON_LATE:
	case REASON_OVERDUE:
		end_overdue(c, h, v);
		break;
	default:
		if (v->running_ms >= 0)
			check_done(c, v->reason, "Running, begun %s ago",
				   duration_format_short(v->running_ms, ago));
		else
			check_done(c, v->reason, "Last ping %s ago",
				   duration_format_short(now_ms - s->last_ms, ago));
		break;
	}
}

static void heartbeat_start(struct check *c)
{
	const struct heartbeat *h = heartbeat_of(c);
	int64_t now_ms = clock_wall_ms();
	struct ping_verdict v;

	if (h->duty == NULL) {
		check_done(c, REASON_CONFIG, "the schedule cannot be read; the log says why");
		return;
	}
	v = ping_judge(&h->state, &h->rule, now_ms);
	tell(c, &h->state, &v, now_ms);
	end(c, h, &v, now_ms);
}

/* A run is over when its start() returns. */
static void heartbeat_cancel(struct check *c)
{
	(void)c;
}

/* ---- Pings ---- */

/* Takes as long for the first letter wrong as for the last. */
static bool is_same_token(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	volatile unsigned char differs = la != lb;

	for (size_t i = 0; i < lb; i++)
		differs |= (unsigned char)(a[i % (la + 1)] ^ b[i]);
	return differs == 0;
}

static const char *text_of(const json_t *params, const char *name)
{
	const char *text = json_string_value(json_object_get(params, name));

	return text != NULL ? text : "";
}

/* It counts from when web got it, unless their clocks disagree. */
static int64_t time_of(const json_t *params, int64_t now_ms)
{
	int64_t at_ms = json_integer_value(json_object_get(params, "at_ms"));

	return at_ms > now_ms - CLOCK_TRUST_MS && at_ms <= now_ms ? at_ms : now_ms;
}

static int take(struct check *c, const struct ping *p, struct err *err)
{
	struct heartbeat *h = heartbeat_of(c);
	struct ping_state fresh = ping_state_dup(&h->state);
	const char *dir = state_dir_of(c);
	int rc = 0;

	if (!ping_take(&fresh, p)) {
		ping_state_done(&fresh);
		return 0;
	}
	if (dir != NULL)
		rc = ping_store_save(dir, check_id(c), &fresh, err);
	if (rc < 0) {
		ping_state_done(&fresh);
		return rc;
	}
	ping_state_done(&h->state);
	h->state = fresh;
	check_due_now(c);
	return 0;
}

/* Every component with that token: all are gone through, whichever it is. */
static size_t take_all(void *ctx, const char *token, const struct ping *p, int *rc_r,
		       struct err *err)
{
	struct check *c;
	size_t n = 0;

	for (size_t i = 0; (c = check_nth(ctx, i)) != NULL; i++) {
		const struct heartbeat_opts *o = check_opts(c);

		if (!is_same_token(token, o->token))
			continue;
		n++;
		if (*rc_r == 0)
			*rc_r = take(c, p, err);
	}
	return n;
}

static void call_ping(void *ctx, struct command_request *rq, const json_t *params)
{
	const json_t *log = json_object_get(params, "log");
	struct ping p = {
		.at_ms = time_of(params, clock_wall_ms()),
		.rid = text_of(params, "rid"),
		.key = text_of(params, "key"),
		.source = text_of(params, "source"),
		.log = json_string_value(log),
	};
	struct err err = {0};
	int rc = 0;

	if (ping_signal_parse(text_of(params, "signal"), &p.signal, &p.exit_code) < 0) {
		command_fail(rq, COMMAND_E_PARAMS, NULL,
			     "\"signal\" must be start, fail, log, success or an exit code");
		return;
	}
	if (take_all(ctx, text_of(params, "token"), &p, &rc, &err) == 0)
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "no heartbeat has this token");
	else if (rc < 0)
		command_fail(rq, COMMAND_E_FAILED, NULL, "the ping could not be stored: %s",
			     err.text);
	else
		command_reply(rq, json_pack("{s:b}", "stored", 1));
}

static const struct command_method heartbeat_methods[] = {
	{"heartbeat.ping", call_ping,
	 "{token, signal?, rid?, log?, source?, at_ms?, key?} -> {stored}; once it is in the file"},
	{0},
};

static const struct metric_doc heartbeat_metrics[] = {
	{"last_ping_age_seconds", "Since the last signal of any sort"},
	{"run_seconds", "From start to end of the last run, if both were told"},
	{"running_seconds", "Since the start of the run under way"},
	{"overdue_seconds", "Since the next ping was due; 0 before"},
	{"pings", "Signals taken since the component was new"},
	{NULL, NULL},
};

static const struct metric_doc heartbeat_details[] = {
	{"last_ping", "When the last signal came"},
	{"last_success", "When the last run ended well"},
	{"last_start", "When the last run began"},
	{"last_fail", "When the last run failed"},
	{"next_due", "When the next ping is, or was, expected"},
	{"exit_code", "What the last run gave, if it told"},
	{"log", "Last line of what was sent with a ping; `hale check` shows all of it"},
	{"source", "Address the last signal came from"},
	{NULL, NULL},
};

static const struct reason_doc heartbeat_reasons[] = {
	{REASON_OK, "the last run was in time, or one is under way"},
	{REASON_NO_PING, "none has come since the component was new"},
	{REASON_LATE, "its time is over, by less than grace"},
	{REASON_OVERDUE, "its time is over by more than grace, or a run takes too long"},
	{REASON_JOB_FAILED, "the job told that it failed, and has not succeeded since"},
	{REASON_OUTSIDE_SCHEDULE, "the active window is closed"},
	REASON_DOC_END,
};

static const char heartbeat_about[] =
	"The job asks `hale-web` for a URL; if it does not, something is wrong with it. `GET`, "
	"`HEAD` "
	"and `POST` do the same:\n\n"
	"| URL | tells |\n|---|---|\n"
	"| `/ping/<token>` | it ran |\n"
	"| `/ping/<token>/start` | it begins: gives run times, and `max_run_time` a meaning |\n"
	"| `/ping/<token>/fail` | it failed: `job_failed` at once |\n"
	"| `/ping/<token>/<exit code>` | 0: it ran; 1 to 255: it failed |\n"
	"| `/ping/<token>/log` | something for the log, nothing else |\n\n"
	"`?rid=<id>` ties start and end of one run together. What is posted (up to 100 KB, of "
	"which "
	"the first 10 KB are kept) is the log: its last line is a detail, all of it is in "
	"`hale check NAME`. The answer is `200 OK` once the ping is in a file, which outlives "
	"all but a power cut; `404` for an "
	"unknown token, `429` for too many, `503` with `Retry-After` if the checker cannot be "
	"reached for some seconds. Let the job try again:\n\n"
	"```sh\n"
	"# crontab: the exit code tells how it went\n"
	"30 2 * * *  backup.sh; curl -fsS -m 10 --retry 5 -o /dev/null "
	"http://127.0.0.1:5051/ping/$TOKEN/$?\n"
	"# with run time and log\n"
	"curl -fsS -m 10 --retry 5 http://127.0.0.1:5051/ping/$TOKEN/start\n"
	"log=$(backup.sh 2>&1); curl -fsS -m 10 --retry 5 --data-raw \"$log\" "
	"http://127.0.0.1:5051/ping/$TOKEN/$?\n"
	"```\n\n"
	"```ini\n"
	"# a systemd service\n"
	"[Service]\n"
	"ExecStartPre=-curl -fsS -m 10 --retry 5 http://127.0.0.1:5051/ping/TOKEN/start\n"
	"ExecStart=/usr/local/bin/backup.sh\n"
	"ExecStopPost=sh -c 'if [ $$SERVICE_RESULT = success ]; then s=0; else s=fail; fi; "
	"curl -fsS -m 10 --retry 5 http://127.0.0.1:5051/ping/TOKEN/$$s'\n"
	"```\n\n"
	"With `every` the next ping is due so long after the last, with `cron` at the next time of "
	"the schedule (in `timezone`; hours that clocks skip or repeat count once). While "
	"`active_window` is closed nothing is late. A token is a secret: write it as `${NAME}` or "
	"`${file:…}`.\n";

const struct check_ops check_ops = {
	.kind = "heartbeat",
	.summary = "waits for pings of a job; silence is failure",
	.about = heartbeat_about,
	.items = heartbeat_items,
	.metrics = heartbeat_metrics,
	.details = heartbeat_details,
	.reasons = heartbeat_reasons,
	.example = "backup:\n"
		   "  heartbeat:\n"
		   "    token: ${BACKUP_TOKEN:-0123456789abcdef}\n"
		   "    cron: \"30 2 * * *\"\n"
		   "    timezone: America/New_York\n"
		   "    grace: 1h\n"
		   "    max_run_time: 3h\n"
		   "queue-worker:\n"
		   "  heartbeat: {token: 5f2c8e0a7b1d4c39, every: 1m, grace: 2m}\n",
	.opts_size = sizeof(struct heartbeat_opts),
	.validate = heartbeat_validate,
	.prepare = heartbeat_prepare,
	.unprepare = heartbeat_unprepare,
	.start = heartbeat_start,
	.cancel = heartbeat_cancel,
	.methods = heartbeat_methods,
};
