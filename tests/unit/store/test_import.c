/* SPDX-License-Identifier: Apache-2.0 */
/* Export, import, export again: what left comes back, once, and what is wrong is named. */
#include "past_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/export.h"
#include "store/import.h"
#include "store/statement.h"
#include "store/store_private.h"

static const struct import_live nothing_live = {.node = "", .epoch = ""};

static bool add_text(void *ctx, const char *data, size_t len)
{
	str_addn(ctx, data, len);
	return true;
}

static void export_all(struct past *p, struct str *out)
{
	const struct export_plan plan = {
		.format = TRANSFER_NDJSON, .what = transfer_set_of("all"), .hale = "test"};
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = false;

	past_must(p, export_run(p->s, &plan, add_text, out, counts, &is_whole, &p->err));
	assert_true(is_whole);
}

/* Every row of an export; heads and ends left out. */
static json_t *rows_of(const struct str *text)
{
	json_t *rows = json_array();
	const char *p = str_text(text);

	while (*p != '\0') {
		size_t len = strcspn(p, "\n");
		enum transfer_line kind;
		json_t *object = NULL;

		assert_int_equal(transfer_line_read(p, len, &kind, &object, NULL), 0);
		if (kind == TRANSFER_LINE_ROW)
			json_array_append(rows, object);
		json_decref(object);
		p += len + (p[len] == '\n');
	}
	return rows;
}

static json_t *import(struct past *p, const struct import_live *live, const json_t *rows)
{
	struct store *keeper = NULL;
	json_t *answer = NULL;

	past_must(p, store_open(&p->options, STORE_KEEPER, &keeper, &p->err));
	past_must(p, import_rows(keeper, live, rows, &answer, &p->err));
	store_close(keeper);
	return answer;
}

static json_int_t member(const json_t *answer, const char *key)
{
	return json_integer_value(json_object_get(answer, key));
}

static void run(struct past *p, const char *sql)
{
	past_run(p, sql, NULL, 0);
}

static bool on_value(void *ctx, const struct db_row *row)
{
	str_addf(ctx, "%lld;", (long long)row->values[0].integer);
	return true;
}

/* First column of all rows, numbers, each with a ";". */
static void expect(struct past *p, const char *sql, const char *expected)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	past_must(p, statement_query(p->db, sql, NULL, 0, on_value, &text, &p->err));
	assert_string_equal(str_text(&text), expected);
}

#define ID(table, name) "(SELECT id FROM " table " WHERE name = '" name "')"
#define EPOCH(name)     "(SELECT id FROM epochs WHERE epoch = '" name "')"
#define OVERALL         ID("components", "overall")
#define TOOK            ID("metrics", "took_ms")
#define T(seconds)      "@at{1800000000000 + " #seconds " * 1000}"
#define ROLLUP(level)                                                                              \
	"INSERT INTO metric_rollups_" level " (day, slot, metric_id, component_id,"                \
	" count, sum, min, max, p95, sketch) VALUES "

/* clang-format off */
static void fill_names(struct past *p)
{
	run(p, "INSERT INTO epochs (node, epoch, last_seq, first_at, last_at) VALUES"
	       " ('web1', 'e9', 99, " T(-10) ", " T(500) "), ('web0', 'e1', 99, NULL, NULL)");
	run(p, "INSERT INTO components (node, name) VALUES ('web1', 'api'), ('web1', 'overall'),"
	       " ('web0', 'api')");
	run(p, "INSERT INTO metric_sets (names) VALUES ('[\"a\",\"b\"]')");
	run(p, "INSERT INTO metrics (name) VALUES ('took_ms')");
}

