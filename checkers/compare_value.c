/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "timestamp.h"

/* ---- Rules ---- */

static bool parse_percent(const char *text, double *percent_r)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || strcmp(end, "%") != 0 || !(n >= 0 && n <= 100))
		return false;
	*percent_r = n;
	return true;
}

int compare_rule_parse(const char *text, struct compare_rule *rule_r, struct err *err)
{
	static const struct {
		const char *word;
		struct compare_rule rule;
	} words[] = {{"exact", {.how = COMPARE_AUTO}},
		     {"text", {.how = COMPARE_TEXT}},
		     {"number", {.how = COMPARE_NUMBER}},
		     {"time", {.how = COMPARE_TIME}}};
	struct compare_rule rule = {0};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i].word, text) == 0) {
			*rule_r = words[i].rule;
			return 0;
		}
	}
	if (decimal_parse(text, &rule.tolerance) && rule.tolerance.digits >= 0)
		rule.how = COMPARE_NUMBER;
	else if (parse_percent(text, &rule.percent))
		rule.how = COMPARE_PERCENT;
	else if (duration_parse(text, &rule.tolerance_ms) == 0)
		rule.how = COMPARE_TIME;
	else
		return err_set(err, -EINVAL,
			       "'%.40s' is none of exact, text, number, time, and no tolerance "
			       "like 0.01, 1%% or 2s",
			       text);
	*rule_r = rule;
	return 0;
}

/* ---- Values ---- */

static bool same_text(const struct cell *a, const struct cell *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool may_be_number(const struct cell *cell)
{
	return cell->type == CELL_NUMBER || cell->type == CELL_UNTYPED;
}

/* A number against what reads as one. Two texts are no numbers: "1.10" and "1.1" are versions. */
static bool are_numbers(const struct cell *a, const struct cell *b)
{
	return a->type == CELL_NUMBER || b->type == CELL_NUMBER ||
	       (may_be_number(a) && may_be_number(b));
}

static bool within(const struct cell *a, const struct cell *b, struct decimal tolerance)
{
	struct decimal x, y;

	return decimal_parse(a->text, &x) && decimal_parse(b->text, &y) &&
	       decimal_is_within(x, y, tolerance);
}

static bool within_percent(const struct cell *a, const struct cell *b, double percent)
{
	struct decimal ignored;
	long double x, y, limit;

	if (!decimal_parse(a->text, &ignored) || !decimal_parse(b->text, &ignored))
		return false;
	x = strtold(a->text, NULL);
	y = strtold(b->text, NULL);
	limit = fmaxl(fabsl(x), fabsl(y)) * (long double)percent / 100.0L;
	/* What is exactly at the limit is within, whatever binary makes of it. */
	return fabsl(x - y) <= limit * (1.0L + 1e-15L);
}

static bool same_time(const struct cell *a, const struct cell *b, int64_t tolerance_ms,
		      int (*parse)(const char *text, int64_t *ms_r))
{
	int64_t x, y;

	if (parse(a->text, &x) != 0 || parse(b->text, &y) != 0)
		return false;
	return (x > y ? x - y : y - x) <= tolerance_ms;
}

/* Databases spell a truth value in their own ways. -1: it is none. */
static int truth_of(const struct cell *cell)
{
	static const char *const words[][2] = {{"f", "t"}, {"false", "true"}, {"0", "1"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (int truth = 0; truth < 2; truth++)
			if (strcasecmp(cell->text, words[i][truth]) == 0)
				return truth;
	return -1;
}

static bool same_document(const struct cell *a, const struct cell *b)
{
	json_t *x, *y;
	bool is_same;

	if (strchr("{[", a->text[0]) == NULL || a->text[0] != b->text[0] || a->len == 0)
		return false;
	x = json_loadb(a->text, a->len, 0, NULL);
	y = json_loadb(b->text, b->len, 0, NULL);
	is_same = x != NULL && y != NULL && json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return is_same;
}

static bool same_by_kind(const struct cell *a, const struct cell *b)
{
	if (are_numbers(a, b) && within(a, b, (struct decimal){0}))
		return true;
	if (a->type == CELL_BOOL || b->type == CELL_BOOL)
		return truth_of(a) >= 0 && truth_of(a) == truth_of(b);
	return same_time(a, b, 0, timestamp_parse_text) || same_document(a, b);
}

bool compare_values(const struct compare_rule *rule, const struct cell *a, const struct cell *b)
{
	if (a->type == CELL_NULL || b->type == CELL_NULL)
		return a->type == b->type;
	if (same_text(a, b))
		return true;
	switch (rule->how) {
	case COMPARE_TEXT:
		return false;
	case COMPARE_NUMBER:
		return within(a, b, rule->tolerance);
	case COMPARE_PERCENT:
		return within_percent(a, b, rule->percent);
	case COMPARE_TIME:
		return same_time(a, b, rule->tolerance_ms, timestamp_parse);
	case COMPARE_AUTO:
		break;
	}
	return same_by_kind(a, b);
}

int cell_sign(const struct cell *cell)
{
	struct decimal d;

	if (cell->type == CELL_NULL || !decimal_parse(cell->text, &d))
		return 2;
	return (d.digits > 0) - (d.digits < 0);
}
