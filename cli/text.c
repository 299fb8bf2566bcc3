/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/units.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (INT64_C(24) * HOUR_MS)

#define ELLIPSIS "\xe2\x80\xa6"

/* Ranges whose characters are not one column wide (Unicode 15, UAX #11 and general category Mn),
 * as far as names and messages of running systems use them. Ordered. */
/* clang-format off */
static const struct wide {
	uint32_t first, last;
	unsigned columns;
} wides[] = {
	{0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},   {0x0610, 0x061a, 0},
	{0x064b, 0x065f, 0},   {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},
	{0x200b, 0x200f, 0},   {0x202a, 0x202e, 0},   {0x2060, 0x2064, 0},   {0x20d0, 0x20ff, 0},
	{0x231a, 0x231b, 2},   {0x23e9, 0x23ec, 2},   {0x25fd, 0x25fe, 2},   {0x2614, 0x2615, 2},
	{0x26a1, 0x26a1, 2},   {0x26d4, 0x26d4, 2},   {0x2705, 0x2705, 2},   {0x274c, 0x274c, 2},
	{0x2753, 0x2755, 2},   {0x2757, 0x2757, 2},   {0x2795, 0x2797, 2},   {0x2b50, 0x2b50, 2},
	{0x2b55, 0x2b55, 2},   {0x2e80, 0x303e, 2},   {0x3041, 0x33ff, 2},   {0x3400, 0x4dbf, 2},
	{0x4e00, 0x9fff, 2},   {0xa000, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
	{0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xfeff, 0xfeff, 0},
	{0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2},
	{0x1f7e0, 0x1f7eb, 2}, {0x1f900, 0x1f9ff, 2}, {0x1fa70, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
};
/* clang-format on */

static unsigned columns_of(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(wides) && c >= wides[i].first; i++) {
		if (c <= wides[i].last)
			return wides[i].columns;
	}
	return 1;
}

/* One character as it is shown: its bytes and columns. */
struct shown {
	const char *bytes;
	size_t len;
	unsigned columns;
};

static size_t sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The character at p, or UINT32_MAX if the bytes are none. */
static uint32_t decode(const unsigned char *p, size_t len)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	static const unsigned char first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c;

	if (len == 0)
		return UINT32_MAX;
	c = p[0] & first_mask[len];
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return UINT32_MAX;
	return c;
}

/* Takes the next character off *text; false at its end. */
static bool next_shown(const char **text, struct shown *s_r)
{
	const char *p = *text;
	size_t len = sequence_length((unsigned char)*p);
	uint32_t c;

	if (*p == '\0')
		return false;
	c = decode((const unsigned char *)p, len);
	if (c == UINT32_MAX) {
		*s_r = (struct shown){"?", 1, 1};
		*text = p + 1;
		return true;
	}
	*text = p + len;
	/* C0, DEL and C1, which some terminals obey as well. */
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		*s_r = (struct shown){" ", 1, 1};
	else
		*s_r = (struct shown){p, len, columns_of(c)};
	return true;
}

size_t text_width(const char *text)
{
	struct shown s;
	size_t width = 0;

	while (next_shown(&text, &s))
		width += s.columns;
	return width;
}

void text_add(struct str *out, const char *text)
{
	struct shown s;

	while (next_shown(&text, &s))
		str_addn(out, s.bytes, s.len);
}

size_t text_add_cut(struct str *out, const char *text, size_t columns)
{
	size_t width = text_width(text);
	struct shown s;
	size_t used = 0;

	if (width <= columns) {
		text_add(out, text);
		return width;
	}
	if (columns == 0)
		return 0;
	while (next_shown(&text, &s) && used + s.columns < columns) {
		str_addn(out, s.bytes, s.len);
		used += s.columns;
	}
	str_add(out, ELLIPSIS);
	return used + 1;
}

