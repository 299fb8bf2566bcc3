/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* A longer source line is shown as a window around the mark. */
#define SOURCE_SHOWN_MAX    160
/* No line of a configuration is longer; REPORT_MAX of them as JSON are what a reload may be told.
 */
#define SOURCE_KEPT_MAX     8192
/* How much of a long line is shown before the mark. */
#define SOURCE_SHOWN_BEFORE 60
/* Narrowest column for line numbers, so that the gutters of most reports align. */
#define GUTTER_MIN          5

void report_done(struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct report_entry *e = &r->v[i];

		free(e->file);
		free(e->message);
		free(e->hint);
		free(e->source);
	}
	free(r->v);
	*r = (struct report){0};
}

/* Values from the file are quoted in messages; what they hold must not steer a terminal. */
static char *printable(char *text)
{
	for (char *p = text; p != NULL && *p != '\0'; p++) {
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			*p = '?';
	}
	return text;
}

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int compare(const struct report_entry *a, const struct report_entry *b)
{
	int order = strcmp(a->file, b->file);

	if (order == 0)
		order = compare_numbers(a->mark.line, b->mark.line);
	if (order == 0)
		order = compare_numbers(a->mark.column, b->mark.column);
	return order;
}

/* One mistake may be met on several ways (an alias used twice); it is told once. */
static bool is_known(const struct report *r, const struct report_entry *e)
{
	for (size_t i = 0; i < r->n; i++) {
		if (compare(&r->v[i], e) == 0 && strcmp(r->v[i].message, e->message) == 0)
			return true;
	}
	return false;
}

