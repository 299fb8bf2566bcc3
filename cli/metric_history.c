/* SPDX-License-Identifier: Apache-2.0 */
#include "metric_history.h"

#include <errno.h>

#include "field.h"
#include "series_view.h"
#include "store/series.h"

/* Rows that one looks at; a chart (-o json) takes more. */
#define DEFAULT_POINTS 24

/* Which metrics there are, for one that is not. */
static int tell_none(struct cli *cli, struct past *past, const struct series_query *q)
{
	struct series_query any = *q;
	HALE_CLEANUP(str_done) struct str names = {0};
	json_t *summary = NULL, *m;
	size_t i;

	any.metric = NULL;
	(void)series_summary(past_history(past), &any, &summary, NULL);
	json_array_foreach (field_array(summary, "metrics"), i, m) {
		str_addf(&names, "%s%s", names.len > 0 ? ", " : "", field_or(m, "metric", "?"));
	}
	json_decref(summary);
	if (names.len == 0)
		return cli_refuse(cli, CLI_USAGE,
				  "no metric of '%s' is stored in that time (see: hale show %s)",
				  q->component, q->component);
	return cli_refuse(cli, CLI_USAGE,
			  "no metric '%s' of '%s' is stored in that time; it has: %s", q->metric,
			  q->component, str_text(&names));
}

static void print(struct cli *cli, struct past *past, const struct series_query *q,
		  const json_t *series)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *summary = NULL;

	/* Without it the table says enough. */
	(void)series_summary(past_history(past), q, &summary, NULL);
	series_view(&out, series, summary, cli->has_colour, cli->width);
	cli_print(cli, &out);
	json_decref(summary);
}

int metric_history(struct cli *cli, const struct args *args, struct past *past,
		   const struct period *period)
{
	int64_t points =
		args_number(args, "lines", cli->is_json ? SERIES_POINTS_DEFAULT : DEFAULT_POINTS);
	const struct series_query q = {
		.metric = args_text(args, "metric"),
		.component = args_word(args, 0),
		.from_ms = period->from_ms,
		.to_ms = period->to_ms,
		.now_ms = cli_now(cli),
		.step_ms = args_number(args, "step", 0),
		.points_max = (size_t)HALE_MIN(HALE_MAX(points, 1), SERIES_POINTS_MAX),
	};
	json_t *series = NULL;
	struct err err = {0};
	int rc = series_read(past_history(past), &q, &series, &err);

	if (rc == -ENOENT)
		return tell_none(cli, past, &q);
	if (rc < 0)
		return cli_refuse(cli, rc == -EINVAL ? CLI_USAGE : CLI_FAILED, "%s", err.text);
	if (cli->is_json)
		cli_json(cli, series);
	else
		print(cli, past, &q, series);
	json_decref(series);
	return CLI_DONE;
}
