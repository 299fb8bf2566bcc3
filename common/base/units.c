/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* A thousand years: longer is a typing mistake, and leaves room to add two of them. */
#define DURATION_MAX_MS (INT64_C(1000) * 365 * 86400 * 1000)

/* A double holds every whole number up to here (2^53). */
#define NUMBER_WHOLE_MAX      9007199254740992.0
/* From here on six digits would lose whole units. */
#define NUMBER_SIX_DIGITS_MAX 1e5

struct unit {
	const char *name;
	int64_t factor;
};

/* Falling, so that "1h30m" is read in one pass and "30m1h" is refused. */
static const struct unit time_units[] = {
	{"w", INT64_C(7) * 86400000},
	{"d", 86400000},
	{"h", 3600000},
	{"m", 60000},
	{"s", 1000},
	{"ms", 1},
};

static const struct unit size_units[] = {
	{"TB", INT64_C(1) << 40},
	{"GB", INT64_C(1) << 30},
	{"MB", INT64_C(1) << 20},
	{"KB", INT64_C(1) << 10},
	{"B", 1},
};

static int read_number(const char **p, int64_t *n_r)
{
	int64_t n = 0;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	for (; isdigit((unsigned char)**p); (*p)++) {
		n = n * 10 + (**p - '0');
		if (n > DURATION_MAX_MS)
			return -EINVAL;
	}
	*n_r = n;
	return 0;
}

int duration_parse(const char *text, int64_t *ms_r)
{
	const char *p = text;
	size_t next = 0;
	int64_t total = 0;

	if (strcmp(text, "0") == 0) {
		*ms_r = 0;
		return 0;
	}
	do {
		int64_t n;
		size_t len = 0;
		size_t i;

		if (read_number(&p, &n) < 0)
			return -EINVAL;
		while (isalpha((unsigned char)p[len]))
			len++;
		for (i = next; i < ARRAY_LEN(time_units); i++) {
			if (strlen(time_units[i].name) == len &&
			    strncmp(p, time_units[i].name, len) == 0)
				break;
		}
		if (i == ARRAY_LEN(time_units) || n > DURATION_MAX_MS / time_units[i].factor)
			return -EINVAL;
		total += n * time_units[i].factor;
		next = i + 1;
		p += len;
	} while (*p != '\0');
	if (total > DURATION_MAX_MS)
		return -EINVAL;
	*ms_r = total;
	return 0;
}

static const char *format_duration(int64_t ms, char buf[UNITS_TEXT_MAX], int units_max)
{
	size_t used = 0;
	int shown = 0;

	buf[0] = '\0';
	if (ms <= 0) {
		(void)snprintf(buf, UNITS_TEXT_MAX, "0s");
		return buf;
	}
	/* Weeks are read but not written: "14d" is plainer than "2w". */
	for (size_t i = 1; i < ARRAY_LEN(time_units) && shown < units_max; i++) {
		int64_t n = ms / time_units[i].factor;

		if (n == 0) {
			shown += shown > 0;
			continue;
		}
		used += (size_t)snprintf(buf + used, UNITS_TEXT_MAX - used, "%lld%s", (long long)n,
					 time_units[i].name);
		ms -= n * time_units[i].factor;
		shown++;
	}
	return buf;
}

const char *duration_format(int64_t ms, char buf[UNITS_TEXT_MAX])
{
	return format_duration(ms, buf, (int)ARRAY_LEN(time_units));
}

const char *duration_format_short(int64_t ms, char buf[UNITS_TEXT_MAX])
{
	if (ms >= 1000)
		ms -= ms % 1000;
	return format_duration(ms, buf, 2);
}

/* "K", "KB" and "KiB" name the same unit. */
static bool is_size_unit(const char *text, const char *unit)
{
	char ext[4] = {unit[0], 'i', 'B', '\0'};

	if (strcasecmp(text, unit) == 0)
		return true;
	if (unit[1] == '\0')
		return text[0] == '\0';
	return strcasecmp(text, ext) == 0 ||
	       (text[0] != '\0' && text[1] == '\0' && toupper((unsigned char)text[0]) == unit[0]);
}

int size_parse(const char *text, int64_t *bytes_r)
{
	const char *p = text;
	int64_t n;

	if (read_number(&p, &n) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(size_units); i++) {
		if (!is_size_unit(p, size_units[i].name))
			continue;
		if (n > INT64_MAX / size_units[i].factor)
			return -EINVAL;
		*bytes_r = n * size_units[i].factor;
		return 0;
	}
	return -EINVAL;
}

const char *size_format(int64_t bytes, char buf[UNITS_TEXT_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(size_units); i++) {
		int64_t factor = size_units[i].factor;

		if (bytes >= factor && bytes % factor == 0) {
			(void)snprintf(buf, UNITS_TEXT_MAX, "%lld%s", (long long)(bytes / factor),
				       factor == 1 ? "" : size_units[i].name);
			return buf;
		}
	}
	(void)snprintf(buf, UNITS_TEXT_MAX, "%lld", (long long)bytes);
	return buf;
}

const char *number_format(double n, char buf[UNITS_TEXT_MAX])
{
	double whole = rint(n);

	if (!isfinite(n) || fabs(n) > NUMBER_WHOLE_MAX)
		(void)snprintf(buf, UNITS_TEXT_MAX, "%g", n);
	else if (fabs(n - whole) == 0.0 || fabs(n) >= NUMBER_SIX_DIGITS_MAX)
		(void)snprintf(buf, UNITS_TEXT_MAX, "%.0f", whole + 0.0);
	else
		(void)snprintf(buf, UNITS_TEXT_MAX, "%.6g", n);
	return buf;
}
