/* SPDX-License-Identifier: Apache-2.0 */
/* hale history NAME: how a component or process fared */
#include "verbs.h"

#include "bus/command.h"
#include "event_view.h"
#include "field.h"
#include "metric_history.h"
#include "past.h"
#include "process_view.h"
#include "table.h"
#include "text.h"

#define DEFAULT_SINCE_MS (INT64_C(24) * 3600 * 1000)
#define DEFAULT_ROWS     100
/* That many are no page to look at any more; what is larger is exported. */
#define LINES_MAX        100000

static void date_cell(struct table *t, const json_t *row)
{
	char date[TEXT_TIME_MAX];
	int64_t at_ms;

	table_cell(t, TONE_DIM, field_time(row, "at", &at_ms) ? text_date(at_ms, date) : "-");
}

/* ---- one shape of row each ---- */

static const struct table_column transition_columns[] = {
	TABLE_LEFT("AT"), TABLE_LEFT("CHANGE"), TABLE_LEFT("REASON"), TABLE_FLEXIBLE("MESSAGE")};

static void add_transition(struct table *t, const json_t *row)
{
	HALE_CLEANUP(str_done) struct str change = {0};
	const char *to = field_text(row, "to");
	enum status s;

	transition_add(&change, field_text(row, "from"), to);
	date_cell(t, row);
	table_cell(t, status_from_name(to, &s) ? tone_of_status(s) : TONE_DIM, str_text(&change));
	table_cell(t, TONE_PLAIN, field_text(row, "reason"));
	table_cell(t, TONE_PLAIN, field_text(row, "message"));
}

static const struct table_column result_columns[] = {
	TABLE_LEFT("AT"),    TABLE_LEFT("STATUS"), TABLE_LEFT("CHECK"),
	TABLE_RIGHT("TOOK"), TABLE_LEFT("REASON"), TABLE_FLEXIBLE("MESSAGE"),
};

static void add_result(struct table *t, const json_t *row)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	char took[TEXT_TIME_MAX];
	double ms;
	enum tone tone;

	dot_status(&word, field_text(row, "status"), &tone);
	date_cell(t, row);
	table_cell(t, tone, str_text(&word));
	table_cell(t, TONE_PLAIN, field_text(row, "outcome"));
	table_cell(t, TONE_PLAIN, field_number(row, "took_ms", &ms) ? text_took(ms, took) : NULL);
	table_cell(t, TONE_PLAIN, field_text(row, "reason"));
	table_cell(t, TONE_PLAIN, field_text(row, "message"));
}

static const struct table_column process_columns[] = {TABLE_LEFT("AT"), TABLE_LEFT("EVENT"),
						      TABLE_RIGHT("PID"), TABLE_RIGHT("RESTARTS"),
						      TABLE_FLEXIBLE("EXIT")};

static void add_process(struct table *t, const json_t *row)
{
	HALE_CLEANUP(str_done) struct str how = {0};
	const json_t *pid = json_object_get(row, "pid");

	exit_describe(&how, json_object_get(row, "last_exit"));
	date_cell(t, row);
	table_cell(t, TONE_PLAIN, field_text(row, "event"));
	if (json_is_integer(pid))
		table_cellf(t, TONE_PLAIN, "%lld", (long long)json_integer_value(pid));
	else
		table_cell(t, TONE_PLAIN, NULL);
	table_cellf(t, TONE_PLAIN, "%lld", (long long)field_int(row, "restarts", 0));
	table_cell(t, TONE_PLAIN, str_text(&how));
}

static const struct shape {
	const char *what; /* in "nothing … is stored" */
	const struct table_column *columns;
	size_t columns_n;
	void (*add)(struct table *t, const json_t *row);
} shapes[] = {
	[READ_RESULTS] = {"result", result_columns, ARRAY_LEN(result_columns), add_result},
	[READ_TRANSITIONS] = {"change of status", transition_columns, ARRAY_LEN(transition_columns),
			      add_transition},
	[READ_EVENTS] = {NULL, NULL, 0, NULL},
	[READ_PROCESSES] = {"process event", process_columns, ARRAY_LEN(process_columns),
			    add_process},
};

