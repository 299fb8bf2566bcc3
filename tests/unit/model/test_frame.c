/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/frame.h"

static void what_is_formatted_is_parsed(void **state)
{
	static const char lines[] = "{\"a\":1}\n{\"b\":2}\n\n";
	HALE_CLEANUP(str_done) struct str out = {0};
	struct frame f;
	size_t cursor = 0, len;
	const char *line;

	(void)state;
	frame_format(&out, TOPIC_HEALTH, "check.http:3", 18446744073709551000u, 3, lines,
		     sizeof(lines) - 1);
	assert_true(str_starts(out.data, "health check.http:3 18446744073709551000 3\n"));
	assert_int_equal(frame_parse(out.data, out.len, &f), 0);
	assert_string_equal(f.topic, "health");
	assert_string_equal(f.epoch, "check.http:3");
	assert_true(f.first_seq == 18446744073709551000u);
	assert_int_equal(f.count, 3);
	assert_true(frame_line(&f, &cursor, &line, &len));
	assert_memory_equal(line, "{\"a\":1}", len);
	assert_true(frame_line(&f, &cursor, &line, &len));
	assert_memory_equal(line, "{\"b\":2}", len);
	assert_true(frame_line(&f, &cursor, &line, &len));
	assert_int_equal(len, 0);
	assert_false(frame_line(&f, &cursor, &line, &len));
}

static void what_is_no_frame_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"health",
		"health e 1 0",
		"health e 1\n",
		"health e 1 \n",
		"health e 1 0 \n",
		" health e 1 0\n",
		"health  e 1 0\n",
		"health e -1 0\n",
		"health e +1 0\n",
		"health e 0x1 0\n",
		"health e 1 1\n",
		"health e 1 0\n{}\n",
		"health e 1 2\n{}\n",
		"health e 1 1\n{}",
		"Health e 1 0\n",
		"health e\t1 1 0\n",
		"health e 1 0\r\n",
		"health e 18446744073709551616 0\n",
		"health e 18446744073709551615 1\n{}\n",
		"health e 1 4294967296\n",
		"a234567890123456789012345678901234 e 1 0\n",
		"health e234567890123456789012345678901234567890123456789012345678901234 1 0\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frame f = {.count = 42};

		if (frame_parse(bad[i], strlen(bad[i]), &f) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
		assert_int_equal(f.count, 42);
	}
}

static void a_later_version_is_told_from_garbage(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} table[] = {
		{"health e 7 2 v2\n", -EPROTONOSUPPORT},
		{"health e 7 2 v2\nwhatever it has", -EPROTONOSUPPORT},
		{"health e 7 2 v31 zstd 99\n\1\2\3", -EPROTONOSUPPORT},
		{"health e 7 2 v1\n{}\n{}\n", 0}, /* what four words mean, said aloud */
		{"health e 7 2 v1 more\n{}\n{}\n", -EINVAL},
		{"health e 7 2 v0\n{}\n{}\n", -EINVAL},
		{"health e 7 2 v\n{}\n{}\n", -EINVAL},
		{"health e 7 2 2\n{}\n{}\n", -EINVAL},
		{"health e 7 2 v2x\n", -EINVAL},
		{"health e 7 2 v99999999999\n", -EINVAL},
		{"health e x 2 v2\n", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct frame f = {0};

		if (frame_parse(table[i].text, strlen(table[i].text), &f) != table[i].rc)
			fail_msg("\"%s\"", table[i].text);
		if (table[i].rc == -EINVAL)
			continue;
		assert_string_equal(f.topic, "health");
		assert_string_equal(f.epoch, "e");
		assert_int_equal(f.first_seq, 7);
		assert_int_equal(f.count, 2);
		assert_true(table[i].rc == 0 || f.lines_len == 0);
	}
}

static void the_longest_names_fit(void **state)
{
	static const char text[] =
		"t234567890123456789012345678901 "
		"e23456789012345678901234567890123456789012345678901234567890123 0 0\n";
	char cut[sizeof(text)];
	struct frame f;

	(void)state;
	memcpy(cut, text, sizeof(text));
	assert_int_equal(frame_parse(cut, sizeof(text) - 1, &f), 0);
	assert_int_equal(strlen(f.topic), FRAME_TOPIC_MAX - 1);
	assert_int_equal(strlen(f.epoch), FRAME_EPOCH_MAX - 1);
}

static void a_frame_over_the_bound_is_refused(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	char *lines = mem_alloc(FRAME_MAX_BYTES);
	struct frame f;

	(void)state;
	memset(lines, ' ', FRAME_MAX_BYTES);
	lines[FRAME_MAX_BYTES - 1] = '\n';
	frame_format(&out, TOPIC_EVENT, "e", 1, 1, lines, FRAME_MAX_BYTES);
	assert_int_equal(frame_parse(out.data, out.len, &f), -EINVAL);
	free(lines);
}

/* Each mutant lies in its own allocation, so that ASan sees a read beyond it. */
static void mutants_are_refused_or_whole(void **state)
{
	static const char good[] = "observation check.http:7 1041 3\n"
				   "{\"component\":\"a\"}\n{\"component\":\"b\"}\n{}\n";
	size_t accepted = 0;

	(void)state;
	srandom(9);
	for (int i = 0; i < 100000; i++) {
		size_t len = sizeof(good) - 1;
		char *data;
		struct frame f;

		if (random() % 4 == 0)
			len = (size_t)random() % len;
		data = malloc(len + 1);
		assert_non_null(data);
		memcpy(data, good, len);
		for (long n = random() % 4; n > 0 && len > 0; n--)
			data[(size_t)random() % HALE_MIN(len, (size_t)40)] = (char)random();
		data = realloc(data, len > 0 ? len : 1);
		assert_non_null(data);
		if (frame_parse(data, len, &f) == 0) {
			size_t cursor = 0, n = 0, line_len;
			const char *line;

			while (frame_line(&f, &cursor, &line, &line_len)) {
				assert_true(line >= data && line + line_len < data + len);
				assert_null(memchr(line, '\n', line_len));
				n++;
			}
			assert_int_equal(n, f.count);
			accepted++;
		}
		free(data);
	}
	/* The mutation must leave some frames valid, or the walk above tested nothing. */
	assert_in_range(accepted, 1000, 99000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_formatted_is_parsed),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(a_later_version_is_told_from_garbage),
		cmocka_unit_test(the_longest_names_fit),
		cmocka_unit_test(a_frame_over_the_bound_is_refused),
		cmocka_unit_test(mutants_are_refused_or_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
