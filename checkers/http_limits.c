/* SPDX-License-Identifier: Apache-2.0 */
#include "http_limits.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/str.h"

#define MS_PER_S      1000
#define PERCENT       100.0
/* A reset beyond this is a time (seconds since 1970) and not seconds from now: services differ. */
#define EPOCH_FIRST_S 1e9
/* Of a policy's name; longer ones are told apart by their beginning. */
#define KEY_SIZE      64
/* A longer list of limits is not read: no service has so many, and the time to read two lists grows
 * with both. */
#define LIST_MAX      2048

static const struct rate_limit untold = {NAN, NAN, NAN, NAN};

/* ---- Pieces of a list: a;b=1, "c d";e=2 ---- */

struct piece {
	char key[KEY_SIZE];
	double value; /* NAN: none, or not a number */
	bool has_value;
	bool begins_item; /* after a comma, or first of all */
};

/* The number text begins with, if nothing but the end of its piece follows. */
static double number_at(const char *text)
{
	char *end;
	double value;

	text += strspn(text, " \t");
	/* strtod() would take "inf", "0x10" and "-1" as well. */
	if (!isdigit((unsigned char)*text) || tolower((unsigned char)text[1]) == 'x')
		return NAN;
	value = strtod(text, &end);
	end += strspn(end, " \t");
	return (*end == '\0' || *end == ',' || *end == ';') && isfinite(value) ? value : NAN;
}

/* Reads a quoted text or a word into key; returns what follows. */
static const char *read_key(const char *at, char key[KEY_SIZE])
{
	bool is_quoted = *at == '"';
	size_t n = 0;

	for (at += is_quoted; *at != '\0'; at++) {
		if (is_quoted ? *at == '"' : strchr("=;, \t", *at) != NULL)
			break;
		if (is_quoted && *at == '\\' && at[1] != '\0')
			at++;
		if (n < KEY_SIZE - 1)
			key[n++] = (char)tolower((unsigned char)*at);
	}
	key[n] = '\0';
	return is_quoted && *at == '"' ? at + 1 : at;
}

/* The end of a value, past a quoted text in it. */
static const char *skip_value(const char *at)
{
	char dropped[KEY_SIZE];

	while (*at != '\0' && *at != ';' && *at != ',')
		at = *at == '"' ? read_key(at, dropped) : at + 1;
	return at;
}

/* False at the end of the list. `at` moves on; it begins at the list's first character. */
static bool next_piece(const char *list, const char **at, struct piece *piece_r)
{
	const char *p = *at;

	*piece_r = (struct piece){.value = NAN, .begins_item = p == list};
	for (; *p != '\0' && strchr(" \t,;", *p) != NULL; p++)
		piece_r->begins_item |= *p == ',';
	if (*p == '\0')
		return false;
	p = read_key(p, piece_r->key);
	p += strspn(p, " \t");
	if (*p == '=') {
		piece_r->has_value = true;
		piece_r->value = number_at(p + 1);
	}
	*at = skip_value(p);
	return true;
}

/* ---- Which of several limits counts ---- */

static double reset_in(double reset, int64_t now_ms)
{
	if (!(reset >= EPOCH_FIRST_S))
		return reset;
	return fmax(0, reset - (double)now_ms / MS_PER_S);
}

/* Keeps the one that is used up more. */
static void consider(struct rate_limit *best, double limit, double remaining, double reset_s)
{
	struct rate_limit l = {.limit = limit,
			       .remaining = remaining,
			       .used_percent = NAN,
			       .reset_seconds = reset_s};
	bool is_worse;

	if (isnan(limit) && isnan(remaining))
		return;
	if (limit > 0 && remaining >= 0)
		l.used_percent = fmin(PERCENT, fmax(0, PERCENT * (limit - remaining) / limit));
	if (isnan(l.used_percent) || isnan(best->used_percent))
		is_worse = isnan(best->used_percent) &&
			   (!isnan(l.used_percent) || !(best->remaining <= l.remaining));
	else
		is_worse = l.used_percent > best->used_percent;
	if (is_worse)
		*best = l;
}

/* ---- One header for each number ---- */

