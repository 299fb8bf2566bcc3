/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/component.h"

static const struct {
	const char *name;
	enum read_what what;
} whats[] = {
	{"results", READ_RESULTS},
	{"transitions", READ_TRANSITIONS},
	{"events", READ_EVENTS},
	{"processes", READ_PROCESSES},
};

bool query_what_parse(const char *name, enum read_what *what_r)
{
	for (size_t i = 0; i < ARRAY_LEN(whats); i++) {
		if (str_eq(whats[i].name, name)) {
			*what_r = whats[i].what;
			return true;
		}
	}
	return false;
}

/* Digits with at most one point. strtod alone would take "nan", "1e9", " 1" and "0x10". */
static bool parse_decimal(const char *text, double *n_r)
{
	size_t len = strspn(text, "0123456789.");
	if (len == 0 || len > 12 || text[len] || !isdigit((unsigned char)text[0]))
		return false;
	char *end;
	*n_r = strtod(text, &end);
	return *end == '\0';
}

static int parse_range(const char *hours_text, int64_t now_ms, struct read_query *q,
		       struct err *err)
{
	double hours = QUERY_HOURS_DEFAULT;
	if (hours_text &&
	    (!parse_decimal(hours_text, &hours) || hours <= 0 || hours > QUERY_HOURS_MAX))
		return err_set(err, -EINVAL, "hours: a number above 0, at most %.0f",
			       QUERY_HOURS_MAX);
	q->from_ms = now_ms - (int64_t)(hours * 3600.0 * 1000.0);
	return 0;
}

static int parse_limit(const char *text, struct read_query *q, struct err *err)
{
	q->limit = READ_ROWS_DEFAULT;
	if (!text)
		return 0;
	double n;
	if (!parse_decimal(text, &n) || strchr(text, '.') || n < 1 || n > QUERY_LIMIT_MAX)
		return err_set(err, -EINVAL, "limit: a whole number from 1 to %d", QUERY_LIMIT_MAX);
	q->limit = (size_t)n;
	return 0;
}

static bool is_name(const char *text)
{
	size_t len = strlen(text);
	if (len == 0 || len > COMPONENT_ID_MAX)
		return false;
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) &&
		    !strchr("_.-", *text))
			return false;
	return true;
}

int query_parse(const struct query_text *text, enum read_what what, int64_t now_ms,
		struct read_query *q_r, struct err *err)
{
	struct read_query q = {.what = what};
	if (text->what && !query_what_parse(text->what, &q.what))
		return err_set(err, -EINVAL,
			       "what: one of results, transitions, events, processes");
	int rc = parse_range(text->hours, now_ms, &q, err);
	if (!rc)
		rc = parse_limit(text->limit, &q, err);
	if (rc)
		return rc;
	if (text->component && !is_name(text->component))
		return err_set(err, -EINVAL, "component: letters a-z, digits, and _ . -");
	if (text->cursor && (!*text->cursor || strlen(text->cursor) > QUERY_CURSOR_LEN_MAX))
		return err_set(err, -EINVAL, "cursor: the text of a former answer");
	q.name = text->component;
	q.cursor = text->cursor;
	*q_r = q;
	return 0;
}