/* Two lines at one time; one from before metrics had names of their own. */
static void fill_results(struct past *p)
{
	run(p, "INSERT INTO results (at, epoch_id, seq, component_id, status, outcome, reason,"
	       " message, took_us, metric_set, metrics, details) VALUES"
	       " (" T(1) ", " EPOCH("e9") ", 7, " OVERALL ", 4, 3, 'conn_refused', 'no', 1500,"
	       "  NULL, NULL, '{\"z\":1,\"a\":{\"y\":[1,2],\"b\":\"ü\"}}'),"
	       " (" T(1) ", " EPOCH("e1") ", 5, (SELECT max(id) FROM components), 0, 0, NULL,"
	       "  NULL, 41200, (SELECT max(id) FROM metric_sets), '0.007,200', NULL),"
	       " (" T(301) ", " EPOCH("e9") ", 9, " OVERALL ", 0, 0, NULL, 'OK',"
	       "  NULL, NULL, '{\"b\":2,\"a\":200.0}', NULL)");
}

static void fill_events(struct past *p)
{
	run(p, "INSERT INTO transitions (at, epoch_id, seq, component_id, from_status, to_status,"
	       " reason, message) VALUES"
	       " (" T(1) ", " EPOCH("e9") ", 7, (SELECT min(id) FROM components), 0, 4, 'ok',"
	       "  'no'),"
	       " (" T(1) ", " EPOCH("e9") ", 7, " OVERALL ", NULL, 3, NULL, NULL)");
	run(p, "INSERT INTO events (at, epoch_id, seq, topic, kind, severity, subject, message,"
	       " details) VALUES"
	       " (" T(2) ", " EPOCH("e9") ", 8, 'event', 'reload', 'info', NULL, NULL, NULL),"
	       " (" T(2) ", " EPOCH("e1") ", 8, 'alert', 'opened', 'critical', 'api',"
	       "  'it''s down', '{\"x\":{}}')");
	run(p, "INSERT INTO process_events (at, epoch_id, seq, process, event, state, pid,"
	       " generation, restarts, status_text, last_exit) VALUES"
	       " (" T(3) ", " EPOCH("e9") ", 10, 'web', 'exit', 'backoff', NULL, 2, 1, NULL,"
	       "  '{\"code\":1}'),"
	       " (" T(4) ", " EPOCH("e9") ", 11, 'web', 'start', 'starting', 4711, NULL, NULL,"
	       "  's', NULL)");
	run(p, "INSERT INTO recovery_attempts (at, epoch_id, seq, component, action, trigger,"
	       " outcome, message, took_us) VALUES"
	       " (" T(3) ", " EPOCH("e9") ", 20, 'api', 'restart', NULL, 'done', 'ok', 1500),"
	       " (" T(4) ", " EPOCH("e9") ", 21, NULL, 'a', 'manual', 'failed', NULL, NULL)");
}

static void fill_alerts(struct past *p)
{
	run(p, "INSERT INTO alerts (id, node, key, rule, severity, state, component, message,"
	       " opened_at, resolved_at, count, updated_at) VALUES"
	       " ('a1', 'web1', 'k', 'r', 'critical', 'resolved', 'api', 'm', " T(0) ", " T(5) ","
	       "  2, " T(5) "),"
	       " ('a2', 'web1', NULL, NULL, 'warning', 'open', NULL, NULL, " T(1) ", NULL,"
	       "  1, " T(1) ")");
	run(p, "INSERT INTO notification_deliveries (id, alert_id, channel, state, attempts, error,"
	       " first_at, last_at) VALUES"
	       " ('d1', 'a1', 'ops', 'failed', 3, 'no', " T(1) ", " T(2) "),"
	       " ('d2', 'gone', 'ops', 'sent', 1, NULL, " T(1) ", " T(1) ")");
	run(p, "INSERT INTO reconciliation_runs (run, node, job, started_at, ended_at, trigger,"
	       " dry_run, outcome, inserted, updated, closed, skipped, errors, took_us) VALUES"
	       " ('u1', 'web1', 'j', " T(1) ", " T(2) ", 'manual', 1, 'failed', 1, 2, 3, 4,"
	       "  '[\"x\",\"y\"]', 41200),"
	       " ('u2', 'web1', 'j', NULL, " T(3) ", NULL, 0, 'done', 0, 0, 0, 0, NULL, NULL)");
}

