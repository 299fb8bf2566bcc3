/* SPDX-License-Identifier: Apache-2.0 */
/* compare - asks two sources and says whether they agree
 *
 * Both are asked at once. When both have answered, a thread reads what came, compares, and the loop
 * tells the result. A source that cannot be read is no difference: the check could not run.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "compare_options.h"
#include "compare_rows.h"
#include "compare_source.h"

/* The sources end a little before the runner's deadline: it is they who did not answer, and the
 * check then could not run. */
#define EARLY_MS     100
/* Keys named in a message. */
#define TOLD_MAX     3
#define TOLD_KEY_MAX 40

/* ---- What outlives a run ---- */

struct compare_prep {
	struct compare_spec spec;
	struct compare_rule *rules;
	struct compare_shape a, b;
	const char **columns; /* names of the compared ones */
};

static const char *name_in(const struct compare_source_opts *o, const char *name)
{
	const char *other = json_string_value(json_object_get(o->rename, name));

	return other != NULL ? other : name;
}

static void shape_init(struct compare_shape *shape, const struct compare_opts *o,
		       const struct compare_source_opts *source, const struct compare_prep *prep)
{
	const struct compare_spec *spec = &prep->spec;
	const char *jq = NULL;
	size_t n = 0;

	shape->o = source;
	shape->kind = compare_source_kind(source);
	shape->spec = o->key.n > 0 ? spec : NULL;
	shape->names = mem_array(compare_cells(spec) + 1, sizeof(*shape->names));
	for (size_t i = 0; i < spec->key_n; i++)
		shape->names[n++] = name_in(source, o->key.v[i]);
	for (size_t i = 0; i < spec->columns_n; i++)
		shape->names[n++] = name_in(source, prep->columns[i]);
	if (spec->has_quantity)
		shape->names[n++] = name_in(source, o->quantity);
	if (shape->kind == SOURCE_HTTP)
		jq = source->http.jq;
	else if (shape->kind == SOURCE_FILE)
		jq = source->file.jq;
	shape->jq = jq != NULL ? jq_new(jq) : NULL;
	if (shape->kind == SOURCE_HTTP && source->http.expect != NULL)
		shape->expect = jq_new(source->http.expect);
}

static void *compare_prepare(const void *opts)
{
	const struct compare_opts *o = opts;
	struct compare_prep *prep = mem_alloc(sizeof(*prep));
	size_t n = json_object_size(o->columns);
	const char *name;
	json_t *how;

	prep->rules = mem_array(n + 1, sizeof(*prep->rules));
	prep->columns = mem_array(n + 1, sizeof(*prep->columns));
	json_object_foreach (o->columns, name, how) {
		prep->columns[prep->spec.columns_n] = name;
		(void)compare_rule_parse(json_string_value(how),
					 &prep->rules[prep->spec.columns_n++], NULL);
	}
	prep->spec.rules = prep->rules;
	prep->spec.key_n = o->key.n;
	prep->spec.has_quantity = o->quantity != NULL;
	prep->spec.zero_is_absent = o->zero_is_absent;
	prep->spec.skips_negative = strcmp(o->negative, "skip") == 0;
	prep->spec.rows_max = (size_t)o->rows_max;
	shape_init(&prep->a, o, &o->a, prep);
	shape_init(&prep->b, o, &o->b, prep);
	return prep;
}

static void shape_done(struct compare_shape *shape)
{
	jq_free(shape->jq);
	jq_free(shape->expect);
	free(shape->names);
}

static void compare_unprepare(void *ptr)
{
	struct compare_prep *prep = ptr;

	shape_done(&prep->a);
	shape_done(&prep->b);
	free(prep->columns);
	free(prep->rules);
	free(prep);
}

/* ---- One run ---- */

/* Zeroed by the runner before each start(). */
struct compare_run {
	struct check *check;
	const struct compare_prep *prep;
	struct compare_source *a, *b;
	bool is_a_out, is_b_out; /* being waited for */
	bool is_cancelled;
	/* What was found; keys and values as JSON texts. */
	struct compare_result result;
	json_t *listed[COMPARE_WHAT_MAX];
	json_t *differences;
};

static json_t *text_json(const char *text)
{
	char clean[256];

	(void)str_clean(clean, sizeof(clean), text);
	return json_string(clean);
}

