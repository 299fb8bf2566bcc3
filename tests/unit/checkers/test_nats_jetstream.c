/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "nats_jetstream.h"

static json_t *metrics;
static struct err err;

static void on_metric(void *ctx, const char *name, double value)
{
	(void)ctx;
	json_object_set_new(metrics, name, json_real(value));
}

typedef int (*parse_fn)(const char *json, size_t len, int64_t now_ms, nats_metric_fn on, void *ctx,
			struct err *why);

static int parse(parse_fn how, const char *text)
{
	int64_t now_ms;

	json_decref(metrics);
	metrics = json_object();
	assert_int_equal(clock_parse("2026-11-22T09:00:00Z", &now_ms), 0);
	return how(text, strlen(text), now_ms, on_metric, NULL, &err);
}

static double metric(const char *name)
{
	const json_t *value = json_object_get(metrics, name);

	return value == NULL ? NAN : json_number_value(value);
}

static void a_stream_tells_of_itself(void **state)
{
	(void)state;
	assert_int_equal(
		parse(nats_stream_parse,
		      "{\"config\":{\"max_msgs\":10,\"max_bytes\":-1},\"state\":{\"messages\":3,"
		      "\"bytes\":120,\"first_ts\":\"2026-11-22T08:00:00.123456789Z\",\"last_seq\":"
		      "9,"
		      "\"last_ts\":\"2026-11-22T08:59:50Z\",\"consumer_count\":1},\"cluster\":{"
		      "\"leader\":\"a\",\"replicas\":[{\"current\":true},{\"current\":false},"
		      "{\"current\":true,\"offline\":true}]}}"),
		0);
	assert_true(metric("stream_messages") == 3);
	assert_true(metric("stream_messages_percent") == 30);
	assert_true(isnan(metric("stream_bytes_percent")));
	assert_true(metric("stream_last_age_seconds") == 10);
	assert_true(fabs(metric("stream_first_age_seconds") - 3599.877) < 0.001);
	assert_true(metric("stream_replicas") == 3);
	assert_true(metric("stream_replicas_behind") == 2);
}

static void an_empty_stream_has_no_age(void **state)
{
	(void)state;
	assert_int_equal(parse(nats_stream_parse,
			       "{\"state\":{\"messages\":0,\"first_ts\":\"0001-01-01T00:00:00Z\","
			       "\"last_ts\":\"0001-01-01T00:00:00Z\"}}"),
			 0);
	assert_int_equal(json_object_size(metrics), 1);
}

static void a_consumer_tells_of_itself(void **state)
{
	(void)state;
	assert_int_equal(parse(nats_consumer_parse,
			       "{\"num_pending\":5,\"num_ack_pending\":2,\"num_redelivered\":1,"
			       "\"num_waiting\":0,\"delivered\":{\"last_active\":"
			       "\"2026-11-22T08:59:00Z\"},\"ack_floor\":{}}"),
			 0);
	assert_true(metric("consumer_pending") == 5);
	assert_true(metric("consumer_ack_pending") == 2);
	assert_true(metric("consumer_redelivered") == 1);
	assert_true(metric("consumer_delivered_age_seconds") == 60);
	assert_true(isnan(metric("consumer_acked_age_seconds")));
}

static void a_refusal_is_told_in_its_own_words(void **state)
{
	(void)state;
	assert_int_equal(parse(nats_stream_parse, "{\"type\":\"x\",\"error\":{\"code\":404,"
						  "\"description\":\"stream not found\"}}"),
			 -ENOENT);
	assert_string_equal(err.text, "stream not found");
	assert_int_equal(parse(nats_consumer_parse, "{\"error\":{}}"), -ENOENT);
}

static void what_is_no_answer_is_told(void **state)
{
	static const char *const wrong[] = {"", "x", "[]", "{}", "{\"state\":1}", "null"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(parse(nats_stream_parse, wrong[i]), -EPROTO);
		assert_int_equal(parse(nats_consumer_parse, wrong[i]), -EPROTO);
	}
}

static void names_stand_in_subjects(void **state)
{
	(void)state;
	assert_int_equal(nats_name_check("ORDERS-2_x", NULL), 0);
	assert_int_equal(nats_name_check("a.b", NULL), -EINVAL);
	assert_int_equal(nats_name_check("a b", NULL), -EINVAL);
	assert_int_equal(nats_name_check("*", NULL), -EINVAL);
}

static int teardown(void **state)
{
	(void)state;
	json_decref(metrics);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_tells_of_itself),
		cmocka_unit_test(an_empty_stream_has_no_age),
		cmocka_unit_test(a_consumer_tells_of_itself),
		cmocka_unit_test(a_refusal_is_told_in_its_own_words),
		cmocka_unit_test(what_is_no_answer_is_told),
		cmocka_unit_test(names_stand_in_subjects),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