static void fill_rollups(struct past *p)
{
	run(p, ROLLUP("5m")
	       "(20833, 96, " TOOK ", " OVERALL ", 3, 123.4, 1, 100.5, 99.25, 's'),"
	       "(20833, 97, " TOOK ", " OVERALL ", 3, 0.1, -1, 100.5, 99.25, 't')");
	run(p, ROLLUP("1d")
	       "(20833, 0, " TOOK ", " OVERALL ", 6, 246.8, 1, 100.5, 99.25, 'u')");
}
/* clang-format on */

/* All kinds of rows, with and without what may be missing. The second epoch comes first by name. */
static void fill(struct past *p)
{
	fill_names(p);
	fill_results(p);
	fill_events(p);
	fill_alerts(p);
	fill_rollups(p);
}

static void empty_store(struct past *p)
{
	past_must(p,
		  db_script(p->db,
			    "DELETE FROM results; DELETE FROM transitions; DELETE FROM events;"
			    "DELETE FROM process_events; DELETE FROM alerts;"
			    "DELETE FROM notification_deliveries; DELETE FROM reconciliation_runs;"
			    "DELETE FROM recovery_attempts; DELETE FROM metric_rollups_5m;"
			    "DELETE FROM metric_rollups_1h; DELETE FROM metric_rollups_1d;"
			    "DELETE FROM rollup_pending; DELETE FROM components;"
			    "DELETE FROM epochs; DELETE FROM metrics; DELETE FROM metric_sets",
			    &p->err));
}

/* Fails with the first line that differs. */
static void assert_same(const char *a, const char *b)
{
	while (*a != '\0' && strncmp(a, b, strcspn(a, "\n") + 1) == 0) {
		b += strcspn(a, "\n") + 1;
		a += strcspn(a, "\n") + 1;
	}
	if (*a != '\0' || *b != '\0')
		fail_msg("\n%.*s\n%.*s", (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}

/* Of the database that had its turn before. */
static struct str first_export;

static void all_comes_back_to_the_byte(void **state)
{
	HALE_CLEANUP(str_done) struct str before = {0}, after = {0};
	struct past *p = *state;
	json_t *rows, *answer;

	fill(p);
	export_all(p, &before);
	if (first_export.len == 0)
		str_add(&first_export, str_text(&before));
	assert_same(str_text(&first_export), str_text(&before));
	rows = rows_of(&before);
	assert_int_equal(json_array_size(rows), 22);
	empty_store(p);
	answer = import(p, &nothing_live, rows);
	assert_int_equal(json_array_size(json_object_get(answer, "bad")), 0);
	assert_int_equal(member(answer, "present"), 0);
	assert_int_equal(member(answer, "ahead"), 0);
	json_decref(answer);
	export_all(p, &after);
	assert_same(str_text(&before), str_text(&after));
	/* Once more: all of it is there. */
	answer = import(p, &nothing_live, rows);
	assert_int_equal(member(answer, "present"), json_array_size(rows));
	assert_int_equal(json_object_size(json_object_get(answer, "imported")), 0);
	json_decref(answer);
	str_clear(&after);
	export_all(p, &after);
	assert_same(str_text(&before), str_text(&after));
	json_decref(rows);
}

static void results_have_their_rollups_computed_anew(void **state)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct past *p = *state;
	json_t *rows, *answer;

	fill(p);
	export_all(p, &text);
	rows = rows_of(&text);
	empty_store(p);
	answer = import(p, &nothing_live, rows);
	json_decref(answer);
	expect(p, "SELECT @ms{start} FROM rollup_pending WHERE level = 0 ORDER BY start",
	       "1800000000000;1800000300000;");
	/* Nothing new, nothing to compute. */
	run(p, "DELETE FROM rollup_pending");
	answer = import(p, &nothing_live, rows);
	json_decref(answer);
	expect(p, "SELECT count(*) FROM rollup_pending", "0;");
	json_decref(rows);
}

static json_t *result_row(const char *epoch, json_int_t seq, const char *extra_key, json_t *extra)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "what", "results", "at",
				"2027-01-15T08:00:01.000Z", "node", "web1", "component", "api",
				"status", "healthy", "outcome", "pass", "epoch", epoch, "seq", seq);

	if (extra_key != NULL)
		json_object_set_new(row, extra_key, extra);
	return row;
}

