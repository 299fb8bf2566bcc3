/* SPDX-License-Identifier: Apache-2.0 */
/* A store of each earlier version is brought up to date, and every row is found again. */
#include "store_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define DUMP_MAX 65536

/* The store as version 1 left it, then opened by today's hale. */
static void open_old(struct fixture *f, const char *dump)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", DATA_DIR, dump);
	HALE_CLEANUP(cleanup_free) char *dir = mem_printf("%s/sub", f->dir);

	must(f, dir_make(dir, 0700, &f->err));
	must(f, file_read(path, DUMP_MAX, &sql, &f->err));
	raw_script(f, str_text(&sql));
	open_writer(f);
}

static size_t rows_of(struct fixture *f, enum read_what what, const char *name)
{
	struct read_query q = {.what = what, .name = name};
	json_t *out = NULL;
	size_t n;

	must(f, read_rows(f->h, &q, &out, &f->err));
	n = json_array_size(json_object_get(out, "rows"));
	json_decref(out);
	return n;
}

static void every_row_of_version_1_is_read_again(void **state)
{
	struct fixture *f = *state;

	open_old(f, "store_v1.sql");
	assert_int_equal(rows_of(f, READ_RESULTS, NULL), 4);
	assert_int_equal(rows_of(f, READ_RESULTS, "api"), 3);
	assert_int_equal(rows_of(f, READ_TRANSITIONS, NULL), 3);
	assert_int_equal(rows_of(f, READ_PROCESSES, NULL), 2);
	assert_int_equal(rows_of(f, READ_EVENTS, NULL), 8);
	/* What was an event alone is a row of its own, too. */
	assert_int_equal(rows_of(f, READ_ALERTS, NULL), 1);
	assert_int_equal(rows_of(f, READ_DELIVERIES, NULL), 1);
	assert_int_equal(rows_of(f, READ_RUNS, NULL), 1);
	assert_int_equal(rows_of(f, READ_RECOVERIES, NULL), 3);
}

static void the_views_tell_what_version_1_told(void **state)
{
	struct fixture *f = *state;

	open_old(f, "store_v1.sql");
	expect(f,
	       "SELECT component||' '||status||' '||reason||' '||coalesce(message,'-')||' '||"
	       "coalesce(took_ms,'-')||' '||coalesce(metrics,'-')||' '||coalesce(details,'-')"
	       "||' '||epoch||' '||seq FROM v_results ORDER BY at",
	       "api healthy ok 200 41.2 {\"status_code\":200.0} {\"ip\":\"127.0.0.1\"} e0 10;"
	       "api healthy ok - 40.1 {\"status_code\":200.0} - e0 11;"
	       "api down conn_refused Connection refused 1.5 - {\"address\":\"::1\"} e1 30;"
	       "db healthy ok ready - - - e1 31;");
	expect(f, "SELECT component||' '||to_status FROM v_transitions ORDER BY at, component",
	       "api healthy;api down;overall critical;");
	expect(f, "SELECT count(*) FROM v_process_events", "2;");
	expect(f, "SELECT count(*) FROM v_events", "8;");
	expect(f,
	       "SELECT id||' '||state||' '||count||' '||opened_at||' '||resolved_at FROM v_alerts",
	       "a-1 resolved 2 2027-01-15T08:00:05.000Z 2027-01-15T08:00:06.500Z;");
	expect(f,
	       "SELECT id||' '||component||' '||state||' '||attempts||' '||coalesce(error,'-')||' '"
	       "||first_at||' '||last_at FROM v_deliveries",
	       "d-1 api sent 2 - 2027-01-15T08:00:06.000Z 2027-01-15T08:00:07.000Z;");
	expect(f,
	       "SELECT run||' '||job||' '||inserted||' '||skipped||' '||took_ms||' '||ended_at"
	       " FROM v_runs",
	       "r-1 positions 1 2 41.2 2027-01-15T08:00:08.000Z;");
	expect(f,
	       "SELECT coalesce(component,'-')||' '||action||' '||trigger||' '||outcome"
	       " FROM v_recoveries ORDER BY at",
	       "- reconnect manual failed;api restart check done;worker on_failing crash_loop "
	       "failed;");
}

static void an_old_store_goes_on_where_it_ended(void **state)
{
	struct fixture *f = *state;

	open_old(f, "store_v1.sql");
	assert_string_equal(f->epoch, "e1");
	assert_int_equal(f->seq, 40);
	/* Line 40 was stored, 41 was not; they are of the epoch that was going on. */
	must(f, write_range(f, 40, 43));
	assert_int_equal(f->repeated, 1);
	expect(f, "SELECT count(*) FROM v_results WHERE seq >= 40", "1;");
	/* Raw results of before are rolled up once. */
	expect(f, "SELECT start FROM rollup_pending WHERE level = 0 ORDER BY start",
	       "1800000000000;");
}

static void the_tables_of_others_are_views(void **state)
{
	struct fixture *f = *state;

	open_old(f, "store_v1.sql");
	expect(f,
	       "SELECT timestamp||' '||component||' '||status||' '||coalesce(response_time,'-')"
	       " FROM health_logs ORDER BY at",
	       "2027-01-15T08:00:01.000Z api healthy 41;2027-01-15T08:00:02.000Z api healthy 40;"
	       "2027-01-15T08:00:03.000Z api down 2;2027-01-15T08:00:04.000Z db healthy -;");
	expect(f, "SELECT length(id) FROM health_logs WHERE component = 'db'", "36;");
	expect(f, "SELECT uptime_seconds FROM health_checks WHERE status = 'down'", ";");
	expect(f, "SELECT count(DISTINCT id) FROM health_checks", "4;");
	expect(f, "SELECT metrics FROM health_checks WHERE component_id = 'db'", "{};");
	/* Two starts and ends, three changes, the events but three that are recoveries. */
	expect(f, "SELECT count(*) FROM system_events", "13;");
	expect(f,
	       "SELECT DISTINCT event_type FROM system_events WHERE severity = 'critical'"
	       " ORDER BY event_type",
	       "alert_notified;alert_opened;status_change;");
	expect(f,
	       "SELECT metric||'='||value FROM metric_samples WHERE at = 1800000001000"
	       " ORDER BY metric",
	       "status_code=200.0;took_ms=41.2;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_row_of_version_1_is_read_again),
		TEST(the_views_tell_what_version_1_told),
		TEST(an_old_store_goes_on_where_it_ended),
		TEST(the_tables_of_others_are_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
