/* SPDX-License-Identifier: Apache-2.0 */
#include "model/zone.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define HEADER_BYTES 44
#define DAY_S        INT64_C(86400)
/* Real offsets stay below 26 hours (RFC 8536, 3.2). */
#define OFFSET_MAX_S (26 * 3600)
/* One year from its first to its last second, wherever it is. */
#define YEAR_MIN     INT64_C(-9999)
#define YEAR_MAX     INT64_C(9999)

/* One change of the year in a POSIX TZ string: "M3.2.0/2", "J60", "59". */
struct rule {
	char form;            /* 'M', 'J', or '0' for a day counted from 0 */
	int month, week, day; /* of M; day alone of the others */
	int32_t time_s;
};

struct zone {
	size_t n;
	int64_t *at;      /* n moments of change, rising */
	int32_t *offsets; /* n + 1: before the first change, after each */
	bool has_rules;   /* after the last change, year by year */
	bool has_tail;    /* after the last change there is a TZ string */
	int32_t std_s, dst_s;
	struct rule to_dst, to_std;
};

/* ---- Calendar: days since 1970 of the proleptic Gregorian calendar ---- */

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t year_of(int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return s < 0 ? YEAR_MIN : YEAR_MAX;
	return HALE_MAX(YEAR_MIN, HALE_MIN(YEAR_MAX, (int64_t)tm.tm_year + 1900));
}

/* ---- POSIX TZ strings: "EST5EDT,M3.2.0,M11.1.0" ---- */

static bool take_name(const char **p)
{
	const char *begin = *p;

	if (**p == '<') {
		while (**p != '\0' && **p != '>')
			(*p)++;
		return *(*p)++ == '>';
	}
	while (isalpha((unsigned char)**p))
		(*p)++;
	return *p > begin;
}

static bool take_number(const char **p, int max, int *n_r)
{
	int n = 0, digits = 0;

	for (; isdigit((unsigned char)**p) && digits < 4; (*p)++, digits++)
		n = n * 10 + (**p - '0');
	*n_r = n;
	return digits > 0 && n <= max;
}

/* "[+-]h[h[h]][:mm[:ss]]" in seconds. */
static bool take_time(const char **p, int hours_max, int32_t *s_r)
{
	int sign = **p == '-' ? -1 : 1;
	int h, m = 0, s = 0;

	*p += **p == '-' || **p == '+';
	if (!take_number(p, hours_max, &h))
		return false;
	if (**p == ':' && ((*p)++, !take_number(p, 59, &m)))
		return false;
	if (**p == ':' && ((*p)++, !take_number(p, 59, &s)))
		return false;
	*s_r = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool take_month_rule(const char **p, struct rule *r)
{
	return take_number(p, 12, &r->month) && r->month >= 1 && *(*p)++ == '.' &&
	       take_number(p, 5, &r->week) && r->week >= 1 && *(*p)++ == '.' &&
	       take_number(p, 6, &r->day);
}

static bool take_rule(const char **p, struct rule *r)
{
	bool is_ok;

	*r = (struct rule){.form = '0', .time_s = 2 * 3600};
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M' || **p == 'J')
		r->form = *(*p)++;
	if (r->form == 'M')
		is_ok = take_month_rule(p, r);
	else
		is_ok = take_number(p, 365, &r->day) && (r->form != 'J' || r->day >= 1);
	if (is_ok && **p == '/') {
		(*p)++;
		is_ok = take_time(p, 167, &r->time_s);
	}
	return is_ok;
}

static bool parse_tail(struct zone *z, const char *text)
{
	const char *p = text;
	int32_t west;

	if (!take_name(&p) || !take_time(&p, 24, &west))
		return false;
	z->std_s = -west;
	z->dst_s = z->std_s + 3600;
	z->has_tail = true;
	if (*p == '\0')
		return true;
	if (!take_name(&p))
		return false;
	if (*p != ',' && *p != '\0') {
		if (!take_time(&p, 24, &west))
			return false;
		z->dst_s = -west;
	}
	z->has_rules = true;
	return take_rule(&p, &z->to_dst) && take_rule(&p, &z->to_std) && *p == '\0';
}

/* What the clocks show, by the offset before the change, when they are changed. */
static int64_t rule_shown(const struct rule *r, int64_t year)
{
	int64_t day, first, last;

	if (r->form == 'J') {
		day = days_of(year, 1, 1) + r->day - 1 + (is_leap(year) && r->day >= 60);
	} else if (r->form == '0') {
		day = days_of(year, 1, 1) + r->day;
	} else {
		first = days_of(year, r->month, 1);
		last = r->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, r->month + 1, 1);
		/* 1 January 1970 was a Thursday. */
		day = first + ((r->day - (first + 4) % 7) % 7 + 7) % 7 + (int64_t)(r->week - 1) * 7;
		while (day >= last)
			day -= 7;
	}
	return day * DAY_S + r->time_s;
}

static struct zone_span rules_at(const struct zone *z, int64_t s)
{
	struct zone_span span = {.since_s = INT64_MIN, .end_s = INT64_MAX};
	int64_t year = year_of(s);

	span.offset_s = z->std_s;
	for (int64_t y = year - 1; y <= year + 1; y++) {
		const int64_t changes[2] = {rule_shown(&z->to_dst, y) - z->std_s,
					    rule_shown(&z->to_std, y) - z->dst_s};

		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			if (changes[i] <= s && changes[i] >= span.since_s) {
				span.since_s = changes[i];
				span.offset_s = i == 0 ? z->dst_s : z->std_s;
			} else if (changes[i] > s && changes[i] < span.end_s) {
				span.end_s = changes[i];
			}
		}
	}
	return span;
}

