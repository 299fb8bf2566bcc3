/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/dialect.h"

static void expect(const char *sql, const char *sqlite, const char *postgres)
{
	struct str a = {0}, b = {0};

	dialect_write(DIALECT_SQLITE, sql, &a);
	dialect_write(DIALECT_POSTGRES, sql, &b);
	assert_string_equal(str_text(&a), sqlite);
	assert_string_equal(str_text(&b), postgres);
	str_done(&a);
	str_done(&b);
}

static void a_plain_statement_stays_as_it_is(void **state)
{
	(void)state;
	expect("", "", "");
	expect("SELECT count(*) FROM t WHERE a = $1", "SELECT count(*) FROM t WHERE a = $1",
	       "SELECT count(*) FROM t WHERE a = $1");
	expect("SELECT '{}' || x, {", "SELECT '{}' || x, {", "SELECT '{}' || x, {");
}

static void each_word_is_written_for_its_database(void **state)
{
	(void)state;
	expect("@ms{r.at}", "r.at", "(date_part('epoch', r.at) * 1000)::bigint");
	expect("@at{$1}", "$1", "to_timestamp(($1)::bigint / 1000.0)");
	expect("@json{v.details}, @jsonb{$2}", "v.details, $2", "(v.details)::text, ($2)::jsonb");
	expect("@greatest{a, $1}", "max(a, $1)", "greatest(a, $1)");
	expect("@least{a, $1}", "min(a, $1)", "least(a, $1)");
}

static void words_nest_and_stand_side_by_side(void **state)
{
	(void)state;
	expect("@ms{@greatest{a, @at{$1}}}+@ms{b}", "max(a, $1)+b",
	       "(date_part('epoch', greatest(a, to_timestamp(($1)::bigint / 1000.0))) * "
	       "1000)::bigint+(date_part('epoch', b) * 1000)::bigint");
}

static void what_is_quoted_stays(void **state)
{
	(void)state;
	expect("SELECT '@ms{x}', \"@no{\"", "SELECT '@ms{x}', \"@no{\"",
	       "SELECT '@ms{x}', \"@no{\"");
	expect("'it''s @at{'", "'it''s @at{'", "'it''s @at{'");
	expect("@json{x || '}'' {'}!", "x || '}'' {'!", "(x || '}'' {')::text!");
}

/* Aborts in a child, so that the mistake is seen and this program lives. */
static void expect_abort(const char *sql)
{
	struct str out = {0};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit none = {0, 0};

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)close(STDERR_FILENO);
		(void)signal(SIGABRT, SIG_DFL);
		dialect_write(DIALECT_SQLITE, sql, &out);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_mistake_of_ours_aborts(void **state)
{
	static const char *const bad[] = {"@nothing{x}", "@ms",  "@ms x", "@{x}", "a @> b",
					  "@ms{x",       "@ms{", "'open", "@m{x}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect_abort(bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_statement_stays_as_it_is),
		cmocka_unit_test(each_word_is_written_for_its_database),
		cmocka_unit_test(words_nest_and_stand_side_by_side),
		cmocka_unit_test(what_is_quoted_stays),
		cmocka_unit_test(a_mistake_of_ours_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
