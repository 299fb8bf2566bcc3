/* SPDX-License-Identifier: Apache-2.0 */
/* Times as people give them, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "period.h"

#define DAY INT64_C(86400000)

static const struct flag flags[] = {
	{"since", 's', FLAG_TEXT, "TIME", ""},
	{"from", 0, FLAG_TEXT, "TIME", ""},
	{"to", 0, FLAG_TEXT, "TIME", ""},
	{0},
};

static int64_t at(const char *text)
{
	int64_t ms = -1;

	assert_int_equal(clock_parse(text, &ms), 0);
	return ms;
}

/* The words are separated by ';', as times have blanks. */
static int read(const char *words, int64_t default_ms, struct period *p, struct str *told,
		struct err *err)
{
	const struct flag *const tables[] = {flags, NULL};
	int64_t now_ms = at("2026-11-22T02:00:00Z");
	char copy[128], *argv[8], *rest = NULL;
	struct args a = {0};
	int argc = 0, next = 0, rc;

	strcpy(copy, words);
	for (char *w = strtok_r(copy, ";", &rest); w != NULL; w = strtok_r(NULL, ";", &rest))
		argv[argc++] = w;
	assert_int_equal(args_parse(&a, tables, argc, argv, &next, false, err), 0);
	rc = period_of(&a, now_ms, default_ms, p, err);
	if (rc == 0)
		period_add(told, &a, p, now_ms);
	args_done(&a);
	return rc;
}

static void times_are_read_and_told(void **state)
{
	static const struct {
		const char *words;
		int64_t default_ms;
		const char *from, *to, *told;
	} cases[] = {
		{"", 0, NULL, NULL, "ever"},
		{"", DAY, "2026-11-21T02:00:00Z", NULL, "in the last 24h"},
		{"", 7 * DAY, "2026-11-15T02:00:00Z", NULL, "in the last 7d"},
		{"-s;90m", DAY, "2026-11-22T00:30:00Z", NULL, "in the last 90m"},
		{"--from;7d;--to;1d", DAY, "2026-11-15T02:00:00Z", "2026-11-21T02:00:00Z",
		 "from 2026-11-15 03:00:00 to 2026-11-21 03:00:00"},
		/* The default stands before --to. */
		{"--to;1d", DAY, "2026-11-20T02:00:00Z", "2026-11-21T02:00:00Z",
		 "from 2026-11-20 03:00:00 to 2026-11-21 03:00:00"},
		{"--to;now", 0, NULL, "2026-11-22T02:00:00Z", "before 2026-11-22 03:00:00"},
		/* Local, in the winter of Berlin; and in its summer. */
		{"-s;2026-11-22", 0, "2026-11-21T23:00:00Z", NULL, "since 2026-11-22 00:00:00"},
		{"-s;2026-07-01", 0, "2026-06-30T22:00:00Z", NULL, "since 2026-07-01 00:00:00"},
		{"-s;2026-11-22 01:30", 0, "2026-11-22T00:30:00Z", NULL,
		 "since 2026-11-22 01:30:00"},
		{"-s;2026-11-22T01:30:15", 0, "2026-11-22T00:30:15Z", NULL,
		 "since 2026-11-22 01:30:15"},
		{"-s;2026-11-22T01:30:15Z", 0, "2026-11-22T01:30:15Z", NULL,
		 "since 2026-11-22 02:30:15"},
		{"-s;2026-11-22T01:30:15.250+02:00", 0, "2026-11-21T23:30:15.250Z", NULL,
		 "since 2026-11-22 00:30:15"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		HALE_CLEANUP(str_done) struct str told = {0};
		struct err err = {0};
		struct period p;

		if (read(cases[i].words, cases[i].default_ms, &p, &told, &err) != 0)
			fail_msg("%s: %s", cases[i].words, err.text);
		assert_int_equal(p.from_ms, cases[i].from == NULL ? 0 : at(cases[i].from));
		assert_int_equal(p.to_ms, cases[i].to == NULL ? 0 : at(cases[i].to));
		assert_string_equal(str_text(&told), cases[i].told);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const struct {
		const char *words, *why;
	} cases[] = {
		{"-s;yesterday", "--since: 'yesterday' is no time"},
		{"--to;2026-02-31", "--to: '2026-02-31' is no time"},
		{"--from;2026-13-01", "--from: '2026-13-01' is no time"},
		{"--from;5", "--from: '5' is no time"},
		{"--from;-5m", "--from: '-5m' is no time"},
		{"--from;2026-11-22 01:30 Uhr", "is no time"},
		{"--from;1d;--since;1d", "--since and --from say the same"},
		{"--from;1d;--to;2d", "--to: the time ends before it begins"},
		{"--from;1d;--to;1d", "--to: the time ends before it begins"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		HALE_CLEANUP(str_done) struct str told = {0};
		struct err err = {0};
		struct period p;

		if (read(cases[i].words, 0, &p, &told, &err) == 0 ||
		    strstr(err.text, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].words, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_and_told),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	(void)setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return cmocka_run_group_tests_name("cli.period", tests, NULL, NULL);
}
