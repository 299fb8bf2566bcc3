/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/option.h"

struct limits {
	int64_t burst;
	int64_t window;
};

struct user {
	char *name;
	char *role;
};

struct route {
	char *path;
	struct limits limits;
};

struct all {
	char *text;
	char *mode;
	char *at;
	int64_t count;
	int64_t port;
	double ratio;
	bool is_on;
	int64_t every;
	int64_t size;
	struct strlist tags;
	json_t *any;
	json_t *env;
	struct limits limits;
	struct conf_vec users;
	struct conf_vec routes;
};

static const struct conf_item limits_items[] = {
	CONF_INT(struct limits, burst, .def = "5", .min = 1),
	CONF_DURATION(struct limits, window),
	CONF_END,
};

static const struct conf_item user_items[] = {
	CONF_ENUM(struct user, role, .choices = "viewer|admin", .def = "viewer"),
	CONF_END,
};

static const struct conf_item route_items[] = {
	CONF_STR(struct route, path, .flags = CONF_F_REQUIRED),
	CONF_MAP(struct route, limits, limits_items),
	CONF_END,
};

static const struct conf_item all_items[] = {
	CONF_STR(struct all, text, .flags = CONF_F_NONEMPTY),
	CONF_ENUM(struct all, mode, .choices = "fast|slow", .def = "fast"),
	CONF_CRON(struct all, at),
	CONF_INT(struct all, count, .min = 1, .max = 10),
	CONF_PORT(struct all, port, .def = "80"),
	CONF_NUM(struct all, ratio, .def = "0.5"),
	CONF_BOOL(struct all, is_on, .name = "on", .def = "true"),
	CONF_DURATION(struct all, every, .def = "1m30s"),
	CONF_SIZE(struct all, size, .def = "64KB"),
	CONF_LIST(struct all, tags, .def = "[a, 'b c']"),
	CONF_JSON(struct all, any),
	CONF_STRMAP(struct all, env),
	CONF_MAP(struct all, limits, limits_items),
	CONF_DICT(struct all, users, user_items, struct user),
	CONF_ARRAY(struct all, routes, route_items, struct route),
	CONF_END,
};

static int decode(const char *text, struct all *out, struct err *err)
{
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	int rc;

	assert_non_null(json);
	*out = (struct all){0};
	rc = conf_decode(all_items, json, out, err);
	json_decref(json);
	return rc;
}

static void refuses(const char *text, const char *why)
{
	static const struct all zero;
	struct all out;
	struct err err = {{0}};

	assert_true(decode(text, &out, &err) < 0);
	assert_string_equal(err.text, why);
	assert_memory_equal(&out, &zero, sizeof(out));
}

static void every_type_reaches_its_field(void **state)
{
	struct all out;
	const struct user *users;
	const struct route *routes;

	(void)state;
	assert_int_equal(
		decode("{\"text\":\"t\",\"mode\":\"slow\",\"at\":\"@daily\",\"count\":3,"
		       "\"port\":8080,\"ratio\":2,\"on\":false,\"every\":1500,\"size\":10,"
		       "\"tags\":[\"x\",\"y\"],\"any\":{\"k\":[1,null]},\"env\":{\"A\":\"1\"},"
		       "\"limits\":{\"burst\":7,\"window\":100},"
		       "\"users\":{\"ann\":{\"role\":\"admin\"},\"bob\":{}},"
		       "\"routes\":[{\"path\":\"/a\",\"limits\":{}},{\"path\":\"/b\"}]}",
		       &out, NULL),
		0);
	assert_string_equal(out.text, "t");
	assert_string_equal(out.mode, "slow");
	assert_string_equal(out.at, "@daily");
	assert_int_equal(out.count, 3);
	assert_int_equal(out.port, 8080);
	assert_true(out.ratio == 2.0);
	assert_false(out.is_on);
	assert_int_equal(out.every, 1500);
	assert_int_equal(out.size, 10);
	assert_int_equal(out.tags.n, 2);
	assert_string_equal(out.tags.v[1], "y");
	assert_true(json_is_null(json_array_get(json_object_get(out.any, "k"), 1)));
	assert_string_equal(json_string_value(json_object_get(out.env, "A")), "1");
	assert_int_equal(out.limits.burst, 7);
	assert_int_equal(out.limits.window, 100);
	users = out.users.v;
	assert_int_equal(out.users.n, 2);
	assert_string_equal(users[0].name, "ann");
	assert_string_equal(users[0].role, "admin");
	assert_string_equal(users[1].role, "viewer");
	routes = out.routes.v;
	assert_int_equal(out.routes.n, 2);
	assert_string_equal(routes[1].path, "/b");
	assert_int_equal(routes[0].limits.burst, 5);
	assert_int_equal(routes[1].limits.burst, 0);
	conf_free(all_items, &out);
}

