/* SPDX-License-Identifier: Apache-2.0 */
/* The kind `null`, asked through the runner. A kind of your own is tested like this. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "options.h"
#include "runner.h"

static void publish(void *ctx, json_t *observation)
{
	(void)ctx;
	json_decref(observation);
}

static void tell_status(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void take(void *ctx, const json_t *observation, const json_t *saw HALE_UNUSED)
{
	*(json_t **)ctx = json_deep_copy(observation);
}

static void on_stopped(void *ctx)
{
	(void)ctx;
}

/* One run with these options; the caller drops the observation. */
static json_t *ask(const char *options)
{
	json_t *json = json_loads(options, JSON_REJECT_DUPLICATES, NULL);
	json_t *observation = NULL;
	struct err err = {0};
	struct runner *runner;
	uv_loop_t loop;

	assert_non_null(json);
	uv_loop_init(&loop);
	runner = runner_new(&check_ops, &(struct runner_host){.loop = &loop,
							      .node = "n1",
							      .concurrent_max = 1,
							      .publish = publish,
							      .status = tell_status});
	if (runner_add(runner, "a", 60000, 200, json, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(runner_run(runner, "a", take, &observation), 0);
	while (observation == NULL)
		uv_run(&loop, UV_RUN_ONCE);
	runner_stop(runner, on_stopped, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	runner_free(runner);
	json_decref(json);
	return observation;
}

static void expect(const char *options, const char *outcome, const char *reason,
		   const char *message)
{
	json_t *o = ask(options);

	assert_string_equal(json_string_value(json_object_get(o, "outcome")), outcome);
	assert_string_equal(json_string_value(json_object_get(o, "reason")), reason);
	assert_string_equal(json_string_value(json_object_get(o, "message")), message);
	json_decref(o);
}

static void it_answers_what_it_is_told(void **state)
{
	(void)state;
	expect("{}", "pass", "ok", "OK");
	expect("{\"outcome\": \"warn\"}", "warn", "told", "As told");
	expect("{\"outcome\": \"error\", \"message\": \"so %s so\"}", "error", "told", "so %s so");
	expect("{\"outcome\": \"down\", \"reason\": \"conn_refused\"}", "down", "conn_refused",
	       "Connection refused");
}

static void it_carries_its_metrics(void **state)
{
	json_t *o = ask("{\"metrics\": {\"queue\": 3, \"lag_ms\": 1.5}}");
	const json_t *metrics = json_object_get(o, "metrics");

	(void)state;
	assert_true(json_number_value(json_object_get(metrics, "queue")) == 3);
	assert_true(json_number_value(json_object_get(metrics, "lag_ms")) == 1.5);
	json_decref(o);
}

static void it_answers_after_its_delay(void **state)
{
	json_t *o = ask("{\"delay\": 30}");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(o, "outcome")), "pass");
	assert_true(json_number_value(json_object_get(o, "took_ms")) >= 29);
	json_decref(o);
}

static void it_hangs_until_its_deadline(void **state)
{
	(void)state;
	expect("{\"hang\": true}", "down", "timeout_read",
	       "Timed out waiting for the answer (after 200ms)");
}

static void a_file_tells_outcome_and_message(void **state)
{
	char path[] = "/tmp/hale-null-XXXXXX";
	HALE_CLEANUP(cleanup_fd) int fd = mkstemp(path);
	HALE_CLEANUP(cleanup_free) char *options = mem_printf("{\"file\": \"%s\"}", path);
	static const struct {
		const char *content, *outcome, *reason, *message;
	} table[] = {
		{"fail the cable is out\n", "fail", "told", "the cable is out"},
		{"pass\n", "pass", "ok", "OK"},
		{"down  two words \nmore", "down", "told", "two words "},
		{"sick", "error", "config_error",
		 "file: 'sick' is not one of pass, warn, fail, down, error"},
		{"", "error", "config_error",
		 "file: '' is not one of pass, warn, fail, down, error"},
	};

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(file_write_atomic(path, table[i].content, strlen(table[i].content),
						   0600, NULL),
				 0);
		expect(options, table[i].outcome, table[i].reason, table[i].message);
	}
	unlink(path);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
	json_t *o = ask("{\"file\": \"/nonexistent/flip\"}");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "config_error");
	assert_non_null(
		strstr(json_string_value(json_object_get(o, "message")), "/nonexistent/flip"));
	json_decref(o);
}

static void collect(void *ctx, const char *path, const char *message)
{
	str_addf(ctx, "%s: %s\n", path, message);
}

static void options_that_make_no_sense_are_refused(void **state)
{
	HALE_CLEANUP(str_done) struct str told = {0};
	json_t *json = json_loads("{\"reason\": \"tired\", \"metrics\": {\"a\": \"b\"}}", 0, NULL);

	(void)state;
	options_check(&check_ops, json, "", collect, &told);
	assert_string_equal(str_text(&told), "/reason: no such reason code\n"
					     "/metrics: every value must be a number\n");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers_what_it_is_told),
		cmocka_unit_test(it_carries_its_metrics),
		cmocka_unit_test(it_answers_after_its_delay),
		cmocka_unit_test(it_hangs_until_its_deadline),
		cmocka_unit_test(a_file_tells_outcome_and_message),
		cmocka_unit_test(a_file_that_is_not_there_is_an_error),
		cmocka_unit_test(options_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
