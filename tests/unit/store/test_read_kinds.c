/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of row, both ways, in both databases. */
#include "past_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/read.h"

#define T0     PAST_T0
#define MINUTE PAST_MINUTE
#define HOUR   PAST_HOUR
#define DAY    PAST_DAY

static json_t *page(struct past *p, const struct read_query *q)
{
	json_t *out = NULL;

	past_must(p, read_rows(p->s, q, &out, &p->err));
	return out;
}

static json_t *rows_of(struct past *p, const struct read_query *q)
{
	json_t *out = page(p, q), *rows = json_incref(json_object_get(out, "rows"));

	json_decref(out);
	return rows;
}

static void expect_rows(struct past *p, const struct read_query *q, const char *text)
{
	json_t *rows = rows_of(p, q), *expected = json_loads(text, 0, NULL);

	assert_non_null(expected);
	if (!json_equal(rows, expected))
		fail_msg("%s", json_dumps(rows, JSON_INDENT(1)));
	json_decref(rows);
	json_decref(expected);
}

/* Each of n times t becomes a row of its kind; ties of two in time. */
static void fill_row(struct past *p, enum read_what what, int64_t n)
{
	char id[32] = "";
	struct db_value args[] = {DB_V_INT(T0 + n / 2 * 1000), DB_V_INT(n + 1), DB_V_INT(1 + n % 2),
				  db_v_text(id)};
	static const char *const sql[READ_WHAT_MAX] = {
		[READ_RESULTS] = "INSERT INTO results (at, epoch_id, seq, component_id, status,"
				 " outcome) VALUES (@at{$1}, 1, $2, $3, 0, 0)",
		[READ_TRANSITIONS] = "INSERT INTO transitions (at, epoch_id, seq, component_id,"
				     " to_status) VALUES (@at{$1}, 1, $2, $3, 0)",
		[READ_EVENTS] = "INSERT INTO events (at, epoch_id, seq, topic, kind, severity,"
				" subject) VALUES (@at{$1}, $3, $2, 'event', 'k', 'info', $4)",
		[READ_PROCESSES] = "INSERT INTO process_events (at, epoch_id, seq, process, event,"
				   " state) VALUES (@at{$1}, $3, $2, $4, 'start', 'starting')",
		[READ_ALERTS] = "INSERT INTO alerts (id, node, severity, state, opened_at,"
				" updated_at) VALUES ($4, 'web' || $3, 'critical', 'open',"
				" @at{$1}, @at{$1 + $2})",
		[READ_DELIVERIES] = "INSERT INTO notification_deliveries (id, alert_id, channel,"
				    " state, attempts, first_at, last_at)"
				    " VALUES ($4, 'a' || $3, 'ops', 'sent', $2, @at{$1}, @at{$1})",
		[READ_RUNS] = "INSERT INTO reconciliation_runs (run, node, job, ended_at, dry_run,"
			      " outcome, inserted, updated, closed, skipped)"
			      " VALUES ($4, 'web' || $3, 'j', @at{$1}, 0, 'done', $2, 0, 0, 0)",
		[READ_RECOVERIES] = "INSERT INTO recovery_attempts (at, epoch_id, seq, action,"
				    " outcome) VALUES (@at{$1}, $3, $2, $4, 'done')",
	};

	(void)snprintf(id, sizeof(id), "id-%03lld", (long long)n);
	args[3] = db_v_text(id);
	past_run(p, sql[what], args, strstr(sql[what], "$4") != NULL ? 4 : 3);
}

static void fill_names(struct past *p)
{
	past_component(p, 1, "web1", "api");
	past_component(p, 2, "web2", "db");
	past_epoch(p, 1, "web1", T0, T0 + HOUR);
	past_epoch(p, 2, "web2", T0, T0 + HOUR);
}

/* --- shapes --- */