static void on_found(void *ctx, const struct compare_found *f)
{
	struct compare_run *run = ctx;
	const struct compare_opts *o = check_opts(run->check);
	char slug[COMPARE_SLUG_MAX];
	json_t *difference;

	json_array_append_new(run->listed[f->what], text_json(f->key));
	if (f->what != COMPARE_DIFFERENT)
		return;
	difference = json_object();
	json_object_set_new(difference, "key", text_json(f->key));
	json_object_set_new(difference, "column", text_json(run->prep->columns[f->column]));
	json_object_set_new(difference, compare_slug(o->names.a, slug),
			    f->a.text != NULL ? text_json(f->a.text) : json_null());
	json_object_set_new(difference, compare_slug(o->names.b, slug),
			    f->b.text != NULL ? text_json(f->b.text) : json_null());
	json_array_append_new(run->differences, difference);
}

/* In a thread. */
static void compare_work(void *run_data)
{
	struct compare_run *run = run_data;

	compare_source_read(run->a);
	compare_source_read(run->b);
	if (run->prep->a.spec != NULL && compare_source_error(run->a) == NULL &&
	    compare_source_error(run->b) == NULL)
		compare_sides(compare_source_side(run->a), compare_source_side(run->b),
			      &run->result, on_found, run);
}

/* ---- Telling ---- */

static void side_detail(struct check *c, const char *before, const char *name, const char *after,
			json_t *value)
{
	char slug[COMPARE_SLUG_MAX];
	HALE_CLEANUP(cleanup_free)
	char *full = mem_printf("%s%s%s", before, compare_slug(name, slug), after);

	check_detail(c, full, value);
}

static void tell_failed(struct compare_run *run)
{
	const struct compare_opts *o = check_opts(run->check);
	const char *a = compare_source_error(run->a), *b = compare_source_error(run->b);
	HALE_CLEANUP(str_done) struct str text = {0};

	if (a != NULL)
		str_addf(&text, "%s: %s", o->names.a, a);
	if (b != NULL)
		str_addf(&text, "%s%s: %s", a != NULL ? "; " : "", o->names.b, b);
	check_detail(run->check, "error", json_string(str_text(&text)));
	check_done(run->check, REASON_SOURCE_FAILED, "Unable to check");
}

static void name_keys(struct str *text, const char *what, const json_t *keys, size_t n)
{
	if (n == 0)
		return;
	str_addf(text, "; %s: ", what);
	for (size_t i = 0; i < n && i < TOLD_MAX; i++)
		str_addf(text, "%s%.*s", i > 0 ? ", " : "", TOLD_KEY_MAX,
			 json_string_value(json_array_get(keys, i)));
	if (n > TOLD_MAX)
		str_addf(text, " and %zu more", n - TOLD_MAX);
}

/* Where the counts say it all, they are all that is said. */
static void tell_mismatch(struct compare_run *run, size_t count_a, size_t count_b)
{
	const struct compare_opts *o = check_opts(run->check);
	bool is_fail = strcmp(o->severity, "fail") == 0;
	const size_t *n = run->result.found;
	HALE_CLEANUP(cleanup_free) char *in_a = mem_printf("missing in %s", o->names.a);
	HALE_CLEANUP(cleanup_free) char *in_b = mem_printf("missing in %s", o->names.b);
	HALE_CLEANUP(cleanup_free) char *twice_a = mem_printf("twice in %s", o->names.a);
	HALE_CLEANUP(cleanup_free) char *twice_b = mem_printf("twice in %s", o->names.b);
	HALE_CLEANUP(str_done) struct str text = {0};

	str_addf(&text, "Mismatch: %s=%zu, %s=%zu", o->names.a, count_a, o->names.b, count_b);
	if (count_a == count_b) {
		name_keys(&text, in_a, run->listed[COMPARE_MISSING_A], n[COMPARE_MISSING_A]);
		name_keys(&text, in_b, run->listed[COMPARE_MISSING_B], n[COMPARE_MISSING_B]);
		name_keys(&text, "different", run->listed[COMPARE_DIFFERENT], n[COMPARE_DIFFERENT]);
		name_keys(&text, twice_a, run->listed[COMPARE_DUPLICATE_A], n[COMPARE_DUPLICATE_A]);
		name_keys(&text, twice_b, run->listed[COMPARE_DUPLICATE_B], n[COMPARE_DUPLICATE_B]);
	}
	check_done_as(run->check, is_fail ? OUTCOME_FAIL : OUTCOME_WARN, REASON_DIFFERENT, "%s",
		      str_text(&text));
}

