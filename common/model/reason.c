/* SPDX-License-Identifier: Apache-2.0 */
#include "model/reason.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static const struct reason_row {
	const char *code;
	enum outcome outcome;
	const char *text;
} reasons[REASON_MAX] = {
#define REASON_ROW(name, code, outcome, text) [REASON_##name] = {code, outcome, text},
	REASON_TABLE(REASON_ROW)
#undef REASON_ROW
};

static const struct reason_row *row_of(enum reason r)
{
	HALE_ASSERT((unsigned)r < REASON_MAX);
	return &reasons[r];
}

const char *reason_code(enum reason r)
{
	return row_of(r)->code;
}

enum outcome reason_outcome(enum reason r)
{
	return row_of(r)->outcome;
}

const char *reason_text(enum reason r)
{
	return row_of(r)->text;
}

bool reason_from_code(const char *code, enum reason *r_r)
{
	for (size_t i = 0; code != NULL && i < REASON_MAX; i++) {
		if (strcmp(reasons[i].code, code) == 0) {
			*r_r = (enum reason)i;
			return true;
		}
	}
	return false;
}
