/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that ask once: their text, their JSON, their exit code. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "bus/command.h"

/* ---- status ---- */

static void status_prints_the_page_and_exits_as_a_nagios_plugin(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status",
		    "{\"status\": \"degraded\", \"score\": 50, \"node\": \"web1\", \"components\":"
		    " [{\"id\": \"api\", \"status\": \"degraded\", \"message\": \"slow\"},"
		    "  {\"id\": \"db\", \"status\": \"healthy\"}], \"processes\": []}");
	assert_run(f, "status", 1,
		   "● degraded, score 50   web1\n\n"
		   "STATUS      COMPONENT  MESSAGE\n"
		   "● degraded  api        slow\n"
		   "● healthy   db\n");
	assert_run(f, "status d*", 0, "STATUS     COMPONENT\n● healthy  db\n");
	assert_refused(f, "status nope", 3,
		       "hale: no component or process is named 'nope' (see: hale status)\n");
}

static void status_json_is_what_haled_said(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status", "{\"status\": \"down\", \"score\": 83.3, \"new\": [1]}");
	assert_run(f, "status -o json", 2,
		   "{\n  \"status\": \"down\",\n  \"score\": 83.3,\n  \"new\": [\n    1\n  ]\n}\n");
}

static void status_watched_in_a_pipe_is_one_page_below_the_other(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status", "{\"status\": \"healthy\"}");
	fake_fail_output_after(f, 1); /* the terminal goes away: that ends it */
	(void)fake_run_on_terminal(f, "status -w", 80);
	assert_string_equal(fake_out(f), "\033[32m● healthy\033[0m\n\n");
}

/* ---- show, check ---- */

static const char api[] =
	"{\"component\": {\"id\": \"api\", \"label\": \"API\", \"kind\": \"http\", \"process\": "
	"\"check.http\","
	" \"node\": \"web1\", \"status\": \"degraded\", \"since\": \"2026-11-22T01:56:00.000Z\","
	" \"message\": \"took_ms 2310 > 2000\", \"reason\": \"threshold\", \"outcome\": \"pass\","
	" \"took_ms\": 2310.2, \"consecutive_failures\": 2, \"last_check\": "
	"\"2026-11-22T01:59:56.000Z\","
	" \"interval_ms\": 30000, \"impact\": \"critical\", \"depends_on\": [\"db\", \"net\"],"
	" \"blocked_by\": null, \"labels\": {\"env\": \"prod\"}, \"metrics\": {\"status_code\": "
	"200.0,"
	" \"positions\": 21.5}, \"details\": {\"body\": {\"a\": [1]}, \"empty\": {}}}}";

static void show_tells_all_of_a_component(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", api);
	assert_run(f, "show api", 1,
		   "● degraded  api  API\n"
		   "  since       2026-11-22 01:56:00 (4m ago)\n"
		   "  message     took_ms 2310 > 2000\n"
		   "  reason      threshold (the check itself: pass)\n"
		   "  checked     http by check.http on web1, every 30s\n"
		   "  took        2.31 s\n"
		   "  last check  2026-11-22 01:59:56 (4s ago)\n"
		   "  failures    2 in a row\n"
		   "  impact      critical\n"
		   "  depends on  db, net\n"
		   "  labels      env  prod\n"
		   "  metrics     status_code  200\n"
		   "              positions  21.5\n"
		   "  details     body  {\"a\": [1]}\n");
	assert_string_equal(fake_asked(f, "haled", "show"), "{\"name\":\"api\"}");
}

