/* SPDX-License-Identifier: Apache-2.0 */
/* history and events, from a store that the recorder's own writer has filled. */
#include "../store/put_lines.h"
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/command.h"

#define HEALTH(at, component, previous, status, message)                                           \
	"{\"at\": \"2026-11-22T" at "Z\", \"node\": \"web1\", \"component\": \"" component "\","   \
	" \"transition\": true, \"previous\": \"" previous "\", \"state\": {\"id\": \"" component  \
	"\", \"status\": \"" status                                                                \
	"\", \"outcome\": \"pass\", \"reason\": \"ok\", \"message\": \"" message                   \
	"\", \"took_ms\": 41.2, \"last_check\": \"2026-11-22T" at "Z\"}}"

static const struct stored {
	const char *topic, *json;
} lines[] = {
	{"health", HEALTH("01:00:00.000", "api", "unknown", "healthy", "HTTP 200")},
	{"health", HEALTH("01:10:00.000", "api", "healthy", "degraded", "slow")},
	{"health", HEALTH("01:10:00.000", "db", "unknown", "healthy", "ok")},
	{"process", "{\"at\": \"2026-11-22T01:20:00.000Z\", \"node\": \"web1\", \"process\": "
		    "\"web\", \"event\": \"exit\","
		    " \"state\": {\"name\": \"web\", \"state\": \"backoff\", \"pid\": null, "
		    "\"generation\": 1, \"restarts\": 0,"
		    " \"last_exit\": {\"signal\": \"SIGKILL\", \"expected\": false}}}"},
	{"event",
	 "{\"at\": \"2026-11-22T01:30:00.000Z\", \"node\": \"web1\", \"kind\": \"reload\", "
	 "\"severity\": \"info\","
	 " \"subject\": \"config\", \"message\": \"configuration reloaded\", \"details\": {}}"},
};

static char *store_path(struct fake *f)
{
	return mem_printf("%s/history.db", fake_dir(f));
}

static void fill_store(struct fake *f)
{
	HALE_CLEANUP(cleanup_free) char *path = store_path(f);
	struct store_options o = {.sqlite = {.path = path}};
	struct store_line v[ARRAY_LEN(lines)];
	struct err err = {0};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		v[i] = (struct store_line){.topic = lines[i].topic,
					   .epoch = "e1",
					   .seq = i + 1,
					   .text = lines[i].json,
					   .len = strlen(lines[i].json)};
	if (put_lines(&o, v, ARRAY_LEN(v), &err) != 0)
		fail_msg("%s", err.text);
}

static void tell_section(struct fake *f)
{
	HALE_CLEANUP(cleanup_free) char *path = store_path(f);
	HALE_CLEANUP(cleanup_free)
	char *json = mem_printf("{\"sqlite\": {\"path\": \"%s\"}}", path);

	fake_answer(f, "haled", "config.section", json);
}

static int setup_store(void **state)
{
	assert_int_equal(fake_setup(state), 0);
	fill_store(*state);
	tell_section(*state);
	return 0;
}

/* ---- history ---- */

static void history_of_a_component_is_its_changes(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}}");
	assert_run(f, "history api", 0,
		   "AT                   CHANGE              REASON  MESSAGE\n"
		   "2026-11-22 01:00:00  unknown → healthy   ok      HTTP 200\n"
		   "2026-11-22 01:10:00  healthy → degraded  ok      slow\n");
	assert_run(f, "history api -n 1", 0,
		   "AT                   CHANGE              REASON  MESSAGE\n"
		   "2026-11-22 01:10:00  healthy → degraded  ok      slow\n");
	assert_run(f, "history api --since 30m", 0, "no change of status of api in the last 30m\n");
	assert_string_equal(fake_asked(f, "haled", "config.section"), "{\"name\":\"store\"}");
}

static void history_with_results_has_each_check(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}}");
	assert_int_equal(fake_run(f, "history api --results"), 0);
	assert_non_null(strstr(fake_out(f), "● degraded  pass   41 ms  ok      slow\n"));
}

