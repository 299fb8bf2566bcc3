/* SPDX-License-Identifier: Apache-2.0 */
#include "shape.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

/* Sets of ways: several thousand components have a place each, wherever their names fall. */
#define SETS          2048
#define WAYS          4
/* A longer line is no routine; with more numbers than this there is little that is alike. */
#define LINE_MAX      4096
#define SPOTS_MAX     64
/* "2026-11-22T01:30:37.123Z", and as far as its minute goes. */
#define TIME_LEN      24
#define MINUTE_LEN    17
/* Behind {"at":", with which haled's lines begin. */
#define AT_FROM       7
/* Lines that never match are not worth being kept each time. */
#define MISSES_MAX    8
#define MISSES_REPEAT 64

enum spot_kind {
	SPOT_AT,
	SPOT_TIME,
	SPOT_TOOK,
	SPOT_COUNT,
	SPOT_METRIC,
	SPOT_MEASURE, /* a number within the message */
};

struct spot {
	uint16_t at, len;
	uint8_t kind;
};

struct shape {
	uint32_t tag; /* of its component's name; 0: free */
	uint32_t misses;
	uint16_t len, spots_n;
	uint16_t message_at, message_len; /* in the text; len 0: as in the row */
	struct row_result row;            /* its texts point into copies */
	char *text;                       /* the line */
	char *copies;
	struct spot spots[SPOTS_MAX];
};

struct shapes {
	struct shape *v[SETS][WAYS];
	uint8_t next[SETS]; /* way to be given up */
	uint64_t numbers;
	char minute[MINUTE_LEN];
	int64_t minute_ms;
	struct str metrics;
};

struct shapes *shapes_new(void)
{
	return mem_alloc(sizeof(struct shapes));
}

static void shape_free(struct shape *sh)
{
	if (sh == NULL)
		return;
	free(sh->text);
	free(sh->copies);
	free(sh);
}

void shapes_free(struct shapes *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < SETS; i++)
		for (size_t k = 0; k < WAYS; k++)
			shape_free(s->v[i][k]);
	str_done(&s->metrics);
	free(s);
}

/* --- which component --- */

/* Eight bytes at a time; only for finding a place. */
static uint32_t hash_of(const char *p, size_t len)
{
	uint64_t h = len * UINT64_C(0x9e3779b97f4a7c15), word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, p, len);
	h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
	return (uint32_t)(h >> 32) | 1;
}

/* Of node and component, which stand first in the line, behind its time; 0: not there. */
static uint32_t tag_of(const char *text, size_t len)
{
	static const char before_node[] = "\",\"node\":\"";
	static const char before_name[] = "\",\"component\":\"";
	const size_t from = AT_FROM + TIME_LEN;
	const char *end = text + len, *node, *name, *after;

	if (len < from + strlen(before_node) + strlen(before_name) ||
	    memcmp(text + from, before_node, strlen(before_node)) != 0)
		return 0;
	node = text + from + strlen(before_node);
	name = memchr(node, '"', (size_t)(end - node));
	if (name == NULL || (size_t)(end - name) < strlen(before_name) ||
	    memcmp(name, before_name, strlen(before_name)) != 0)
		return 0;
	name += strlen(before_name);
	after = memchr(name, '"', (size_t)(end - name));
	return after != NULL ? hash_of(node, (size_t)(after - node)) : 0;
}

/* --- reading what differs --- */

/* isdigit() looks into a table of the locale, which is a call. */
static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static int digits2(const char *p)
{
	return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + p[1] - '0' : -1;
}

static bool is_time(const char *p)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";

	for (size_t i = 0; i < TIME_LEN; i++)
		if (form[i] == '0' ? !is_digit(p[i]) : p[i] != form[i])
			return false;
	return true;
}