static void show_tells_all_of_a_process(void **state)
{
	struct fake *f = *state;

	fake_answer(
		f, "haled", "show",
		"{\"process\": {\"name\": \"check.http\", \"state\": \"held\", \"pid\": null, "
		"\"restarts\": 2,"
		" \"program\": \"hale-check-http\", \"status_text\": \"12 checks\", \"last_exit\":"
		" {\"at\": \"2026-11-22T01:59:00.000Z\", \"code\": 78, \"expected\": false},"
		" \"lines\": [{\"n\": 1, \"at\": \"2026-11-22T01:58:59.900Z\", \"level\": "
		"\"error\","
		" \"text\": \"no \\u001b[31mred\"}]}}");
	assert_run(f, "show check.http", 2,
		   "● held  check.http\n"
		   "  program    hale-check-http\n"
		   "  restarts   2\n"
		   "  says       12 checks\n"
		   "  last exit  exited with code 78 (configuration wrong)\n"
		   "             2026-11-22 01:59:00 (1m ago)\n"
		   "  last lines\n"
		   "    01:58:59.900 error no  [31mred\n");
}

static void show_survives_an_empty_answer(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}, \"process\": {}}");
	fake_answer(f, "haled", "show", "[]");
	assert_int_equal(fake_run(f, "show api"), 3);
	assert_int_equal(fake_run(f, "show api"), 3);
}

static void check_asks_the_process_that_checks(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", api);
	fake_answer(
		f, "check.http", "check.run",
		"{\"observation\": {\"outcome\": \"fail\", \"reason\": \"http_status\","
		" \"message\": \"HTTP 500\", \"took_ms\": 41, \"metrics\": {\"status_code\": 500},"
		" \"details\": {}}}");
	assert_run(f, "check api", 2,
		   "● fail  api\n"
		   "  message  HTTP 500\n"
		   "  reason   http_status\n"
		   "  took     41 ms\n"
		   "  metrics  status_code  500\n");
	assert_string_equal(fake_asked(f, "check.http", "check.run"), "{\"component\":\"api\"}");
}

static void check_exits_by_outcome(void **state)
{
	static const struct {
		const char *answer;
		int code;
	} rows[] = {
		{"{\"observation\": {\"outcome\": \"pass\"}}", 0},
		{"{\"observation\": {\"outcome\": \"warn\"}}", 1},
		{"{\"observation\": {\"outcome\": \"fail\"}}", 2},
		{"{\"observation\": {\"outcome\": \"down\"}}", 2},
		{"{\"observation\": {\"outcome\": \"error\"}}", 3},
		{"{\"observation\": {\"outcome\": \"new\"}}", 3},
		{"{}", 3},
	};
	struct fake *f = *state;

	fake_answer(f, "haled", "show", api);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fake_answer(f, "check.http", "check.run", rows[i].answer);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(fake_run(f, "check api"), rows[i].code);
}

static void check_shows_what_was_seen_of_several(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", api);
	fake_answer(f, "check.http", "check.run",
		    "{\"observation\": {\"outcome\": \"pass\", \"took_ms\": 3},"
		    " \"saw\": {\"request\": \"GET /\"}}");
	fake_answer(f, "check.http", "check.run",
		    "{\"observation\": {\"outcome\": \"warn\", \"took_ms\": 4}}");
	assert_run(f, "check api api", 1,
		   "● pass  api\n"
		   "  took  3 ms\n"
		   "  request  GET /\n"
		   "\n"
		   "● warn  api\n"
		   "  took  4 ms\n");
	assert_run(f, "check -o json api", 1,
		   "{\n  \"observation\": {\n    \"outcome\": \"warn\",\n    \"took_ms\": 4\n  "
		   "}\n}\n");
}

static void check_says_what_cannot_be_checked(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"process\": {\"name\": \"web\"}}");
	fake_answer(f, "haled", "show",
		    "{\"component\": {\"id\": \"hale.web\", \"process\": \"haled\"}}");
	assert_refused(f, "check web", 3,
		       "hale: web is a process, not a component (see: hale show web)\n");
	assert_refused(f, "check hale.web", 3,
		       "hale: hale.web is judged without a check that could be run\n");
}

/* ---- logs ---- */