/* The writer stores what it has not come to; the import never stands in its way. */
static void what_the_bus_will_bring_is_left_to_it(void **state)
{
	struct past *p = *state;
	const struct import_live live = {.node = "web1", .epoch = "now"};
	json_t *rows = json_array(), *answer;

	run(p, "INSERT INTO epochs (node, epoch, last_seq) VALUES ('web1', 'e1', 5)");
	run(p, "INSERT INTO cursors (node, epoch, seq) VALUES ('web1', 'e1', 5)");
	json_array_append_new(rows, result_row("e1", 4, NULL, NULL));  /* lost once */
	json_array_append_new(rows, result_row("e1", 6, NULL, NULL));  /* not there yet */
	json_array_append_new(rows, result_row("now", 1, NULL, NULL)); /* not there yet */
	json_array_append_new(rows, result_row("old", 9, NULL, NULL));
	answer = import(p, &live, rows);
	assert_int_equal(member(answer, "ahead"), 2);
	assert_int_equal(member(json_object_get(answer, "imported"), "results"), 2);
	json_decref(answer);
	json_decref(rows);
	expect(p, "SELECT seq FROM results ORDER BY seq", "4;9;");
	expect(p, "SELECT last_seq FROM epochs WHERE epoch = 'e1'", "5;");
}

static void wrong_rows_are_named_and_keep_no_other_out(void **state)
{
	static const struct {
		const char *key, *json, *why;
	} cases[] = {
		{"at", "\"yesterday\"", "at: is no time"},
		{"status", "\"fine\"", "status: is not what results have there"},
		{"outcome", "null", "outcome: is missing"},
		{"at", "\"1969-12-31T23:59:59Z\"", "at: is no time"},
		{"seq", "\"7\"", "seq: is not"},
		{"seq", "-7", "seq: is not"},
		{"node", "\"\"", "node: is missing"},
		{"component", "5", "component: is not"},
		{"took_ms", "\"x\"", "took_ms: is not"},
		{"metrics", "[1]", "metrics: is not"},
		{"details", "\"x\"", "details: is not"},
		{"what", "\"nonsense\"", "what: there are no such rows"},
	};
	struct past *p = *state;
	json_t *rows = json_array(), *answer, *bad;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_array_append_new(rows, result_row("old", (json_int_t)i + 1, NULL, NULL));
		json_array_append_new(rows,
				      result_row("old", 1000, cases[i].key,
						 json_loads(cases[i].json, JSON_DECODE_ANY, NULL)));
	}
	answer = import(p, &nothing_live, rows);
	bad = json_object_get(answer, "bad");
	assert_int_equal(json_array_size(bad), ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const json_t *b = json_array_get(bad, i);

		assert_int_equal(member(b, "row"), 2 * i + 1);
		if (strstr(json_string_value(json_object_get(b, "error")), cases[i].why) == NULL)
			fail_msg("%s", json_string_value(json_object_get(b, "error")));
	}
	assert_int_equal(member(json_object_get(answer, "imported"), "results"), ARRAY_LEN(cases));
	json_decref(answer);
	json_decref(rows);
}

/* A cursor must hold it, or a page would begin where it began before. */
static void ids_are_no_longer_than_names(void **state)
{
	struct past *p = *state;
	char id[300];
	json_t *rows, *answer;

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	rows = json_pack("[{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s}]", "what", "alerts", "at",
			 "2027-01-15T08:00:00Z", "node", "web1", "id", id, "severity", "warning",
			 "state", "open", "count", 1, "updated", "2027-01-15T08:00:00Z");
	answer = import(p, &nothing_live, rows);
	assert_int_equal(json_array_size(json_object_get(answer, "bad")), 1);
	json_decref(answer);
	json_object_set_new(json_array_get(rows, 0), "id", json_string(id + 44));
	answer = import(p, &nothing_live, rows);
	assert_int_equal(member(json_object_get(answer, "imported"), "alerts"), 1);
	json_decref(answer);
	json_decref(rows);
}

