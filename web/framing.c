/* SPDX-License-Identifier: Apache-2.0 */
#include "framing.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Enough for any body there is, and far from overflow. */
#define LENGTH_DIGITS_MAX 18

static bool parse_length(const char *text, uint64_t *n_r)
{
	uint64_t n = 0;
	unsigned digits = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		n = n * 10 + (uint64_t)(*text - '0');
		if (++digits > LENGTH_DIGITS_MAX)
			return false;
	}
	*n_r = n;
	return digits > 0 && *text == '\0';
}

/* RFC 9110 section 5.6.2. Above all no blank: "Content-Length :" is a length to some parsers, and
 * an unknown header to others. */
static bool is_token(const char *name)
{
	static const char chars[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t len = strspn(name, chars);
	return len > 0 && name[len] == '\0';
}

void framing_header(struct framing *f, const char *name, const char *value)
{
	const char *v = value ? value : "";
	f->is_bad_name |= !is_token(name);
	if (!strcasecmp(name, "Content-Length")) {
		f->lengths++;
		f->is_bad_length |= !parse_length(v, &f->length);
	} else if (!strcasecmp(name, "Transfer-Encoding")) {
		f->encodings++;
		f->is_not_chunked |= strcasecmp(v, "chunked") != 0;
	} else if (!strcasecmp(name, "Host")) {
		f->hosts++;
	}
}

const char *framing_problem(const struct framing *f)
{
	if (f->is_bad_name)
		return "a header's name has a blank or another character it may not have";
	if (f->lengths > 1)
		return "more than one Content-Length";
	if (f->lengths && f->encodings)
		return "Content-Length and Transfer-Encoding in one request";
	if (f->encodings > 1 || f->is_not_chunked)
		return "Transfer-Encoding may only be chunked, once";
	if (f->is_bad_length)
		return "Content-Length is not a number";
	if (f->hosts > 1)
		return "more than one Host";
	return NULL;
}
