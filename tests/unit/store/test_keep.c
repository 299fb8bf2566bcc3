/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_rig.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/rnd.h"
#include "store/keep_private.h"

static int setup(void **state, enum db_engine engine)
{
	struct rig *r = rig_open(engine);

	rig_components(r, 3);
	rig_set(r, 1, "[\"bytes\"]");
	*state = r;
	return 0;
}

static int setup_sqlite(void **state)
{
	return setup(state, DB_SQLITE);
}

static int setup_postgres(void **state)
{
	return setup(state, DB_POSTGRES);
}

static int teardown(void **state)
{
	rig_close(*state);
	return 0;
}

static void put_at(struct rig *r, int64_t at_ms, int64_t seq)
{
	rig_put(r, &(struct rig_result){.at_ms = at_ms,
					.epoch = 1,
					.seq = seq,
					.component = 1,
					.took_us = 1000 * seq,
					.set = 1,
					.metrics = "612"});
	rig_touch(r, at_ms);
}

static int64_t rows(struct rig *r, const char *table)
{
	char sql[80];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	return rig_int(r, sql);
}

/* --- when --- */

static void a_bucket_is_computed_when_it_has_settled(void **state)
{
	struct rig *r = *state;

	put_at(r, T0, 1);
	assert_int_equal(rig_roll_up(r, T0 + 5 * MINUTE + 14999), 0);
	assert_int_equal(rows(r, "metric_rollups_5m"), 0);
	assert_int_equal(rig_roll_up(r, T0 + 5 * MINUTE + 15000), 2); /* and its hour */
	assert_int_equal(rows(r, "metric_rollups_5m"), 2);
	assert_int_equal(rows(r, "metric_rollups_1h"), 2);
	assert_int_equal(rig_roll_up(r, T0 + HOUR + 14999), 0);
	assert_int_equal(rig_roll_up(r, T0 + HOUR + 15000), 1);
	assert_int_equal(rows(r, "metric_rollups_1d"), 2);
	assert_int_equal(rows(r, "rollup_pending"), 0);
}

static void a_gap_at_the_end_of_an_hour_does_not_keep_it_from_the_day(void **state)
{
	struct rig *r = *state;

	put_at(r, T0 + 20 * MINUTE, 1);
	(void)rig_roll_up(r, T0 + 30 * MINUTE);
	(void)rig_roll_up(r, T0 + 2 * HOUR);
	assert_int_equal(rows(r, "metric_rollups_1d"), 2);
}

static void the_newest_buckets_wait_for_the_older_ones(void **state)
{
	struct rig *r = *state;
	bool more = false;

	put_at(r, T0 + 10 * MINUTE, 1);
	put_at(r, T0, 2);
	rig_must(r, keep_roll_up(r->store, T0 + DAY, &more, &r->err));
	assert_true(more);
	assert_int_equal(rig_int(r, "SELECT min(slot) FROM metric_rollups_5m"), 0);
	assert_int_equal(rig_int(r, "SELECT max(slot) FROM metric_rollups_5m"), 0);
}

/* --- what is read --- */

static void a_set_of_metrics_that_is_not_there_costs_only_its_metrics(void **state)
{
	struct rig *r = *state;

	rig_put(r, &(struct rig_result){.at_ms = T0,
					.epoch = 1,
					.seq = 1,
					.component = 2,
					.took_us = 5,
					.set = 77,
					.metrics = "1,2,3"});
	put_at(r, T0, 2);
	(void)rig_roll_up(r, T0 + HOUR);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM metric_rollups_5m"
				    " WHERE component_id = 2"),
			 1);
	assert_int_equal(rows(r, "metric_rollups_5m"), 3);
}

static void a_set_that_comes_later_is_found(void **state)
{
	struct rig *r = *state;

	put_at(r, T0, 1);
	(void)rig_roll_up(r, T0 + HOUR);
	rig_set(r, 2, "[\"bytes\",\"new\"]");
	rig_put(r, &(struct rig_result){.at_ms = T0 + HOUR,
					.epoch = 1,
					.seq = 2,
					.component = 1,
					.took_us = -1,
					.set = 2,
					.metrics = "4,2.5"});
	rig_touch(r, T0 + HOUR);
	(void)rig_roll_up(r, T0 + 2 * HOUR);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM metric_rollups_5m r"
				    " JOIN metrics m ON m.id = r.metric_id"
				    " WHERE m.name = 'new' AND r.max = 2.5"),
			 1);
}

