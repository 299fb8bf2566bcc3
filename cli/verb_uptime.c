/* SPDX-License-Identifier: Apache-2.0 */
/* hale uptime: how much of the time everything was well */
#include "verbs.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "field.h"
#include "past.h"
#include "period.h"
#include "store/uptime.h"
#include "uptime_view.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static const struct {
	const char *name, *title;
	int64_t ms;
} ranges[UPTIME_RANGES] = {
	{"24h", "24H", DAY_MS}, {"7d", "7D", 7 * DAY_MS}, {"30d", "30D", 30 * DAY_MS}};

/* Of the components that hale's own processes are. */
#define OWN_PREFIX "hale."

/* A target without a range is one of a month, as agreements mostly are. */
#define SLA_DEFAULT_MS (30 * DAY_MS)

/* hale's own processes are told of when they were away, as in hale status; JSON has all. */
static bool is_wanted(const struct cli *cli, const struct args *args, const json_t *component)
{
	const char *name = field_or(component, "component", "");

	for (size_t i = 0; i < args->words.n; i++) {
		if (fnmatch(args->words.v[i], name, 0) == 0)
			return true;
	}
	return args->words.n == 0 && (cli->is_json || !str_starts(name, OWN_PREFIX) ||
				      field_int(component, "outages", 0) > 0);
}

/* Takes out what was not asked for. A name that is none's: an exit code after telling. */
static int select_named(struct cli *cli, const struct args *args, json_t *answer)
{
	json_t *list = field_array(answer, "components");

	for (size_t w = 0; w < args->words.n; w++) {
		bool is_there = false;

		for (size_t i = 0; i < json_array_size(list) && !is_there; i++)
			is_there =
				fnmatch(args->words.v[w],
					field_or(json_array_get(list, i), "component", ""), 0) == 0;
		if (!is_there)
			return cli_refuse(
				cli, CLI_USAGE,
				"nothing is known of '%s' in that time (see: hale status)",
				args->words.v[w]);
	}
	for (size_t i = json_array_size(list); i-- > 0;) {
		if (!is_wanted(cli, args, json_array_get(list, i)))
			(void)json_array_remove(list, i);
	}
	return 0;
}

static int ask(struct cli *cli, struct past *past, const struct uptime_query *q, json_t **answer_r)
{
	struct err err = {0};
	int rc = uptime_read(past_history(past), q, answer_r, &err);

	return rc == 0 ? 0
		       : cli_refuse(cli, rc == -EINVAL ? CLI_USAGE : CLI_FAILED, "%s", err.text);
}

/* ---- three ranges ---- */

/* {"at", "24h": {…}, "7d": {…}, "30d": {…}}: each as of one range. */
static void print_ranges_json(struct cli *cli, json_t *const *answers)
{
	char at[CLOCK_TEXT_MAX];
	json_t *out = json_pack("{s:s}", "at", clock_format(cli_now(cli), at));

	for (size_t i = 0; i < UPTIME_RANGES; i++)
		(void)json_object_set(out, ranges[i].name, answers[i]);
	cli_json(cli, out);
	json_decref(out);
}

static void print_ranges(struct cli *cli, json_t *const *answers)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const json_t *views[UPTIME_RANGES];
	const char *titles[UPTIME_RANGES];

	for (size_t i = 0; i < UPTIME_RANGES; i++) {
		views[i] = answers[i];
		titles[i] = ranges[i].title;
	}
	uptime_view_ranges(&out, views, titles, UPTIME_RANGES,
			   &(struct uptime_look){cli->has_colour, cli->width});
	cli_print(cli, &out);
}