static void logs_print_lines_with_their_time(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "logs",
		    "{\"lines\": [{\"n\": 7, \"at\": \"2026-11-22T01:59:00.123Z\", \"process\": "
		    "\"web\","
		    " \"level\": \"warn\", \"text\": \"slow\"}], \"next\": 7}");
	assert_run(f, "logs web -n 1", 0, "01:59:00.123 warn  slow\n");
	assert_string_equal(fake_asked(f, "haled", "logs"),
			    "{\"after\":0,\"limit\":1,\"name\":\"web\"}");
	assert_run(f, "logs --all", 0, "01:59:00.123 warn  web              slow\n");
	assert_string_equal(fake_asked(f, "haled", "logs"),
			    "{\"after\":0,\"limit\":50,\"name\":null}");
	assert_refused(f, "logs", 2, "hale: logs: name a process, or say --all\n");
	assert_refused(f, "logs web --all", 2, "hale: logs: name a process, or say --all\n");
}

static void logs_follow_the_cursor_until_haled_goes(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "logs", "{\"lines\": [{\"text\": \"one\"}], \"next\": 1}");
	fake_answer(f, "haled", "logs", "{\"lines\": [{\"text\": \"two\"}], \"next\": 4}");
	fake_answer(f, "haled", "logs",
		    "{\"lines\": [{\"text\": \"of a new haled\"}], \"next\": 1}");
	fake_answer(f, "haled", "logs", "{\"lines\": [{\"text\": \"three\"}], \"next\": 2}");
	fake_refuse(f, "haled", "logs", COMMAND_E_REFUSED, "shutting down", NULL);
	assert_run(f, "logs web -f -n 1", 1, "one\ntwo\nthree\n");
	assert_string_equal(fake_asked(f, "haled", "logs"),
			    "{\"after\":2,\"limit\":10000,\"name\":\"web\"}");
}

static void logs_as_json_are_lines(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "logs", "{\"lines\": [{\"n\": 1, \"text\": \"a\"}, {\"n\": 2}]}");
	assert_run(f, "logs web -o json", 0, "{\"n\":1,\"text\":\"a\"}\n{\"n\":2}\n");
}

/* ---- reload, config ---- */

static void reload_tells_what_changed(void **state)
{
	struct fake *f = *state;

	/* What somebody stopped has changed, and is not waited for. */
	fake_answer(f, "haled", "status",
		    "{\"processes\": [{\"name\": \"check.http\", \"state\": \"ready\", "
		    "\"generation\": 1}, {\"name\": \"web\", \"state\": \"stopped\"}]}");
	fake_answer(f, "haled", "status",
		    "{\"processes\": [{\"name\": \"check.http\", \"state\": \"ready\", "
		    "\"generation\": 2, \"pid\": 7, \"since\": \"2026-11-22T01:00:00.041Z\"}, "
		    "{\"name\": \"check.tcp\", \"state\": \"held\", \"generation\": 1}]}");
	fake_answer(f, "haled", "reload",
		    "{\"changed\": [\"check.http\", \"web\"], \"started\": [\"check.tcp\"], "
		    "\"stopped\": [], \"at\": \"2026-11-22T01:00:00.000Z\", \"diff\": [{\"path\": "
		    "\"components.api.interval\", \"change\": \"changed\", \"old\": \"30s\", "
		    "\"new\": \"1m\"}, {\"path\": \"a\", \"change\": \"added\", \"new\": [1]}, "
		    "{\"path\": \"b\", \"change\": \"removed\", \"old\": \"x\\u001b[0m\"}, "
		    "{\"path\": \"c\", \"change\": \"changed\", \"secret\": true}], "
		    "\"diff_more\": 2, \"unchanged\": 1}");
	fake_answer(f, "haled", "reload", "{\"changed\": [], \"unchanged\": 4}");
	fake_answer(f, "haled", "reload", "{}");
	assert_run(f, "reload", 1,
		   "configuration reloaded\n"
		   "  ~ components.api.interval: 30s -> 1m\n"
		   "  + a: [1]\n"
		   "  - b: x [0m\n"
		   "  ~ c: (secret changed)\n"
		   "  … and 2 more\n"
		   "  restarted check.http, web\n"
		   "  started   check.tcp\n"
		   "  unchanged 1 process\n"
		   "check.http ready in 41 ms (pid 7)\n"
		   "check.tcp  is not ready but held\n");
	assert_run(f, "reload", 0,
		   "configuration reloaded, no process had to restart\n"
		   "  unchanged 4 processes\n");
	assert_run(f, "reload", 0, "configuration reloaded, no process had to restart\n");
}

