/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text: what jansson takes is taken, and nothing else, and read as the same. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jtext.h"

#define SAME_MAX    256
#define LONG_NUMBER 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_nested(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '[' || text[i] == '{';
	return n;
}

/* Longer than anybody writes them; what they are is left to jansson. */
static bool has_long_number(const char *text, size_t len)
{
	size_t run = 0;

	for (size_t i = 0; i < len && run < LONG_NUMBER; i++)
		run = strchr("0123456789+-.eE", text[i]) != NULL && text[i] != '\0' ? run + 1 : 0;
	return run == LONG_NUMBER;
}

static void compare_strings(struct jtext value, const json_t *expected)
{
	char buf[SAME_MAX];

	if (!json_is_string(expected) || json_string_length(expected) >= sizeof(buf) ||
	    strlen(json_string_value(expected)) < json_string_length(expected))
		return;
	if (!jtext_string(value, buf, sizeof(buf)) || strcmp(buf, json_string_value(expected)) != 0)
		abort();
}

static void compare(struct jtext v, const json_t *expected)
{
	struct jtext name, value;
	size_t n = 0;
	double number;

	compare_strings(v, expected);
	if (json_is_number(expected) && v.len < 40 &&
	    (!jtext_number(v, &number) || number - json_number_value(expected) != 0))
		abort();
	for (size_t at = 0; jtext_next(v, &at, &name, &value); n++) {
		char key[SAME_MAX];
		struct jtext quoted = {name.text - 1, name.len + 2};
		const json_t *member;

		if (!jtext_string(quoted, key, sizeof(key)))
			continue;
		member = json_object_get(expected, key);
		if (member == NULL)
			abort();
		compare_strings(value, member);
	}
	if (json_is_object(expected) && n < json_object_size(expected))
		abort();
}

/* Text that is none must not lead out of it. */
static void walk(struct jtext v)
{
	struct jtext name, value;
	char buf[SAME_MAX];
	double number;

	(void)jtext_string(v, buf, sizeof(buf));
	(void)jtext_number(v, &number);
	for (size_t at = 0; jtext_next(v, &at, &name, &value);) {
		(void)jtext_string((struct jtext){name.text - 1, name.len + 2}, buf, sizeof(buf));
		(void)jtext_string(value, buf, sizeof(buf));
		(void)jtext_number(value, &number);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	json_t *expected = json_loadb(text, size, JSON_DECODE_ANY, NULL);
	struct jtext v;
	bool is_json = jtext_check(text, size, &v);

	if (expected == NULL && is_json)
		abort();
	/* A NUL behind a value is the end to jansson, wherever the text ends. */
	if (expected != NULL && !is_json && count_nested(text, size) <= JTEXT_DEPTH_MAX &&
	    !has_long_number(text, size) && memchr(text, '\0', size) == NULL)
		abort();
	json_decref(expected);
	expected = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (expected != NULL && is_json)
		compare(v, expected);
	walk((struct jtext){text, size});
	json_decref(expected);
	return 0;
}