static void history_of_a_process_is_its_events(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"process\": {}}");
	assert_run(f, "history web", 0,
		   "AT                   EVENT  RESTARTS  EXIT\n"
		   "2026-11-22 01:20:00  exit          0  killed by SIGKILL\n");
}

static void history_of_nobody_is_refused(void **state)
{
	struct fake *f = *state;

	fake_refuse(f, "haled", "show", COMMAND_E_NOT_FOUND, "no", NULL);
	assert_refused(f, "history xyz", 2, "hale: nothing is known of 'xyz' (see: hale status)\n");
	/* What left the configuration is still history. */
	assert_int_equal(fake_run(f, "history db"), 0);
}

static void history_as_json_is_rows(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}}");
	assert_int_equal(fake_run(f, "history db -o json"), 0);
	assert_true(str_starts(fake_out(f),
			       "{\"at\":\"2026-11-22T01:10:00.000Z\",\"node\":\"web1\","
			       "\"component\":\"db\",\"from\":\"unknown\",\"to\":\"healthy\""));
}

static void without_a_store_history_says_so(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = store_path(f);
	HALE_CLEANUP(cleanup_free)
	char *expected = mem_printf("hale: %s: there is no store yet\n", path);

	fake_refuse(f, "haled", "config.section", COMMAND_E_NOT_FOUND, "no such section", NULL);
	tell_section(f);
	assert_refused(
		f, "history api", 1,
		"hale: this hale keeps no history: there is no store in its configuration\n");
	assert_refused(f, "history api", 1, expected);
}

/* ---- events ---- */

static void events_of_all_topics_come_in_their_order(void **state)
{
	assert_run(
		*state, "events", 0,
		"2026-11-22 01:00:00  health     api                 unknown → healthy: HTTP 200\n"
		"2026-11-22 01:10:00  health     api                 healthy → degraded: slow\n"
		"2026-11-22 01:10:00  health     db                  unknown → healthy: ok\n"
		"2026-11-22 01:20:00  process    web                 exit: killed by SIGKILL\n"
		"2026-11-22 01:30:00  event      config              reload: configuration "
		"reloaded\n");
	assert_run(*state, "events -n 1", 0,
		   "2026-11-22 01:30:00  event      config              reload: configuration "
		   "reloaded\n");
}

static void events_of_one_topic_are_chosen(void **state)
{
	assert_run(*state, "events --topic process", 0,
		   "2026-11-22 01:20:00  process    web                 exit: killed by SIGKILL\n");
	assert_run(*state, "events -t alert", 0, "");
	assert_refused(*state, "events -t helth", 2,
		       "hale: no topic 'helth' (did you mean 'health'?)\n");
}

static void events_as_json_carry_their_topic(void **state)
{
	assert_int_equal(fake_run(*state, "events -n 1 -o json"), 0);
	assert_non_null(strstr(fake_out(*state), "\"topic\":\"event\",\"kind\":\"reload\""));
	assert_int_equal(fake_run(*state, "events -n 1 -o json -t health"), 0);
	assert_non_null(strstr(fake_out(*state), "\"to\":\"healthy\""));
	assert_non_null(strstr(fake_out(*state), "\"topic\":\"health\"}\n"));
}

/* Followed from the store's own cursor: the bus is asked for what came behind the last row. */
static void following_goes_on_where_the_store_ends(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status", "{\"node\": \"web1\"}");
	fake_answer(f, "haled", "bus.replay",
		    "{\"frames\": [\"event e1 6 1\\n{\\\"at\\\": \\\"2026-11-22T01:40:00.000Z\\\","
		    " \\\"kind\\\": \\\"stop\\\", \\\"subject\\\": \\\"haled\\\"}\\n\"], \"more\": "
		    "false,"
		    " \"epoch\": \"e1\", \"head\": 6}");
	/* One write for the past, one for the event; then the terminal is gone. */
	fake_fail_output_after(f, 1);
	(void)fake_run(f, "events -f -n 1");
	assert_string_equal(fake_out(f), "2026-11-22 01:30:00  event      config              "
					 "reload: configuration reloaded\n");
	assert_string_equal(fake_asked(f, "haled", "bus.replay"),
			    "{\"after\":5,\"epoch\":\"e1\",\"name\":\"hale\"}");
}

