/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_out.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

#define REAL_DIGITS 15
#define INDENT      2

/* Words that YAML 1.1 readers take for something else than text. */
static const char *const words[] = {"true", "false", "yes", "no", "on",   "off",
				    "null", "~",     "y",   "n",  ".nan", ".inf"};

static bool is_word(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

/* "30s", "1h30m", "64MB": digits in front, yet nothing that YAML takes for a number (0xd is one).
 */
static bool is_quantity(const char *text)
{
	size_t len = strlen(text);

	return len > 1 && text[0] >= '0' && text[0] <= '9' &&
	       strspn(text, "0123456789smhdwKMGTiB") == len &&
	       strchr("smhdwB", text[len - 1]) != NULL;
}

/* Careful rather than complete: quotes too many do no harm. */
static bool is_plain(const char *text)
{
	size_t len = strlen(text);

	if (is_quantity(text))
		return true;
	if (len == 0 || is_word(text) ||
	    strchr("-?:,[]{}#&*!|>'\"%@`+.0123456789 ", text[0]) != NULL)
		return false;
	if (text[len - 1] == ' ' || text[len - 1] == ':')
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	return strstr(text, ": ") == NULL && strstr(text, " #") == NULL;
}

static void add_dumped(struct str *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS));

	text_add(out, text == NULL ? "null" : text);
	free(text);
}

/* A JSON string is a double-quoted YAML scalar. */
static void add_quoted(struct str *out, const char *text)
{
	json_t *value = json_string(text);

	add_dumped(out, value);
	json_decref(value);
}

static void add_text(struct str *out, const char *text)
{
	if (is_plain(text))
		text_add(out, text);
	else
		add_quoted(out, text);
}

static bool is_block(const json_t *v)
{
	return json_object_size(v) > 0 || json_array_size(v) > 0;
}

static void add_indent(struct str *out, size_t indent)
{
	while (indent-- > 0)
		str_addc(out, ' ');
}

static void add_block(struct str *out, const json_t *value, size_t indent, bool is_inline);

/* Behind a key or a dash: on this line if it fits there, else below. */
static void add_value(struct str *out, const json_t *value, size_t indent)
{
	if (is_block(value)) {
		str_addc(out, '\n');
		add_block(out, value, indent, false);
		return;
	}
	str_addc(out, ' ');
	if (json_is_string(value))
		add_text(out, json_string_value(value));
	else
		add_dumped(out, value);
	str_addc(out, '\n');
}

static void add_map(struct str *out, const json_t *map, size_t indent, bool is_inline)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)map, key, value) {
		add_indent(out, is_inline ? 0 : indent);
		is_inline = false;
		add_text(out, key);
		str_addc(out, ':');
		add_value(out, value, indent + INDENT);
	}
}

static void add_list(struct str *out, const json_t *list, size_t indent, bool is_inline)
{
	const json_t *value;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, value) {
		add_indent(out, is_inline ? 0 : indent);
		is_inline = false;
		str_addc(out, '-');
		if (is_block(value)) {
			str_addc(out, ' ');
			add_block(out, value, indent + INDENT, true);
		} else {
			add_value(out, value, indent);
		}
	}
}

/* is_inline: the first line's indent is already there ("- key: value"). */
static void add_block(struct str *out, const json_t *value, size_t indent, bool is_inline)
{
	if (json_is_object(value))
		add_map(out, value, indent, is_inline);
	else
		add_list(out, value, indent, is_inline);
}

void yaml_add(struct str *out, const json_t *value)
{
	if (is_block(value))
		add_block(out, value, 0, false);
	else if (json_is_string(value))
		add_text(out, json_string_value(value));
	else
		add_dumped(out, value);
	if (!is_block(value))
		str_addc(out, '\n');
}
