/* SPDX-License-Identifier: Apache-2.0 */
/* A year of a small system in virtual time, day by day: rows come, are rolled up and go, and the
 * store stops growing once everything has reached its retention. */
#include "keep_rig.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "store/uptime.h"

#define COMPONENTS 10
#define DAYS       365
#define CHECKS     3   /* of each component, a day */
#define FULL_DAY   200 /* everything has reached its retention */

static void set_retention(struct store_options *o)
{
	o->retention.results_ms = 7 * DAY + HOUR;
	o->retention.rollups_5m_ms = 30 * DAY;
	o->retention.rollups_1h_ms = 90 * DAY;
	o->retention.rollups_1d_ms = 180 * DAY;
	o->retention.transitions_ms = 180 * DAY;
	o->retention.alerts_ms = 180 * DAY;
	o->retention.events_ms = 180 * DAY;
}

static void put_state(struct rig *r, int component, int64_t at_ms, int status)
{
	struct db_value args[] = {DB_V_INT(component), DB_V_INT(at_ms), DB_V_INT(status)};

	rig_args(r,
		 "INSERT INTO component_states (component_id, at, status)"
		 " VALUES ($1, @at{$2}, $3) ON CONFLICT (component_id)"
		 " DO UPDATE SET at = excluded.at, status = excluded.status",
		 args, 3);
}

static void put_transition(struct rig *r, int component, int64_t at_ms, int64_t seq, int status)
{
	struct db_value args[] = {DB_V_INT(at_ms), DB_V_INT(seq), DB_V_INT(component),
				  DB_V_INT(status)};

	rig_args(r,
		 "INSERT INTO transitions (at, epoch_id, seq, component_id, to_status, message)"
		 " VALUES (@at{$1}, 1, $2, $3, $4, 'as it happens')",
		 args, 4);
	put_state(r, component, at_ms, status);
}

static void put_event(struct rig *r, int64_t at_ms, int64_t seq)
{
	struct db_value args[] = {DB_V_INT(at_ms), DB_V_INT(seq)};

	rig_args(r,
		 "INSERT INTO events (at, epoch_id, seq, topic, kind, severity, message)"
		 " VALUES (@at{$1}, 1, $2, 'event', 'reload', 'info', 'configuration loaded')",
		 args, 2);
	rig_args(r,
		 "INSERT INTO process_events (at, epoch_id, seq, process, event, state)"
		 " VALUES (@at{$1}, 1, $2, 'api', 'start', 'running')",
		 args, 2);
	rig_args(r,
		 "INSERT INTO recovery_attempts (at, epoch_id, seq, action, outcome)"
		 " VALUES (@at{$1}, 1, $2, 'restart', 'done')",
		 args, 2);
}

static void put_alert(struct rig *r, int64_t at_ms, int64_t seq)
{
	char id[40];
	struct db_value args[2] = {DB_V_INT(at_ms)};

	(void)snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012lld", (long long)seq);
	args[1] = db_v_text(id);
	rig_args(
		r,
		"INSERT INTO alerts (id, node, severity, state, opened_at, resolved_at, updated_at)"
		" VALUES ($2, 'web1', 'warning', 'resolved', @at{$1}, @at{$1}, @at{$1})",
		args, 2);
	rig_args(r,
		 "INSERT INTO notification_deliveries"
		 " (id, alert_id, channel, state, attempts, first_at, last_at)"
		 " VALUES ($2, $2, 'mail', 'sent', 1, @at{$1}, @at{$1})",
		 args, 2);
	rig_args(r,
		 "INSERT INTO reconciliation_runs (run, node, job, ended_at, dry_run, outcome,"
		 " inserted, updated, closed, skipped)"
		 " VALUES ($2, 'web1', 'dns', @at{$1}, 0, 'done', 0, 0, 0, 0)",
		 args, 2);
}

