/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "text.h"

#define GAP 2 /* blanks between two columns */

void table_cell(struct table *t, enum tone tone, const char *text)
{
	struct str clean = {0};

	text_add(&clean, text == NULL ? "" : text);
	t->cells = mem_grow(t->cells, t->cells_n + 1, sizeof(*t->cells));
	t->cells[t->cells_n] = (struct table_cell){.tone = tone, .text = str_take(&clean)};
	t->cells[t->cells_n].width = text_width(t->cells[t->cells_n].text);
	t->cells_n++;
}

void table_cellf(struct table *t, enum tone tone, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	table_cell(t, tone, str_text(&text));
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->cells_n; i++)
		free(t->cells[i].text);
	free(t->cells);
	t->cells = NULL;
	t->cells_n = 0;
}

static bool has_titles(const struct table *t)
{
	return t->columns[0].title != NULL;
}

/* The natural width of each column; 0 leaves it out. */
static void measure(const struct table *t, size_t *widths)
{
	for (size_t i = 0; i < t->cells_n; i++) {
		size_t *w = &widths[i % t->columns_n];

		*w = HALE_MAX(*w, t->cells[i].width);
	}
	for (size_t c = 0; has_titles(t) && c < t->columns_n; c++) {
		if (widths[c] > 0)
			widths[c] = HALE_MAX(widths[c], text_width(t->columns[c].title));
	}
}

/* The width of all columns but the one that gives way, with the gaps behind them. */
static size_t width_of_others(const struct table *t, const size_t *widths)
{
	size_t others = t->indent;

	for (size_t c = 0; c < t->columns_n; c++) {
		if (!t->columns[c].is_flexible && widths[c] > 0)
			others += widths[c] + GAP;
	}
	return others;
}

static size_t *find_flexible(const struct table *t, size_t *widths)
{
	for (size_t c = 0; c < t->columns_n; c++) {
		if (t->columns[c].is_flexible)
			return &widths[c];
	}
	return NULL;
}

static void fit(const struct table *t, size_t width, size_t *widths)
{
	size_t *flexible = find_flexible(t, widths);
	size_t others = width_of_others(t, widths), wish;

	if (flexible == NULL || width == 0 || others + *flexible <= width)
		return;
	wish = HALE_MIN(*flexible, (size_t)TABLE_FLEXIBLE_WISH);
	for (size_t c = 0; c < t->columns_n && others + wish > width; c++) {
		if (t->columns[c].is_optional)
			widths[c] = 0;
		others = width_of_others(t, widths);
	}
	*flexible = HALE_MIN(*flexible, HALE_MAX((size_t)TABLE_FLEXIBLE_MIN,
						 width > others ? width - others : 0));
}

static void blanks(struct str *out, size_t n)
{
	while (n-- > 0)
		str_addc(out, ' ');
}

struct line {
	struct str *out;
	const size_t *widths;
	bool has_colour;
	size_t owed; /* blanks that stand before the next text, and never at a line's end */
};

static void add_cell(struct line *l, const struct table_column *column, size_t width,
		     const char *text, enum tone tone)
{
	size_t used = HALE_MIN(text_width(text), width);
	size_t rest = width - used;

	if (used > 0) {
		blanks(l->out, l->owed + (column->is_right ? rest : 0));
		l->owed = column->is_right ? GAP : rest + GAP;
		str_add(l->out, paint_on(l->has_colour, tone));
		/* A wide character that no longer fits leaves a column free. */
		l->owed += used - text_add_cut(l->out, text, width);
		str_add(l->out, paint_off(l->has_colour, tone));
	} else {
		l->owed += width + GAP;
	}
}

static void add_titles(const struct table *t, struct line *l)
{
	l->owed = t->indent;
	for (size_t c = 0; c < t->columns_n; c++) {
		if (l->widths[c] > 0)
			add_cell(l, &t->columns[c], l->widths[c], t->columns[c].title, TONE_DIM);
	}
	str_addc(l->out, '\n');
}

void table_format(const struct table *t, bool has_colour, size_t width, struct str *out)
{
	size_t *widths = mem_array(t->columns_n, sizeof(*widths));
	struct line l = {.out = out, .widths = widths, .has_colour = has_colour};

	HALE_ASSERT(t->cells_n % t->columns_n == 0);
	measure(t, widths);
	fit(t, width, widths);
	if (t->cells_n > 0 && has_titles(t))
		add_titles(t, &l);
	for (size_t i = 0; i < t->cells_n; i++) {
		size_t c = i % t->columns_n;

		if (c == 0)
			l.owed = t->indent;
		if (widths[c] > 0)
			add_cell(&l, &t->columns[c], widths[c], t->cells[i].text, t->cells[i].tone);
		if (c == t->columns_n - 1)
			str_addc(out, '\n');
	}
	free(widths);
}