static void events_are_chosen_by_time_name_kind_and_severity(void **state)
{
	assert_run(*state, "events --from 2026-11-22T01:05:00Z --to 2026-11-22T01:15:00Z", 0,
		   "2026-11-22 01:10:00  health     api                 healthy → degraded: slow\n"
		   "2026-11-22 01:10:00  health     db                  unknown → healthy: ok\n");
	assert_run(*state, "events -c d*", 0,
		   "2026-11-22 01:10:00  health     db                  unknown → healthy: ok\n");
	assert_run(*state, "events -c db", 0,
		   "2026-11-22 01:10:00  health     db                  unknown → healthy: ok\n");
	assert_run(*state, "events --kind exit", 0,
		   "2026-11-22 01:20:00  process    web                 exit: killed by SIGKILL\n");
	assert_run(*state, "events --severity critical", 0,
		   "2026-11-22 01:20:00  process    web                 exit: killed by SIGKILL\n");
	assert_int_equal(fake_run(*state, "events --severity warning"), 0);
	assert_non_null(strstr(fake_out(*state), "degraded"));
	assert_refused(*state, "events --severity bad", 2,
		       "hale: --severity: 'bad' is none of info, warning, critical\n");
	assert_refused(*state, "events --since yesterday", 2,
		       "hale: --since: 'yesterday' is no time (7d, 2026-11-22, '2026-11-22 01:30', "
		       "2026-11-22T01:30:00Z)\n");
}

static void events_of_a_time_say_when_there_are_more(void **state)
{
	assert_int_equal(fake_run(*state, "events --since 3h -n 2"), 0);
	assert_string_equal(
		fake_err(*state),
		"hale: these are the newest 2; more of them with -n, or a shorter time\n");
	assert_int_equal(fake_run(*state, "events -n 2"), 0);
	assert_string_equal(fake_err(*state), "");
}

static void history_says_when_there_is_more(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}}");
	assert_int_equal(fake_run(f, "history api -n 1"), 0);
	assert_string_equal(fake_err(f),
			    "hale: these are the newest 1; more of them: -n 10; all of them: hale "
			    "export --what transitions --component api\n");
	assert_int_equal(fake_run(f, "history api -n 2"), 0);
	assert_string_equal(fake_err(f), "");
	assert_run(f, "history api --to 2026-11-22T01:05:00Z", 0,
		   "AT                   CHANGE             REASON  MESSAGE\n"
		   "2026-11-22 01:00:00  unknown → healthy  ok      HTTP 200\n");
	assert_run(f, "history api --from 2026-11-20 --to 2026-11-21", 0,
		   "no change of status of api from 2026-11-20 00:00:00 to 2026-11-21 00:00:00\n");
	assert_refused(f, "history api -n 200000", 2,
		       "hale: --lines: at most 100000; hale export gives all rows\n");
}

static void history_of_a_metric_is_a_table(void **state)
{
	struct fake *f = *state;

	assert_run(f, "history api -m took_ms --step 1h", 0,
		   "took_ms of api, every 1h, from single results\n"
		   "2 values: min 41.2, avg 41.2, max 41.2, p95 41.2, last 41.2\n"
		   "AT                   COUNT   MIN   AVG   MAX   P95\n"
		   "2026-11-22 01:00:00      2  41.2  41.2  41.2  41.2\n");
	assert_int_equal(fake_run(f, "history api -m took_ms --step 5m -o json"), 0);
	assert_non_null(strstr(fake_out(f), "\"step_ms\": 300000"));
	assert_refused(f, "history api -m nothing", 2,
		       "hale: no metric 'nothing' of 'api' is stored in that time; it has: "
		       "took_ms\n");
	assert_refused(f, "history nobody -m took_ms", 2,
		       "hale: no metric of 'nobody' is stored in that time (see: hale show "
		       "nobody)\n");
	assert_refused(f, "history api -m took_ms --results", 2,
		       "hale: --metric and --results exclude each other\n");
	assert_refused(f, "history api --step 5m", 2, "hale: --step goes with --metric\n");
}