static void a_histogram_that_cannot_be_read_does_not_hold_up_the_hour(void **state)
{
	struct rig *r = *state;

	put_at(r, T0, 1);
	put_at(r, T0 + 5 * MINUTE, 3);
	(void)rig_roll_up(r, T0 + HOUR);
	rig_run(r, "UPDATE metric_rollups_5m SET sketch = '?' WHERE slot = 0");
	put_at(r, T0 + 10 * MINUTE, 2);
	(void)rig_roll_up(r, T0 + 2 * HOUR);
	assert_int_equal(rig_int(r, "SELECT max(count) FROM metric_rollups_1h"), 3);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM metric_rollups_1h"
				    " WHERE p95 > max OR p95 < min"),
			 0);
}

/* --- what goes --- */

static void results_stay_until_they_are_rolled_up(void **state)
{
	struct rig *r = *state;
	struct keep_purged purged = {0};
	int64_t now = T0 + 20 * DAY;

	put_at(r, T0, 1);
	(void)rig_purge(r, now, &purged);
	assert_int_equal(rows(r, "results"), 1);
	(void)rig_roll_up(r, now);
	(void)rig_purge(r, now, &purged);
	assert_int_equal(rows(r, "results"), 0);
	assert_int_equal(purged.results, 1);
	assert_int_equal(purged.not_rolled_up, 0);
}

static void results_go_if_they_cannot_be_rolled_up_for_a_day(void **state)
{
	struct rig *r = *state;
	struct keep_purged purged = {0};
	int64_t now = T0 + 20 * DAY;
	bool more = false;

	put_at(r, T0, 1);
	rig_run(r, "ALTER TABLE metric_rollups_5m RENAME TO elsewhere");
	assert_true(keep_roll_up(r->store, now, &more, &r->err) < 0);
	assert_int_equal(rows(r, "results"), 1);
	assert_true(keep_roll_up(r->store, now + DAY, &more, &r->err) < 0);
	rig_run(r, "ALTER TABLE elsewhere RENAME TO metric_rollups_5m");
	(void)rig_purge(r, now + DAY, &purged);
	assert_int_equal(rows(r, "results"), 1);
	(void)rig_purge(r, now + DAY + 1, &purged);
	assert_int_equal(rows(r, "results"), 0);
	assert_int_equal(purged.not_rolled_up, 1);
}

static void coarse_rows_stay_while_finer_ones_do(void **state)
{
	struct rig *r = *state;
	int64_t now = T0 + 20 * DAY;

	r->options.retention.results_ms = 30 * DAY;
	r->options.retention.rollups_5m_ms = DAY;
	r->options.retention.rollups_1h_ms = DAY;
	put_at(r, T0, 1);
	(void)rig_roll_up(r, now);
	(void)rig_purge(r, now, NULL);
	assert_int_equal(rows(r, "metric_rollups_5m"), 2);
	assert_int_equal(rows(r, "metric_rollups_1h"), 2);
	r->options.retention.results_ms = DAY;
	(void)rig_purge(r, now, NULL);
	assert_int_equal(rows(r, "results"), 0);
	assert_int_equal(rows(r, "metric_rollups_5m"), 0);
	assert_int_equal(rows(r, "metric_rollups_1h"), 0);
	assert_int_equal(rows(r, "metric_rollups_1d"), 2);
}

static void put_transition(struct rig *r, int component, int64_t at_ms, int64_t seq)
{
	struct db_value args[] = {DB_V_INT(at_ms), DB_V_INT(seq), DB_V_INT(component)};

	rig_args(r,
		 "INSERT INTO transitions (at, epoch_id, seq, component_id, to_status)"
		 " VALUES (@at{$1}, 1, $2, $3, 0)",
		 args, 3);
}

