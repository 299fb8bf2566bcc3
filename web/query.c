/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "model/component.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

/* So many digits are milliseconds: as seconds they would be the year 5138. */
#define MS_DIGITS_MIN 12
#define DIGITS_MAX    15

/* Digits with at most one point. strtod alone would take "nan", "1e9", " 1" and "0x10". */
static bool parse_decimal(const char *text, double *n_r)
{
	size_t len = strspn(text, "0123456789.");
	if (len == 0 || len > 12 || text[len] || !isdigit((unsigned char)text[0]))
		return false;
	char *end;
	*n_r = strtod(text, &end);
	return *end == '\0';
}

static bool parse_whole(const char *text, size_t max, size_t *n_r)
{
	double n;
	if (!parse_decimal(text, &n) || strchr(text, '.') || n < 1 || n > (double)max)
		return false;
	*n_r = (size_t)n;
	return true;
}

/* ---- times ---- */

static bool parse_epoch(const char *text, int64_t *ms_r)
{
	size_t len = strspn(text, "0123456789");
	if (len == 0 || len > DIGITS_MAX || text[len])
		return false;
	int64_t n = strtoll(text, NULL, 10);
	*ms_r = len >= MS_DIGITS_MIN ? n : n * 1000;
	return true;
}

static int parse_time(const char *name, const char *text, int64_t *ms_r, struct err *err)
{
	char full[64];
	size_t len = strlen(text);
	if (parse_epoch(text, ms_r))
		return 0;
	if (len > 0 && len < sizeof(full) - 16) {
		memcpy(full, text, len + 1);
		if (len == strlen("2026-11-22"))
			memcpy(full + len, "T00:00:00Z", sizeof("T00:00:00Z"));
		/* The plus of a zone, sent as it is, reads as a blank in a query. */
		char *blank = len > 19 ? strrchr(full, ' ') : NULL;
		if (blank && blank - full >= 19)
			*blank = '+';
		if (clock_parse(full, ms_r) == 0)
			return 0;
	}
	return err_set(err, -EINVAL,
		       "%s: a time as 2026-11-22T01:30:00Z, a date as 2026-11-22, or seconds since "
		       "1970",
		       name);
}

static int from_and_to(const struct query_text *text, int64_t now_ms, struct query_range *r,
		       struct err *err)
{
	int rc = 0;
	r->to_ms = now_ms;
	r->is_open = !text->to;
	if (text->to)
		rc = parse_time("to", text->to, &r->to_ms, err);
	if (!rc && text->from)
		rc = parse_time("from", text->from, &r->from_ms, err);
	else
		r->from_ms = r->to_ms - DAY_MS;
	if (rc)
		return rc;
	/* The store takes 0 for an open end. */
	if (r->to_ms <= 0)
		return err_set(err, -EINVAL, "to: must be after 1970-01-01T00:00:00Z");
	r->from_ms = HALE_MAX(r->from_ms, 0);
	if (r->from_ms >= r->to_ms)
		return err_set(err, -EINVAL, "from: must be before %s", text->to ? "to" : "now");
	if (r->to_ms - r->from_ms > QUERY_DAYS_MAX * DAY_MS)
		return err_set(err, -EINVAL, "from: at most %d days before to", QUERY_DAYS_MAX);
	r->is_open = r->is_open || r->to_ms >= now_ms;
	return 0;
}

int query_range(const struct query_text *text, int64_t now_ms, struct query_range *r_r,
		struct err *err)
{
	struct query_range r = {.to_ms = now_ms, .is_open = true};
	double hours = QUERY_HOURS_DEFAULT;
	int64_t span;
	if (!!text->hours + !!text->time_range + (text->from || text->to) > 1)
		return err_set(err, -EINVAL,
			       "hours, timeRange and from with to exclude each other");
	if (text->from || text->to) {
		int rc = from_and_to(text, now_ms, &r, err);
		if (!rc)
			*r_r = r;
		return rc;
	}
	if (text->hours &&
	    (!parse_decimal(text->hours, &hours) || hours <= 0 || hours > QUERY_DAYS_MAX * 24))
		return err_set(err, -EINVAL, "hours: a number above 0, at most %d",
			       QUERY_DAYS_MAX * 24);
	span = (int64_t)(hours * (double)HOUR_MS);
	if (text->time_range && (duration_parse(text->time_range, &span) || span <= 0 ||
				 span > QUERY_DAYS_MAX * DAY_MS))
		return err_set(err, -EINVAL, "timeRange: a duration as 30m, 24h or 7d, at most %dd",
			       QUERY_DAYS_MAX);
	r.from_ms = now_ms - span;
	*r_r = r;
	return 0;
}

/* ---- names ---- */

static int check_component(const char *text, struct err *err)
{
	size_t len = text ? strlen(text) : 1;
	size_t good = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") : 1;
	if (len == good && len > 0 && len < COMPONENT_ID_MAX)
		return 0;
	return err_set(err, -EINVAL, "component: letters a-z, digits, and _ . -");
}

