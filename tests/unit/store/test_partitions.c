/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's partitions: made ahead, filled from the default one, dropped, and nobody waits. */
#include "store_fixture.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/keep.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

static const char default_rows[] = "SELECT count(*) FROM results_default";
static const char result_parts[] = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c"
				   " ON c.oid = i.inhrelid WHERE i.inhparent = 'results'::regclass"
				   " AND c.relname LIKE 'results_2027%' ORDER BY 1";

static void tidy(struct fixture *f, int64_t now_ms)
{
	must(f, keep_tidy(f->h, now_ms, &f->err));
}

static void roll_up(struct fixture *f, int64_t now_ms)
{
	bool more = true;

	while (more)
		must(f, keep_roll_up(f->h, now_ms, &more, &f->err));
}

static uint64_t purge(struct fixture *f, int64_t now_ms)
{
	struct keep_purged purged = {0};
	bool more = true;

	while (more)
		must(f, keep_purge(f->h, &f->options, now_ms, &purged, &more, &f->err));
	return purged.results;
}

static void they_are_made_ahead_when_the_store_is_opened(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	expect(f,
	       "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
	       " WHERE i.inhparent = 'results'::regclass AND to_regclass(c.relname) IS NOT NULL"
	       " AND c.relname ~ '_[0-9]{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD')"
	       " BETWEEN (now() AT TIME ZONE 'UTC')::date"
	       " AND (now() AT TIME ZONE 'UTC')::date + 3",
	       "4;");
	expect(f,
	       "SELECT count(*) BETWEEN 2 AND 3 FROM pg_inherits"
	       " WHERE inhparent = 'metric_rollups_5m'::regclass",
	       "t;");
	open_writer(f);
	/* Each with its index. */
	expect(f, "SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'results_2%'", "4;");
}

static void a_row_without_one_waits_in_the_default_and_moves(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	expect(f, default_rows, "1;");
	assert_int_equal(count(f, "results"), 1);
	/* A day to come. */
	tidy(f, T0 - 10 * DAY_MS);
	expect(f, default_rows, "1;");
	tidy(f, T0);
	expect(f, default_rows, "0;");
	assert_int_equal(count(f, "results"), 1);
	expect(f, result_parts,
	       "results_20270105;results_20270106;results_20270107;results_20270108;"
	       "results_20270115;results_20270116;results_20270117;results_20270118;");
	(void)put(f, "health", 2, HEALTHY(""));
	expect(f, "SELECT count(*) FROM results_20270115", "2;");
	tidy(f, T0);
	assert_int_equal(count(f, "results"), 2);
}

static void days_gone_by_get_theirs_too(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	tidy(f, T0 + 5 * DAY_MS);
	expect(f, default_rows, "0;");
	expect(f, "SELECT count(*) FROM results_20270115", "1;");
	expect(f, "SELECT count(*) FROM v_results", "1;");
}

static void they_are_dropped_when_all_in_them_is_too_old(void **state)
{
	struct fixture *f = *state;
	int64_t day_ms = T0 - T0 % DAY_MS;

	open_writer(f);
	tidy(f, T0);
	must(f, write_range(f, 1, 100));
	roll_up(f, T0 + DAY_MS);
	assert_true(count(f, "metric_rollups_5m") > 0);
	assert_int_equal(purge(f, day_ms + 8 * DAY_MS + HOUR_MS - 1), 0);
	assert_int_equal(count(f, "results"), 60);
	/* A day and its retention of 7d1h later. */
	assert_int_equal(purge(f, day_ms + 8 * DAY_MS + HOUR_MS), 60);
	assert_int_equal(count(f, "results"), 0);
	expect(f, "SELECT count(to_regclass('results_20270115'))", "0;");
	/* Late rows go one by one, from the default one. */
	must(f, write_range(f, 101, 105));
	expect(f, default_rows, "3;");
	roll_up(f, day_ms + 9 * DAY_MS);
	(void)purge(f, day_ms + 9 * DAY_MS + HOUR_MS);
	assert_int_equal(count(f, "results"), 0);
	/* 90 days and a week. */
	(void)purge(f, T0 + 98 * DAY_MS);
	assert_int_equal(count(f, "metric_rollups_5m"), 0);
	assert_true(count(f, "metric_rollups_1h") > 0);
}