static void a_result_has_its_metrics_as_an_object(void **state)
{
	struct past *p = *state;
	const struct read_query q = {.what = READ_RESULTS, .has_origin = true};

	fill_names(p);
	past_run(p, "INSERT INTO metric_sets (id, names) VALUES (3, '[\"bytes\",\"status_code\"]')",
		 NULL, 0);
	past_run(p,
		 "INSERT INTO results (at, epoch_id, seq, component_id, status, outcome, reason,"
		 " message, took_us, metric_set, metrics, details) VALUES"
		 " (@at{$1}, 1, 4, 1, 0, 0, NULL, NULL, 41250, 3, '612,200', NULL),"
		 " (@at{$1 + 1}, 1, 5, 1, 4, 3, 'timeout', 'late', NULL, NULL, '{\"a\": 1.5}',"
		 " @jsonb{$2})",
		 (struct db_value[]){DB_V_INT(T0), db_v_text("{\"address\":\"::1\"}")}, 2);
	expect_rows(p, &q,
		    "[{\"at\":\"2027-01-15T08:00:00.001Z\",\"node\":\"web1\",\"component\":\"api\","
		    "\"status\":\"down\",\"outcome\":\"down\",\"reason\":\"timeout\","
		    "\"message\":\"late\",\"took_ms\":null,\"metrics\":{\"a\":1.5},"
		    "\"details\":{\"address\":\"::1\"},\"epoch\":\"e1\",\"seq\":5},"
		    "{\"at\":\"2027-01-15T08:00:00.000Z\",\"node\":\"web1\",\"component\":\"api\","
		    "\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":\"ok\","
		    "\"message\":null,\"took_ms\":41.25,"
		    "\"metrics\":{\"bytes\":612,\"status_code\":200},\"details\":null,"
		    "\"epoch\":\"e1\",\"seq\":4}]");
}

static void alerts_deliveries_runs_and_recoveries_have_their_shape(void **state)
{
	struct past *p = *state;
	const struct db_value at[] = {DB_V_INT(T0), DB_V_INT(T0 + 1000)};

	fill_names(p);
	past_run(p,
		 "INSERT INTO alerts (id, node, key, rule, severity, state, component, message,"
		 " opened_at, resolved_at, count, updated_at) VALUES ('x', 'web1', 'k', 'r',"
		 " 'critical', 'resolved', 'api', 'm', @at{$1}, @at{$2}, 3, @at{$2})",
		 at, 2);
	past_run(p,
		 "INSERT INTO notification_deliveries (id, alert_id, channel, state, attempts,"
		 " error, first_at, last_at) VALUES ('d', 'x', 'ops', 'failed', 2, 'e', @at{$1},"
		 " @at{$2})",
		 at, 2);
	past_run(p,
		 "INSERT INTO reconciliation_runs (run, node, job, started_at, ended_at, trigger,"
		 " dry_run, outcome, inserted, updated, closed, skipped, errors, took_us)"
		 " VALUES ('u', 'web1', 'j', @at{$1}, @at{$2}, 'manual', 1, 'failed', 1, 2, 3, 4,"
		 " @jsonb{$3}, 1500)",
		 (struct db_value[]){at[0], at[1], db_v_text("[\"no\"]")}, 3);
	past_run(p,
		 "INSERT INTO recovery_attempts (at, epoch_id, seq, component, action, trigger,"
		 " outcome, message, took_us) VALUES (@at{$1}, 1, 9, 'api', 'restart', 'check',"
		 " 'done', NULL, 2500)",
		 at, 1);
	expect_rows(p, &(struct read_query){.what = READ_ALERTS},
		    "[{\"at\":\"2027-01-15T08:00:00.000Z\",\"node\":\"web1\",\"id\":\"x\","
		    "\"key\":\"k\",\"rule\":\"r\",\"severity\":\"critical\",\"state\":\"resolved\","
		    "\"component\":\"api\",\"message\":\"m\","
		    "\"resolved\":\"2027-01-15T08:00:01.000Z\",\"count\":3,"
		    "\"updated\":\"2027-01-15T08:00:01.000Z\"}]");
	expect_rows(p, &(struct read_query){.what = READ_DELIVERIES, .node = "web1"},
		    "[{\"at\":\"2027-01-15T08:00:00.000Z\",\"node\":\"web1\",\"id\":\"d\","
		    "\"alert\":\"x\",\"channel\":\"ops\",\"state\":\"failed\",\"attempts\":2,"
		    "\"error\":\"e\",\"last\":\"2027-01-15T08:00:01.000Z\"}]");
	expect_rows(p, &(struct read_query){.what = READ_RUNS, .name = "j"},
		    "[{\"at\":\"2027-01-15T08:00:01.000Z\",\"node\":\"web1\",\"run\":\"u\","
		    "\"job\":\"j\",\"started\":\"2027-01-15T08:00:00.000Z\",\"trigger\":\"manual\","
		    "\"dry_run\":true,\"outcome\":\"failed\",\"inserted\":1,\"updated\":2,"
		    "\"closed\":3,\"skipped\":4,\"errors\":[\"no\"],\"took_ms\":1.5}]");
	expect_rows(p,
		    &(struct read_query){
			    .what = READ_RECOVERIES, .name = "restart", .has_origin = true},
		    "[{\"at\":\"2027-01-15T08:00:00.000Z\",\"node\":\"web1\",\"component\":\"api\","
		    "\"action\":\"restart\",\"trigger\":\"check\",\"outcome\":\"done\","
		    "\"message\":null,\"took_ms\":2.5,\"epoch\":\"e1\",\"seq\":9}]");
}

