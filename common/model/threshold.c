/* SPDX-License-Identifier: Apache-2.0 */
#include "model/threshold.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Whole numbers below this are written without an exponent. */
#define WHOLE_MAX 1e15

/* Longest first, so that ">=" is not read as ">" and a stray "=". */
static const struct op_row {
	const char *text;
	enum threshold_op op;
} ops[] = {
	{">=", OP_GE}, {"<=", OP_LE}, {"==", OP_EQ}, {"!=", OP_NE}, {">", OP_GT}, {"<", OP_LT},
};

static const char *op_text(enum threshold_op op)
{
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (ops[i].op == op)
			return ops[i].text;
	}
	return "";
}

int threshold_parse(const char *text, struct threshold *t_r, struct err *err)
{
	const char *p = text + strspn(text, " ");
	enum threshold_op op = OP_NONE;
	double value;
	char *end;

	for (size_t i = 0; i < ARRAY_LEN(ops) && op == OP_NONE; i++) {
		if (str_starts(p, ops[i].text)) {
			op = ops[i].op;
			p += strlen(ops[i].text);
		}
	}
	if (op == OP_NONE)
		return err_set(err, -EINVAL,
			       "\"%s\" is not a threshold: begin with >, >=, <, <=, == or !=, "
			       "as in \"> 2000\"",
			       text);
	p += strspn(p, " ");
	/* strtod() alone would take "inf", "nan" and hexadecimal, which are typing mistakes here.
	 */
	if (*p == '\0' || strspn(p, "0123456789+-.eE ") != strlen(p))
		return err_set(
			err, -EINVAL,
			"\"%s\" is not a threshold: \"%s\" is not a number (its unit is in the "
			"metric's name: _ms, _seconds, _bytes, _percent)",
			text, p);
	value = strtod(p, &end);
	if (end == p || end[strspn(end, " ")] != '\0' || !isfinite(value))
		return err_set(
			err, -EINVAL,
			"\"%s\" is not a threshold: \"%s\" is not a number (its unit is in the "
			"metric's name: _ms, _seconds, _bytes, _percent)",
			text, p);
	*t_r = (struct threshold){.op = op, .value = value};
	return 0;
}

bool threshold_crossed(const struct threshold *t, double value)
{
	if (isnan(value))
		return false;
	switch (t->op) {
	case OP_GT:
		return value > t->value;
	case OP_GE:
		return value >= t->value;
	case OP_LT:
		return value < t->value;
	case OP_LE:
		return value <= t->value;
	case OP_EQ:
		return value >= t->value && value <= t->value;
	case OP_NE:
		return value < t->value || value > t->value;
	case OP_NONE:
		break;
	}
	return false;
}

/* The shortest digits that read back as the same number. */
static void exact_number(double n, char *buf, size_t size)
{
	if (fabs(n) < WHOLE_MAX && fabs(n - rint(n)) <= 0.0) {
		(void)snprintf(buf, size, "%.0f", n);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		double again;

		(void)snprintf(buf, size, "%.*g", digits, n);
		again = strtod(buf, NULL);
		if (again >= n && again <= n)
			return;
	}
}

const char *threshold_format(const struct threshold *t, char *buf, size_t size)
{
	char number[32];

	if (t->op == OP_NONE) {
		(void)snprintf(buf, size, "%s", "");
		return buf;
	}
	exact_number(t->value, number, sizeof(number));
	(void)snprintf(buf, size, "%s %s", op_text(t->op), number);
	return buf;
}