static void a_diff_says_what_a_reload_would_do(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "config.diff",
		    "{\"changed\": [\"web\"], \"started\": [], \"stopped\": [\"check.tcp\"], "
		    "\"diff\": [{\"path\": \"a\", \"change\": \"added\", \"new\": 1}], "
		    "\"unchanged\": 3}");
	fake_answer(f, "haled", "config.diff", "{\"diff\": [], \"unchanged\": 4}");
	assert_run(f, "config diff", 0,
		   "a reload would change this\n"
		   "  + a: 1\n"
		   "  restart   web\n"
		   "  stop      check.tcp\n"
		   "  unchanged 3 processes\n");
	assert_run(f, "config diff", 0, "the file says what is in force\n");
}

static void a_pause_says_until_when_and_why(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "monitoring.pause",
		    "{\"active\": false, \"since\": \"2026-11-22T02:00:00.000Z\", \"until\": "
		    "\"2026-11-22T03:00:00.000Z\", \"reason\": \"new rack\"}");
	fake_answer(f, "haled", "monitoring.pause", "{\"active\": false}");
	fake_answer(f, "haled", "monitoring.resume", "{\"active\": true}");
	assert_int_equal(fake_run(f, "pause --for 1h --reason new"), 0);
	assert_non_null(strstr(fake_out(f), "monitoring is paused until 2026-11-22 "));
	assert_non_null(strstr(fake_out(f), "(in 1h): new rack\n"));
	assert_string_equal(fake_asked(f, "haled", "monitoring.pause"),
			    "{\"for_ms\":3600000,\"reason\":\"new\"}");
	assert_run(f, "pause", 0, "monitoring is paused until 'hale resume'\n");
	assert_string_equal(fake_asked(f, "haled", "monitoring.pause"), "{}");
	assert_run(f, "resume", 0, "monitoring goes on\n");
	assert_refused(f, "pause --for 0s", 2, "hale: pause: --for 0 would be no pause\n");
}

static void a_refused_reload_shows_carets(void **state)
{
	struct fake *f = *state;

	fake_refuse(
		f, "haled", "reload", COMMAND_E_FAILED, "hale.yaml:3:5: unknown key 'intervall'",
		"{\"errors\": [{\"file\": \"hale.yaml\", \"line\": 3, \"column\": 5, \"length\": 9,"
		" \"message\": \"unknown key 'intervall'\", \"hint\": \"did you mean 'interval'?\","
		" \"source\": \"    intervall: 30s\"}]}");
	assert_refused(f, "reload", 1,
		       "hale.yaml:3:5: unknown key 'intervall'\n"
		       "    3 |     intervall: 30s\n"
		       "      |     ^^^^^^^^^\n"
		       "      = did you mean 'interval'?\n"
		       "1 error\n"
		       "hale: the configuration before it stays in force\n");
}

static void config_show_is_yaml_or_json(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "config.show",
		    "{\"web\": {\"token\": \"********\"}, \"instance\": {\"name\": \"x\"}}");
	assert_run(f, "config show", 0, "web:\n  token: \"********\"\ninstance:\n  name: x\n");
	assert_string_equal(fake_asked(f, "haled", "config.show"), "{\"masked\":true}");
	assert_run(f, "config show instance", 0, "name: x\n");
	assert_run(f, "config show instance -o json", 0, "{\n  \"name\": \"x\"\n}\n");
	assert_refused(f, "config show wbe", 2,
		       "hale: the configuration has no section 'wbe' (did you mean 'web'?)\n");
}