static void names_are_those_of_the_table(void **state)
{
	(void)state;
	for (enum read_what what = 0; what < READ_WHAT_MAX; what++)
		assert_int_equal(read_what_of(read_what_name(what)), what);
	assert_int_equal(read_what_of("nothing"), -1);
}

/* --- pages --- */

#define ROWS 41

static json_t *all_pages(struct past *p, struct read_query q)
{
	json_t *pages = json_array(), *out;
	char cursor[320] = "";
	bool is_more;

	do {
		q.cursor = cursor[0] != '\0' ? cursor : NULL;
		out = page(p, &q);
		(void)json_array_extend(pages, json_object_get(out, "rows"));
		is_more = json_is_true(json_object_get(out, "truncated"));
		assert_int_equal(is_more, json_is_string(json_object_get(out, "cursor")));
		if (is_more)
			(void)snprintf(cursor, sizeof(cursor), "%s",
				       json_string_value(json_object_get(out, "cursor")));
		json_decref(out);
	} while (is_more);
	return pages;
}

static bool keep_row(void *ctx, json_t *row)
{
	(void)json_array_append(ctx, row);
	return true;
}

static json_t *reversed(const json_t *rows)
{
	json_t *out = json_array();

	for (size_t i = json_array_size(rows); i-- > 0;)
		(void)json_array_append(out, json_array_get(rows, i));
	return out;
}

/* Whatever the size of a page, and whichever way: the same rows. */
static void pages_of_every_kind_are_the_whole_both_ways(void **state)
{
	struct past *p = *state;

	fill_names(p);
	for (enum read_what what = 0; what < READ_WHAT_MAX; what++) {
		struct read_query q = {.what = what};
		json_t *whole, *backwards, *pages, *each;

		for (int64_t n = 0; n < ROWS; n++)
			fill_row(p, what, n);
		whole = rows_of(p, &q);
		assert_int_equal(json_array_size(whole), ROWS);
		backwards = reversed(whole);
		for (q.limit = 1; q.limit < ROWS + 2; q.limit += 10) {
			pages = all_pages(p, q);
			assert_true(json_equal(pages, whole));
			json_decref(pages);
			q.is_oldest_first = true;
			pages = all_pages(p, q);
			assert_true(json_equal(pages, backwards));
			json_decref(pages);
			q.is_oldest_first = false;
		}
		each = json_array();
		q.limit = 0;
		q.is_oldest_first = true;
		past_must(p, read_each(p->s, &q, keep_row, each, &p->err));
		assert_true(json_equal(each, backwards));
		json_decref(each);
		json_decref(whole);
		json_decref(backwards);
	}
}

static size_t count_rows(struct past *p, const struct read_query *q)
{
	json_t *rows = rows_of(p, q);
	size_t n = json_array_size(rows);

	json_decref(rows);
	return n;
}

static void node_and_range_filter_every_kind(void **state)
{
	struct past *p = *state;

	fill_names(p);
	/* So that deliveries have a node. */
	past_run(p,
		 "INSERT INTO alerts (id, node, severity, state, opened_at, updated_at)"
		 " VALUES ('a2', 'web2', 'info', 'open', @at{$1}, @at{$1})",
		 (struct db_value[]){DB_V_INT(T0 - DAY)}, 1);
	for (enum read_what what = 0; what < READ_WHAT_MAX; what++) {
		struct read_query q = {.what = what, .node = "web2", .from_ms = T0};

		for (int64_t n = 0; n < 10; n++)
			fill_row(p, what, n);
		assert_int_equal(count_rows(p, &q), 5);
		q.to_ms = T0 + 2000; /* four rows, two of each node */
		assert_int_equal(count_rows(p, &q), 2);
		q.from_ms = T0 + 1000;
		q.node = NULL;
		assert_int_equal(count_rows(p, &q), 2);
		q.name = "nobody";
		assert_int_equal(count_rows(p, &q), 0);
	}
}

/* --- windows --- */

