/* SPDX-License-Identifier: Apache-2.0 */
/* Names, globs and groups of processes, and the order in which all are taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "process_names.h"

#include "base/str.h"

static const char status_text[] =
	"{\"processes\": ["
	" {\"name\": \"check.http\", \"stop_stage\": 1, \"enabled\": true},"
	" {\"name\": \"check.sql\", \"stop_stage\": 1},"
	" {\"name\": \"recorder\", \"stop_stage\": 4},"
	" {\"name\": \"off\", \"stop_stage\": 0, \"enabled\": false},"
	" {\"name\": \"bot\", \"stop_stage\": 1},"
	" {\"name\": \"web\", \"stop_stage\": 0}],"
	" \"components\": ["
	" {\"id\": \"api\", \"kind\": \"http\", \"process\": \"check.http\"},"
	" {\"id\": \"eu\", \"kind\": \"group\"},"
	" {\"id\": \"hale.web\", \"kind\": \"process\", \"process\": \"haled\"},"
	" {\"id\": \"program.bot\", \"kind\": \"program\", \"process\": \"haled\"}]}";

static char *dumped(json_t *names)
{
	char *text = names == NULL ? NULL : json_dumps(names, JSON_COMPACT);

	json_decref(names);
	return text;
}

static void words_mean_processes(void **state)
{
	static const struct {
		const char *words[3];
		const char *names; /* NULL: refused with… */
		const char *why;
	} rows[] = {
		{{"web"}, "[\"web\"]", NULL},
		{{"check.*"}, "[\"check.http\",\"check.sql\"]", NULL},
		{{"checkers"}, "[\"check.http\",\"check.sql\"]", NULL},
		{{"programs"}, "[\"bot\"]", NULL},
		{{"hale"}, "[\"check.http\",\"check.sql\",\"recorder\",\"off\",\"web\"]", NULL},
		{{"hale.web"}, "[\"web\"]", NULL},
		{{"program.bot"}, "[\"bot\"]", NULL},
		{{"check.sql", "checkers", "web"}, "[\"check.sql\",\"check.http\",\"web\"]", NULL},
		{{"wbe"}, "[\"wbe\"]", NULL}, /* haled refuses it, with a suggestion */
		{{"x*"}, "[\"x*\"]", NULL},
		{{"api"},
		 NULL,
		 "api is no process but a component, which check.http checks (say: hale restart "
		 "check.http, or hale check api)"},
		{{"eu"}, NULL, "eu is no process but a component (see: hale show eu)"},
	};
	json_t *status = json_loads(status_text, 0, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strlist words = {0};
		struct err err = {0};
		char *names;

		for (size_t w = 0; w < 3 && rows[i].words[w] != NULL; w++)
			strlist_add(&words, rows[i].words[w]);
		names = dumped(process_names_expand(status, &words, &err));
		if (rows[i].names != NULL)
			assert_string_equal(names, rows[i].names);
		else
			assert_null(names);
		if (rows[i].why != NULL)
			assert_string_equal(err.text, rows[i].why);
		free(names);
		strlist_done(&words);
	}
	json_decref(status);
}

static void a_process_named_like_a_group_comes_first(void **state)
{
	json_t *status = json_loads("{\"processes\": [{\"name\": \"programs\"}]}", 0, NULL);
	struct strlist words = {0};
	char *names;

	(void)state;
	strlist_add(&words, "programs");
	names = dumped(process_names_expand(status, &words, NULL));
	assert_string_equal(names, "[\"programs\"]");
	free(names);
	strlist_done(&words);
	json_decref(status);
}

static void a_group_without_members_is_refused(void **state)
{
	json_t *status = json_loads("{\"processes\": [{\"name\": \"web\"}]}", 0, NULL);
	struct strlist words = {0};
	struct err err = {0};

	(void)state;
	strlist_add(&words, "checkers");
	assert_null(process_names_expand(status, &words, &err));
	assert_string_equal(err.text, "there are no checkers here (see: hale status)");
	strlist_done(&words);
	json_decref(status);
}

static void all_are_taken_in_the_order_of_stopping(void **state)
{
	json_t *status = json_loads(status_text, 0, NULL);
	char *names = dumped(process_names_all(status, false));

	(void)state;
	assert_string_equal(names, "[\"web\",\"check.http\",\"check.sql\",\"bot\",\"recorder\"]");
	free(names);
	names = dumped(process_names_all(status, true));
	assert_string_equal(names, "[\"recorder\",\"bot\",\"check.sql\",\"check.http\",\"web\"]");
	free(names);
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_mean_processes),
		cmocka_unit_test(a_process_named_like_a_group_comes_first),
		cmocka_unit_test(a_group_without_members_is_refused),
		cmocka_unit_test(all_are_taken_in_the_order_of_stopping),
	};

	return cmocka_run_group_tests_name("cli.process_names", tests, NULL, NULL);
}