static void key_metrics(struct compare_run *run)
{
	const struct compare_opts *o = check_opts(run->check);
	const struct compare_result *r = &run->result;
	struct check *c = run->check;

	check_metric(c, "missing_in_a", (double)r->found[COMPARE_MISSING_A]);
	check_metric(c, "missing_in_b", (double)r->found[COMPARE_MISSING_B]);
	check_metric(c, "different", (double)r->found[COMPARE_DIFFERENT]);
	check_metric(c, "duplicates_a", (double)r->found[COMPARE_DUPLICATE_A]);
	check_metric(c, "duplicates_b", (double)r->found[COMPARE_DUPLICATE_B]);
	check_metric(c, "skipped", (double)(r->skipped_a + r->skipped_b));
	check_metric(c, "absent", (double)(r->absent_a + r->absent_b));
	if (r->found[COMPARE_MISSING_A] > 0)
		side_detail(c, "missing_in_", o->names.a, "",
			    json_incref(run->listed[COMPARE_MISSING_A]));
	if (r->found[COMPARE_MISSING_B] > 0)
		side_detail(c, "missing_in_", o->names.b, "",
			    json_incref(run->listed[COMPARE_MISSING_B]));
	if (r->found[COMPARE_DIFFERENT] > 0) {
		check_detail(c, "different", json_incref(run->listed[COMPARE_DIFFERENT]));
		check_detail(c, "differences", json_incref(run->differences));
	}
	if (r->found[COMPARE_DUPLICATE_A] > 0)
		side_detail(c, "duplicates_in_", o->names.a, "",
			    json_incref(run->listed[COMPARE_DUPLICATE_A]));
	if (r->found[COMPARE_DUPLICATE_B] > 0)
		side_detail(c, "duplicates_in_", o->names.b, "",
			    json_incref(run->listed[COMPARE_DUPLICATE_B]));
}

static void tell_result(struct compare_run *run)
{
	const struct compare_opts *o = check_opts(run->check);
	bool by_key = run->prep->a.spec != NULL;
	size_t a = by_key ? run->result.rows_a : compare_source_rows(run->a);
	size_t b = by_key ? run->result.rows_b : compare_source_rows(run->b);
	bool is_same = by_key ? compare_is_same(&run->result)
			      : (a > b ? a - b : b - a) <= (size_t)o->count_tolerance;

	check_metric(run->check, "count_a", (double)a);
	check_metric(run->check, "count_b", (double)b);
	side_detail(run->check, "", o->names.a, "_count", json_integer((json_int_t)a));
	side_detail(run->check, "", o->names.b, "_count", json_integer((json_int_t)b));
	if (by_key)
		key_metrics(run);
	if (is_same)
		check_done(run->check, REASON_OK, "In sync");
	else
		tell_mismatch(run, a, b);
}

static void run_done(struct compare_run *run)
{
	compare_source_free(run->a);
	compare_source_free(run->b);
	for (size_t i = 0; i < COMPARE_WHAT_MAX; i++)
		json_decref(run->listed[i]);
	json_decref(run->differences);
}

/* Ends the run by what `tell` says, on a copy: the run data is the next run's from then on. */
static void tell(struct compare_run *run_data)
{
	struct compare_run run = *run_data;
	const struct compare_opts *o = check_opts(run.check);
	struct check *c = run.check;

	check_metric(c, "a_ms", compare_source_ms(run.a));
	check_metric(c, "b_ms", compare_source_ms(run.b));
	if (check_is_watched(c)) {
		check_saw(c, o->names.a, compare_source_saw(run.a));
		check_saw(c, o->names.b, compare_source_saw(run.b));
	}
	if (run.is_cancelled)
		check_done(c, REASON_CANCELLED, NULL);
	else if (compare_source_error(run.a) != NULL || compare_source_error(run.b) != NULL)
		tell_failed(&run);
	else
		tell_result(&run);
	run_done(&run);
}

static void compare_after(struct check *c)
{
	tell(check_run_data(c));
}

/* ---- Asking ---- */

static void go_on(struct compare_run *run)
{
	if (run->is_a_out || run->is_b_out)
		return;
	if (run->is_cancelled)
		tell(run);
	else
		check_work(run->check, compare_work, compare_after);
}

static void on_a_fetched(void *ctx)
{
	struct compare_run *run = ctx;

	run->is_a_out = false;
	go_on(run);
}

static void on_b_fetched(void *ctx)
{
	struct compare_run *run = ctx;

	run->is_b_out = false;
	go_on(run);
}

static void compare_start(struct check *c)
{
	struct compare_run *run = check_run_data(c);
	int64_t timeout_ms = check_timeout_ms(c);

	timeout_ms = HALE_MAX(timeout_ms - EARLY_MS, timeout_ms / 2);
	run->check = c;
	run->prep = check_prep(c);
	for (size_t i = 0; i < COMPARE_WHAT_MAX; i++)
		run->listed[i] = json_array();
	run->differences = json_array();
	run->a = compare_source_new(&run->prep->a, c);
	run->b = compare_source_new(&run->prep->b, c);
	run->is_a_out = compare_source_start(run->a, timeout_ms, on_a_fetched, run);
	run->is_b_out = compare_source_start(run->b, timeout_ms, on_b_fetched, run);
	go_on(run);
}

