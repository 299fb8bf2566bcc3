/* SPDX-License-Identifier: Apache-2.0 */
#include "http_headers.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"

bool http_is_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (!isalnum((unsigned char)*text) && strchr("!#$%&'*+-.^_`|~", *text) == NULL)
			return false;
	}
	return true;
}

bool http_is_header_value(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text) && *text != '\t')
			return false;
	}
	return true;
}

bool http_is_idempotent(const char *method)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};

	for (size_t i = 0; method != NULL && i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i], method) == 0)
			return true;
	}
	return method == NULL;
}

/* Values are bytes; JSON text is UTF-8. */
static json_t *value_text(char *value, size_t len)
{
	json_t *text = json_stringn(value, len);

	if (text != NULL)
		return text;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] >= 0x80)
			value[i] = '?';
	}
	return json_stringn(value, len);
}

/* Takes `text`; NULL: there is no room for it. */
static json_t *join(const json_t *before, json_t *text)
{
	json_t *joined = NULL;

	if (json_string_length(before) + strlen(", ") + json_string_length(text) <=
	    HTTP_HEADER_JOINED_MAX)
		joined = json_sprintf("%s, %s", json_string_value(before), json_string_value(text));
	json_decref(text);
	return joined;
}

void http_headers_add(json_t *headers, char *name, size_t name_len, char *value, size_t value_len)
{
	json_t *text;
	const json_t *before;

	for (size_t i = 0; i < name_len; i++) {
		name[i] = (char)tolower((unsigned char)name[i]);
		if (name[i] == '\0')
			return;
	}
	for (; value_len > 0 && (*value == ' ' || *value == '\t'); value_len--)
		value++;
	while (value_len > 0 && isspace((unsigned char)value[value_len - 1]))
		value_len--;
	text = value_text(value, value_len);
	before = json_object_getn(headers, name, name_len);
	if (before != NULL)
		text = join(before, text);
	if (text != NULL)
		(void)json_object_setn_new(headers, name, name_len, text);
}
