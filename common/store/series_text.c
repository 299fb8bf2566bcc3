/* SPDX-License-Identifier: Apache-2.0 */
#include "series_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* So far every whole number is a double, and six decimals of smaller ones fit into 64 bits. */
#define WHOLE_MAX    9007199254740992.0
#define DECIMAL_MAX  1e9
#define DECIMAL_MIN  1e-2 /* below it six decimals are less than four digits */
#define DECIMALS     6
#define DECIMALS_POW INT64_C(1000000)

/* Ends at end; returns where it begins. */
static char *digits(char *end, uint64_t n)
{
	do {
		*--end = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return end;
}

static void add_whole(struct str *out, double value)
{
	char buf[24], *end = buf + sizeof(buf);
	char *p = digits(end, (uint64_t)fabs(value));

	if (value < 0)
		*--p = '-';
	str_addn(out, p, (size_t)(end - p));
}

static void add_decimal(struct str *out, double value)
{
	char buf[32], *end = buf + sizeof(buf), *p;
	uint64_t n = (uint64_t)llround(fabs(value) * (double)DECIMALS_POW);
	size_t kept = DECIMALS;

	for (; kept > 0 && n % 10 == 0; kept--)
		n /= 10;
	p = end;
	for (size_t i = 0; i < kept; i++, n /= 10)
		*--p = (char)('0' + n % 10);
	if (kept > 0)
		*--p = '.';
	p = digits(p, n);
	if (value < 0)
		*--p = '-';
	str_addn(out, p, (size_t)(end - p));
}

void series_text_number(struct str *out, double value)
{
	double size = fabs(value);

	if (value == trunc(value) && size <= WHOLE_MAX)
		add_whole(out, value);
	else if (size >= DECIMAL_MIN && size < DECIMAL_MAX)
		add_decimal(out, value);
	else
		str_addf(out, "%.15g", value);
}

struct at_text {
	char text[CLOCK_TEXT_MAX];
};

static void write_point(struct str *out, const struct at_text *at, const struct series_point *p)
{
	str_add(out, "{\"at\":\"");
	str_add(out, at->text);
	if (p->count == 0) {
		str_add(out, "\",\"count\":0,\"min\":null,\"avg\":null,\"max\":null,\"p95\":null}");
		return;
	}
	str_add(out, "\",\"count\":");
	add_whole(out, (double)p->count);
	str_add(out, ",\"min\":");
	series_text_number(out, p->min);
	str_add(out, ",\"avg\":");
	series_text_number(out, series_point_avg(p));
	str_add(out, ",\"max\":");
	series_text_number(out, p->max);
	str_add(out, ",\"p95\":");
	series_text_number(out, p->p95);
	str_addc(out, '}');
}

static void write_line(struct str *out, const struct series_component *c, const struct at_text *at)
{
	const struct series_line *l = c->lines[0];

	str_add(out, "{\"component\":");
	str_add_quoted(out, c->name);
	str_add(out, ",\"node\":");
	str_add_quoted(out, c->node);
	str_add(out, ",\"points\":[");
	for (size_t i = l->first; i <= l->last; i++) {
		if (i > l->first)
			str_addc(out, ',');
		write_point(out, &at[i], &l->v[i]);
	}
	str_add(out, "]}");
}

static int compare_name(const void *a, const void *b)
{
	const struct series_component *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(x->node, y->node);
}

static void write_lines(struct series_set *s, const struct series_plan *plan, struct str *out)
{
	struct at_text *at = mem_array(plan->steps, sizeof(*at));
	bool is_first = true;

	for (size_t i = 0; i < plan->steps; i++)
		(void)clock_format(plan->first_ms + (int64_t)i * plan->step_ms, at[i].text);
	if (s->components_n > 0)
		qsort(s->components, s->components_n, sizeof(*s->components), compare_name);
	for (size_t i = 0; i < s->components_n; i++) {
		const struct series_component *c = &s->components[i];

		if (c->lines == NULL || c->lines[0] == NULL || !c->lines[0]->has_data)
			continue;
		if (!is_first)
			str_addc(out, ',');
		is_first = false;
		write_line(out, c, at);
	}
	free(at);
}

void series_text_write(struct series_set *s, const struct series_plan *plan,
		       const struct series_range *range, struct str *out)
{
	char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];

	str_add(out, "{\"metric\":");
	str_add_quoted(out, range->metric);
	str_addf(out,
		 ",\"from\":\"%s\",\"to\":\"%s\",\"step_ms\":%lld,\"source\":\"%s\","
		 "\"truncated\":%s,\"series\":[",
		 clock_format(range->from_ms, from), clock_format(range->to_ms, to),
		 (long long)plan->step_ms, series_source_name(plan->source),
		 s->is_truncated ? "true" : "false");
	write_lines(s, plan, out);
	str_add(out, "]}");
}