/* A store that was lost and made anew while haled went on: what was watched before counts, too. */
static void an_epoch_that_is_known_was_watched_longer(void **state)
{
	struct past *p = *state;
	json_t *rows = json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "what", "epochs", "node", "web1",
				 "epoch", "e1", "first_at", "2027-01-15T08:00:00Z", "last_at",
				 "2027-01-15T08:10:00Z");
	json_t *answer;

	run(p, "INSERT INTO epochs (node, epoch, last_seq, first_at, last_at)"
	       " VALUES ('web1', 'e1', 5, " T(300) ", " T(900) ")");
	answer = import(p, &nothing_live, rows);
	assert_int_equal(member(answer, "present"), 1);
	expect(p, "SELECT (@ms{first_at} - 1800000000000) / 1000 FROM epochs", "0;");
	expect(p, "SELECT (@ms{last_at} - 1800000000000) / 1000 FROM epochs", "900;");
	expect(p, "SELECT last_seq FROM epochs", "5;");
	json_decref(answer);
	json_decref(rows);
}

/* As the writer does: PostgreSQL has numbers for 32,767 sets. */
static void metrics_without_a_set_stay_an_object(void **state)
{
	struct past *p = *state;
	json_t *rows = json_pack("[{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:i}, s:s, s:i}]", "what",
				 "results", "at", "2027-01-15T08:00:00Z", "node", "web1",
				 "component", "api", "status", "healthy", "outcome", "pass",
				 "reason", "ok", "metrics", "run_1", 7, "epoch", "e1", "seq", 1);
	json_t *answer;

	run(p, "INSERT INTO metric_sets (names) SELECT CAST(i AS text) FROM"
	       " (WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4096)"
	       " SELECT i FROM n) x");
	answer = import(p, &nothing_live, rows);
	assert_int_equal(member(json_object_get(answer, "imported"), "results"), 1);
	expect(p, "SELECT count(*) FROM metric_sets", "4096;");
	expect(p,
	       "SELECT count(*) FROM results WHERE metric_set IS NULL AND metrics = "
	       "'{\"run_1\":7}'",
	       "1;");
	json_decref(answer);
	json_decref(rows);
}

/* One transaction holds the lock for a bounded time only. */
static void a_piece_is_bounded(void **state)
{
	struct past *p = *state;
	json_t *rows = json_array(), *answer = NULL;

	for (size_t i = 0; i <= IMPORT_ROWS_MAX; i++)
		json_array_append_new(rows, json_object());
	assert_int_equal(import_rows(p->s, &nothing_live, rows, &answer, &p->err), -EINVAL);
	assert_null(answer);
	json_decref(rows);
}

/* ---- exports ---- */

struct reader {
	size_t bytes, calls, stop_at;
};

static bool count_bytes(void *ctx, const char *data, size_t len)
{
	struct reader *r = ctx;

	(void)data;
	r->bytes += len;
	return ++r->calls != r->stop_at;
}

static void a_reader_that_has_enough_ends_it(void **state)
{
	struct past *p = *state;
	const struct export_plan plan = {.format = TRANSFER_NDJSON, .what = 1u << READ_RESULTS};
	struct reader r = {.stop_at = 1};
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = true;

	for (int i = 0; i < 1000; i++)
		past_result(p, 1, PAST_T0 + i, 1, 0, "{\"something\":1,\"another\":2}");
	past_must(p, export_run(p->s, &plan, count_bytes, &r, counts, &is_whole, &p->err));
	assert_false(is_whole);
	assert_int_equal(r.calls, 1);
	/* One piece, not the whole of it in memory. */
	assert_in_range(r.bytes, EXPORT_PIECE_BYTES, EXPORT_PIECE_BYTES + 4096);
}

