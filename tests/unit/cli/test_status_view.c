/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "status_view.h"

/* 2026-11-22T02:00:00Z; the times below are before it. */
#define NOW "2026-11-22T02:00:00.000Z"

static const char whole[] =
	"{\"status\": \"critical\", \"score\": 83.3333, \"node\": \"web1\", \"instance\": "
	"\"tradeguard\","
	" \"since\": \"2026-11-22T01:56:00.000Z\", \"started\": \"2026-11-21T22:48:00.000Z\","
	" \"counts\": {\"total\": 3, \"healthy\": 2, \"down\": 1, \"degraded\": 0},"
	" \"components\": ["
	"  {\"id\": \"api\", \"label\": \"API\", \"status\": \"healthy\", \"since\": "
	"\"2026-11-21T22:48:00.000Z\","
	"   \"last_check\": \"2026-11-22T01:59:56.000Z\", \"took_ms\": 41.2, \"message\": \"HTTP "
	"200\"},"
	"  {\"id\": \"db\", \"label\": \"db\", \"status\": \"down\", \"since\": "
	"\"2026-11-22T01:56:00.000Z\","
	"   \"last_check\": \"2026-11-22T01:59:59.900Z\", \"took_ms\": null, \"message\": "
	"\"Connection refused\"},"
	"  {\"id\": \"app\", \"status\": \"unknown\", \"message\": \"No data\", \"blocked_by\": "
	"\"db\"},"
	"  {\"id\": \"hale.check.http\", \"kind\": \"process\", \"status\": \"healthy\"}],"
	" \"processes\": ["
	"  {\"name\": \"check.http\", \"state\": \"ready\", \"pid\": 1234, \"restarts\": 2,"
	"   \"since\": \"2026-11-22T01:57:00.000Z\", \"last_exit\": {\"at\": "
	"\"2026-11-22T01:57:00.000Z\","
	"   \"signal\": \"SIGSEGV\", \"core\": true, \"uptime_ms\": 5123, \"expected\": false,"
	"   \"last_lines\": [\"one\", \"two\", \"three\", \"four\", \"five\", \"six\"]}},"
	"  {\"name\": \"notifier\", \"state\": \"backoff\", \"pid\": null, \"restarts\": 9, "
	"\"crash_looping\": true,"
	"   \"next_start\": \"2026-11-22T02:00:05.000Z\", \"last_exit\": {\"at\": "
	"\"2026-11-22T01:40:00.000Z\","
	"   \"code\": 1, \"expected\": false}}]}";

static struct status_look look_of(bool is_partial)
{
	struct status_look look = {.is_partial = is_partial};

	assert_int_equal(clock_parse(NOW, &look.now_ms), 0);
	return look;
}

static json_t *load(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	assert_non_null(object);
	return object;
}

static void the_whole_page_reads_so(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct status_look look = look_of(false);
	json_t *status = load(whole);

	(void)state;
	status_format(&out, status, &look);
	assert_string_equal(
		str_text(&out),
		"● critical for 4m, score 83.3   tradeguard on web1, up 3h12m\n"
		"3 components (1 of hale itself): 2 healthy, 1 down\n"
		"\n"
		"STATUS     COMPONENT  LABEL      SINCE    LAST   TOOK  MESSAGE\n"
		"● healthy  api        API    3h12m ago  4s ago  41 ms  HTTP 200\n"
		"● down     db                   4m ago     now         Connection refused\n"
		"○ unknown  app                                         behind db: No data\n"
		"\n"
		"STATE                     PROCESS      PID  UPTIME  RESTARTS  DETAIL\n"
		"● ready                   check.http  1234      3m         2  "
		"killed by SIGSEGV (core dumped) after 5.12 s, 3m ago\n"
		"● backoff, crash-looping  notifier                         9  "
		"exited with code 1, 20m ago; next start in 5s\n"
		"\n"
		"Last crash of check.http: killed by SIGSEGV (core dumped) after 5.12 s, 3m ago\n"
		"    two\n"
		"    three\n"
		"    four\n"
		"    five\n"
		"    six\n");
	assert_int_equal(status_exit(status, false), 2);
	json_decref(status);
}

static void a_process_tells_what_it_says_and_how_it_ended(void **state)
{
	static const struct {
		const char *process, *line;
		int code;
	} rows[] = {
		{"{\"name\": \"p\", \"state\": \"ready\", \"status_text\": \"2 checks\"}",
		 "● ready  p               0  2 checks\n", 0},
		{"{\"name\": \"p\", \"state\": \"ready\", \"status_text\": \"2 checks\","
		 " \"last_exit\": {\"code\": 1, \"expected\": false}}",
		 "● ready  p               0  2 checks; exited with code 1\n", 0},
		{"{\"name\": \"p\", \"state\": \"ready\","
		 " \"last_exit\": {\"code\": 0, \"expected\": true}}",
		 "● ready  p               0\n", 0},
		{"{\"name\": \"p\", \"state\": \"stopped\","
		 " \"last_exit\": {\"signal\": \"SIGTERM\", \"expected\": true}}",
		 "○ stopped  p               0  as asked\n", 3},
		{"{\"name\": \"p\", \"state\": \"stopped\", \"finished\": true,"
		 " \"last_exit\": {\"code\": 0, \"expected\": true}}",
		 "  p               0  exited with code 0\n", 0},
		{"{\"name\": \"p\", \"state\": \"waiting\", \"status_text\": \"waits for db\"}",
		 "● waiting  p               0  waits for db\n", 1},
		{"{\"name\": \"p\", \"state\": \"somethingnew\", \"status_text\": \"because\"}",
		 "○ somethingnew  p               0  because\n", 3},
	};
	struct status_look look = look_of(true);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		HALE_CLEANUP(str_done) struct str out = {0};
		json_t *status = json_pack("{s:[o]}", "processes", load(rows[i].process));

		status_format(&out, status, &look);
		if (strstr(str_text(&out), rows[i].line) == NULL)
			fail_msg("'%s' not in '%s'", rows[i].line, str_text(&out));
		assert_int_equal(status_exit(status, true), rows[i].code);
		json_decref(status);
	}
}