/* What a day of a year leaves in the store. Component 1 has been well since the first. */
static void live_a_day(struct rig *r, int day)
{
	int64_t start = T0 + day * DAY, seq = (int64_t)day * 10000;

	rig_must(r, db_begin(r->hand, &r->err));
	for (int check = 0; check < CHECKS; check++) {
		int64_t at = start + check * (DAY / CHECKS);

		for (int c = 1; c <= COMPONENTS; c++) {
			char metrics[48];
			struct rig_result row = {.epoch = 1, .component = c, .set = 1};

			(void)snprintf(metrics, sizeof(metrics), "%d,200,%d.25", 600 + c + day % 7,
				       check * 37 % 11);
			row.at_ms = at + c;
			row.seq = ++seq;
			row.took_us = 20000 + (day * 7919 + c * 104729 + check * 31) % 30000;
			row.metrics = metrics;
			rig_put(r, &row);
		}
		rig_touch(r, at);
	}
	for (int c = 2; c <= COMPONENTS; c++)
		put_transition(r, c, start + c, ++seq, day % 2 == 0 ? 4 : 0);
	put_event(r, start, ++seq);
	put_alert(r, start, ++seq);
	rig_seen(r, T0, start + DAY - 1);
	rig_must(r, db_commit(r->hand, &r->err));
}

static int64_t bytes_of(struct rig *r)
{
	struct keep_facts facts;

	rig_must(r, keep_facts(r->store, &facts, &r->err));
	return facts.bytes;
}

static double uptime_of(struct rig *r, const char *component, int64_t from_ms, int64_t to_ms)
{
	const struct uptime_query q = {
		.component = component, .from_ms = from_ms, .to_ms = to_ms, .sla_percent = NAN};
	json_t *answer = NULL;
	double percent;

	rig_must(r, uptime_read(r->store, &q, &answer, &r->err));
	percent = json_number_value(json_object_get(
		json_array_get(json_object_get(answer, "components"), 0), "uptime_percent"));
	json_decref(answer);
	return percent;
}

static void check_ages(struct rig *r, int64_t now_ms)
{
	struct db_value args[] = {DB_V_INT(now_ms - 180 * DAY)};
	static const char *const old[] = {
		"SELECT count(*) FROM events WHERE at < @at{$1}",
		"SELECT count(*) FROM process_events WHERE at < @at{$1}",
		"SELECT count(*) FROM recovery_attempts WHERE at < @at{$1}",
		"SELECT count(*) FROM alerts WHERE opened_at < @at{$1}",
		"SELECT count(*) FROM notification_deliveries WHERE last_at < @at{$1}",
		"SELECT count(*) FROM reconciliation_runs WHERE ended_at < @at{$1}",
	};

	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		assert_int_equal(rig_int_of(r, old[i], args, 1), 0);
	/* The one in force then, of each component. */
	assert_int_equal(
		rig_int_of(r, "SELECT count(*) FROM transitions WHERE at < @at{$1}", args, 1),
		COMPONENTS);
	assert_in_range(rig_int(r, "SELECT count(*) FROM events"), 179, 181);
	assert_in_range(rig_int(r, "SELECT count(*) FROM metric_rollups_1d"), 180 * COMPONENTS * 4,
			182 * COMPONENTS * 4);
	assert_in_range(rig_int(r, "SELECT count(*) FROM results"), 7 * COMPONENTS * CHECKS,
			8 * COMPONENTS * CHECKS);
}

static void the_store_stops_growing(void **state)
{
	struct rig *r = rig_open(DB_SQLITE);
	int64_t full = 0, now = 0;

	(void)state;
	set_retention(&r->options);
	rig_components(r, COMPONENTS);
	rig_set(r, 1, "[\"bytes\",\"status_code\",\"load\"]");
	put_transition(r, 1, T0, 1, 0);
	for (int day = 0; day < DAYS; day++) {
		live_a_day(r, day);
		now = T0 + (day + 1) * DAY;
		(void)rig_roll_up(r, now);
		(void)rig_purge(r, now, NULL);
		rig_must(r, keep_tidy(r->store, now, &r->err));
		if (day == FULL_DAY)
			full = bytes_of(r);
		if (day > DAYS - 91)
			assert_in_range(bytes_of(r), full * 95 / 100, full * 105 / 100);
	}
	check_ages(r, now);
	assert_true(uptime_of(r, "c1", now - 30 * DAY, now) >= 100);
	assert_true(fabs(uptime_of(r, "c2", now - 30 * DAY, now) - 50) < 1);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_stops_growing),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, rig_group_teardown);
}