/* ---- export ---- */

static void an_export_is_told_and_whole(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(cleanup_free) char *file = mem_printf("%s/out.csv", fake_dir(f));
	HALE_CLEANUP(cleanup_free)
	char *words = mem_printf("export -f csv -w transitions -O %s", file);
	HALE_CLEANUP(str_done) struct str text = {0};

	assert_int_equal(fake_run(f, words), 0);
	assert_non_null(strstr(fake_err(f), "hale: 3 transitions in "));
	assert_int_equal(file_read(file, 65536, &text, NULL), 0);
	assert_true(str_starts(str_text(&text), "at,node,component,from,to,reason,message,epoch,"
						"seq\r\n2026-11-22T01:00:00.000Z,web1,api,unknown,"
						"healthy,ok,HTTP 200,e1,1\r\n"));
	assert_int_equal(fake_run(f, "export"), 0);
	assert_true(str_starts(fake_out(f), "{\"hale_export\":1,"));
	assert_non_null(strstr(fake_out(f), "{\"hale_export_end\":true,\"counts\":{\"results\":3,"
					    "\"transitions\":3,\"events\":1,\"processes\":1,"
					    "\"epochs\":1}}\n"));
	assert_string_equal(fake_err(f), "hale: 3 results, 3 transitions, 1 events, 1 processes\n");
	assert_int_equal(fake_run(f, "export -w results -c db -o json"), 0);
	assert_string_equal(fake_err(f), "hale: 1 results\n");
}

static void any_store_is_exported_without_a_hale(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = store_path(f);
	HALE_CLEANUP(cleanup_free)
	char *words =
		mem_printf("--run-dir /nonexistent export --store %s -w events -f json", path);

	assert_int_equal(fake_run(f, words), 0);
	assert_non_null(strstr(fake_out(f), "configuration reloaded"));
	assert_int_equal(fake_run(f, "export --store /nonexistent/x.db"), 1);
	assert_non_null(strstr(fake_err(f), "/nonexistent/x.db: there is no store yet"));
}

static void wrong_exports_are_refused(void **state)
{
	struct fake *f = *state;

	assert_refused(f, "export -f xml", 2,
		       "hale: --format: 'xml' is none of ndjson, csv, json\n");
	assert_refused(f, "export -f csv -w all", 2,
		       "hale: --format csv holds rows of one kind: choose one with --what\n");
	assert_refused(f, "export -w metrics --step 2h", 2,
		       "hale: --step: '2h' is none of 5m, 1h, 1d\n");
	assert_refused(f, "export -w results --step 1h", 2,
		       "hale: --step goes with --what metrics\n");
	assert_refused(f, "export --since 1h --from 2h", 2,
		       "hale: --since and --from say the same: give one of them\n");
	assert_refused(f, "export --from 1h --to 2h", 2,
		       "hale: --to: the time ends before it begins\n");
}

static void an_output_that_breaks_is_told_and_leaves_no_file(void **state)
{
	struct fake *f = *state;

	assert_refused(f, "export -O /nonexistent/x", 1,
		       "hale: /nonexistent/x.part: No such file or directory\n");
	fake_fail_output_after(f, 0);
	assert_int_equal(fake_run(f, "export"), 1);
	assert_true(str_starts(fake_err(f), "hale: cannot write: "));
	assert_string_equal(fake_out(f), "");
}

/* ---- uptime ---- */

static void uptime_has_three_ranges_the_whole_first(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_run(f, "uptime"), 0);
	assert_non_null(strstr(fake_out(f), "COMPONENT"));
	assert_non_null(strstr(fake_out(f), "\napi"));
	assert_non_null(strstr(fake_out(f), "\ndb"));
	assert_int_equal(fake_run(f, "uptime d*"), 0);
	assert_null(strstr(fake_out(f), "api"));
	assert_refused(f, "uptime xyz", 2,
		       "hale: nothing is known of 'xyz' in that time (see: hale status)\n");
	assert_int_equal(fake_run(f, "uptime -o json"), 0);
	assert_non_null(strstr(fake_out(f), "\"30d\": {"));
	assert_int_equal(fake_run(f, "uptime api --range 1h"), 0);
	assert_non_null(strstr(fake_out(f), "DEGRADED"));
	assert_refused(f, "uptime --sla 100", 2,
		       "hale: --sla: '100' is no percentage below 100 (99.9)\n");
	assert_refused(f, "uptime --sla abc", 2,
		       "hale: --sla: 'abc' is no percentage below 100 (99.9)\n");
}