static int show_ranges(struct cli *cli, const struct args *args, struct past *past)
{
	json_t *answers[UPTIME_RANGES] = {NULL};
	int64_t now_ms = cli_now(cli);
	int code = 0;

	/* The longest first: what nobody knows is not known in the others either. */
	for (size_t i = UPTIME_RANGES; i-- > 0 && code == 0;) {
		struct uptime_query q = {.from_ms = now_ms - ranges[i].ms,
					 .to_ms = now_ms,
					 .sla_percent = (double)NAN};

		code = ask(cli, past, &q, &answers[i]);
		if (code == 0)
			code = select_named(cli, args, answers[i]);
	}
	if (code == 0 && cli->is_json)
		print_ranges_json(cli, answers);
	else if (code == 0)
		print_ranges(cli, answers);
	for (size_t i = 0; i < UPTIME_RANGES; i++)
		json_decref(answers[i]);
	return code;
}

/* ---- one range ---- */

static bool is_missed(const json_t *answer)
{
	json_t *c;
	size_t i;

	json_array_foreach (field_array(answer, "components"), i, c) {
		const json_t *sla = json_object_get(c, "sla");
		double percent;

		if (json_is_object(sla) && !field_true(sla, "is_met") &&
		    field_number(c, "uptime_percent", &percent))
			return true;
	}
	return false;
}

static int show_range(struct cli *cli, const struct args *args, struct past *past,
		      const struct uptime_query *q)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *answer = NULL;
	int code = ask(cli, past, q, &answer);

	if (code == 0)
		code = select_named(cli, args, answer);
	if (code == 0 && cli->is_json)
		cli_json(cli, answer);
	else if (code == 0)
		uptime_view_range(&out, answer, &(struct uptime_look){cli->has_colour, cli->width});
	cli_print(cli, &out);
	if (code == 0 && json_array_size(json_object_get(answer, "components")) == 0)
		(void)fprintf(cli->err, "hale: nothing was monitored in that time\n");
	if (code == 0 && is_missed(answer))
		code = CLI_FAILED;
	json_decref(answer);
	return code;
}

/* ---- the verb ---- */

static int read_sla(const struct args *args, double *percent_r, struct err *err)
{
	const char *text = args_text(args, "sla");
	char *end = NULL;
	double percent;

	*percent_r = (double)NAN;
	if (text == NULL)
		return 0;
	percent = strtod(text, &end);
	if (*end == '%')
		end++;
	/* At 100 there would be no budget, and no division by it. */
	if (end == text || *end != '\0' || !(percent > 0 && percent < 100))
		return err_set(err, -EINVAL, "--sla: '%s' is no percentage below 100 (99.9)", text);
	*percent_r = percent;
	return 0;
}

/* is_one_r: one range was asked for, not the three. */
static int read_query(const struct args *args, int64_t now_ms, struct uptime_query *q,
		      bool *is_one_r, struct err *err)
{
	int64_t range_ms = args_number(args, "range", 0);
	bool has_times = args_is(args, "from") || args_is(args, "to") || args_is(args, "since");
	struct period p;
	int rc = read_sla(args, &q->sla_percent, err);

	if (rc < 0)
		return rc;
	if (args_is(args, "range") && (args_is(args, "from") || args_is(args, "since")))
		return err_set(err, -EINVAL, "--range and --from say the same: give one of them");
	if (args_is(args, "range") && range_ms < 1000)
		return err_set(err, -EINVAL, "--range: at least a second");
	rc = period_of(args, now_ms, range_ms > 0 ? range_ms : SLA_DEFAULT_MS, &p, err);
	if (rc < 0)
		return rc;
	q->from_ms = p.from_ms;
	q->to_ms = p.to_ms == 0 ? now_ms : HALE_MIN(p.to_ms, now_ms);
	*is_one_r = has_times || range_ms > 0 || !isnan(q->sla_percent);
	return 0;
}

int verb_uptime(struct cli *cli, const struct args *args)
{
	struct uptime_query q = {.sla_percent = (double)NAN};
	struct past *past = NULL;
	struct err err = {0};
	bool is_one = false;
	int code;

	if (read_query(args, cli_now(cli), &q, &is_one, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s", err.text);
	code = past_open(cli, false, &past);
	if (code == 0)
		code = is_one ? show_range(cli, args, past, &q) : show_ranges(cli, args, past);
	past_close(past);
	return code;
}
