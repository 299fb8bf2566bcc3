/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

static void put_digits(char *at, int digits, int n)
{
	for (; digits > 0; n /= 10)
		at[--digits] = (char)('0' + n % 10);
}

const char *clock_format(int64_t wall_ms, char buf[CLOCK_TEXT_MAX])
{
	static const char zero[] = "0000-00-00T00:00:00.000Z";
	int64_t ms = wall_ms % 1000;
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	if (gmtime_r(&s, &tm) == NULL || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
		memcpy(buf, zero, sizeof(zero));
		return buf;
	}
	/* By hand, because each check tells half a dozen times. */
	memcpy(buf, zero, sizeof(zero));
	put_digits(buf, 4, tm.tm_year + 1900);
	put_digits(buf + 5, 2, tm.tm_mon + 1);
	put_digits(buf + 8, 2, tm.tm_mday);
	put_digits(buf + 11, 2, tm.tm_hour);
	put_digits(buf + 14, 2, tm.tm_min);
	put_digits(buf + 17, 2, tm.tm_sec);
	put_digits(buf + 20, 3, (int)ms);
	return buf;
}

const char *clock_now_text(char buf[CLOCK_TEXT_MAX])
{
	return clock_format(clock_wall_ms(), buf);
}

/* Reads exactly `digits` digits; -1 if they are not there. */
static int number(const char **p, int digits)
{
	int n = 0;

	for (int i = 0; i < digits; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return -1;
		n = n * 10 + (**p - '0');
	}
	return n;
}

static bool skip(const char **p, const char *set)
{
	if (**p == '\0' || strchr(set, **p) == NULL)
		return false;
	(*p)++;
	return true;
}

static int fraction_ms(const char **p)
{
	int ms = 0;
	int digits = 0;

	if (!skip(p, "."))
		return 0;
	for (; isdigit((unsigned char)**p) && digits < 9; (*p)++, digits++) {
		if (digits < 3)
			ms = ms * 10 + (**p - '0');
	}
	if (digits == 0)
		return -1;
	for (; digits < 3; digits++)
		ms *= 10;
	return ms;
}

/* "", "Z", "+hh", "+hhmm", "+hh:mm" in minutes east; -EINVAL out of range. */
static int zone_minutes(const char **p, int *minutes_r)
{
	int sign, hours, minutes = 0;

	*minutes_r = 0;
	if (**p == '\0' || skip(p, "Zz"))
		return 0;
	if (**p != '+' && **p != '-')
		return -EINVAL;
	sign = **p == '+' ? 1 : -1;
	(*p)++;
	hours = number(p, 2);
	if (skip(p, ":") || **p != '\0')
		minutes = number(p, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return -EINVAL;
	*minutes_r = sign * (hours * 60 + minutes);
	return 0;
}

/* timegm() would read 31 February as 3 March. */
static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

int clock_parse(const char *text, int64_t *wall_ms_r)
{
	const char *p = text;
	struct tm tm = {0};
	int ms, zone;

	tm.tm_year = number(&p, 4);
	if (tm.tm_year < 0 || !skip(&p, "-"))
		return -EINVAL;
	tm.tm_mon = number(&p, 2);
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || !skip(&p, "-"))
		return -EINVAL;
	tm.tm_mday = number(&p, 2);
	if (tm.tm_mday < 1 || tm.tm_mday > month_days(tm.tm_year, tm.tm_mon) || !skip(&p, "Tt "))
		return -EINVAL;
	tm.tm_hour = number(&p, 2);
	if (tm.tm_hour < 0 || tm.tm_hour > 23 || !skip(&p, ":"))
		return -EINVAL;
	tm.tm_min = number(&p, 2);
	if (tm.tm_min < 0 || tm.tm_min > 59 || !skip(&p, ":"))
		return -EINVAL;
	tm.tm_sec = number(&p, 2);
	if (tm.tm_sec < 0 || tm.tm_sec > 60)
		return -EINVAL;
	ms = fraction_ms(&p);
	if (ms < 0 || zone_minutes(&p, &zone) < 0 || *p != '\0')
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*wall_ms_r = ((int64_t)timegm(&tm) - (int64_t)zone * 60) * 1000 + ms;
	return 0;
}