static void write_haled(struct fake *f, const char *script)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/haled", fake_dir(f));
	assert_int_equal(file_write_atomic(path, script, strlen(script), 0755, NULL), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void config_check_asks_the_haled_beside_it(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(str_done) struct str said = {0};
	char path[128];

	write_haled(f, "#!/bin/sh\necho \"$@\" >\"${0%/*}/said\"\nexit 78\n");
	assert_int_equal(fake_run(f, "config check some.yaml"), 1);
	(void)snprintf(path, sizeof(path), "%s/said", fake_dir(f));
	assert_int_equal(file_read(path, 1000, &said, NULL), 0);
	assert_string_equal(str_text(&said), "--check --config some.yaml\n");
	write_haled(f, "#!/bin/sh\nexit 0\n");
	assert_int_equal(fake_run(f, "config check some.yaml -o json"), 0);
}

static void config_check_takes_the_file_of_the_running_haled(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(str_done) struct str said = {0};
	char path[128];

	fake_answer(f, "haled", "status", "{\"config\": {\"path\": \"/etc/mine.yaml\"}}");
	write_haled(f, "#!/bin/sh\necho \"$@\" >\"${0%/*}/said\"\n");
	assert_int_equal(fake_run(f, "config check"), 0);
	(void)snprintf(path, sizeof(path), "%s/said", fake_dir(f));
	assert_int_equal(file_read(path, 1000, &said, NULL), 0);
	assert_string_equal(str_text(&said), "--check --config /etc/mine.yaml\n");
}

static void config_check_without_haled_says_so(void **state)
{
	struct fake *f = *state;
	char expected[160];

	(void)snprintf(expected, sizeof(expected),
		       "hale: cannot run %s/haled: No such file or directory\n", fake_dir(f));
	assert_refused(f, "config check x.yaml", 1, expected);
}

/* ---- alerts ---- */

static void alerts_are_a_table(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "notifier", "alerts.list",
		    "{\"alerts\": [{\"id\": \"12345678-aaaa\", \"severity\": \"critical\", "
		    "\"state\": \"open\","
		    " \"component\": \"api\", \"message\": \"down\", \"opened\": "
		    "\"2026-11-22T01:56:00.000Z\","
		    " \"count\": 3}, {}]}");
	fake_answer(f, "notifier", "alerts.list", "{\"alerts\": []}");
	fake_answer(f, "notifier", "alerts.list", "{}");
	assert_run(f, "alerts", 0,
		   "SEVERITY  ALERT     COMPONENT  STATE  OPENED  COUNT  MESSAGE\n"
		   "critical  12345678  api        open   4m ago      3  down\n"
		   "?         ?\n");
	assert_string_equal(fake_asked(f, "notifier", "alerts.list"),
			    "{\"limit\":50,\"state\":\"open\"}");
	assert_run(f, "alerts list", 0, "no open alerts\n");
	assert_run(f, "alerts --all", 0, "no alerts\n");
	assert_string_equal(fake_asked(f, "notifier", "alerts.list"),
			    "{\"limit\":50,\"state\":\"all\"}");
}