static const struct {
	const char *limit, *remaining, *reset;
} plain_names[] = {
	{"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"},
	{"x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"},
	{"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"},
	{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
	 "x-ratelimit-reset-requests"},
	{"x-ratelimit-limit-second", "x-ratelimit-remaining-second", "ratelimit-reset"},
	{"x-ratelimit-limit-minute", "x-ratelimit-remaining-minute", "ratelimit-reset"},
	{"x-ratelimit-limit-hour", "x-ratelimit-remaining-hour", "ratelimit-reset"},
	{"x-ratelimit-limit-day", "x-ratelimit-remaining-day", "ratelimit-reset"},
};

static const char *text_of(const json_t *headers, const char *name)
{
	return json_string_value(json_object_get(headers, name));
}

static double number_of(const json_t *headers, const char *name)
{
	const char *text = text_of(headers, name);

	return text == NULL ? NAN : number_at(text);
}

/* ---- RateLimit and RateLimit-Policy ---- */

/* What the policy of that name allows, "q"; NAN if it does not say. */
static double quota_of(const char *policies, const char *name)
{
	struct piece piece;
	bool is_it = false;

	for (const char *at = policies; next_piece(policies, &at, &piece);) {
		if (piece.begins_item)
			is_it = strcmp(piece.key, name) == 0;
		else if (is_it && strcmp(piece.key, "q") == 0)
			return piece.value;
	}
	return NAN;
}

/* Draft 07: one limit, its numbers are the items. */
static bool take_flat(const struct piece *piece, struct rate_limit *flat)
{
	if (!piece->begins_item || !piece->has_value)
		return false;
	if (strcmp(piece->key, "limit") == 0)
		flat->limit = piece->value;
	else if (strcmp(piece->key, "remaining") == 0)
		flat->remaining = piece->value;
	else if (strcmp(piece->key, "reset") == 0)
		flat->reset_seconds = piece->value;
	return true;
}

static void consider_lists(const char *limits, const char *policies, struct rate_limit *best)
{
	struct rate_limit flat = untold, one = untold;
	struct piece piece;

	for (const char *at = limits; next_piece(limits, &at, &piece);) {
		if (take_flat(&piece, &flat))
			continue;
		if (piece.begins_item) {
			consider(best, one.limit, one.remaining, one.reset_seconds);
			one = untold;
			one.limit = quota_of(policies, piece.key);
		} else if (strcmp(piece.key, "r") == 0) {
			one.remaining = piece.value;
		} else if (strcmp(piece.key, "t") == 0) {
			one.reset_seconds = piece.value;
		}
	}
	consider(best, one.limit, one.remaining, one.reset_seconds);
	consider(best, flat.limit, flat.remaining, flat.reset_seconds);
}

/* Most answers have none, and are not searched for thirty names. */
static bool tells_of_limits(const json_t *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)headers, name, value) {
		if (str_starts(name, "ratelimit") || str_starts(name, "x-rate"))
			return true;
	}
	return false;
}

bool http_rate_limit(const json_t *headers, int64_t now_ms, struct rate_limit *limit_r)
{
	const char *limits = text_of(headers, "ratelimit");
	const char *policies = text_of(headers, "ratelimit-policy");
	struct rate_limit best = untold;

	if (!tells_of_limits(headers))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(plain_names); i++)
		consider(&best, number_of(headers, plain_names[i].limit),
			 number_of(headers, plain_names[i].remaining),
			 reset_in(number_of(headers, plain_names[i].reset), now_ms));
	if (policies == NULL || strlen(policies) > LIST_MAX)
		policies = "";
	if (limits != NULL && strlen(limits) <= LIST_MAX)
		consider_lists(limits, policies, &best);
	if (isnan(best.limit) && isnan(best.remaining))
		return false;
	*limit_r = best;
	return true;
}

/* ---- Dates ---- */

int http_date_parse(const char *text, int64_t *wall_ms_r)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (end == NULL || *end != '\0')
			continue;
		*wall_ms_r = (int64_t)timegm(&tm) * MS_PER_S;
		return 0;
	}
	return -EINVAL;
}
