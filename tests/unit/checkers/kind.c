/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kind.h"

#include "base/mem.h"
#include "http/http.h"
#include "options.h"
#include "runner.h"

#define TIMEOUT_MS 20000

uv_loop_t kind_loop;

static struct http_client *client;

/* Stands before the runner's, which would want a service. */
struct http_client *check_http(const struct check *c)
{
	(void)c;
	if (client == NULL)
		client = http_client_new(&kind_loop);
	return client;
}

int kind_setup(void **state)
{
	(void)state;
	assert_int_equal(uv_loop_init(&kind_loop), 0);
	return 0;
}

int kind_teardown(void **state)
{
	(void)state;
	if (client != NULL)
		http_client_close(client, NULL, NULL);
	client = NULL;
	while (uv_run(&kind_loop, UV_RUN_DEFAULT) != 0)
		;
	assert_int_equal(uv_loop_close(&kind_loop), 0);
	return 0;
}

static void on_publish(void *ctx, json_t *observation)
{
	(void)ctx;
	json_decref(observation);
}

static void on_status(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void on_result(void *ctx, const json_t *observation, const json_t *saw HALE_UNUSED)
{
	json_t **kept = ctx;

	json_decref(*kept);
	*kept = json_deep_copy(observation);
	uv_stop(&kind_loop);
}

static void on_runner_stopped(void *ctx)
{
	*(bool *)ctx = true;
	uv_stop(&kind_loop);
}

static json_t *ask(const char *options, int64_t timeout_ms, int times)
{
	json_t *json = json_loads(options, JSON_REJECT_DUPLICATES, NULL);
	json_t *observation = NULL;
	struct err err = {0};
	struct runner *runner;
	bool is_stopped = false;

	assert_non_null(json);
	runner = runner_new(&check_ops, &(struct runner_host){.loop = &kind_loop,
							      .node = "n1",
							      .concurrent_max = 1,
							      .publish = on_publish,
							      .status = on_status});
	if (runner_add(runner, "a", 60000, timeout_ms, json, &err) < 0)
		fail_msg("%s", err.text);
	while (times-- > 0) {
		assert_int_equal(runner_run(runner, "a", on_result, &observation), 0);
		(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
		assert_non_null(observation);
	}
	runner_stop(runner, on_runner_stopped, &is_stopped);
	while (!is_stopped)
		(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
	/* The runner's closed handles are let go by the loop. */
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
	runner_free(runner);
	json_decref(json);
	return observation;
}

json_t *kind_ask(const char *options, int64_t timeout_ms)
{
	return ask(options, timeout_ms, 1);
}

json_t *kind_ask_twice(const char *options)
{
	return ask(options, TIMEOUT_MS, 2);
}

const char *kind_text(const json_t *observation, const char *member)
{
	return json_string_value(json_object_get(observation, member));
}

void kind_expect(const char *options, const char *outcome, const char *reason, const char *message)
{
	json_t *o = ask(options, TIMEOUT_MS, 1);

	assert_string_equal(kind_text(o, "reason"), reason);
	assert_string_equal(kind_text(o, "outcome"), outcome);
	if (message != NULL)
		assert_string_equal(kind_text(o, "message"), message);
	json_decref(o);
}

double kind_metric(const json_t *observation, const char *name)
{
	const json_t *metric = json_object_get(json_object_get(observation, "metrics"), name);

	if (!json_is_number(metric))
		fail_msg("there is no metric %s", name);
	return json_number_value(metric);
}

static void keep_first(void *ctx, const char *path, const char *message)
{
	char **kept = ctx;

	if (*kept == NULL)
		*kept = mem_printf("%s: %s", path, message);
}

char *kind_problem(const char *options)
{
	json_t *json = json_loads(options, JSON_REJECT_DUPLICATES, NULL);
	char *problem = NULL;

	assert_non_null(json);
	options_check(&check_ops, json, "", keep_first, &problem);
	json_decref(json);
	return problem == NULL ? mem_dup("") : problem;
}