struct slow_reader {
	struct past *p;
	size_t calls;
};

/* What a statement that is open keeps others from: in SQLite the log from being begun anew, in
 * PostgreSQL the connection from anything else; and its time runs out there. */
static bool look_for_statements(void *ctx, const char *data, size_t len)
{
	struct slow_reader *r = ctx;
	int64_t is_busy = 0;

	(void)data;
	(void)len;
	r->calls++;
	if (db_engine_of(r->p->db) == DB_SQLITE)
		past_must(r->p, db_query(r->p->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0,
					 store_read_int, &is_busy, &r->p->err));
	else
		past_must(r->p, db_script(r->p->s->db, "SELECT 1", &r->p->err));
	assert_int_equal(is_busy, 0);
	return true;
}

static void no_statement_waits_for_a_slow_reader(void **state)
{
	struct past *p = *state;
	const struct export_plan plan = {.format = TRANSFER_NDJSON, .what = 1u << TRANSFER_METRICS};
	struct slow_reader r = {.p = p};
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = false;
	char node[2048];

	memset(node, 'n', sizeof(node) - 1);
	node[sizeof(node) - 1] = '\0';
	for (int i = 2; i < 40; i++) {
		past_epoch(p, i, node, PAST_T0, PAST_T0);
		past_component(p, i, node, "api");
		node[i] = 'm';
	}
	past_metric(p, 1, "took_ms");
	for (int i = 2; i < 40; i++)
		past_rollup(p, "1d", 1, i, PAST_T0, (double[]){1}, 1);
	past_must(p, export_run(p->s, &plan, look_for_statements, &r, counts, &is_whole, &p->err));
	assert_true(is_whole);
	assert_int_equal(counts[TRANSFER_METRICS], 38);
	assert_in_range(r.calls, 2, 10);
}

static void times_and_names_choose(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct past *p = *state;
	struct export_plan plan = {.format = TRANSFER_CSV,
				   .what = 1u << TRANSFER_METRICS,
				   .step_ms = 300000,
				   .from_ms = PAST_T0 + 300000};
	uint64_t counts[TRANSFER_WHAT_MAX];
	bool is_whole = false;

	fill(p);
	past_must(p, export_run(p->s, &plan, add_text, &out, counts, &is_whole, &p->err));
	assert_string_equal(
		str_text(&out),
		"at,level,node,component,metric,count,sum,min,max,p95\r\n"
		"2027-01-15T08:05:00.000Z,5m,web1,overall,took_ms,3,0.1,-1.0,100.5,99.25"
		"\r\n");
	assert_int_equal(counts[TRANSFER_METRICS], 1);
	str_clear(&out);
	plan.from_ms = 0;
	plan.component = "nobody";
	past_must(p, export_run(p->s, &plan, add_text, &out, counts, &is_whole, &p->err));
	assert_int_equal(counts[TRANSFER_METRICS], 0);
	plan.what = transfer_set_of("all");
	assert_int_equal(export_run(p->s, &plan, add_text, &out, counts, &is_whole, &p->err),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAST_TESTS(all_comes_back_to_the_byte),
		PAST_TESTS(results_have_their_rollups_computed_anew),
		PAST_TESTS(what_the_bus_will_bring_is_left_to_it),
		PAST_TESTS(wrong_rows_are_named_and_keep_no_other_out),
		PAST_TESTS(ids_are_no_longer_than_names),
		PAST_TESTS(an_epoch_that_is_known_was_watched_longer),
		PAST_TESTS(metrics_without_a_set_stay_an_object),
		PAST_TESTS(a_piece_is_bounded),
		PAST_TESTS(a_reader_that_has_enough_ends_it),
		PAST_TESTS(no_statement_waits_for_a_slow_reader),
		PAST_TESTS(times_and_names_choose),
	};

	int failed = cmocka_run_group_tests_name("store.import", tests, past_group_setup,
						 past_group_teardown);

	str_done(&first_export);
	return failed;
}