static void what_was_in_force_when_history_begins_stays(void **state)
{
	struct rig *r = *state;
	int64_t now = T0 + 500 * DAY;

	for (int component = 1; component <= 2; component++)
		for (int day = 0; day < 200; day += 50)
			put_transition(r, component, T0 + day * DAY, day);
	/* 3 was removed. */
	put_transition(r, 3, T0, 1);
	rig_run(r, "INSERT INTO component_states (component_id, at, status)"
		   " SELECT id, @at{0}, 0 FROM components WHERE id < 3");
	(void)rig_purge(r, now, NULL);
	/* Of days 0, 50, 100, 150, all before 100 but the one at 100 … */
	assert_int_equal(rows(r, "transitions"), 2 * 3);
	(void)rig_purge(r, now + 1000 * DAY, NULL);
	assert_int_equal(rows(r, "transitions"), 2);
	assert_int_equal(rig_int(r, "SELECT min(seq) FROM transitions"), 150);
}

static void alerts_stay_until_they_are_resolved(void **state)
{
	struct rig *r = *state;

	rig_run(r,
		"INSERT INTO alerts (id, node, severity, state, opened_at, resolved_at, updated_at)"
		" VALUES ('00000000-0000-4000-8000-000000000001', 'web1', 'critical', 'opened',"
		" @at{0}, NULL, @at{0}), ('00000000-0000-4000-8000-000000000002', 'web1',"
		" 'critical', 'resolved', @at{0}, @at{1000}, @at{1000})");
	(void)rig_purge(r, T0, NULL);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM alerts WHERE resolved_at IS NULL"), 1);
	assert_int_equal(rows(r, "alerts"), 1);
}

static void of_two_keepers_one_works_until_it_ends(void **state)
{
	struct rig *r = *state;
	struct store *other = NULL;
	bool more = true;

	put_at(r, T0, 1);
	(void)rig_roll_up(r, T0 + HOUR);
	put_at(r, T0 + HOUR, 2);
	rig_must(r, store_open(&r->options, STORE_KEEPER, &other, &r->err));
	rig_must(r, keep_roll_up(other, T0 + DAY, &more, &r->err));
	assert_false(more);
	store_close(TAKE_PTR(r->store));
	/* The server notices the end of a session a moment later. */
	for (int i = 0; i < 5000 && !more; i++)
		rig_must(r, keep_roll_up(other, T0 + DAY, &more, &r->err));
	assert_true(more);
	store_close(other);
}

/* --- by hand --- */

static void a_rebuild_mends_what_is_wrong(void **state)
{
	struct rig *r = *state;
	uint64_t buckets = 0;
	struct str before = {0}, after = {0};
	static const char sql[] = "SELECT * FROM metric_rollups_1h ORDER BY day, slot, metric_id";

	for (int i = 1; i < 40; i++)
		put_at(r, T0 + i * 7 * MINUTE, i);
	rig_seen(r, T0, T0 + 39 * 7 * MINUTE);
	(void)rig_roll_up(r, T0 + DAY);
	rig_dump(r, sql, &before);
	rig_run(r, "UPDATE metric_rollups_5m SET sum = 0");
	rig_run(r, "DELETE FROM metric_rollups_1h");
	rig_must(r, keep_rebuild(r->store, T0 + 4 * HOUR, T0 + 5 * HOUR, &buckets, &r->err));
	assert_int_equal(buckets, 5); /* of minutes 245, 252, 259, 266 and 273 */
	rig_must(r, keep_rebuild(r->store, 0, 0, &buckets, &r->err));
	assert_int_equal(buckets, 39);
	(void)rig_roll_up(r, T0 + DAY);
	rig_dump(r, sql, &after);
	assert_string_equal(str_text(&before), str_text(&after));
	str_done(&before);
	str_done(&after);
}

static void facts_are_told(void **state)
{
	struct rig *r = *state;
	struct keep_facts f;

	rig_must(r, keep_facts(r->store, &f, &r->err));
	assert_int_equal(f.oldest_result_ms, -1);
	put_at(r, T0 + 5, 1);
	rig_must(r, keep_facts(r->store, &f, &r->err));
	assert_int_equal(f.oldest_result_ms, T0 + 5);
	assert_int_equal(f.rollups_pending, 1);
	assert_true(f.bytes > 10000);
	assert_int_equal(f.schema_version,
			 rig_int(r, "SELECT max(version) FROM schema_migrations"));
	assert_false(f.keeps_room);
}

/* --- SQLite's file --- */