/* The date and the minute are those of the line before, nearly always. */
static bool read_at(struct shapes *s, const char *p, int64_t *ms_r)
{
	int seconds = digits2(p + MINUTE_LEN), tens, ms;
	char text[TIME_LEN + 1];

	if (memcmp(p, s->minute, MINUTE_LEN) != 0 || seconds < 0 || seconds > 59) {
		memcpy(text, p, TIME_LEN);
		text[TIME_LEN] = '\0';
		if (!is_time(p) || clock_parse(text, ms_r) != 0 || seconds > 59)
			return false;
		memcpy(s->minute, p, MINUTE_LEN);
		s->minute_ms = *ms_r - *ms_r % 60000;
		return *ms_r >= 0;
	}
	tens = digits2(p + MINUTE_LEN + 3);
	ms = is_digit(p[MINUTE_LEN + 5]) ? p[MINUTE_LEN + 5] - '0' : -1;
	if (p[MINUTE_LEN + 2] != '.' || tens < 0 || ms < 0 || p[MINUTE_LEN + 6] != 'Z')
		return false;
	*ms_r = s->minute_ms + seconds * 1000 + tens * 10 + ms;
	return true;
}

/* Behind the number that JSON would read at p, or NULL. One that may be an integer too large for
 * anybody is none. */
static const char *after_number(const char *p, const char *end)
{
	const char *from, *start = p;

	if (p < end && *p == '-')
		p++;
	from = p;
	while (p < end && is_digit(*p))
		p++;
	if (p == from || (*from == '0' && p - from > 1))
		return NULL;
	if (p < end && *p == '.') {
		from = ++p;
		while (p < end && is_digit(*p))
			p++;
		if (p == from)
			return NULL;
	}
	/* An exponent is rare, and read as a tree. */
	return p < end && *p != 'e' && *p != 'E' && p - start < 18 ? p : NULL;
}

/* As rows.c reads it, but quickly where that gives the same: up to microseconds. */
static int64_t took_us(const char *p, size_t len)
{
	const char *end = p + len, *point = memchr(p, '.', len);
	size_t decimals = point != NULL ? (size_t)(end - point) - 1 : 0;
	int64_t n = 0;
	double ms;

	if (decimals > 3 || len > 12) {
		if (!jtext_number((struct jtext){p, len}, &ms) || ms < 0)
			return -1;
		return llround(ms * 1000.0);
	}
	if (*p == '-')
		return -1;
	for (; p < end; p++)
		if (*p != '.')
			n = n * 10 + (*p - '0');
	for (; decimals < 3; decimals++)
		n *= 10;
	return n;
}

static void add_metric(struct str *out, const char *p, size_t len)
{
	if (out->len > 0)
		str_addc(out, ',');
	str_addn(out, p, len > 2 && p[len - 2] == '.' && p[len - 1] == '0' ? len - 2 : len);
}

/* The value at p; returns what is behind it, or NULL. */
static const char *read_spot(struct shapes *s, const struct spot *spot, const char *p,
			     const struct store_line *line, struct row_result *row)
{
	const char *end = line->text + line->len;
	const char *after;

	switch ((enum spot_kind)spot->kind) {
	case SPOT_AT:
		return end - p >= TIME_LEN && read_at(s, p, &row->at_ms) ? p + TIME_LEN : NULL;
	case SPOT_TIME:
		/* Mostly it is that of the line itself, which was read. */
		if (end - p < TIME_LEN)
			return NULL;
		return memcmp(p, line->text + AT_FROM, TIME_LEN) == 0 || is_time(p) ? p + TIME_LEN
										    : NULL;
	default:
		break;
	}
	after = after_number(p, end);
	if (after == NULL)
		return NULL;
	if (spot->kind == SPOT_TOOK)
		row->took_us = took_us(p, (size_t)(after - p));
	else if (spot->kind == SPOT_METRIC)
		add_metric(&s->metrics, p, (size_t)(after - p));
	return after;
}

static bool match(struct shapes *s, const struct shape *sh, const struct store_line *line,
		  struct row_result *row)
{
	const char *p = line->text, *end = p + line->len;
	const char *message = p + sh->message_at, *message_end = NULL;
	size_t from = 0;