static void absent_options_take_their_defaults(void **state)
{
	struct all out;

	(void)state;
	assert_int_equal(decode("{\"count\":null}", &out, NULL), 0);
	assert_null(out.text);
	assert_string_equal(out.mode, "fast");
	assert_int_equal(out.count, 0);
	assert_int_equal(out.port, 80);
	assert_true(out.ratio == 0.5);
	assert_true(out.is_on);
	assert_int_equal(out.every, 90000);
	assert_int_equal(out.size, 65536);
	assert_int_equal(out.tags.n, 2);
	assert_string_equal(out.tags.v[1], "b c");
	assert_null(out.any);
	assert_int_equal(out.limits.burst, 0);
	assert_null(out.users.v);
	conf_free(all_items, &out);
	assert_null(out.mode);
	assert_int_equal(out.tags.n, 0);
}

static void one_text_reads_as_a_list_of_one(void **state)
{
	struct all out;

	(void)state;
	assert_int_equal(decode("{\"tags\":\"only\"}", &out, NULL), 0);
	assert_int_equal(out.tags.n, 1);
	assert_string_equal(out.tags.v[0], "only");
	conf_free(all_items, &out);
}

static void json_null_is_a_value_of_a_json_option(void **state)
{
	struct all out;

	(void)state;
	assert_int_equal(decode("{\"any\":null}", &out, NULL), 0);
	assert_true(json_is_null(out.any));
	conf_free(all_items, &out);
}

static void wrong_types_are_named(void **state)
{
	(void)state;
	refuses("{\"text\":1}", "text: expected text, found a number");
	refuses("{\"mode\":\"quick\"}", "mode: 'quick' is not one of fast|slow");
	refuses("{\"mode\":\"fast|slow\"}", "mode: 'fast|slow' is not one of fast|slow");
	refuses("{\"count\":\"3\"}", "count: expected a whole number, found text");
	refuses("{\"count\":1.5}", "count: expected a whole number, found a number");
	refuses("{\"ratio\":true}", "ratio: expected a number, found true or false");
	refuses("{\"on\":1}", "on: expected true or false, found a number");
	refuses("{\"every\":\"30s\"}", "every: expected milliseconds, a whole number, found text");
	refuses("{\"size\":{}}", "size: expected bytes, a whole number, found a mapping");
	refuses("{\"tags\":{}}", "tags: expected a list, found a mapping");
	refuses("{\"tags\":[\"a\",2]}", "tags: [1]: expected text, found a number");
	refuses("{\"env\":[]}", "env: expected a mapping, found a list");
	refuses("{\"env\":{\"A\":1}}", "env: A: expected text, found a number");
	refuses("{\"limits\":3}", "limits: expected a mapping, found a number");
	refuses("{\"limits\":{\"burst\":\"x\"}}",
		"limits: burst: expected a whole number, found text");
	refuses("{\"users\":{\"ann\":{\"role\":1}}}",
		"users: ann: role: expected text, found a number");
	refuses("{\"routes\":{}}", "routes: expected a list, found a mapping");
	refuses("{\"routes\":[{\"path\":\"/\"},{\"path\":2}]}",
		"routes: [1]: path: expected text, found a number");
}

static void values_out_of_range_are_refused(void **state)
{
	(void)state;
	refuses("{\"count\":11}", "count: 11 is not between 1 and 10");
	refuses("{\"port\":70000}", "port: 70000 is not between 1 and 65535");
	refuses("{\"limits\":{\"burst\":0}}", "limits: burst: 0 is less than 1");
	refuses("{\"text\":\"\"}", "text: must not be empty");
}

static void unknown_and_missing_options_are_refused(void **state)
{
	(void)state;
	refuses("{\"txt\":\"t\"}", "unknown option 'txt'");
	refuses("{\"text\":\"t\",\"routes\":[{}]}",
		"routes: [0]: required option 'path' is missing");
	refuses("[]", "expected a mapping, found a list");
}

static void type_names_go_both_ways(void **state)
{
	(void)state;
	for (enum conf_type t = CONF_T_STR; t <= CONF_T_ARRAY; t++)
		assert_int_equal(conf_type_from_name(conf_type_name(t)), t);
	assert_int_equal(conf_type_from_name("float"), CONF_T_END);
	assert_int_equal(conf_type_from_name(""), CONF_T_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_reaches_its_field),
		cmocka_unit_test(absent_options_take_their_defaults),
		cmocka_unit_test(one_text_reads_as_a_list_of_one),
		cmocka_unit_test(json_null_is_a_value_of_a_json_option),
		cmocka_unit_test(wrong_types_are_named),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(unknown_and_missing_options_are_refused),
		cmocka_unit_test(type_names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
