/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "auth.h"
#include "base/strlist.h"

static struct web_options options_of(const char *json)
{
	struct web_options o = {0};
	struct err err = {0};
	json_t *section = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(section);
	if (web_options_load(section, &o, &err))
		fail_msg("%s", err.text);
	json_decref(section);
	return o;
}

static void refused(const char *json, const char *why)
{
	struct web_options o;
	struct err err = {0};
	json_t *section = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(section);
	assert_true(web_options_load(section, &o, &err) < 0);
	json_decref(section);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void without_a_section_it_serves_loopback_readable_by_the_machine(void **state)
{
	(void)state;
	struct web_options o;
	struct err err;
	assert_int_equal(web_options_load(NULL, &o, &err), 0);
	const struct web_listen *l = o.listen.v;
	assert_int_equal(o.listen.n, 1);
	assert_string_equal(l->address, "127.0.0.1:5051");
	assert_true(l->public_details);
	assert_string_equal(o.metrics_prefix, "hale");
	assert_string_equal(o.degraded_status, "503");
	web_options_done(&o);
}

static void a_prefix_that_is_no_metric_name_is_refused(void **state)
{
	(void)state;
	refused("{\"metrics_prefix\": \"my-app\"}", "metrics_prefix");
	refused("{\"metrics_prefix\": \"9lives\"}", "metrics_prefix");
}

static void an_address_that_cannot_be_is_refused_with_its_place(void **state)
{
	(void)state;
	refused("{\"listen\": [{\"address\": \"127.0.0.1:1\"}, {\"address\": \"nowhere\"}]}",
		"web.listen[1].address");
}

static void two_tokens_that_are_one_are_refused(void **state)
{
	(void)state;
	refused("{\"tokens\": [{\"name\": \"a\", \"token\": \"x\"}, {\"name\": \"b\", \"token\": "
		"\"x\"}]}",
		"'a' and 'b'");
}

static const char three[] =
	"{\"tokens\": [{\"name\": \"wall\", \"token\": \"view-me\", \"role\": \"viewer\"},"
	"{\"name\": \"ops\", \"token\": \"operate-me\", \"role\": \"operator\"},"
	"{\"name\": \"root\", \"token\": \"admin-me\", \"role\": \"admin\"}]}";

static void each_token_has_its_role_and_name(void **state)
{
	(void)state;
	struct web_options o = options_of(three);
	const char *name = NULL;
	assert_int_equal(auth_token(&o, "view-me", &name), ROLE_VIEWER);
	assert_string_equal(name, "wall");
	assert_int_equal(auth_token(&o, "operate-me", &name), ROLE_OPERATOR);
	assert_string_equal(name, "ops");
	assert_int_equal(auth_token(&o, "admin-me", &name), ROLE_ADMIN);
	web_options_done(&o);
}

static void near_misses_are_nobody(void **state)
{
	(void)state;
	struct web_options o = options_of(three);
	char longer[AUTH_TOKEN_MAX + 2];
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	const char *const wrong[] = {"", "view-m", "view-me ", "VIEW-ME", "view-mee", longer, NULL};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(auth_token(&o, wrong[i], NULL), ROLE_PUBLIC);
	web_options_done(&o);
}

static void bearer_is_read_whatever_its_case(void **state)
{
	(void)state;
	assert_string_equal(auth_bearer("Bearer abc"), "abc");
	assert_string_equal(auth_bearer("bearer   abc"), "abc");
	assert_null(auth_bearer("Basic abc"));
	assert_null(auth_bearer("Bearer "));
	assert_null(auth_bearer(NULL));
}

static void roles_rise_from_viewer_to_admin(void **state)
{
	(void)state;
	assert_true(ROLE_PUBLIC < ROLE_VIEWER);
	assert_true(ROLE_VIEWER < ROLE_OPERATOR);
	assert_true(ROLE_OPERATOR < ROLE_ADMIN);
	assert_string_equal(role_name(ROLE_OPERATOR), "operator");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_section_it_serves_loopback_readable_by_the_machine),
		cmocka_unit_test(a_prefix_that_is_no_metric_name_is_refused),
		cmocka_unit_test(an_address_that_cannot_be_is_refused_with_its_place),
		cmocka_unit_test(two_tokens_that_are_one_are_refused),
		cmocka_unit_test(each_token_has_its_role_and_name),
		cmocka_unit_test(near_misses_are_nobody),
		cmocka_unit_test(bearer_is_read_whatever_its_case),
		cmocka_unit_test(roles_rise_from_viewer_to_admin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