/* What a subject, an alert's key or a metric may be called. */
static int check_name(const char *parameter, const char *text, struct err *err)
{
	size_t len = text ? strlen(text) : 0, step = 1;
	for (size_t at = 0; at < len && step; at += step) {
		step = str_utf8_length(text + at, len - at);
		if (iscntrl((unsigned char)text[at]))
			step = 0;
	}
	if (!text || (len > 0 && len <= QUERY_NAME_LEN_MAX && step))
		return 0;
	return err_set(err, -EINVAL, "%s: a name, at most %d bytes of text", parameter,
		       QUERY_NAME_LEN_MAX);
}

int query_names(const struct query_text *text, struct err *err)
{
	int rc = check_name("component", text->component, err);
	return rc ? rc : check_name("node", text->node, err);
}

/* ---- rows ---- */

static int parse_what(const char *text, enum read_what *what, struct err *err)
{
	HALE_CLEANUP(str_done) struct str known = {0};
	int found = text ? read_what_of(text) : (int)*what;
	if (found >= 0) {
		*what = (enum read_what)found;
		return 0;
	}
	for (enum read_what w = 0; w < READ_WHAT_MAX; w++)
		str_addf(&known, "%s%s", w ? ", " : "", read_what_name(w));
	return err_set(err, -EINVAL, "what: one of %s", str_text(&known));
}

int query_rows(const struct query_text *text, enum read_what what, int64_t now_ms,
	       struct read_query *q_r, struct err *err)
{
	struct read_query q = {.what = what, .limit = READ_ROWS_DEFAULT};
	struct query_range r = {0};
	int rc = parse_what(text->what, &q.what, err);
	if (!rc)
		rc = query_range(text, now_ms, &r, err);
	if (!rc)
		rc = q.what == READ_RESULTS || q.what == READ_TRANSITIONS
			     ? check_component(text->component, err)
			     : check_name("component", text->component, err);
	if (!rc)
		rc = check_name("node", text->node, err);
	if (rc)
		return rc;
	if (text->limit && !parse_whole(text->limit, QUERY_LIMIT_MAX, &q.limit))
		return err_set(err, -EINVAL, "limit: a whole number from 1 to %d", QUERY_LIMIT_MAX);
	if (text->cursor && (!*text->cursor || strlen(text->cursor) > QUERY_CURSOR_LEN_MAX))
		return err_set(err, -EINVAL, "cursor: the text of a former answer");
	q.name = text->component;
	q.node = text->node;
	q.cursor = text->cursor;
	q.from_ms = r.from_ms;
	/* A clock that was set back must not hide what just came. */
	q.to_ms = r.is_open ? 0 : r.to_ms;
	*q_r = q;
	return 0;
}

/* ---- series, uptime ---- */

int query_series(const struct query_text *text, int64_t now_ms, struct series_query *q_r,
		 struct err *err)
{
	struct series_query q = {.metric = text->metric,
				 .component = text->component,
				 .node = text->node,
				 .now_ms = now_ms,
				 .points_max = SERIES_POINTS_DEFAULT};
	struct query_range r = {0};
	int rc = query_range(text, now_ms, &r, err);
	if (!rc)
		rc = check_name("metric", text->metric, err);
	if (!rc)
		rc = check_component(text->component, err);
	if (!rc)
		rc = check_name("node", text->node, err);
	if (rc)
		return rc;
	if (text->points && !parse_whole(text->points, SERIES_POINTS_MAX, &q.points_max))
		return err_set(err, -EINVAL, "points: a whole number from 1 to %d",
			       SERIES_POINTS_MAX);
	if (text->step && (duration_parse(text->step, &q.step_ms) || q.step_ms <= 0))
		return err_set(err, -EINVAL, "step: a duration as 1m, 5m or 1h");
	if (text->step && (r.to_ms - r.from_ms) / q.step_ms >= SERIES_POINTS_MAX)
		return err_set(err, -EINVAL, "step: would be more than %d points",
			       SERIES_POINTS_MAX);
	q.from_ms = r.from_ms;
	q.to_ms = r.to_ms;
	*q_r = q;
	return 0;
}

int query_uptime(const struct query_text *text, int64_t now_ms, struct uptime_query *q_r,
		 struct err *err)
{
	struct uptime_query q = {
		.component = text->component, .node = text->node, .sla_percent = (double)NAN};
	struct query_range r = {0};
	int rc = query_range(text, now_ms, &r, err);
	if (!rc)
		rc = check_component(text->component, err);
	if (!rc)
		rc = check_name("node", text->node, err);
	if (rc)
		return rc;
	if (text->sla && (!parse_decimal(text->sla, &q.sla_percent) || q.sla_percent <= 0 ||
			  q.sla_percent > 100))
		return err_set(err, -EINVAL, "sla: a percentage above 0, at most 100, as 99.9");
	if (r.from_ms >= now_ms)
		return err_set(err, -EINVAL, "from: must be before now");
	q.from_ms = r.from_ms;
	q.to_ms = HALE_MIN(r.to_ms, now_ms);
	*q_r = q;
	return 0;
}
