/* SPDX-License-Identifier: Apache-2.0 */
#include "uptime_math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* --- spans --- */

static void insert(struct uptime_spans *s, size_t at, struct uptime_span span)
{
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 8;
		s->v = mem_grow(s->v, s->cap, sizeof(*s->v));
	}
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(*s->v));
	s->v[at] = span;
	s->n++;
}

void uptime_spans_add(struct uptime_spans *s, int64_t from_ms, int64_t to_ms)
{
	struct uptime_span *last = s->n > 0 ? &s->v[s->n - 1] : NULL;

	HALE_ASSERT(last == NULL || from_ms >= last->from_ms);
	if (to_ms < from_ms)
		return;
	if (last != NULL && from_ms - last->to_ms < UPTIME_GAP_MS)
		last->to_ms = HALE_MAX(last->to_ms, to_ms);
	else
		insert(s, s->n, (struct uptime_span){from_ms, to_ms});
}

void uptime_spans_extend(struct uptime_spans *s)
{
	if (s->n > 0)
		s->v[s->n - 1].to_ms += UPTIME_SILENCE_MS;
}

void uptime_spans_cut(struct uptime_spans *s, int64_t from_ms, int64_t to_ms)
{
	size_t i = 0;

	while (i < s->n) {
		struct uptime_span *v = &s->v[i];
		int64_t end_ms = v->to_ms;

		if (v->to_ms <= from_ms || v->from_ms >= to_ms) {
			i++;
			continue;
		}
		if (v->from_ms >= from_ms && v->to_ms <= to_ms) {
			memmove(v, v + 1, (s->n - i - 1) * sizeof(*v));
			s->n--;
			continue;
		}
		if (v->from_ms >= from_ms) {
			v->from_ms = to_ms;
		} else {
			v->to_ms = from_ms;
			if (end_ms > to_ms)
				insert(s, i + 1, (struct uptime_span){to_ms, end_ms});
		}
		i++;
	}
}

/* Of [from, to), from span number *first on; *first then is the first that reaches beyond. */
static int64_t overlap(const struct uptime_spans *s, size_t *first, int64_t from_ms, int64_t to_ms)
{
	int64_t ms = 0;

	while (*first < s->n && s->v[*first].to_ms <= from_ms)
		(*first)++;
	for (size_t i = *first; i < s->n && s->v[i].from_ms < to_ms; i++)
		ms += HALE_MIN(s->v[i].to_ms, to_ms) - HALE_MAX(s->v[i].from_ms, from_ms);
	return ms;
}

int64_t uptime_spans_total(const struct uptime_spans *s, int64_t from_ms, int64_t to_ms)
{
	size_t first = 0;

	return overlap(s, &first, from_ms, to_ms);
}

void uptime_spans_done(struct uptime_spans *s)
{
	free(s->v);
	*s = (struct uptime_spans){0};
}

/* --- status after status --- */

static bool is_bad(int status)
{
	return status == STATUS_CRITICAL || status == STATUS_DOWN;
}

static bool is_good(int status)
{
	return status == STATUS_HEALTHY || status == STATUS_DEGRADED;
}

static void outage_over(struct uptime_math *m, bool is_repaired)
{
	if (m->outage_ms == 0)
		return;
	m->outages++;
	m->longest_ms = HALE_MAX(m->longest_ms, m->outage_ms);
	if (is_repaired) {
		m->repaired++;
		m->repaired_ms += m->outage_ms;
	}
	m->outage_ms = 0;
}

static void pass(struct uptime_math *m, const struct uptime_spans *s, int64_t to_ms)
{
	int64_t ms;

	if (m->status >= 0 && m->status != STATUS_UNKNOWN) {
		ms = overlap(s, &m->span, m->since_ms, to_ms);
		m->ms[m->status] += ms;
		if (is_bad(m->status))
			m->outage_ms += ms;
	}
	m->since_ms = to_ms;
}

void uptime_begin(struct uptime_math *m, int64_t from_ms, int status)
{
	*m = (struct uptime_math){.status = status, .since_ms = from_ms};
}

void uptime_change(struct uptime_math *m, const struct uptime_spans *s, int64_t at_ms, int status)
{
	HALE_ASSERT(at_ms >= m->since_ms && status >= 0 && status < STATUS_MAX);
	pass(m, s, at_ms);
	if (is_good(status))
		outage_over(m, true);
	m->status = status;
}

void uptime_end(struct uptime_math *m, const struct uptime_spans *s, int64_t to_ms)
{
	pass(m, s, to_ms);
	outage_over(m, false);
}

/* --- what comes of it --- */

int64_t uptime_bad(const struct uptime_math *m)
{
	return m->ms[STATUS_CRITICAL] + m->ms[STATUS_DOWN];
}

int64_t uptime_monitored(const struct uptime_math *m)
{
	return m->ms[STATUS_HEALTHY] + m->ms[STATUS_DEGRADED] + uptime_bad(m);
}

double uptime_percent(const struct uptime_math *m)
{
	int64_t all = uptime_monitored(m);

	return all > 0 ? 100.0 * (double)(all - uptime_bad(m)) / (double)all : (double)NAN;
}

double uptime_mttr(const struct uptime_math *m)
{
	return m->repaired > 0 ? (double)m->repaired_ms / (double)m->repaired : (double)NAN;
}

double uptime_mtbf(const struct uptime_math *m)
{
	return m->outages > 0 ? (double)(uptime_monitored(m) - uptime_bad(m)) / (double)m->outages
			      : (double)NAN;
}
