/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* stderr is a pipe of four pages for the length of a test. */
struct pipe_end {
	int reader, saved;
	char text[65536];
	char wanted[100];
};

static void begin(struct pipe_end *e)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(fds[0], F_SETPIPE_SZ, 16384), 16384);
	e->saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	e->reader = fds[0];
}

static const char *drain(struct pipe_end *e)
{
	ssize_t got = read(e->reader, e->text, sizeof(e->text) - 1);

	e->text[got < 0 ? 0 : got] = '\0';
	return e->text;
}

static void end(struct pipe_end *e)
{
	assert_int_equal(dup2(e->saved, STDERR_FILENO), STDERR_FILENO);
	close(e->saved);
	close(e->reader);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
		n++;
	return n;
}

static void test_a_line_has_time_level_program_and_fields(void **state)
{
	struct pipe_end e;

	(void)state;
	begin(&e);
	log_info("hello", KV_S("who", "a b"), KV_I("n", 3));
	(void)drain(&e);
	end(&e);
	assert_non_null(strstr(e.text, "Z info  test hello who=\"a b\" n=3\n"));
}

static void test_a_foreign_line_bears_its_own_name(void **state)
{
	struct pipe_end e;

	(void)state;
	begin(&e);
	log_foreign("web", 4, "careful");
	log_set_style(LOG_STYLE_PRIORITY);
	log_foreign("web", 3, "broken");
	log_warn("mine");
	log_set_style(LOG_STYLE_PLAIN);
	(void)drain(&e);
	end(&e);
	assert_non_null(strstr(e.text, "Z warn  web careful\n<3>web: broken\n<4>mine\n"));
}

/* Without log_never_wait the second round would hang for ever. */
static void test_a_stalled_reader_costs_lines_not_time(void **state)
{
	struct pipe_end e;
	uint64_t before = log_lost();
	size_t seen;

	(void)state;
	begin(&e);
	for (int i = 0; i < 1000; i++)
		log_info("filler", KV_I("i", i));
	seen = count(drain(&e), "filler");
	assert_true(seen > 0 && seen < 1000);
	assert_int_equal(log_lost() - before, 1000 - seen);
	log_info("afterwards");
	(void)drain(&e);
	end(&e);
	(void)snprintf(e.wanted, sizeof(e.wanted), "warn  test %zu lines lost: ", 1000 - seen);
	assert_non_null(strstr(e.text, e.wanted));
	assert_int_equal(count(e.text, "afterwards"), 1);
	assert_int_equal(log_lost() - before, 1000 - seen);
}

static void test_a_line_longer_than_the_room_is_torn_and_ended(void **state)
{
	struct pipe_end e;
	char *text = malloc(20001);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 20000);
	text[20000] = '\0';
	begin(&e);
	log_foreign("chatty", 6, text);
	assert_int_equal(strlen(drain(&e)), 16384);
	log_info("next");
	(void)drain(&e);
	end(&e);
	free(text);
	assert_int_equal(e.text[0], '\n');
	assert_non_null(strstr(e.text, " 1 lines lost: "));
	assert_non_null(strstr(e.text, " next\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_has_time_level_program_and_fields),
		cmocka_unit_test(test_a_foreign_line_bears_its_own_name),
		cmocka_unit_test(test_a_stalled_reader_costs_lines_not_time),
		cmocka_unit_test(test_a_line_longer_than_the_room_is_torn_and_ended),
	};

	(void)unsetenv("HALE_LOG_LEVEL");
	(void)unsetenv("HALE_SERVICE");
	(void)unsetenv("JOURNAL_STREAM");
	log_init("test");
	log_never_wait();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