static void fill(struct rig *r, int64_t n)
{
	rig_must(r, db_begin(r->hand, &r->err));
	for (int64_t i = 0; i < n; i++)
		put_at(r, T0 + i, i);
	rig_run(r, "DELETE FROM rollup_pending");
	rig_must(r, db_commit(r->hand, &r->err));
}

static void room_is_given_back_in_steps(void **state)
{
	struct rig *r = *state;
	struct keep_facts full, f;

	rig_run(r, "CREATE TABLE ballast (x)");
	rig_run(r, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n LIMIT 10000)"
		   " INSERT INTO ballast SELECT zeroblob(4000) FROM n");
	rig_must(r, keep_facts(r->store, &full, &r->err));
	rig_run(r, "DROP TABLE ballast");
	rig_must(r, keep_tidy(r->store, T0, &r->err));
	rig_must(r, keep_tidy(r->store, T0, &r->err));
	rig_must(r, keep_facts(r->store, &f, &r->err));
	assert_true(f.bytes < full.bytes / 2);
	assert_in_range(f.free_bytes, 0, 4096 * 4096);
}

static void an_old_file_is_compacted_by_hand(void **state)
{
	struct rig *r = *state;
	struct keep_facts before, after;
	struct stat st;

	fill(r, 5000);
	rig_run(r, "DELETE FROM results");
	rig_must(r, keep_facts(r->store, &before, &r->err));
	rig_must(r, keep_compact(r->store, &r->err));
	rig_must(r, keep_facts(r->store, &after, &r->err));
	assert_true(after.bytes < before.bytes - before.free_bytes / 2);
	assert_int_equal(after.free_bytes, 0);
	assert_false(after.keeps_room);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_size, after.bytes);
}

/* --- names --- */

static void use(struct rig *r, const char *table, int64_t id, int64_t at_ms)
{
	char sql[96];
	struct db_value args[] = {DB_V_INT(at_ms), DB_V_INT(id)};

	(void)snprintf(sql, sizeof(sql), "UPDATE %s SET used_at = @at{$1} WHERE id = $2", table);
	rig_args(r, sql, args, 2);
}

static void names_without_rows_go(void **state)
{
	struct rig *r = *state;

	rig_set(r, 2, "[\"a\"]");
	rig_set(r, 3, "[\"b\"]");
	for (int64_t i = 1; i <= 3; i++) {
		use(r, "components", i, T0);
		use(r, "metric_sets", i, T0);
	}
	rig_seen(r, T0, T0);
	rig_run(r, "INSERT INTO transitions (at, epoch_id, seq, component_id, to_status)"
		   " VALUES (@at{0}, 2, 1, 2, 0)");
	rig_run(r, "INSERT INTO component_states (component_id, at, status) VALUES (2, @at{0}, 0)");
	rig_run(r, "INSERT INTO cursors (node, epoch, seq) VALUES ('web1', 'c3', 1)");
	put_at(r, T0, 1);
	(void)rig_roll_up(r, T0 + DAY);
	(void)rig_purge(r, T0 + 9 * DAY, NULL);
	assert_int_equal(rows(r, "metric_sets"), 3);
	(void)rig_purge(r, T0 + 14 * DAY, NULL);
	assert_int_equal(rows(r, "metric_sets"), 1); /* the newest stays */
	assert_int_equal(rows(r, "components"), 3);
	assert_int_equal(rows(r, "epochs"), 3);
	(void)rig_purge(r, T0 + 420 * DAY, NULL);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM components WHERE id = 1"), 0);
	assert_int_equal(rows(r, "components"), 2); /* one has a state, one is the newest */
	assert_int_equal(rig_int(r, "SELECT count(*) FROM epochs WHERE id = 1"), 0);
	assert_int_equal(rows(r, "epochs"), 2);
}

static void names_stay_while_the_rows_that_lag_do(void **state)
{
	struct rig *r = *state;

	use(r, "components", 1, T0);
	use(r, "metric_sets", 1, T0);
	rig_set(r, 2, "[\"a\"]");
	put_at(r, T0, 1); /* not rolled up, so it stays */
	(void)rig_purge(r, T0 + 800 * DAY, NULL);
	assert_int_equal(rows(r, "results"), 1);
	assert_int_equal(rows(r, "metric_sets"), 2);
	assert_int_equal(rows(r, "components"), 3);
}

