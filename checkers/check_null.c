/* SPDX-License-Identifier: Apache-2.0 */
/* null - a check that answers what it is told
 *
 * The template to copy for a new kind, and the test double of everything behind a checker. It shows
 * the four things a kind may need: options, an answer later from the loop (a timer here, a socket
 * elsewhere), work that blocks (a file here, a database elsewhere), and cancelling.
 *
 * To make a kind of your own: copy this file to check_<kind>.c, rewrite it from the bottom up, and
 * add `hale_checker(<kind>)` to CMakeLists.txt.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

/* Outcome and message: whoever flips it writes a line. */
#define FILE_MAX_BYTES 4096

/* ---- Options: the struct, and the table that fills it ---- */

struct null_opts {
	char *outcome;
	char *reason;
	char *message;
	int64_t delay;
	json_t *metrics;
	char *file;
	bool hang;
	bool freeze;
};

static const struct conf_item null_items[] = {
	CONF_ENUM(struct null_opts, outcome, .def = "pass", .choices = "pass|warn|fail|down|error",
		  .help = "What every check answers"),
	CONF_STR(struct null_opts, reason,
		 .help = "Reason code of the answer (conn_refused, timeout_read …)"),
	CONF_STR(struct null_opts, message, .help = "Message of the answer"),
	CONF_DURATION(struct null_opts, delay, .def = "0",
		      .help = "How long a check takes to answer"),
	CONF_JSON(struct null_opts, metrics, .help = "Mapping of metric names to numbers"),
	CONF_STR(struct null_opts, file, .flags = CONF_F_READ_BESIDE,
		 .help = "File read at each check, \"OUTCOME MESSAGE…\", which then is the answer"),
	CONF_BOOL(struct null_opts, hang, .def = "false",
		  .help = "Never answer: the check runs into its timeout"),
	CONF_BOOL(struct null_opts, freeze, .def = "false",
		  .help = "For tests of the watchdog: block the whole checker process for ever"),
	CONF_END,
};

/* What the table cannot say. Paths are relative to the options. */
static void null_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct null_opts *o = opts;
	const char *name;
	json_t *value;
	enum reason reason;

	if (o->reason != NULL && !reason_from_code(o->reason, &reason))
		problem(ctx, "/reason", "no such reason code");
	if (o->metrics != NULL && !json_is_object(o->metrics))
		problem(ctx, "/metrics", "expected a mapping of names to numbers");
	json_object_foreach (o->metrics, name, value) {
		if (!json_is_number(value))
			problem(ctx, "/metrics", "every value must be a number");
	}
}

/* ---- One run ---- */

/* Zeroed by the runner before each start(). */
struct null_run {
	uv_timer_t timer;
	bool is_waiting; /* the timer is open */
	const char *path;
	struct str text; /* what the file says */
	struct err err;
	int rc;
};

static void answer(struct check *c, enum outcome outcome, const char *message)
{
	const struct null_opts *o = check_opts(c);
	enum reason reason = outcome == OUTCOME_PASS ? REASON_OK : REASON_TOLD;
	const char *name;
	json_t *value;

	json_object_foreach (o->metrics, name, value)
		check_metric(c, name, json_number_value(value));
	if (o->reason != NULL)
		(void)reason_from_code(o->reason, &reason);
	if (message != NULL && *message != '\0')
		check_done_as(c, outcome, reason, "%s", message);
	else
		check_done_as(c, outcome, reason, NULL);
}

static void answer_as_configured(struct check *c)
{
	const struct null_opts *o = check_opts(c);
	enum outcome outcome = OUTCOME_PASS;

	(void)outcome_from_name(o->outcome, &outcome); /* the table saw to that */
	answer(c, outcome, o->message);
}

/* ---- Blocking work: in a thread, on the run data alone ---- */

static void read_file(void *run_data)
{
	struct null_run *run = run_data;

	run->rc = file_read(run->path, FILE_MAX_BYTES, &run->text, &run->err);
}

/* "OUTCOME MESSAGE…" cut in place: the first word is the outcome, the line's rest the message. */
static void answer_from_text(struct check *c, char *text)
{
	char *rest = text + strcspn(text, " \t\r\n");
	enum outcome outcome;

	if (*rest != '\0')
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	rest[strcspn(rest, "\r\n")] = '\0';
	if (outcome_from_name(text, &outcome))
		answer(c, outcome, rest);
	else
		check_done(c, REASON_CONFIG,
			   "file: '%.32s' is not one of pass, warn, fail, down, error", text);
}

/* On the loop again. This comes after a cancel too, and must end the run then as well. */
static void answer_from_file(struct check *c)
{
	struct null_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str text = run->text;

	if (run->rc < 0)
		check_done(c, REASON_CONFIG, "file: %s", run->err.text);
	else
		answer_from_text(c, text.data);
}

static void begin_answer(struct check *c)
{
	const struct null_opts *o = check_opts(c);
	struct null_run *run = check_run_data(c);

	if (o->file == NULL) {
		answer_as_configured(c);
		return;
	}
	run->path = o->file;
	check_work(c, read_file, answer_from_file);
}

/* ---- Waiting on the loop ---- */

/* A handle is in use until its close callback: only then may check_done() be called, because the
 * run data belongs to the next run from there on. */
static void on_waited(uv_handle_t *timer)
{
	begin_answer(timer->data);
}

static void on_cancelled(uv_handle_t *timer)
{
	check_done(timer->data, REASON_CANCELLED, NULL);
}

static void on_timer(uv_timer_t *timer)
{
	struct check *c = timer->data;
	struct null_run *run = check_run_data(c);

	run->is_waiting = false;
	uv_close((uv_handle_t *)timer, on_waited);
}

static void null_start(struct check *c)
{
	const struct null_opts *o = check_opts(c);
	struct null_run *run = check_run_data(c);

	while (o->freeze)
		pause();
	/* A kind names the stage it is in, so that a timeout can say what was waited for. */
	check_stage(c, REASON_TIMEOUT_READ);
	if (o->delay == 0 && !o->hang) {
		begin_answer(c);
		return;
	}
	uv_timer_init(check_loop(c), &run->timer);
	run->timer.data = c;
	run->is_waiting = true;
	if (!o->hang)
		uv_timer_start(&run->timer, on_timer, (uint64_t)o->delay, 0);
}

/* May come at any time between start() and check_done(). What cannot be cut short (the thread, the
 * closing of the timer) is on its way and ends the run by itself. */
static void null_cancel(struct check *c)
{
	struct null_run *run = check_run_data(c);

	if (!run->is_waiting)
		return;
	run->is_waiting = false;
	uv_close((uv_handle_t *)&run->timer, on_cancelled);
}

static const struct metric_doc null_metrics[] = {
	{"*", "those of the option metrics"},
	{NULL, NULL},
};

static const struct reason_doc null_reasons[] = {
	{REASON_TOLD, "the outcome that was told, unless the option reason says another"},
	{REASON_CONFIG, "the file cannot be read, or does not begin with an outcome"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "null",
	.summary = "answers what it is told",
	.about = "For trying out rules and channels, for tests, and as the template of a new kind "
		 "([extending.md](extending.md)).",
	.items = null_items,
	.metrics = null_metrics,
	.reasons = null_reasons,
	.example = "drill:\n"
		   "  null: {file: /tmp/drill}      # echo \"fail fire drill\" > /tmp/drill\n"
		   "  interval: 5s\n"
		   "  impact: none\n",
	.opts_size = sizeof(struct null_opts),
	.run_size = sizeof(struct null_run),
	.validate = null_validate,
	.start = null_start,
	.cancel = null_cancel,
};
