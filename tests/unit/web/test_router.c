/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "routes.h"

static const struct route table[] = {
	{"GET", "/health", ROLE_PUBLIC, 0, NULL, "a", NULL},
	{"GET", "/health/{component}", ROLE_VIEWER, ROUTE_DETAIL, NULL, "b", NULL},
	{"GET", "/health/history", ROLE_VIEWER, 0, NULL, "c", NULL},
	{"POST", "/x/{name}/stop", ROLE_OPERATOR, 0, NULL, "d", NULL},
	{"GET", "/x/{name}", ROLE_VIEWER, 0, NULL, "e", NULL},
	{"DELETE", "/x/{name}", ROLE_ADMIN, 0, NULL, "f", NULL},
	{0},
};

static const char *doc_of(const char *method, const char *path)
{
	static struct route_match m;
	switch (route_find(table, method, path, &m)) {
	case ROUTE_OK:
		return m.route->doc;
	case ROUTE_NO_METHOD:
		return "405";
	default:
		return "404";
	}
}

static void literal_segments_win_over_parameters(void **state)
{
	(void)state;
	assert_string_equal(doc_of("GET", "/health"), "a");
	assert_string_equal(doc_of("GET", "/health/database"), "b");
	assert_string_equal(doc_of("GET", "/health/history"), "c");
}

static void parameters_are_handed_over(void **state)
{
	(void)state;
	struct route_match m;
	assert_int_equal(route_find(table, "POST", "/x/check.http/stop", &m), ROUTE_OK);
	assert_string_equal(m.params[0], "check.http");
}

static void nothing_but_names_is_a_parameter(void **state)
{
	(void)state;
	static const char *const rows[] = {"/x/check.*", "/x/",     "/x/a%2fb", "/x/a b", "/x/a/b",
					   "/x/a?",      "/x/\x01", "/x/é",     "/x/a'"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(doc_of("GET", rows[i]), "404") != 0)
			fail_msg("'%s' matched", rows[i]);
	char path[ROUTE_PARAM_LEN_MAX + 10] = "/x/";
	memset(path + 3, 'a', ROUTE_PARAM_LEN_MAX);
	assert_string_equal(doc_of("GET", path), "e");
	path[3 + ROUTE_PARAM_LEN_MAX] = 'a';
	assert_string_equal(doc_of("GET", path), "404");
}

static void paths_match_whole_or_not_at_all(void **state)
{
	(void)state;
	static const char *const rows[] = {"",         "/",        "health",      "/healthy",
					   "/health/", "//health", "/health/a/b", "/x/a/stop/",
					   "*"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(doc_of("GET", rows[i]), "404") != 0)
			fail_msg("'%s' matched", rows[i]);
}

static void head_is_answered_where_get_is(void **state)
{
	(void)state;
	assert_string_equal(doc_of("HEAD", "/health"), "a");
	assert_string_equal(doc_of("HEAD", "/x/a/stop"), "405");
}

static void allow_lists_every_method_of_the_path(void **state)
{
	(void)state;
	struct str allow = {0};
	assert_string_equal(doc_of("PATCH", "/x/a"), "405");
	route_allow(table, "/x/a", &allow);
	assert_string_equal(str_text(&allow), "GET, HEAD, DELETE");
	str_done(&allow);
}

static void no_two_routes_answer_the_same_request(void **state)
{
	(void)state;
	for (const struct route *a = routes; a->method; a++) {
		assert_non_null(a->handle);
		assert_non_null(a->doc);
		for (const struct route *b = a + 1; b->method; b++)
			if (!strcmp(a->method, b->method) && !strcmp(a->pattern, b->pattern))
				fail_msg("%s %s is there twice", a->method, a->pattern);
	}
}

/* But for a job's ping: its token says who it is, and opens nothing else. */
static void whatever_changes_something_needs_an_operator(void **state)
{
	(void)state;
	for (const struct route *r = routes; r->method; r++)
		if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0 &&
		    strncmp(r->pattern, "/ping/{token}", 13) != 0 && r->role < ROLE_OPERATOR)
			fail_msg("%s %s is open to %s", r->method, r->pattern, role_name(r->role));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literal_segments_win_over_parameters),
		cmocka_unit_test(parameters_are_handed_over),
		cmocka_unit_test(nothing_but_names_is_a_parameter),
		cmocka_unit_test(paths_match_whole_or_not_at_all),
		cmocka_unit_test(head_is_answered_where_get_is),
		cmocka_unit_test(allow_lists_every_method_of_the_path),
		cmocka_unit_test(no_two_routes_answer_the_same_request),
		cmocka_unit_test(whatever_changes_something_needs_an_operator),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