	str_clear(&s->metrics);
	*row = sh->row;
	for (size_t i = 0; i <= sh->spots_n; i++) {
		bool is_last = i == sh->spots_n;
		size_t alike = (is_last ? sh->len : sh->spots[i].at) - from;

		if ((size_t)(end - p) < alike || memcmp(p, sh->text + from, alike) != 0)
			return false;
		/* The message begins and ends in what is alike. */
		if (from <= sh->message_at && sh->message_at <= from + alike)
			message = p + (sh->message_at - from);
		if (from <= (size_t)sh->message_at + sh->message_len && message_end == NULL &&
		    (size_t)sh->message_at + sh->message_len <= from + alike)
			message_end = p + (sh->message_at + sh->message_len - from);
		p += alike;
		if (is_last)
			break;
		p = read_spot(s, &sh->spots[i], p, line, row);
		if (p == NULL)
			return false;
		from = (size_t)sh->spots[i].at + sh->spots[i].len;
	}
	if (p != end)
		return false;
	if (sh->message_len > 0)
		row->message = (struct row_text){message, (size_t)(message_end - message)};
	if (row->metric_names.text != NULL)
		row->metrics = (struct row_text){s->metrics.data, s->metrics.len};
	return true;
}

bool shapes_match(struct shapes *s, const struct store_line *line, struct row_result *row_r)
{
	uint32_t tag = tag_of(line->text, line->len);
	struct shape **set = s->v[tag % (2 * SETS) / 2];

	if (tag == 0)
		return false;
	for (size_t k = 0; k < WAYS; k++) {
		if (set[k] == NULL || set[k]->tag != tag)
			continue;
		if (match(s, set[k], line, row_r)) {
			set[k]->misses = 0;
			return true;
		}
		set[k]->misses++;
	}
	return false;
}

/* --- keeping --- */

static void add_spot(struct shape *sh, const struct store_line *line, enum spot_kind kind,
		     struct jtext v)
{
	size_t i = sh->spots_n;

	if (i == SPOTS_MAX)
		return;
	/* In the order of the line. */
	for (; i > 0 && sh->spots[i - 1].at > v.text - line->text; i--)
		sh->spots[i] = sh->spots[i - 1];
	sh->spots[i] = (struct spot){.at = (uint16_t)(v.text - line->text),
				     .len = (uint16_t)v.len,
				     .kind = (uint8_t)kind};
	sh->spots_n++;
}

/* Within the quotes, if it is a time as haled writes it. */
static bool add_time(struct shape *sh, const struct store_line *line, enum spot_kind kind,
		     struct jtext v)
{
	if (v.len != TIME_LEN + 2 || !is_time(v.text + 1))
		return false;
	add_spot(sh, line, kind, (struct jtext){v.text + 1, TIME_LEN});
	return true;
}

static bool add_number(struct shape *sh, const struct store_line *line, enum spot_kind kind,
		       struct jtext v)
{
	if (v.text == NULL || after_number(v.text, v.text + v.len + 1) != v.text + v.len)
		return false;
	add_spot(sh, line, kind, v);
	return true;
}

static bool add_metrics(struct shape *sh, const struct store_line *line, struct jtext metrics)
{
	struct jtext name, value;

	for (size_t at = 0; jtext_next(metrics, &at, &name, &value);)
		if (!add_number(sh, line, SPOT_METRIC, value))
			return false;
	return true;
}

static bool is_measure(const char *behind, const char *end)
{
	static const char *const units[] = {"ms", "s", "us", "%", "B", "kB", "KiB", "MiB", "GiB"};
	size_t left;

	if (behind < end && *behind == ' ')
		behind++;
	left = (size_t)(end - behind);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i]);

		if (left >= len && memcmp(behind, units[i], len) == 0 &&
		    (left == len || !isalnum((unsigned char)behind[len])))
			return true;
	}
	return false;
}

/* The next measure from p on; false if there is none. */
static bool next_measure(const char *p, const char *end, struct jtext *v_r)
{
	while (p < end) {
		const char *after = is_digit(*p) ? after_number(p, end) : NULL;

		if (after != NULL && is_measure(after, end)) {
			*v_r = (struct jtext){p, (size_t)(after - p)};
			return true;
		}
		while (p < end && is_digit(*p)) /* all of it */
			p++;
		p += p < end;
	}
	return false;
}

static void add_measures(struct shape *sh, const struct store_line *line, struct jtext message)
{
	const char *p = message.text + 1, *end = message.text + message.len - 1;
	struct jtext v;

	for (; next_measure(p, end, &v); p = v.text + v.len)
		add_spot(sh, line, SPOT_MEASURE, v);
}