static void what_is_not_rolled_up_stays(void **state)
{
	struct fixture *f = *state;
	int64_t day_ms = T0 - T0 % DAY_MS;

	open_writer(f);
	tidy(f, T0);
	must(f, write_range(f, 1, 10));
	assert_int_equal(purge(f, day_ms + 20 * DAY_MS), 0);
	assert_int_equal(count(f, "results"), 6);
	roll_up(f, day_ms + 20 * DAY_MS);
	assert_int_equal(purge(f, day_ms + 20 * DAY_MS), 6);
}

static void who_holds_a_lock_is_left_alone_and_nobody_else_waits(void **state)
{
	struct fixture *f = *state;
	struct db *reader;
	int64_t begin_ms;

	open_writer(f);
	tidy(f, T0);
	(void)put(f, "health", 1, HEALTHY(""));
	roll_up(f, T0 + DAY_MS);
	reader = raw_open(f);
	must(f, db_script(reader, "BEGIN; SELECT count(*) FROM results", &f->err));
	begin_ms = clock_mono_ms();
	tidy(f, T0 + 20 * DAY_MS);
	assert_int_equal(purge(f, T0 + 20 * DAY_MS), 0);
	assert_in_range(clock_mono_ms() - begin_ms, 200, 4000);
	(void)put(f, "health", 2, HEALTHY(""));
	assert_int_equal(count(f, "results"), 2);
	must(f, db_script(reader, "COMMIT", &f->err));
	tidy(f, T0 + 20 * DAY_MS);
	roll_up(f, T0 + 21 * DAY_MS);
	expect(f, "SELECT count(to_regclass('results_20270204'))", "1;");
	assert_true(purge(f, T0 + 20 * DAY_MS) >= 2);
	assert_int_equal(count(f, "results"), 0);
	db_close(reader);
}

/* What waits in the default partition for its day is neither the oldest row nor all there is. */
static void a_row_to_come_hides_none_before_it(void **state)
{
	struct fixture *f = *state;
	struct keep_facts facts;
	uint64_t buckets = 0;

	open_writer(f);
	tidy(f, T0);
	must(f, write_range(f, 1, 10));
	raw_script(f, "INSERT INTO results (at, epoch_id, seq, component_id, status, outcome)"
		      " VALUES (to_timestamp(1900000000), 1, 100, 1, 0, 0)");
	expect(f, default_rows, "1;");
	must(f, keep_facts(f->h, &facts, &f->err));
	assert_in_range(facts.oldest_result_ms, T0, T0 + DAY_MS);
	must(f, keep_rebuild(f->h, 0, 0, &buckets, &f->err));
	assert_true(buckets > 0);
}

/* Without statistics an index by blocks looks of no use: all of the day would be read. */
static void those_with_rows_have_statistics(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	tidy(f, T0);
	raw_script(f, "INSERT INTO results (at, epoch_id, seq, component_id, status, outcome)"
		      " SELECT to_timestamp(1800000000 + n), 1, n, 1, 0, 0"
		      " FROM generate_series(1, 6000) n");
	expect(f, "SELECT count(*) FROM pg_stats WHERE tablename = 'results_20270115'", "0;");
	tidy(f, T0);
	expect(f,
	       "SELECT correlation > 0.9 FROM pg_stats"
	       " WHERE tablename = 'results_20270115' AND attname = 'at'",
	       "t;");
	expect(f, "SELECT count(*) FROM pg_stats WHERE tablename = 'results_20270116'", "0;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup_postgres, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_are_made_ahead_when_the_store_is_opened),
		TEST(a_row_without_one_waits_in_the_default_and_moves),
		TEST(days_gone_by_get_theirs_too),
		TEST(they_are_dropped_when_all_in_them_is_too_old),
		TEST(what_is_not_rolled_up_stays),
		TEST(a_row_to_come_hides_none_before_it),
		TEST(those_with_rows_have_statistics),
		TEST(who_holds_a_lock_is_left_alone_and_nobody_else_waits),
	};

	return cmocka_run_group_tests(tests, store_start_server, store_stop_server);
}
