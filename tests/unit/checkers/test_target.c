/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/cleanup.h"
#include "target.h"

static void check_name(const char *text, const char *name)
{
	char buf[TARGET_NAME_MAX];
	struct target t;

	if (!target_parse(text, &t))
		fail_msg("%s names no host", text);
	assert_string_equal(target_name(&t, buf), name);
}

static void hosts_are_found_in_all_forms(void **state)
{
	(void)state;
	check_name("http://example.org/health?a=b", "example.org:http");
	check_name("https://u:p@example.org:8443", "example.org:8443");
	check_name("postgres://hale@[::1]:5432/shop", "::1:5432");
	check_name("https://[2001:db8::1]/", "2001:db8::1:https");
	check_name("127.0.0.1:6379", "127.0.0.1:6379");
	check_name("[::1]:25", "::1:25");
	check_name("2001:db8::1", "2001:db8::1:");
	check_name("mail.example.org", "mail.example.org:");
	check_name("host=db.example.org port=5433 dbname=shop", "db.example.org:5433");
	check_name("dbname=shop hostaddr=10.0.0.7 host=db", "10.0.0.7:");
	check_name("dbname=shop host='db one'", "db:");
}

static void what_names_no_host_is_none(void **state)
{
	static const char *const texts[] = {
		"",        "/run/redis.sock", "dbname=shop", "host=/run/postgresql dbname=a",
		"http://", "http:///x",       "[::1",        ":80",
	};
	struct target t;

	(void)state;
	assert_false(target_parse(NULL, &t));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (target_parse(texts[i], &t))
			fail_msg("'%s' names %s", texts[i], t.host);
	}
}

static void a_name_that_is_too_long_is_none(void **state)
{
	char text[400];
	struct target t;

	(void)state;
	snprintf(text, sizeof(text), "http://%0300d/", 7);
	assert_false(target_parse(text, &t));
}

static void check_local(const char *text, bool is_local)
{
	struct target t;

	assert_true(target_parse(text, &t));
	assert_int_equal(target_is_local(&t), is_local);
}

static void this_host_is_known(void **state)
{
	(void)state;
	check_local("http://127.0.0.1:5051/", true);
	check_local("127.8.8.8:1", true);
	check_local("http://LOCALHOST/", true);
	check_local("a.localhost:80", true);
	check_local("[::1]:80", true);
	check_local("localhost.example.org:80", false);
	check_local("10.0.0.1:80", false);
}

/* ---- Among options ---- */

struct inner {
	char *dsn;
	char *address;
};

static const struct conf_item inner_items[] = {
	CONF_STR(struct inner, dsn, .flags = CONF_F_CONNECT),
	CONF_END,
};

static const struct conf_item items[] = {
	CONF_STR(struct inner, dsn),
	CONF_MAP(struct inner, dsn, inner_items, .name = "postgres"),
	CONF_STR(struct inner, address, .flags = CONF_F_CONNECT),
	CONF_STR(struct inner, address, .name = "watched", .flags = CONF_F_TARGET),
	CONF_STR(struct inner, address, .name = "file", .flags = CONF_F_TARGET | CONF_F_READ_FILE),
	CONF_END,
};

static void check_options(const char *json, const char *name)
{
	json_t *options = json_loads(json, 0, NULL);
	char buf[TARGET_NAME_MAX];
	struct target t;
	bool is_there = target_of_options(items, options, &t);

	if (name == NULL)
		assert_false(is_there);
	else if (!is_there)
		fail_msg("%s names no host", json);
	else
		assert_string_equal(target_name(&t, buf), name);
	json_decref(options);
}

static void the_option_that_names_a_target_tells_it(void **state)
{
	(void)state;
	check_options("{\"dsn\": \"host=not.this\"}", NULL);
	check_options("{\"postgres\": {\"dsn\": \"host=a port=1\"}}", "a:1");
	check_options("{\"address\": \"b:2\"}", "b:2");
	check_options("{\"watched\": \"http://c/\"}", "c:http");
	check_options("{\"watched\": \"nginx.service\"}", NULL);
	check_options("{\"file\": \"a:1\"}", NULL);
	check_options("{\"address\": [\"b:2\", \"c:3\"]}", "b:2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_found_in_all_forms),
		cmocka_unit_test(what_names_no_host_is_none),
		cmocka_unit_test(a_name_that_is_too_long_is_none),
		cmocka_unit_test(this_host_is_known),
		cmocka_unit_test(the_option_that_names_a_target_tells_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