/* ---- TZif ---- */

struct header {
	uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
	char version;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be_time(const uint8_t *p, size_t size)
{
	if (size == 4)
		return (int32_t)be32(p);
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool read_header(const uint8_t *p, size_t len, struct header *h)
{
	if (len < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
		return false;
	h->version = (char)p[4];
	h->isutcnt = be32(p + 20);
	h->isstdcnt = be32(p + 24);
	h->leapcnt = be32(p + 28);
	h->timecnt = be32(p + 32);
	h->typecnt = be32(p + 36);
	h->charcnt = be32(p + 40);
	return h->typecnt > 0 && h->typecnt <= 256 && h->timecnt <= ZONE_FILE_MAX &&
	       h->charcnt <= ZONE_FILE_MAX && h->leapcnt <= ZONE_FILE_MAX &&
	       h->isstdcnt <= ZONE_FILE_MAX && h->isutcnt <= ZONE_FILE_MAX;
}

static size_t block_size(const struct header *h, size_t time_size)
{
	return h->timecnt * (time_size + 1) + (size_t)h->typecnt * 6 + h->charcnt +
	       h->leapcnt * (time_size + 4) + h->isstdcnt + h->isutcnt;
}

static bool read_block(struct zone *z, const uint8_t *p, const struct header *h, size_t time_size)
{
	const uint8_t *index = p + h->timecnt * time_size;
	const uint8_t *types = index + h->timecnt;

	z->n = h->timecnt;
	z->at = mem_array(z->n + 1, sizeof(*z->at));
	z->offsets = mem_array(z->n + 1, sizeof(*z->offsets));
	z->offsets[0] = (int32_t)be32(types);
	for (size_t i = 0; i < z->n; i++) {
		if (index[i] >= h->typecnt)
			return false;
		z->at[i] = be_time(p + i * time_size, time_size);
		z->offsets[i + 1] = (int32_t)be32(types + (size_t)index[i] * 6);
		if (i > 0 && z->at[i] <= z->at[i - 1])
			return false;
	}
	for (size_t i = 0; i <= z->n; i++)
		if (z->offsets[i] < -OFFSET_MAX_S || z->offsets[i] > OFFSET_MAX_S)
			return false;
	return true;
}

/* "\nEST5EDT,M3.2.0,M11.1.0\n" behind the second block; may be empty. */
static bool read_tail(struct zone *z, const uint8_t *p, size_t len)
{
	const uint8_t *end = len > 1 ? memchr(p + 1, '\n', len - 1) : NULL;
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	if (len == 0 || p[0] != '\n' || end == NULL)
		return false;
	text = mem_dupn((const char *)p + 1, (size_t)(end - p - 1));
	return text[0] == '\0' || parse_tail(z, text);
}

static bool read_file(struct zone *z, const uint8_t *p, size_t len)
{
	struct header h;
	size_t size;

	if (!read_header(p, len, &h))
		return false;
	size = HEADER_BYTES + block_size(&h, 4);
	if (h.version == '\0')
		return size <= len && read_block(z, p + HEADER_BYTES, &h, 4);
	if (size >= len || !read_header(p + size, len - size, &h))
		return false;
	p += size;
	len -= size;
	size = HEADER_BYTES + block_size(&h, 8);
	return size < len && read_block(z, p + HEADER_BYTES, &h, 8) &&
	       read_tail(z, p + size, len - size);
}

int zone_new(const void *data, size_t len, struct zone **zone_r, struct err *err)
{
	struct zone *z = mem_alloc(sizeof(*z));

	if (data == NULL) {
		z->offsets = mem_array(1, sizeof(*z->offsets));
	} else if (len > ZONE_FILE_MAX || !read_file(z, data, len)) {
		zone_free(z);
		return err_set(err, -EINVAL, "is not a time zone file (TZif)");
	}
	*zone_r = z;
	return 0;
}

void zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	free(z->at);
	free(z->offsets);
	free(z);
}

/* ---- Asking ---- */

/* Number of changes up to s. */
static size_t changes_until(const struct zone *z, int64_t s)
{
	size_t low = 0, high = z->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (z->at[mid] <= s)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct zone_span zone_at(const struct zone *z, int64_t s)
{
	size_t i = changes_until(z, s);
	struct zone_span span = {
		.offset_s = z->offsets[i],
		.since_s = i > 0 ? z->at[i - 1] : INT64_MIN,
		.end_s = i < z->n ? z->at[i] : INT64_MAX,
	};
	struct zone_span tail;

	if (i < z->n || !z->has_tail)
		return span;
	tail = z->has_rules ? rules_at(z, s) : (struct zone_span){z->std_s, INT64_MIN, INT64_MAX};
	tail.since_s = HALE_MAX(tail.since_s, span.since_s);
	return tail;
}

void zone_local(const struct zone *z, int64_t s, struct tm *tm_r)
{
	int32_t offset_s = zone_at(z, s).offset_s;
	time_t shown = (time_t)(s + offset_s);

	if (gmtime_r(&shown, tm_r) == NULL)
		*tm_r = (struct tm){.tm_mday = 1};
	tm_r->tm_gmtoff = offset_s;
}

int64_t zone_when(const struct zone *z, int64_t shown_s)
{
	/* No zone is further from UTC than this, so the change in question, if any, lies behind. */
	struct zone_span span = zone_at(z, shown_s - OFFSET_MAX_S);

	/* In each span, what is shown rises from since + offset to end + offset. */
	while (span.end_s != INT64_MAX && shown_s - span.offset_s >= span.end_s)
		span = zone_at(z, span.end_s);
	return HALE_MAX(shown_s - span.offset_s, span.since_s);
}