/* ---- store ---- */

static void the_store_is_told_of(void **state)
{
	struct fake *f = *state;

	fake_answer(
		f, "recorder", "store.status",
		"{\"backend\": \"postgresql\", \"where\": \"postgresql db:5432/hale\","
		" \"bytes\": 3221225472, \"free_bytes\": 1073741824, \"oldest_result\":"
		" \"2026-11-15T01:00:00.000Z\", \"last_commit\": \"2026-11-22T01:59:59.000Z\","
		" \"backlog\": 1200, \"backlog_since\": \"2026-11-22T01:58:00.000Z\","
		" \"spool_lines\": 1000, \"spool_bytes\": 524288, \"spool_error\": null,"
		" \"rollups_pending\": 3, \"schema_version\": 3, \"rows_written\": 77,"
		" \"lines_dropped\": 5, \"keeper_error\": \"no route\", \"error\": \"no route\"}");
	assert_run(f, "store", 1,
		   "● waits  postgresql\n"
		   "  where          postgresql db:5432/hale\n"
		   "  size           3 GB, 1 GB of it free\n"
		   "  oldest result  2026-11-15 01:00:00 (7d1h ago)\n"
		   "  last commit    2026-11-22 01:59:59 (1s ago)\n"
		   "  backlog        1200 lines\n"
		   "  since          2026-11-22 01:58:00 (2m ago)\n"
		   "  spool          1000 lines, 512 KB on disk\n"
		   "  rollups        3 buckets to be computed\n"
		   "  schema         3\n"
		   "  rows written   77\n"
		   "  dropped        5\n"
		   "  error          no route\n");
}

/* A file from before there were rollups: somebody has to ask for the room. */
static void room_that_is_kept_is_told_of(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "recorder", "store.status",
		    "{\"backend\": \"sqlite\", \"bytes\": 4096, \"free_bytes\": 1024,"
		    " \"keeps_room\": true}");
	assert_run(f, "store", 0,
		   "● stores  sqlite\n"
		   "  size     4 KB, 1 KB of it free (hale store compact gives it back)\n"
		   "  backlog  none\n");
}

static void the_store_is_kept(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "recorder", "store.purge", "{\"deleted\": 12}");
	fake_answer(f, "recorder", "store.rebuild", "{\"buckets\": 7}");
	fake_answer(f, "recorder", "store.compact", "{\"bytes_before\": 2048, \"bytes\": 1024}");
	assert_run(f, "store purge", 0, "12 rows beyond their retention deleted\n");
	assert_run(f, "store rebuild --from 1d --to 1h", 0,
		   "7 buckets of 5 minutes will be computed anew (see: hale store)\n");
	assert_string_equal(fake_asked(f, "recorder", "store.rebuild"),
			    "{\"from\":\"2026-11-21T02:00:00.000Z\",\"to\":"
			    "\"2026-11-22T01:00:00.000Z\"}");
	assert_run(f, "store rebuild", 0,
		   "7 buckets of 5 minutes will be computed anew (see: hale store)\n");
	assert_string_equal(fake_asked(f, "recorder", "store.rebuild"),
			    "{\"from\":null,\"to\":null}");
	assert_run(f, "store compact", 0, "2 KB before, 1 KB now\n");
}

static void without_a_recorder_the_store_is_not_asked(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status",
		    "{\"processes\": [{\"name\": \"recorder\", \"state\": \"stopped\"}]}");
	assert_refused(f, "store", 1,
		       "hale: recorder does not answer: it is stopped (see: hale show recorder)\n");
}

/* ---- import ---- */

