/* SPDX-License-Identifier: Apache-2.0 */
#include "timestamp.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

/* "2026-11-22 08:00:00.123456789 +05:30" and some room. */
#define TEXT_MAX 64

#define DATE_LEN   10 /* 2026-11-22 */
#define MINUTE_LEN 16 /* 2026-11-22 08:00 */

#define MS_PER_DAY      86400000.0
#define JULIAN_MIN      2000000.0
#define JULIAN_MAX      3000000.0
#define JULIAN_OF_1970  2440587.5
/* Below it seconds, a thousand times that milliseconds, and so on. */
#define SECONDS_MAX     1e11
/* The years that clock.h writes. */
#define MS_MIN          (-62167219200000.0)
#define MS_MAX          253402300799999.0
#define NUMBER_TEXT_MAX 40

int timestamp_from_number(double n, int64_t *ms_r)
{
	double ms;

	if (!isfinite(n))
		return -EINVAL;
	if (n >= JULIAN_MIN && n < JULIAN_MAX)
		ms = (n - JULIAN_OF_1970) * MS_PER_DAY;
	else if (fabs(n) < SECONDS_MAX)
		ms = n * 1e3;
	else if (fabs(n) < SECONDS_MAX * 1e3)
		ms = n;
	else if (fabs(n) < SECONDS_MAX * 1e6)
		ms = n / 1e3;
	else
		ms = n / 1e6;
	if (ms < MS_MIN || ms > MS_MAX)
		return -EINVAL;
	*ms_r = (int64_t)llround(ms);
	return 0;
}

/* Copies without the blanks around it; false if it is too long. */
static bool trim(const char *text, char buf[TEXT_MAX])
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len >= TEXT_MAX - 4) /* room for what may be added */
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return true;
}

static void cut_end(char *text, const char *end)
{
	if (str_ends(text, end))
		text[strlen(text) - strlen(end)] = '\0';
}

/* "… 08:00:00 +0000", as Ruby and Go write: the zone stands apart. */
static void join_zone(char *text)
{
	char *blank = strrchr(text, ' ');

	if (blank != NULL && (blank[1] == '+' || blank[1] == '-'))
		memmove(blank, blank + 1, strlen(blank));
}

int timestamp_parse_text(const char *text, int64_t *ms_r)
{
	char buf[TEXT_MAX];

	if (!trim(text, buf))
		return -EINVAL;
	cut_end(buf, " UTC");
	cut_end(buf, " GMT");
	join_zone(buf);
	if (strlen(buf) == DATE_LEN)
		(void)strcat(buf, "T00"); /* and as a minute it goes on */
	if (strlen(buf) == DATE_LEN + 3)
		(void)strcat(buf, ":00");
	if (strlen(buf) == MINUTE_LEN)
		(void)strcat(buf, ":00");
	return clock_parse(buf, ms_r);
}

int timestamp_parse(const char *text, int64_t *ms_r)
{
	char buf[TEXT_MAX];
	char *end;
	double n;

	if (trim(text, buf) && buf[0] != '\0' && strlen(buf) < NUMBER_TEXT_MAX &&
	    buf[strspn(buf, "+-.0123456789eE")] == '\0') {
		n = strtod(buf, &end);
		if (*end == '\0')
			return timestamp_from_number(n, ms_r);
	}
	return timestamp_parse_text(text, ms_r);
}
