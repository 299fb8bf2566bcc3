/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "options.h"

struct fake_opts {
	int64_t port;
	char *name;
};

static const struct conf_item fake_items[] = {
	CONF_PORT(struct fake_opts, port, .flags = CONF_F_REQUIRED),
	CONF_STR(struct fake_opts, name),
	CONF_END,
};

static void fake_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct fake_opts *o = opts;

	if (o->name == NULL || *o->name != 'x')
		problem(ctx, "/name", "must begin with x");
	if (o->port == 13)
		problem(ctx, "/port", "unlucky");
}

const struct check_ops check_ops = {
	.kind = "fake",
	.items = fake_items,
	.opts_size = sizeof(struct fake_opts),
	.validate = fake_validate,
};

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(json);
	return json;
}

static void collect(void *ctx, const char *path, const char *message)
{
	str_addf(ctx, "%s: %s\n", path, message);
}

static void good_options_are_decoded(void **state)
{
	json_t *json = parse("{\"port\": 80, \"name\": \"xy\"}");
	struct fake_opts *o;
	void *opts = NULL;

	(void)state;
	assert_int_equal(options_decode(&check_ops, json, &opts, NULL), 0);
	o = opts;
	assert_int_equal(o->port, 80);
	assert_string_equal(o->name, "xy");
	conf_free(fake_items, opts);
	free(opts);
	json_decref(json);
}

static void what_the_table_refuses_is_an_error(void **state)
{
	json_t *json = parse("{\"port\": \"http\"}");
	struct err err = {0};
	void *opts = NULL;

	(void)state;
	assert_int_equal(options_decode(&check_ops, json, &opts, &err), -EINVAL);
	assert_non_null(strstr(err.text, "port"));
	assert_null(opts);
	json_decref(json);
}

static void what_the_kind_refuses_is_an_error_with_its_path(void **state)
{
	json_t *json = parse("{\"port\": 13}");
	struct err err = {0};
	void *opts = NULL;

	(void)state;
	assert_int_equal(options_decode(&check_ops, json, &opts, &err), -EINVAL);
	assert_string_equal(err.text, "/name: must begin with x");
	assert_null(opts);
	json_decref(json);
}

static void a_check_tells_every_problem_with_its_place(void **state)
{
	HALE_CLEANUP(str_done) struct str told = {0};
	json_t *json = parse("{\"port\": 13}");

	(void)state;
	options_check(&check_ops, json, "/components/4/options", collect, &told);
	assert_string_equal(str_text(&told), "/components/4/options/name: must begin with x\n"
					     "/components/4/options/port: unlucky\n");
	json_decref(json);
}

static void a_check_of_what_does_not_decode_stops_there(void **state)
{
	HALE_CLEANUP(str_done) struct str told = {0};

	(void)state;
	options_check(&check_ops, NULL, "/components/0/options", collect, &told);
	assert_true(str_starts(str_text(&told), "/components/0/options: "));
	assert_ptr_equal(strchr(str_text(&told), '\n'), told.data + told.len - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_options_are_decoded),
		cmocka_unit_test(what_the_table_refuses_is_an_error),
		cmocka_unit_test(what_the_kind_refuses_is_an_error_with_its_path),
		cmocka_unit_test(a_check_tells_every_problem_with_its_place),
		cmocka_unit_test(a_check_of_what_does_not_decode_stops_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