static void compare_cancel(struct check *c)
{
	struct compare_run *run = check_run_data(c);
	struct compare_source *a = run->is_a_out ? run->a : NULL;
	struct compare_source *b = run->is_b_out ? run->b : NULL;

	/* The last of them to come back ends the run, and with it what `run` is. */
	run->is_cancelled = true;
	if (a != NULL)
		compare_source_cancel(a);
	if (b != NULL)
		compare_source_cancel(b);
}

static const struct metric_doc compare_metrics[] = {
	{"count_a", "rows of `a` that took part"},
	{"count_b", "rows of `b` that took part"},
	{"missing_in_a", "keys that only `b` has"},
	{"missing_in_b", "keys that only `a` has"},
	{"different", "keys that both have, with another value in one of `columns`"},
	{"duplicates_a", "keys that `a` has more than once; the first row is compared"},
	{"duplicates_b", "keys that `b` has more than once"},
	{"skipped", "rows left out because their quantity is negative"},
	{"absent", "rows taken as not there because their quantity is 0"},
	{"a_ms", "time until `a` had answered"},
	{"b_ms", "time until `b` had answered"},
	{NULL, NULL},
};

static const struct metric_doc compare_details[] = {
	{"<a>_count, <b>_count", "the counts, by the sources' names in small letters: `ib_count`"},
	{"missing_in_<a>, missing_in_<b>", "the first 20 keys"},
	{"different", "the first 20 keys"},
	{"differences", "of each of them key, column, and both values"},
	{"duplicates_in_<a>, duplicates_in_<b>", "the first 20 keys"},
	{"error", "which source could not be read, and why"},
	{NULL, NULL},
};

static const struct reason_doc compare_reasons[] = {
	{REASON_DIFFERENT, "the sources do not agree; with `severity: fail` its outcome is fail"},
	{REASON_SOURCE_FAILED, "a source could not be read: no connection, no answer in time, an "
			       "error, too many rows. `on_error` says what that means"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "compare",
	.summary = "whether two sources agree: by number of rows, or row by row",
	.about = "Asks two sources at the same time, each a URL that gives JSON, a query, or a "
		 "file, and compares their numbers of rows; with `key`, the rows themselves: which "
		 "keys only one of them has, and where the values of `columns` differ. What is "
		 "written differently is not different: `1.0` is `1`, `2026-11-22T08:00:00Z` is "
		 "`2026-11-22 09:00:00+01`, `t` is `true`.\n\n"
		 "If they agree the message is `In sync`; if not, `Mismatch: A=3, B=2` with the "
		 "`names` of the sources, and where the counts are equal also the keys. A source "
		 "that cannot be read is no mismatch: the check ends as error, `Unable to "
		 "check`.\n\n"
		 "Everything is read into memory: at most `rows_max` rows of a source. Larger "
		 "tables are compared by number, `SELECT count(*) …`, or by sums of parts of "
		 "them.\n\n"
		 "Each component asks its sources itself, also where another asks the same: what "
		 "one check saw must not depend on when another ran. Where a source may be asked "
		 "only so often, choose a longer `interval`, or put a cache in front of it.",
	.items = compare_items,
	.opts_size = sizeof(struct compare_opts),
	.run_size = sizeof(struct compare_run),
	.metrics = compare_metrics,
	.details = compare_details,
	.reasons = compare_reasons,
	.example = "position_sync:\n"
		   "  compare:\n"
		   "    names: {a: IB, b: DB}\n"
		   "    a:\n"
		   "      http: {url: \"http://127.0.0.1:5001/positions\", jq: .positions}\n"
		   "      rename: {quantity: position}\n"
		   "    b:\n"
		   "      sql:\n"
		   "        postgres: {dsn: \"${DATABASE_URL:-host=127.0.0.1 dbname=trade}\"}\n"
		   "        query: SELECT symbol, quantity FROM positions WHERE status = 'open'\n"
		   "    key: symbol\n"
		   "    columns: {quantity: exact}\n"
		   "    quantity: quantity\n"
		   "  interval: 1m\n"
		   "  timeout: 15s\n"
		   "  on_error: degraded\n"
		   "exported:\n"
		   "  compare:\n"
		   "    a: {sql: {sqlite: {path: /srv/a.db}, query: SELECT count(*) FROM orders}}\n"
		   "    b: {file: {path: /srv/export/orders.csv}}\n"
		   "    count_tolerance: 10\n",
	.validate = compare_validate,
	.prepare = compare_prepare,
	.unprepare = compare_unprepare,
	.start = compare_start,
	.cancel = compare_cancel,
};