/* Who stores rows looks names up daily; whatever is used when, no row loses its name. */
static void no_row_ever_loses_its_name(void **state)
{
	struct rig *r = *state;
	int64_t used[3] = {0};

	r->options.retention.results_ms = r->options.retention.rollups_5m_ms = 2 * DAY;
	r->options.retention.rollups_1h_ms = r->options.retention.rollups_1d_ms = 3 * DAY;
	r->options.retention.transitions_ms = r->options.retention.alerts_ms = 3 * DAY;
	r->options.retention.events_ms = 3 * DAY;
	for (int64_t i = 1; i <= 2; i++)
		use(r, "components", i, T0);
	use(r, "metric_sets", 1, T0);
	rig_set(r, 2, "[\"newest\"]");
	for (int64_t hour = 0, seq = 1; hour < 60 * 24; hour += 6) {
		int64_t now = T0 + hour * HOUR;
		int64_t id = 1 + (int64_t)(rnd_u32() % 2);

		/* In use for a while, then not for a while. */
		if (hour / 480 % 2 == id - 1 &&
		    rig_int(r, id == 1 ? "SELECT count(*) FROM components WHERE id = 1"
				       : "SELECT count(*) FROM components WHERE id = 2") == 1) {
			if (now - used[id] >= DAY) {
				use(r, "components", id, now);
				use(r, "metric_sets", 1, now);
				used[id] = now;
			}
			rig_put(r, &(struct rig_result){.at_ms = now,
							.epoch = 3,
							.seq = seq++,
							.component = id,
							.took_us = 1,
							.set = 1,
							.metrics = "1"});
			rig_touch(r, now);
		}
		(void)rig_roll_up(r, now);
		(void)rig_purge(r, now, NULL);
		assert_int_equal(rig_int(r,
					 "SELECT count(*) FROM results r"
					 " WHERE r.component_id NOT IN (SELECT id FROM components)"
					 " OR r.metric_set NOT IN (SELECT id FROM metric_sets)"),
				 0);
		assert_int_equal(rig_int(r, "SELECT count(*) FROM metric_rollups_1d r WHERE"
					    " r.component_id NOT IN (SELECT id FROM components)"),
				 0);
	}
	/* And both went while nobody used them. */
	assert_int_equal(rows(r, "components"), 1);
}

#define ON_BOTH(test)                                                                              \
	{#test " (sqlite)", test, setup_sqlite, teardown, NULL},                                   \
	{                                                                                          \
#test " (postgresql)", test, setup_postgres, teardown, NULL                        \
	}
#define ON_SQLITE(test) cmocka_unit_test_setup_teardown(test, setup_sqlite, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_bucket_is_computed_when_it_has_settled),
		ON_BOTH(a_gap_at_the_end_of_an_hour_does_not_keep_it_from_the_day),
		ON_BOTH(the_newest_buckets_wait_for_the_older_ones),
		ON_BOTH(a_set_of_metrics_that_is_not_there_costs_only_its_metrics),
		ON_BOTH(a_set_that_comes_later_is_found),
		ON_BOTH(a_histogram_that_cannot_be_read_does_not_hold_up_the_hour),
		ON_BOTH(results_stay_until_they_are_rolled_up),
		ON_BOTH(results_go_if_they_cannot_be_rolled_up_for_a_day),
		ON_BOTH(coarse_rows_stay_while_finer_ones_do),
		ON_BOTH(what_was_in_force_when_history_begins_stays),
		ON_BOTH(alerts_stay_until_they_are_resolved),
		ON_BOTH(a_rebuild_mends_what_is_wrong),
		ON_BOTH(facts_are_told),
		ON_BOTH(names_without_rows_go),
		ON_BOTH(names_stay_while_the_rows_that_lag_do),
		ON_BOTH(no_row_ever_loses_its_name),
		cmocka_unit_test_setup_teardown(of_two_keepers_one_works_until_it_ends,
						setup_postgres, teardown),
		ON_SQLITE(room_is_given_back_in_steps),
		ON_SQLITE(an_old_file_is_compacted_by_hand),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, rig_group_teardown);
}