/* A file of so many results, with a head and an end. */
static char *write_export(struct fake *f, size_t n, const char *extra)
{
	char *path = mem_printf("%s/export.ndjson", fake_dir(f));
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	(void)fputs("{\"hale_export\":1}\n", file);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(file, "{\"what\":\"results\",\"seq\":%zu}\n", i + 1);
	(void)fprintf(file, "%s{\"hale_export_end\":true,\"counts\":{\"results\":%zu}}\n", extra,
		      n);
	(void)fclose(file);
	return path;
}

static void an_import_goes_in_pieces(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = write_export(f, 1001, "");
	HALE_CLEANUP(cleanup_free) char *words = mem_printf("import %s", path);

	fake_answer(
		f, "recorder", "store.import",
		"{\"imported\": {\"results\": 990}, \"present\": 10, \"ahead\": 0, \"bad\": []}");
	fake_answer(f, "recorder", "store.import",
		    "{\"imported\": {\"results\": 0}, \"present\": 0, \"ahead\": 1, \"bad\": []}");
	assert_run(f, words, 0,
		   "imported 990 results\n10 were there already\n"
		   "1 are left to the bus, which will bring them\n");
	assert_string_equal(fake_asked(f, "recorder", "store.import"),
			    "{\"rows\":[{\"seq\":1001,\"what\":\"results\"}]}");
}

static void wrong_lines_have_their_numbers(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = write_export(f, 3, "nonsense\n");
	HALE_CLEANUP(cleanup_free) char *words = mem_printf("import %s", path);
	HALE_CLEANUP(cleanup_free)
	char *told =
		mem_printf("hale: %s:5: is no JSON object ('[' or '{' expected near 'nonsense')\n"
			   "hale: %s:3: status: is missing\n"
			   "hale: 2 lines are wrong; all others are in\n",
			   path, path);

	fake_answer(f, "recorder", "store.import",
		    "{\"imported\": {\"results\": 2}, \"present\": 0, \"ahead\": 0,"
		    " \"bad\": [{\"row\": 1, \"error\": \"status: is missing\"}]}");
	assert_refused(f, words, 1, told);
	assert_string_equal(fake_out(f), "imported 2 results\n");
}

static void an_import_without_a_recorder_ends_at_once(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = write_export(f, 3, "");
	HALE_CLEANUP(cleanup_free) char *words = mem_printf("import %s", path);

	fake_refuse(f, "recorder", "store.import", COMMAND_E_FAILED, "disk full", NULL);
	assert_refused(f, words, 1, "hale: disk full\n");
	assert_refused(f, "import /nonexistent", 1,
		       "hale: /nonexistent: No such file or directory\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_store, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(history_of_a_component_is_its_changes),
		T(history_with_results_has_each_check),
		T(history_of_a_process_is_its_events),
		T(history_of_nobody_is_refused),
		T(history_as_json_is_rows),
		cmocka_unit_test_setup_teardown(without_a_store_history_says_so, fake_setup,
						fake_teardown),
		T(events_of_all_topics_come_in_their_order),
		T(events_of_one_topic_are_chosen),
		T(events_as_json_carry_their_topic),
		T(following_goes_on_where_the_store_ends),
		T(events_are_chosen_by_time_name_kind_and_severity),
		T(events_of_a_time_say_when_there_are_more),
		T(history_says_when_there_is_more),
		T(history_of_a_metric_is_a_table),
		T(an_export_is_told_and_whole),
		T(any_store_is_exported_without_a_hale),
		T(wrong_exports_are_refused),
		T(an_output_that_breaks_is_told_and_leaves_no_file),
		T(uptime_has_three_ranges_the_whole_first),
		T(the_store_is_told_of),
		T(room_that_is_kept_is_told_of),
		T(the_store_is_kept),
		T(without_a_recorder_the_store_is_not_asked),
		T(an_import_goes_in_pieces),
		T(wrong_lines_have_their_numbers),
		T(an_import_without_a_recorder_ends_at_once),
	};

	return cmocka_run_group_tests_name("cli.past", tests, NULL, NULL);
}