static void hales_own_component_shows_when_it_is_unwell(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct status_look look = look_of(false);
	json_t *status = load("{\"components\": [{\"id\": \"hale.web\", \"kind\": \"process\","
			      " \"status\": \"critical\", \"message\": \"Keeps crashing\"}]}");

	(void)state;
	status_format(&out, status, &look);
	assert_non_null(strstr(str_text(&out), "● critical  hale.web   Keeps crashing\n"));
	json_decref(status);
}

static void a_failed_reload_is_said(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct status_look look = look_of(false);
	json_t *status = load("{\"status\": \"healthy\", \"config\": {\"last_reload_ok\": false,"
			      " \"last_reload_error\": \"hale.yaml:3:1: unknown key\"}}");

	(void)state;
	status_format(&out, status, &look);
	assert_string_equal(
		str_text(&out),
		"● healthy\nThe last reload failed, the configuration before it is in force: "
		"hale.yaml:3:1: unknown key\n");
	json_decref(status);
}

static void the_exit_code_is_the_overall_status(void **state)
{
	static const struct {
		const char *json;
		int code;
	} rows[] = {
		{"{\"status\": \"healthy\"}", 0},
		{"{\"status\": \"degraded\"}", 1},
		{"{\"status\": \"critical\"}", 2},
		{"{\"status\": \"down\"}", 2},
		{"{\"status\": \"unknown\"}", 3},
		{"{\"status\": \"splendid\"}", 3},
		{"{\"status\": null}", 3},
		{"{}", 3},
		{"[]", 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *status = load(rows[i].json);

		assert_int_equal(status_exit(status, false), rows[i].code);
		json_decref(status);
	}
}

static int exit_of(const char *glob, const char **missing_r)
{
	HALE_CLEANUP(strlist_done) struct strlist globs = {0};
	json_t *status = load(whole), *part;
	int code;

	strlist_add(&globs, glob);
	part = status_select(status, &globs, missing_r);
	code = status_exit(part, true);
	if (*missing_r != NULL)
		*missing_r = glob;
	json_decref(part);
	json_decref(status);
	return code;
}

static void chosen_ones_give_the_worst_of_them(void **state)
{
	const char *missing;

	(void)state;
	assert_int_equal(exit_of("api", &missing), 0);
	assert_int_equal(exit_of("a*", &missing), 3); /* api and app, which is unknown */
	assert_int_equal(exit_of("d?", &missing), 2);
	assert_int_equal(exit_of("check.http", &missing), 0);
	assert_int_equal(exit_of("notifier", &missing), 2);
	assert_null(missing);
	assert_int_equal(exit_of("nope", &missing), 3);
	assert_string_equal(missing, "nope");
}

static void an_empty_or_strange_status_is_no_trouble(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"{\"components\": 3, \"processes\": {}, \"counts\": [], \"score\": \"x\"}",
		"{\"components\": [null, 3, {}, {\"id\": 4, \"took_ms\": \"x\", \"since\": "
		"\"yesterday\"}],"
		" \"processes\": [null, {}, {\"pid\": \"x\", \"last_exit\": 3},"
		" {\"last_exit\": {\"expected\": false, \"at\": \"" NOW
		"\", \"last_lines\": [3, null]}}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		HALE_CLEANUP(str_done) struct str out = {0};
		struct status_look look = look_of(false);
		json_t *status = load(rows[i]);

		status_format(&out, status, &look);
		assert_true(out.len > 0);
		json_decref(status);
	}
}

static void an_old_or_expected_end_is_no_crash(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct status_look look = look_of(true);
	json_t *status =
		load("{\"processes\": [{\"name\": \"a\", \"last_exit\": {\"expected\": false,"
		     " \"at\": \"2026-11-22T01:50:00.000Z\"}}, {\"name\": \"b\", \"last_exit\":"
		     " {\"expected\": true, \"at\": \"2026-11-22T01:59:59.000Z\"}}]}");

	(void)state;
	status_format(&out, status, &look);
	assert_null(strstr(str_text(&out), "Last crash"));
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_page_reads_so),
		cmocka_unit_test(a_process_tells_what_it_says_and_how_it_ended),
		cmocka_unit_test(hales_own_component_shows_when_it_is_unwell),
		cmocka_unit_test(a_failed_reload_is_said),
		cmocka_unit_test(the_exit_code_is_the_overall_status),
		cmocka_unit_test(chosen_ones_give_the_worst_of_them),
		cmocka_unit_test(an_empty_or_strange_status_is_no_trouble),
		cmocka_unit_test(an_old_or_expected_end_is_no_crash),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("cli.status_view", tests, NULL, NULL);
}
