/* SPDX-License-Identifier: Apache-2.0 */
#include "framing.h"

#include <stddef.h>
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

void framing_header(struct framing *f, const char *name, const char *value)
{
	const char *v = value ? value : "";
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
