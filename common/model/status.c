/* SPDX-License-Identifier: Apache-2.0 */
#include "model/status.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static const struct status_row {
	const char *name;
	const char *colour;
	int exit_code;
	double gauge;
} statuses[STATUS_MAX] = {
	[STATUS_HEALTHY] = {"healthy", "green", 0, 1.0},
	[STATUS_UNKNOWN] = {"unknown", "grey", 3, -1.0},
	[STATUS_DEGRADED] = {"degraded", "yellow", 1, 0.5},
	[STATUS_CRITICAL] = {"critical", "red", 2, 0.0},
	[STATUS_DOWN] = {"down", "darkred", 2, 0.0},
};

static const char *const outcomes[OUTCOME_MAX] = {
	[OUTCOME_PASS] = "pass", [OUTCOME_WARN] = "warn",   [OUTCOME_FAIL] = "fail",
	[OUTCOME_DOWN] = "down", [OUTCOME_ERROR] = "error",
};

static const char *const impacts[IMPACT_MAX] = {
	[IMPACT_CRITICAL] = "critical",
	[IMPACT_DEGRADED] = "degraded",
	[IMPACT_NONE] = "none",
};

static const struct status_row *row_of(enum status s)
{
	HALE_ASSERT((unsigned)s < STATUS_MAX);
	return &statuses[s];
}

/* The position of name in names, or n. */
static size_t find(const char *const *names, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n && (name == NULL || strcmp(names[i], name) != 0))
		i++;
	return i;
}

const char *status_name(enum status s)
{
	return row_of(s)->name;
}

bool status_from_name(const char *name, enum status *s_r)
{
	for (size_t i = 0; name != NULL && i < STATUS_MAX; i++) {
		if (strcmp(statuses[i].name, name) == 0) {
			*s_r = (enum status)i;
			return true;
		}
	}
	return false;
}

const char *status_colour(enum status s)
{
	return row_of(s)->colour;
}

int status_exit_code(enum status s)
{
	return row_of(s)->exit_code;
}

double status_gauge(enum status s)
{
	return row_of(s)->gauge;
}

const char *outcome_name(enum outcome o)
{
	HALE_ASSERT((unsigned)o < OUTCOME_MAX);
	return outcomes[o];
}

bool outcome_from_name(const char *name, enum outcome *o_r)
{
	size_t i = find(outcomes, OUTCOME_MAX, name);

	if (i == OUTCOME_MAX)
		return false;
	*o_r = (enum outcome)i;
	return true;
}

const char *impact_name(enum impact i)
{
	HALE_ASSERT((unsigned)i < IMPACT_MAX);
	return impacts[i];
}

bool impact_from_name(const char *name, enum impact *i_r)
{
	size_t i = find(impacts, IMPACT_MAX, name);

	if (i == IMPACT_MAX)
		return false;
	*i_r = (enum impact)i;
	return true;
}