static void an_alert_is_found_by_the_first_letters_of_its_id(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "notifier", "alerts.list",
		    "{\"alerts\": [{\"id\": \"1234-a\"}, {\"id\": \"1299-b\"}]}");
	fake_answer(f, "notifier", "alerts.show",
		    "{\"id\": \"1234-a\", \"severity\": \"warning\", \"component\": \"api\", "
		    "\"state\": \"resolved\","
		    " \"message\": \"slow\", \"rule\": \"system\", \"deliveries\": [{\"channel\": "
		    "\"ops\","
		    " \"status\": \"failed\", \"attempts\": 3, \"error\": \"HTTP 500\","
		    " \"created\": \"2026-11-22T01:59:00.000Z\"}]}");
	assert_run(f, "alerts show 123", 0,
		   "warning  api\n"
		   "  message  slow\n"
		   "  state    resolved\n"
		   "  rule     system\n"
		   "  id       1234-a\n"
		   "\n"
		   "  CHANNEL  DELIVERY  ATTEMPTS    WHEN  ERROR\n"
		   "  ops      failed           3  1m ago  HTTP 500\n");
	assert_string_equal(fake_asked(f, "notifier", "alerts.show"), "{\"id\":\"1234-a\"}");
	assert_refused(f, "alerts show 12", 2, "hale: more than one alert's id begins with '12'\n");
	assert_int_equal(fake_run(f, "alerts show 99"), 0);
	assert_string_equal(fake_asked(f, "notifier", "alerts.show"), "{\"id\":\"99\"}");
}

static void notify_test_tells_whether_it_was_sent(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "notifier", "notify.test",
		    "{\"status\": \"sent\", \"detail\": \"accepted\"}");
	fake_answer(f, "notifier", "notify.test",
		    "{\"status\": \"failed\", \"detail\": \"HTTP 401\"}");
	fake_answer(f, "notifier", "notify.test", "{}");
	assert_run(f, "notify test ops", 0, "ops: sent, accepted\n");
	assert_run(f, "notify test ops", 1, "ops: failed, HTTP 401\n");
	assert_run(f, "notify test ops", 1, "ops: unknown\n");
}

/* ---- reconcile, action ---- */

static void a_dry_run_shows_the_plan(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "reconciler", "reconcile.run",
		    "{\"job\": \"positions\", \"dry_run\": true, \"outcome\": \"done\", "
		    "\"inserted\": 1,"
		    " \"updated\": 1, \"closed\": 1, \"skipped\": 0, \"errors\": [], \"took_ms\": "
		    "41.2, \"plan\": ["
		    " {\"op\": \"insert\", \"key\": \"AAPL\", \"before\": null, \"after\": "
		    "{\"symbol\": \"AAPL\", \"qty\": 100}},"
		    " {\"op\": \"update\", \"key\": \"MSFT\", \"before\": {\"symbol\": \"MSFT\", "
		    "\"qty\": 5.5},"
		    "  \"after\": {\"symbol\": \"MSFT\", \"qty\": 7}},"
		    " {\"op\": \"close\", \"key\": \"玩具\", \"before\": {\"qty\": 3}, \"after\": "
		    "null}], \"truncated\": true}");
	assert_run(f, "reconcile positions --dry-run", 0,
		   "positions: dry run, would insert 1, update 1, close 1 (41 ms)\n"
		   "\n"
		   "CHANGE  KEY   COLUMN  BEFORE  AFTER\n"
		   "insert  AAPL  symbol          AAPL\n"
		   "              qty             100\n"
		   "update  MSFT  qty     5.5     7\n"
		   "close   玩具  qty     3\n"
		   "… and more rows than are shown\n");
	assert_string_equal(fake_asked(f, "reconciler", "reconcile.run"),
			    "{\"dry_run\":true,\"job\":\"positions\"}");
}

static void a_run_tells_counts_and_errors(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "reconciler", "reconcile.run",
		    "{\"outcome\": \"done\", \"inserted\": 1, \"updated\": 2, \"errors\": [\"row "
		    "3: no key\"]}");
	fake_answer(f, "reconciler", "reconcile.run", "{\"outcome\": \"done\"}");
	fake_answer(f, "reconciler", "reconcile.run",
		    "{\"outcome\": \"refused\", \"errors\": [\"the source is empty\"]}");
	fake_answer(f, "reconciler", "reconcile.run", "{}");
	fake_refuse(f, "reconciler", "reconcile.run", COMMAND_E_REFUSED, "p: already running",
		    NULL);
	assert_run(f, "reconcile p", 0, "p: 1 inserted, 2 updated\n  row 3: no key\n");
	assert_run(f, "reconcile p", 0, "p: nothing to change\n");
	assert_run(f, "reconcile p", 1, "p: refused\n  the source is empty\n");
	assert_run(f, "reconcile p", 1, "p: unknown\n");
	assert_refused(f, "reconcile p", 1, "hale: p: already running\n");
}

