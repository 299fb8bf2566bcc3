/* SPDX-License-Identifier: Apache-2.0 */
/* fake - processes of hale that answer what the test tells them, in a thread and directory of their
 * own, and the command line run against them
 *
 * Answers are given per process and method, in the order they were told; the last one stays. What
 * nobody told an answer for is answered as an unknown method would be.
 */
#ifndef HALE_TEST_CLI_FAKE_H
#define HALE_TEST_CLI_FAKE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli.h"

#define FAKE_NOW "2026-11-22T02:00:00.000Z"

struct fake;

/* cmocka's setup and teardown; the fixture is the fake. */
int fake_setup(void **state);
int fake_teardown(void **state);

/* All before the first fake_run. NULL where a test wants nobody to listen. */
void fake_answer(struct fake *f, const char *process, const char *method, const char *json);
void fake_refuse(struct fake *f, const char *process, const char *method, int code,
		 const char *message, const char *data_json);
const char *fake_dir(const struct fake *f);

/* "status -o json" and so on; the words are split at blanks. Returns the exit code. */
int fake_run(struct fake *f, const char *words);
/* With colour and a width, as on a terminal. */
int fake_run_on_terminal(struct fake *f, const char *words, size_t width);
/* What the last run wrote. */
const char *fake_out(const struct fake *f);
const char *fake_err(const struct fake *f);
/* The parameters of the last call of a method, as compact JSON with sorted keys; "" if never. */
const char *fake_asked(struct fake *f, const char *process, const char *method);
/* How the last run's output ends early: after so many writes, writing fails. 0: never. */
void fake_fail_output_after(struct fake *f, unsigned writes);

#define assert_run(f, words, code, out)                                                            \
	do {                                                                                       \
		int code_ = fake_run(f, words);                                                    \
		if (code_ != (code))                                                               \
			fail_msg("%s: exit code %d\n%s%s", words, code_, fake_out(f),              \
				 fake_err(f));                                                     \
		assert_string_equal(fake_out(f), out);                                             \
	} while (0)
#define assert_refused(f, words, code, message)                                                    \
	do {                                                                                       \
		int code_ = fake_run(f, words);                                                    \
		assert_string_equal(fake_err(f), message);                                         \
		assert_int_equal(code_, code);                                                     \
	} while (0)

#endif