/* Ten rows a minute, then nothing for a hundred days, then some more. */
static void rows_far_apart_are_found_both_ways(void **state)
{
	struct past *p = *state;
	struct read_query q = {.what = READ_RESULTS, .name = "db"};
	json_t *rows, *backwards;

	fill_names(p);
	for (int64_t i = 0; i < 30; i++)
		past_result(p, 1, T0 - 100 * DAY + i * 6000, 0, 0, NULL);
	past_result(p, 2, T0 - 100 * DAY - HOUR, 1000, 0, NULL);
	past_result(p, 2, T0 - 100 * DAY + 7000, 2000, 0, NULL);
	for (int64_t i = 0; i < 30; i++)
		past_result(p, 1, T0 + i * 6000, 0, 0, NULL);
	past_result(p, 2, T0 + 3000, 3000, 0, NULL);
	past_result(p, 2, T0 + 2 * DAY, 4000, 0, NULL); /* beyond the newest time known */
	rows = rows_of(p, &q);
	assert_int_equal(json_array_size(rows), 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(json_number_value(json_object_get(json_array_get(rows, i),
							      "took_ms")) == (double)(4 - i));
	q.is_oldest_first = true;
	backwards = rows_of(p, &q);
	json_decref(rows);
	rows = reversed(backwards);
	q.is_oldest_first = false;
	q.limit = 1;
	json_decref(backwards);
	backwards = all_pages(p, q);
	assert_true(json_equal(rows, backwards));
	json_decref(rows);
	json_decref(backwards);
	q.name = NULL;
	q.limit = 1000;
	assert_int_equal(count_rows(p, &q), 64);
	q.is_oldest_first = true;
	assert_int_equal(count_rows(p, &q), 64);
	q.from_ms = T0 - 50 * DAY;
	q.to_ms = T0 - 40 * DAY;
	assert_int_equal(count_rows(p, &q), 0);
}

struct some {
	struct past *p;
	size_t n, stop;
};

/* Rows that come meanwhile do not disturb who reads. */
static bool write_meanwhile(void *ctx, json_t *row)
{
	struct some *s = ctx;

	(void)row;
	if (s->n % 500 == 0)
		past_result(s->p, 1, T0 + 10 * MINUTE, 0, 0, NULL);
	return ++s->n < s->stop;
}

static void each_reads_on_while_others_write(void **state)
{
	struct past *p = *state;
	struct some s = {.p = p, .stop = SIZE_MAX};
	struct read_query q = {.what = READ_RESULTS};

	fill_names(p);
	past_run(p,
		 "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2500)"
		 " INSERT INTO results (at, epoch_id, seq, component_id, status, outcome)"
		 " SELECT @at{CAST($1 AS BIGINT) + n * 17}, 1, n, 1, 0, 0 FROM c",
		 (struct db_value[]){DB_V_INT(T0)}, 1);
	past_must(p, read_each(p->s, &q, write_meanwhile, &s, &p->err));
	assert_int_equal(s.n, 2500); /* newest first: what came is behind */
	s = (struct some){.p = p, .stop = 700};
	past_must(p, read_each(p->s, &q, write_meanwhile, &s, &p->err));
	assert_int_equal(s.n, 700);
	s = (struct some){.p = p, .stop = SIZE_MAX};
	q.limit = 1234;
	past_must(p, read_each(p->s, &q, write_meanwhile, &s, &p->err));
	assert_int_equal(s.n, 1234);
}

/* --- where the store stands --- */

static void the_cursor_is_the_nodes_own(void **state)
{
	struct past *p = *state;
	char epoch[64];
	uint64_t seq = 77;

	past_must(p, read_cursor(p->s, "web1", epoch, sizeof(epoch), &seq, &p->err));
	assert_string_equal(epoch, "");
	past_run(p,
		 "INSERT INTO cursors (node, epoch, seq) VALUES ('web1', 'e1', 5), ('web2', 'e2', "
		 "6)",
		 NULL, 0);
	past_must(p, read_cursor(p->s, "web2", epoch, sizeof(epoch), &seq, &p->err));
	assert_string_equal(epoch, "e2");
	assert_int_equal(seq, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAST_TESTS(a_result_has_its_metrics_as_an_object),
		PAST_TESTS(alerts_deliveries_runs_and_recoveries_have_their_shape),
		cmocka_unit_test(names_are_those_of_the_table),
		PAST_TESTS(pages_of_every_kind_are_the_whole_both_ways),
		PAST_TESTS(node_and_range_filter_every_kind),
		PAST_TESTS(rows_far_apart_are_found_both_ways),
		PAST_TESTS(each_reads_on_while_others_write),
		PAST_TESTS(the_cursor_is_the_nodes_own),
	};

	return cmocka_run_group_tests(tests, past_group_setup, past_group_teardown);
}
