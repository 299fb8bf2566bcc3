/* SPDX-License-Identifier: Apache-2.0 */
/* hale reconcile, action: has the reconciler put things right, or say what it would do */
#include "verbs.h"

#include <stdlib.h>

#include "field.h"
#include "table.h"
#include "text.h"

/* A run over a large table and a slow source; the reconciler bounds the parts itself. */
#define RUN_TIMEOUT_MS (10 * 60 * 1000)

/* ---- lists ---- */

static void last_run_cells(struct table *t, const json_t *entry, int64_t now_ms)
{
	const json_t *run = json_object_get(entry, "last_run");
	const char *outcome = field_text(run, "outcome");
	char ago[TEXT_TIME_MAX];
	int64_t at_ms;

	if (field_true(entry, "running"))
		table_cell(t, TONE_WARN, "running");
	else
		table_cell(t, outcome == NULL || str_eq(outcome, "done") ? TONE_PLAIN : TONE_BAD,
			   outcome);
	table_cell(t, TONE_PLAIN,
		   field_time(run, "at", &at_ms) ? text_ago(at_ms, now_ms, ago) : NULL);
}

/* "http", "sqlite positions", "POST http://…": what it reads and what it changes. */
static void add_pair(struct table *t, const char *first, const char *second)
{
	if (first != NULL && second != NULL)
		table_cellf(t, TONE_PLAIN, "%s %s", first, second);
	else
		table_cell(t, TONE_PLAIN, first != NULL ? first : second);
}

static void add_entry(struct table *t, const json_t *entry, int64_t now_ms)
{
	char ago[TEXT_TIME_MAX];
	int64_t at_ms;

	table_cell(t, TONE_PLAIN,
		   json_is_string(entry) ? json_string_value(entry) : field_or(entry, "name", "?"));
	table_cell(t, TONE_PLAIN, field_text(entry, "schedule"));
	table_cell(t, TONE_PLAIN,
		   field_time(entry, "next_run", &at_ms) ? text_ago(at_ms, now_ms, ago) : NULL);
	last_run_cells(t, entry, now_ms);
	table_cell(t, TONE_PLAIN, field_text(entry, "source"));
	if (field_text(entry, "url") != NULL)
		add_pair(t, field_text(entry, "method"), field_text(entry, "url"));
	else
		add_pair(t, field_text(entry, "target"), field_text(entry, "table"));
}

static int list(struct cli *cli, const char *method, const char *array)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("NAME"),     TABLE_LEFT("SCHEDULE"), TABLE_RIGHT("NEXT"),
		TABLE_LEFT("LAST RUN"), TABLE_RIGHT("WHEN"),    TABLE_LEFT("FROM"),
		TABLE_FLEXIBLE("TO"),
	};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *answer = NULL, *entry;
	int code = cli_ask(cli, "reconciler", method, NULL, CLI_TIMEOUT_MS, &answer);
	size_t i;

	if (code != 0)
		return code;
	json_array_foreach (field_array(answer, array), i, entry) {
		add_entry(&t, entry, cli_now(cli));
	}
	if (cli->is_json)
		cli_json(cli, answer);
	else if (t.cells_n == 0)
		cli_say(cli, TONE_PLAIN, "none is configured");
	else
		table_format(&t, cli->has_colour, cli->width, &out);
	cli_print(cli, &out);
	table_done(&t);
	json_decref(answer);
	return CLI_DONE;
}

/* ---- the plan ---- */

struct row_place {
	const char *op, *key; /* NULL once they are told */
};

static void value_cell(struct table *t, const json_t *v)
{
	char *text;

	if (v == NULL || json_is_string(v)) {
		table_cell(t, TONE_PLAIN, json_string_value(v));
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
	table_cell(t, TONE_PLAIN, text);
	free(text);
}

static enum tone tone_of_op(const char *op)
{
	if (str_eq(op, "insert"))
		return TONE_GOOD;
	return str_eq(op, "update") ? TONE_WARN : TONE_BAD;
}

static void add_change(struct table *t, struct row_place *place, const char *column,
		       const json_t *before, const json_t *after)
{
	table_cell(t, tone_of_op(place->op), place->op);
	table_cell(t, TONE_PLAIN, place->key);
	table_cell(t, TONE_PLAIN, column);
	value_cell(t, before);
	value_cell(t, after);
	*place = (struct row_place){NULL, NULL};
}

/* A line for each column that changes. */
static void add_plan_row(struct table *t, const json_t *row)
{
	const json_t *before = json_object_get(row, "before");
	const json_t *after = json_object_get(row, "after");
	struct row_place place = {field_or(row, "op", "?"), field_or(row, "key", "?")};
	json_t *columns = json_object_size(after) > 0 ? json_object_get(row, "after")
						      : json_object_get(row, "before");
	const char *column;
	json_t *value;

	json_object_foreach (columns, column, value) {
		const json_t *old = json_object_get(before, column);
		const json_t *new = json_object_get(after, column);

		if (old == NULL || new == NULL || !json_equal(old, new))
			add_change(t, &place, column, old, new);
	}
	if (place.op != NULL)
		add_change(t, &place, "", NULL, NULL);
}

static void add_plan(struct cli *cli, struct str *out, const json_t *plan)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("CHANGE"), TABLE_LEFT("KEY"),       TABLE_LEFT("COLUMN"),
		TABLE_LEFT("BEFORE"), TABLE_FLEXIBLE("AFTER"),
	};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)plan, i, row) {
		add_plan_row(&t, row);
	}
	if (t.cells_n > 0)
		str_addc(out, '\n');
	table_format(&t, cli->has_colour, cli->width, out);
	table_done(&t);
}