static void drop(struct report_entry *e)
{
	free(e->file);
	free(e->message);
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* NULL where the mark is beyond what is kept. */
static char *keep_source(const char *source, size_t column)
{
	size_t len = source == NULL ? 0 : strlen(source);

	if (len <= SOURCE_KEPT_MAX)
		return mem_dup(source);
	if (column > SOURCE_KEPT_MAX - SOURCE_SHOWN_MAX)
		return NULL;
	len = SOURCE_KEPT_MAX;
	while (is_continuation(source[len]))
		len--;
	return mem_dupn(source, len);
}

static void add(struct report *r, const struct conf_mark *mark, const char *source,
		const char *hint, bool is_warning, char *message /* taken */)
{
	struct report_entry e = {.mark = *mark, .is_warning = is_warning};
	size_t at = r->n;

	e.file = printable(mem_dup(mark->file != NULL ? mark->file : ""));
	e.mark.file = e.file;
	e.message = printable(message);
	if (is_known(r, &e)) {
		drop(&e);
		return;
	}
	r->errors += !is_warning;
	if (r->n == REPORT_MAX) {
		r->dropped++;
		drop(&e);
		return;
	}
	e.hint = printable(mem_dup(hint));
	e.source = printable(keep_source(source, mark->column));
	r->v = mem_grow(r->v, r->n + 1, sizeof(*r->v));
	for (; at > 0 && compare(&e, &r->v[at - 1]) < 0; at--)
		r->v[at] = r->v[at - 1];
	r->v[at] = e;
	r->n++;
}

HALE_PRINTF(1, 0)
static char *format_message(const char *fmt, va_list args)
{
	struct str s = {0};

	str_vaddf(&s, fmt, args);
	str_add(&s, "");
	return str_take(&s);
}

void report_add(struct report *r, const struct conf_mark *mark, const char *source,
		const char *hint, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(r, mark, source, hint, false, format_message(fmt, args));
	va_end(args);
}

void report_warn(struct report *r, const struct conf_mark *mark, const char *source,
		 const char *hint, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(r, mark, source, hint, true, format_message(fmt, args));
	va_end(args);
}

/* ---- Text ---- */

struct paint {
	const char *place, *error, *warning, *gutter, *hint, *off;
};

static const struct paint plain = {"", "", "", "", "", ""};
static const struct paint ansi = {"\033[1m",    "\033[1;31m", "\033[1;33m",
				  "\033[1;34m", "\033[36m",   "\033[0m"};

/* The part of the line that is shown, as offsets. */
static void window(const char *source, size_t at, size_t *from_r, size_t *to_r)
{
	size_t len = strlen(source);
	size_t from = 0;
	size_t to = len;

	if (len > SOURCE_SHOWN_MAX) {
		from = at > SOURCE_SHOWN_BEFORE ? at - SOURCE_SHOWN_BEFORE : 0;
		to = HALE_MIN(len, from + SOURCE_SHOWN_MAX);
	}
	while (from < at && is_continuation(source[from]))
		from++;
	while (to < len && is_continuation(source[to]))
		to++;
	*from_r = from;
	*to_r = to;
}

/* Marks count bytes; terminals count characters, and a tab must stay a tab to keep its width. */
static void add_padding(struct str *out, const char *source, size_t from, size_t at)
{
	for (size_t i = from; i < at; i++) {
		if (!is_continuation(source[i]))
			str_addc(out, source[i] == '\t' ? '\t' : ' ');
	}
}

static void add_carets(struct str *out, const char *source, size_t at, size_t to)
{
	str_addc(out, '^');
	for (size_t i = at + 1; i < to; i++) {
		if (!is_continuation(source[i]))
			str_addc(out, '^');
	}
}

static void format_source(const struct report_entry *e, const struct paint *paint, int width,
			  struct str *out)
{
	size_t len = strlen(e->source);
	size_t at = e->mark.column > 0 ? HALE_MIN(e->mark.column - 1, len) : 0;
	const char *colour = e->is_warning ? paint->warning : paint->error;
	size_t length = HALE_MAX(e->mark.length, (size_t)1);
	size_t from;
	size_t to;

	window(e->source, at, &from, &to);
	str_addf(out, "%s%*zu |%s ", paint->gutter, width, e->mark.line, paint->off);
	str_addn(out, e->source + from, to - from);
	str_addf(out, "\n%s%*s |%s ", paint->gutter, width, "", paint->off);
	add_padding(out, e->source, from, at);
	str_add(out, colour);
	add_carets(out, e->source, at, HALE_MIN(to, at + length));
	str_addf(out, "%s\n", paint->off);
}

static int gutter_width(const struct report *r)
{
	int width = GUTTER_MIN;

	for (size_t i = 0; i < r->n; i++) {
		int digits = 1;

		for (size_t n = r->v[i].mark.line; n >= 10; n /= 10)
			digits++;
		width = HALE_MAX(width, digits);
	}
	return width;
}

static void format_entry(const struct report_entry *e, const struct paint *paint, int width,
			 struct str *out)
{
	str_add(out, paint->place);
	if (*e->file != '\0' && e->mark.line > 0)
		str_addf(out, "%s:%zu:%zu: ", e->file, e->mark.line, e->mark.column);
	else if (*e->file != '\0')
		str_addf(out, "%s: ", e->file);
	str_addf(out, "%s%s%s%s%s\n", paint->off, e->is_warning ? paint->warning : paint->error,
		 e->is_warning ? "warning: " : "", e->message, paint->off);
	if (e->source != NULL && e->mark.line > 0)
		format_source(e, paint, width, out);
	if (e->hint != NULL)
		str_addf(out, "%s%*s =%s %s%s%s\n", paint->gutter, width, "", paint->off,
			 paint->hint, e->hint, paint->off);
}

void report_format(const struct report *r, bool colour, struct str *out)
{
	const struct paint *paint = colour ? &ansi : &plain;
	int width = gutter_width(r);
	size_t warnings = 0;

	for (size_t i = 0; i < r->n; i++) {
		format_entry(&r->v[i], paint, width, out);
		warnings += r->v[i].is_warning;
	}
	str_addf(out, "%zu error%s", r->errors, r->errors == 1 ? "" : "s");
	if (warnings > 0)
		str_addf(out, ", %zu warning%s", warnings, warnings == 1 ? "" : "s");
	if (r->dropped > 0)
		str_addf(out, ", %zu not shown", r->dropped);
	str_addc(out, '\n');
}

static json_t *text_or_null(const char *text)
{
	json_t *j = text != NULL ? json_string(text) : NULL;

	return j != NULL ? j : json_null();
}

json_t *report_encode(const struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct report_entry *e = &r->v[i];
		json_t *o = json_object();

		json_object_set_new(o, "file", text_or_null(e->file));
		json_object_set_new(o, "line", json_integer((json_int_t)e->mark.line));
		json_object_set_new(o, "column", json_integer((json_int_t)e->mark.column));
		json_object_set_new(o, "length", json_integer((json_int_t)e->mark.length));
		json_object_set_new(o, "message", text_or_null(e->message));
		json_object_set_new(o, "hint", text_or_null(e->hint));
		json_object_set_new(o, "source", text_or_null(e->source));
		json_object_set_new(o, "warning", json_boolean(e->is_warning));
		json_array_append_new(list, o);
	}
	return list;
}

void report_print(const struct report *report, bool is_json)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *json;

	if (!is_json) {
		report_format(report, isatty(STDERR_FILENO) == 1, &text);
		(void)fputs(str_text(&text), stderr);
		return;
	}
	json = report_encode(report);
	(void)json_dumpf(json, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(json);
}

char *report_headline(const json_t *errors)
{
	const json_t *first = json_array_get(errors, 0);
	const char *file = json_string_value(json_object_get(first, "file"));
	const char *message = json_string_value(json_object_get(first, "message"));
	const char *more = json_array_size(errors) > 1 ? " (and more)" : "";

	if (message == NULL)
		message = "not accepted";
	/* Some errors are about no place in particular. */
	if (file == NULL || file[0] == '\0')
		return mem_printf("%s%s", message, more);
	return mem_printf("%s:%lld:%lld: %s%s", file,
			  (long long)json_integer_value(json_object_get(first, "line")),
			  (long long)json_integer_value(json_object_get(first, "column")), message,
			  more);
}
