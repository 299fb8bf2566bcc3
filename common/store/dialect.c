/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect.h"

#include <ctype.h>
#include <string.h>

/* What stands around the expression in each database. */
struct word {
	const char *name;
	struct {
		const char *before, *after;
	} by[2];
};

/* to_timestamp() takes a double, whose microseconds are exact until the year 2255; date_part()
 * gives one, which is several times quicker than extract()'s numeric. */
static const struct word words[] = {
	{"ms", {{"", ""}, {"(date_part('epoch', ", ") * 1000)::bigint"}}},
	{"at", {{"", ""}, {"to_timestamp((", ")::bigint / 1000.0)"}}},
	{"json", {{"", ""}, {"(", ")::text"}}},
	{"jsonb", {{"", ""}, {"(", ")::jsonb"}}},
	{"greatest", {{"max(", ")"}, {"greatest(", ")"}}},
	{"least", {{"min(", ")"}, {"least(", ")"}}},
};

static const struct word *word_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].name) == len && memcmp(words[i].name, name, len) == 0)
			return &words[i];
	return NULL;
}

/* The end of the quoted text that begins at p. A doubled quote begins another one at once, which
 * comes to the same. */
static const char *quote_end(const char *p, const char *end)
{
	const char *close = memchr(p + 1, *p, (size_t)(end - p) - 1);

	HALE_ASSERT(close != NULL);
	return close + 1;
}

static bool is_quote(char c)
{
	return c == '\'' || c == '"';
}

/* p stands behind an opening brace: where the one is that closes it. */
static const char *brace_end(const char *p, const char *end)
{
	size_t depth = 1;

	while (p < end) {
		if (is_quote(*p)) {
			p = quote_end(p, end);
			continue;
		}
		if (*p == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p;
		p++;
	}
	HALE_ASSERT(!"a brace that is not closed");
	return end;
}

static void write_part(enum dialect d, const char *p, const char *end, struct str *out);

/* p stands on the @; returns where it goes on. */
static const char *write_word(enum dialect d, const char *p, const char *end, struct str *out)
{
	const char *name = p + 1, *open = name, *close;
	const struct word *word;

	while (open < end && islower((unsigned char)*open))
		open++;
	word = word_of(name, (size_t)(open - name));
	HALE_ASSERT(word != NULL && open < end && *open == '{');
	close = brace_end(open + 1, end);
	str_add(out, word->by[d].before);
	write_part(d, open + 1, close, out);
	str_add(out, word->by[d].after);
	return close + 1;
}

static void write_part(enum dialect d, const char *p, const char *end, struct str *out)
{
	const char *next;

	while (p < end) {
		if (is_quote(*p)) {
			next = quote_end(p, end);
			str_addn(out, p, (size_t)(next - p));
			p = next;
		} else if (*p == '@') {
			p = write_word(d, p, end, out);
		} else {
			str_addc(out, *p++);
		}
	}
}

void dialect_write(enum dialect d, const char *sql, struct str *out)
{
	write_part(d, sql, sql + strlen(sql), out);
}