/* ---- a run ---- */

static const struct count {
	const char *key;
	const char *would; /* of a dry run */
} counts[] = {
	{"inserted", "insert"}, {"updated", "update"}, {"closed", "close"}, {"skipped", "skip"}};

static void add_counts(struct str *out, const json_t *run, bool is_dry)
{
	bool is_first = true;

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		json_int_t n = field_int(run, counts[i].key, 0);

		if (n == 0)
			continue;
		if (is_dry)
			str_addf(out, "%s%s %lld", is_first ? "would " : ", ", counts[i].would,
				 (long long)n);
		else
			str_addf(out, "%s%lld %s", is_first ? "" : ", ", (long long)n,
				 counts[i].key);
		is_first = false;
	}
	if (is_first)
		str_add(out, "nothing to change");
}

static void add_errors(struct cli *cli, struct str *out, const json_t *errors)
{
	json_t *error;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)errors, i, error) {
		const char *text = json_is_string(error) ? json_string_value(error)
							 : field_or(error, "message", "error");

		str_add(out, "  ");
		paint_add(out, cli->has_colour, TONE_BAD, text);
		str_addc(out, '\n');
	}
}

static void print_run(struct cli *cli, const char *job, const json_t *run)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const char *outcome = field_or(run, "outcome", "unknown");
	bool is_done = str_eq(outcome, "done"), is_dry = field_true(run, "dry_run");
	char took[TEXT_TIME_MAX];
	double ms;

	str_addf(&out, "%s: ", job);
	if (is_dry)
		str_add(&out, "dry run, ");
	if (is_done)
		add_counts(&out, run, is_dry);
	else
		paint_add(&out, cli->has_colour, TONE_BAD, outcome);
	if (field_number(run, "took_ms", &ms))
		str_addf(&out, " (%s)", text_took(ms, took));
	str_addc(&out, '\n');
	add_errors(cli, &out, field_array(run, "errors"));
	add_plan(cli, &out, field_array(run, "plan"));
	if (field_true(run, "truncated"))
		str_add(&out, "… and more rows than are shown\n");
	cli_print(cli, &out);
}

int verb_reconcile(struct cli *cli, const struct args *args)
{
	const char *job = args_word(args, 0);
	json_t *run = NULL;
	int code;

	if (job == NULL)
		return list(cli, "reconcile.jobs", "jobs");
	code = cli_ask(cli, "reconciler", "reconcile.run",
		       json_pack("{s:s, s:b}", "job", job, "dry_run", args_is(args, "dry-run")),
		       RUN_TIMEOUT_MS, &run);
	if (code != 0)
		return code;
	if (cli->is_json)
		cli_json(cli, run);
	else
		print_run(cli, job, run);
	code = str_eq(field_text(run, "outcome"), "done") ? CLI_DONE : CLI_FAILED;
	json_decref(run);
	return code;
}

/* ---- action ---- */

static void print_action(struct cli *cli, const char *name, const json_t *run)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const char *outcome = field_or(run, "outcome", "unknown"), *message;
	char took[TEXT_TIME_MAX];
	double ms;

	str_addf(&out, "%s: ", name);
	paint_add(&out, cli->has_colour, str_eq(outcome, "done") ? TONE_GOOD : TONE_BAD, outcome);
	message = field_text(run, "message");
	if (message != NULL && *message != '\0') {
		str_add(&out, ", ");
		text_add(&out, message);
	}
	if (field_number(run, "took_ms", &ms))
		str_addf(&out, " (%s)", text_took(ms, took));
	str_addc(&out, '\n');
	cli_print(cli, &out);
}

int verb_action(struct cli *cli, const struct args *args)
{
	const char *name = args_word(args, 0);
	json_t *run = NULL;
	int code;

	if (name == NULL)
		return list(cli, "action.list", "actions");
	code = cli_ask(cli, "reconciler", "action.run", json_pack("{s:s}", "action", name),
		       RUN_TIMEOUT_MS, &run);
	if (code != 0)
		return code;
	if (cli->is_json)
		cli_json(cli, run);
	else
		print_action(cli, name, run);
	code = str_eq(field_text(run, "outcome"), "done") ? CLI_DONE : CLI_FAILED;
	json_decref(run);
	return code;
}