uint64_t shape_message_hash(struct row_text message)
{
	const char *p = message.text, *end = p + message.len;
	uint64_t h = HASH_START;
	struct jtext v;

	for (; next_measure(p, end, &v); p = v.text + v.len)
		h = hash_number(hash_add(h, p, (size_t)(v.text - p)), (size_t)(v.text - p));
	return hash_add(h, p, (size_t)(end - p)) | 1;
}

static bool add_spots(struct shape *sh, const struct store_line *line, const struct shape_parts *p,
		      const struct row_result *row)
{
	bool is_plain = jtext_is_string(p->message) &&
			memchr(p->message.text, '\\', p->message.len) == NULL;

	if (!add_time(sh, line, SPOT_AT, p->at) || !add_number(sh, line, SPOT_TOOK, p->took_ms))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(p->times); i++)
		(void)add_time(sh, line, SPOT_TIME, p->times[i]);
	for (size_t i = 0; i < ARRAY_LEN(p->counts); i++)
		(void)add_number(sh, line, SPOT_COUNT, p->counts[i]);
	if (row->metric_names.text != NULL && !add_metrics(sh, line, p->metrics))
		return false;
	if (is_plain && p->message.len > 2) {
		add_measures(sh, line, p->message);
		sh->message_at = (uint16_t)(p->message.text + 1 - line->text);
		sh->message_len = (uint16_t)(p->message.len - 2);
	}
	/* A name that occurs twice could make two of one place. */
	for (size_t i = 1; i < sh->spots_n; i++)
		if (sh->spots[i].at < sh->spots[i - 1].at + sh->spots[i - 1].len)
			return false;
	return sh->spots_n < SPOTS_MAX;
}

static void copy_text(struct row_text *t, char **p)
{
	if (t->text == NULL)
		return;
	memcpy(*p, t->text, t->len);
	(*p)[t->len] = '\0';
	t->text = *p;
	*p += t->len + 1;
}

static void copy_row(struct shape *sh, const struct row_result *row)
{
	struct row_text *texts[] = {&sh->row.component.node, &sh->row.component.name,
				    &sh->row.component.kind, &sh->row.component.label,
				    &sh->row.reason,         &sh->row.message,
				    &sh->row.details,        &sh->row.metric_names};
	size_t size = 0;
	char *p;

	sh->row = *row;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		size += texts[i]->len + 1;
	p = sh->copies = mem_alloc(size);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		copy_text(texts[i], &p);
	sh->row.metrics = (struct row_text){NULL, 0};
}

/* The way of the component's own last line, else a free one, else the next in turn. */
static struct shape **place_for(struct shapes *s, uint32_t tag)
{
	size_t set = tag % (2 * SETS) / 2, k;

	for (k = 0; k < WAYS; k++)
		if (s->v[set][k] != NULL && s->v[set][k]->tag == tag)
			return &s->v[set][k];
	for (k = 0; k < WAYS; k++)
		if (s->v[set][k] == NULL)
			return &s->v[set][k];
	return &s->v[set][s->next[set]++ % WAYS];
}

void shapes_keep(struct shapes *s, const struct store_line *line, const struct shape_parts *parts,
		 struct row_result *row)
{
	uint32_t tag = tag_of(line->text, line->len);
	struct shape **place, *sh;
	uint32_t misses = 0;

	/* Metrics that are kept as they come have no places of their own. */
	if (tag == 0 || line->len > LINE_MAX ||
	    (row->metrics.text != NULL && row->metric_names.text == NULL))
		return;
	place = place_for(s, tag);
	if (*place != NULL && (*place)->tag == tag) {
		misses = (*place)->misses;
		if (misses > MISSES_MAX && misses % MISSES_REPEAT != 0)
			return;
	}
	sh = mem_alloc(sizeof(*sh));
	if (!add_spots(sh, line, parts, row)) {
		shape_free(sh);
		return;
	}
	sh->tag = tag;
	sh->misses = misses;
	sh->len = (uint16_t)line->len;
	sh->text = mem_dupn(line->text, line->len);
	row->shape = ++s->numbers;
	copy_row(sh, row);
	shape_free(*place);
	*place = sh;
}