static void print_rows(struct cli *cli, const struct shape *shape, const json_t *rows)
{
	struct table t = {.columns = shape->columns, .columns_n = shape->columns_n};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)rows, i, row) {
		if (cli->is_json)
			cli_json_line(cli, row);
		else
			shape->add(&t, row);
	}
	table_format(&t, cli->has_colour, cli->width, &out);
	cli_print(cli, &out);
	table_done(&t);
}

/* A process has events, a component changes; what is in neither may have been one once. */
static int choose(struct cli *cli, const struct args *args, enum read_what *what_r,
		  bool *is_known_r)
{
	json_t *shown = NULL;
	struct err err = {0};
	int code = cli_try(cli, "haled", "show", json_pack("{s:s}", "name", args_word(args, 0)),
			   CLI_TIMEOUT_MS, &shown, NULL, &err);
	bool is_process = json_object_get(shown, "component") == NULL &&
			  json_object_get(shown, "process") != NULL;

	*is_known_r = code == 0;
	*what_r = is_process ? READ_PROCESSES : READ_TRANSITIONS;
	if (args_is(args, "results"))
		*what_r = READ_RESULTS;
	json_decref(shown);
	return code == 0 || code == COMMAND_E_NOT_FOUND
		       ? 0
		       : cli_tell_failure(cli, "haled", code, &err);
}

static void tell_none(struct cli *cli, const struct args *args, enum read_what what,
		      const struct period *period)
{
	HALE_CLEANUP(str_done) struct str when = {0};

	period_add(&when, args, period, cli_now(cli));
	(void)fprintf(cli->out, "no %s of %s %s\n", shapes[what].what, args_word(args, 0),
		      str_text(&when));
}

/* Behind the rows, where it is seen, and on stderr, where it disturbs no program. */
static void tell_truncated(struct cli *cli, const struct read_query *q)
{
	(void)fprintf(cli->err,
		      "hale: these are the newest %zu; more of them: -n %zu; all of them: hale "
		      "export --what %s --component %s\n",
		      q->limit, HALE_MIN(q->limit * 10, (size_t)LINES_MAX), read_what_name(q->what),
		      q->name);
}

static int print_history(struct cli *cli, const struct args *args, struct past *past,
			 const struct period *period)
{
	struct read_query q = {.name = args_word(args, 0),
			       .from_ms = period->from_ms,
			       .to_ms = period->to_ms,
			       .limit = (size_t)args_number(args, "lines", DEFAULT_ROWS)};
	bool is_known = false, has_more = false;
	json_t *rows = NULL;
	int code;

	if (q.limit == 0)
		return CLI_DONE;
	code = choose(cli, args, &q.what, &is_known);
	if (code == 0)
		code = past_read(cli, past, &q, &rows, &has_more);
	if (code == 0 && json_array_size(rows) == 0 && !is_known)
		code = cli_refuse(cli, CLI_USAGE, "nothing is known of '%s' (see: hale status)",
				  q.name);
	else if (code == 0 && json_array_size(rows) == 0 && !cli->is_json)
		tell_none(cli, args, q.what, period);
	else if (code == 0)
		print_rows(cli, &shapes[q.what], rows);
	if (code == 0 && has_more) {
		(void)fflush(cli->out);
		tell_truncated(cli, &q);
	}
	json_decref(rows);
	return code;
}

static int check_options(struct cli *cli, const struct args *args, struct period *period_r)
{
	struct err err = {0};

	if (args_number(args, "lines", 0) > LINES_MAX)
		return cli_refuse(cli, CLI_USAGE, "--lines: at most %d; hale export gives all rows",
				  LINES_MAX);
	if (args_is(args, "metric") && args_is(args, "results"))
		return cli_refuse(cli, CLI_USAGE, "--metric and --results exclude each other");
	if (args_is(args, "step") && !args_is(args, "metric"))
		return cli_refuse(cli, CLI_USAGE, "--step goes with --metric");
	if (period_of(args, cli_now(cli), DEFAULT_SINCE_MS, period_r, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s", err.text);
	return 0;
}

int verb_history(struct cli *cli, const struct args *args)
{
	struct period period;
	struct past *past = NULL;
	int code = check_options(cli, args, &period);

	if (code == 0)
		code = past_open(cli, false, &past);
	if (code == 0 && args_is(args, "metric"))
		code = metric_history(cli, args, past, &period);
	else if (code == 0)
		code = print_history(cli, args, past, &period);
	past_close(past);
	return code;
}