static const char *two_units(int64_t ms, int64_t big_ms, char big, int64_t small_ms, char small,
			     char buf[TEXT_TIME_MAX])
{
	int64_t rest = ms % big_ms / small_ms;

	if (rest == 0)
		(void)snprintf(buf, TEXT_TIME_MAX, "%lld%c", (long long)(ms / big_ms), big);
	else
		(void)snprintf(buf, TEXT_TIME_MAX, "%lld%c%lld%c", (long long)(ms / big_ms), big,
			       (long long)rest, small);
	return buf;
}

const char *text_span(int64_t ms, char buf[TEXT_TIME_MAX])
{
	if (ms >= DAY_MS)
		return two_units(ms, DAY_MS, 'd', HOUR_MS, 'h', buf);
	if (ms >= HOUR_MS)
		return two_units(ms, HOUR_MS, 'h', MINUTE_MS, 'm', buf);
	if (ms >= MINUTE_MS)
		(void)snprintf(buf, TEXT_TIME_MAX, "%lldm", (long long)(ms / MINUTE_MS));
	else if (ms >= SECOND_MS)
		(void)snprintf(buf, TEXT_TIME_MAX, "%llds", (long long)(ms / SECOND_MS));
	else
		(void)snprintf(buf, TEXT_TIME_MAX, "now");
	return buf;
}

const char *text_ago(int64_t at_ms, int64_t now_ms, char buf[TEXT_TIME_MAX])
{
	char span[TEXT_TIME_MAX];
	int64_t ms = now_ms - at_ms;

	if (ms > -SECOND_MS && ms < SECOND_MS)
		(void)snprintf(buf, TEXT_TIME_MAX, "now");
	else if (ms < 0)
		(void)snprintf(buf, TEXT_TIME_MAX, "in %.24s", text_span(-ms, span));
	else
		(void)snprintf(buf, TEXT_TIME_MAX, "%.24s ago", text_span(ms, span));
	return buf;
}

const char *text_took(double ms, char buf[TEXT_TIME_MAX])
{
	char units[UNITS_TEXT_MAX];

	if (ms < 10)
		(void)snprintf(buf, TEXT_TIME_MAX, "%.2g ms", ms < 0.01 ? 0 : ms);
	else if (ms < SECOND_MS)
		(void)snprintf(buf, TEXT_TIME_MAX, "%.0f ms", ms);
	else if (ms < MINUTE_MS)
		(void)snprintf(buf, TEXT_TIME_MAX, "%.3g s", ms / SECOND_MS);
	else
		(void)snprintf(buf, TEXT_TIME_MAX, "%s",
			       duration_format_short(ms < 9e15 ? (int64_t)ms : INT64_MAX, units));
	return buf;
}

const char *text_bytes(int64_t bytes, char buf[TEXT_TIME_MAX])
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
	double n = (double)bytes;
	size_t unit = 0;

	/* From 999.5 on, three digits would read "1e+03". */
	while (n >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
		n /= 1024;
		unit++;
	}
	(void)snprintf(buf, TEXT_TIME_MAX, "%.3g %s", n, units[unit]);
	return buf;
}

static bool to_local(int64_t at_ms, struct tm *tm)
{
	time_t at = (time_t)(at_ms / SECOND_MS);

	return at_ms >= 0 && localtime_r(&at, tm) != NULL;
}

const char *text_date(int64_t at_ms, char buf[TEXT_TIME_MAX])
{
	struct tm tm;

	if (!to_local(at_ms, &tm) || strftime(buf, TEXT_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(buf, TEXT_TIME_MAX, "-");
	return buf;
}

const char *text_clock(int64_t at_ms, char buf[TEXT_TIME_MAX])
{
	struct tm tm;

	if (to_local(at_ms, &tm))
		(void)snprintf(buf, TEXT_TIME_MAX, "%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min,
			       tm.tm_sec, (int)(at_ms % SECOND_MS));
	else
		(void)snprintf(buf, TEXT_TIME_MAX, "-");
	return buf;
}