static void jobs_and_actions_are_listed(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "reconciler", "reconcile.jobs",
		    "{\"jobs\": [{\"name\": \"positions\", \"schedule\": \"every 5m\","
		    " \"next_run\": \"2026-11-22T02:03:00.000Z\", \"source\": \"http\", "
		    "\"target\": \"postgres\","
		    " \"table\": \"positions\", \"running\": false, \"last_run\":"
		    " {\"outcome\": \"failed\", \"at\": \"2026-11-22T01:58:00.000Z\"}}]}");
	fake_answer(f, "reconciler", "action.list",
		    "{\"actions\": [{\"name\": \"reconnect\", \"method\": \"POST\", \"url\": "
		    "\"http://x/\"}, \"y\"]}");
	fake_answer(f, "reconciler", "action.list", "{\"actions\": []}");
	assert_run(f, "reconcile", 0,
		   "NAME       SCHEDULE   NEXT  LAST RUN    WHEN  FROM  TO\n"
		   "positions  every 5m  in 3m  failed    2m ago  http  postgres positions\n");
	assert_run(f, "action", 0,
		   "NAME       TO\n"
		   "reconnect  POST http://x/\n"
		   "y\n");
	assert_run(f, "action", 0, "none is configured\n");
}

static void an_action_tells_its_outcome(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "reconciler", "action.run",
		    "{\"outcome\": \"done\", \"message\": \"HTTP 200\", \"took_ms\": 12}");
	fake_answer(f, "reconciler", "action.run", "{\"outcome\": \"failed\", \"message\": \"\"}");
	assert_run(f, "action reconnect", 0, "reconnect: done, HTTP 200 (12 ms)\n");
	assert_run(f, "action reconnect", 1, "reconnect: failed\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(status_prints_the_page_and_exits_as_a_nagios_plugin),
		T(status_json_is_what_haled_said),
		T(status_watched_in_a_pipe_is_one_page_below_the_other),
		T(show_tells_all_of_a_component),
		T(show_tells_all_of_a_process),
		T(show_survives_an_empty_answer),
		T(check_asks_the_process_that_checks),
		T(check_exits_by_outcome),
		T(check_shows_what_was_seen_of_several),
		cmocka_unit_test_setup_teardown(check_shows_what_was_seen_of_several, fake_setup,
						fake_teardown),
		T(check_says_what_cannot_be_checked),
		T(logs_print_lines_with_their_time),
		T(logs_follow_the_cursor_until_haled_goes),
		T(logs_as_json_are_lines),
		T(reload_tells_what_changed),
		T(a_diff_says_what_a_reload_would_do),
		T(a_pause_says_until_when_and_why),
		T(a_refused_reload_shows_carets),
		T(config_show_is_yaml_or_json),
		T(config_check_asks_the_haled_beside_it),
		T(config_check_takes_the_file_of_the_running_haled),
		T(config_check_without_haled_says_so),
		T(alerts_are_a_table),
		T(an_alert_is_found_by_the_first_letters_of_its_id),
		T(notify_test_tells_whether_it_was_sent),
		T(a_dry_run_shows_the_plan),
		T(a_run_tells_counts_and_errors),
		T(jobs_and_actions_are_listed),
		T(an_action_tells_its_outcome),
	};

	return cmocka_run_group_tests_name("cli.verbs", tests, NULL, NULL);
}
