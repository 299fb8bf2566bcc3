/* SPDX-License-Identifier: Apache-2.0 */
#include "top_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "field.h"
#include "model/process.h"
#include "status_view.h"
#include "table.h"
#include "process_view.h"
#include "text.h"

/* Lines that are always there: two of health, one of processes and bus, a blank one, titles. */
#define FIXED_LINES 5
#define ROWS_MIN    3 /* of processes, however much trouble there is */
#define TROUBLE_MAX 8 /* of a live page: the processes are what it is about */
#define REVERSE     "\033[7m"
#define REVERSE_OFF "\033[0m"

/* ---- processes and bus ---- */

struct tally {
	const char *state; /* borrowed: names as they came */
	size_t n;
};

/* "7 processes: 6 ready, 1 backoff" */
static void add_process_counts(struct str *out, const struct top_sample *s)
{
	struct tally *tallies = mem_array(s->rows_n, sizeof(*tallies));
	size_t n = 0;

	for (size_t i = 0; i < s->rows_n; i++) {
		const char *state = field_or(s->rows[i].process, "state", "unknown");
		size_t t = 0;

		while (t < n && !str_eq(tallies[t].state, state))
			t++;
		tallies[t].state = state;
		tallies[t].n++;
		n = HALE_MAX(n, t + 1);
	}
	str_addf(out, "%zu process%s", s->rows_n, s->rows_n == 1 ? "" : "es");
	for (size_t t = 0; t < n; t++) {
		str_addf(out, "%s%zu ", t == 0 ? ": " : ", ", tallies[t].n);
		text_add(out, tallies[t].state);
	}
	free(tallies);
}

static void add_rate(struct str *out, double per_second, const char *what)
{
	if (per_second < 0)
		str_addf(out, "- %s", what);
	else
		str_addf(out, "%.*f/s %s", per_second < 10 ? 1 : 0, per_second, what);
}

static void add_bus(struct str *out, const struct top_sample *s)
{
	const json_t *bus = json_object_get(s->status, "bus");
	char text[TEXT_TIME_MAX];

	if (!json_is_object(bus))
		return;
	str_add(out, "   bus ");
	add_rate(out, s->in_per_second, "in, ");
	add_rate(out, s->out_per_second, "out");
	str_addf(out, ", ring %s, %lld lost", text_bytes(field_int(bus, "ring_bytes", 0), text),
		 (long long)field_int(bus, "lost", 0));
}

/* ---- rows ---- */

static void number_cell(struct table *t, int64_t n)
{
	if (n < 0)
		table_cell(t, TONE_DIM, "-");
	else
		table_cellf(t, TONE_PLAIN, "%lld", (long long)n);
}

static void usage_cells(struct table *t, const struct top_sample *s, const struct top_row *row)
{
	char text[TEXT_TIME_MAX];

	if (row->cpu_percent < 0)
		table_cell(t, TONE_DIM, "-");
	else
		table_cellf(t, TONE_PLAIN, "%.1f", row->cpu_percent);
	if (row->has_usage)
		table_cell(t, TONE_PLAIN, text_bytes(top_row_memory(s, row), text));
	else
		table_cell(t, TONE_DIM, "-");
	number_cell(t, row->has_usage ? row->usage.fds : -1);
	number_cell(t, row->has_usage ? row->usage.stat.threads : -1);
}

/* What it says of itself; of one that does not run, when it will. */
static void says_cell(struct table *t, const struct top_sample *s, const json_t *process)
{
	char text[TEXT_TIME_MAX];
	int64_t at_ms;

	if (field_time(process, "next_start", &at_ms))
		table_cellf(t, TONE_PLAIN, "next start %s", text_ago(at_ms, s->wall_ms, text));
	else
		table_cell(t, TONE_PLAIN, field_text(process, "status_text"));
}

static void row_cells(struct table *t, const struct top_sample *s, const struct top_row *row,
		      const struct top_look *look, bool is_chosen)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	const json_t *p = row->process;
	char text[TEXT_TIME_MAX];
	enum tone tone;
	int64_t since_ms;

	if (look->is_live)
		str_add(&word, is_chosen ? "> " : "  ");
	dot_process(&word, process_word(p), field_true(p, "crash_looping"), &tone);
	table_cell(t, tone, str_text(&word));
	table_cell(t, TONE_PLAIN, row->name);
	number_cell(t, field_int(p, "pid", -1));
	if (row->has_usage && field_time(p, "since", &since_ms))
		table_cell(t, TONE_PLAIN, text_span(HALE_MAX(s->wall_ms - since_ms, 1000), text));
	else
		table_cell(t, TONE_DIM, "-");
	number_cell(t, field_int(p, "restarts", 0));
	usage_cells(t, s, row);
	says_cell(t, s, p);
}

/* The lines of all rows, titles first. */
static void format_rows(struct str *out, const struct top_sample *s, const struct top_look *look,
			bool has_colour)
{
	const struct table_column columns[] = {TABLE_LEFT(look->is_live ? "  STATE" : "STATE"),
					       TABLE_LEFT("PROCESS"),
					       TABLE_RIGHT("PID"),
					       TABLE_RIGHT("UPTIME"),
					       TABLE_RIGHT("RESTARTS"),
					       TABLE_RIGHT("CPU%"),
					       TABLE_RIGHT(s->has_pss ? "PSS" : "RSS"),
					       TABLE_RIGHT("FDS"),
					       TABLE_RIGHT("THR"),
					       TABLE_FLEXIBLE("SAYS")};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};

	for (size_t i = 0; i < s->rows_n; i++)
		row_cells(&t, s, &s->rows[i], look, i == look->chosen);
	table_format(&t, has_colour, look->width, out);
	table_done(&t);
}

static const char *line_at(const struct str *text, size_t n)
{
	const char *p = str_text(text);

	while (n-- > 0 && *p != '\0') {
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return p;
}

static void add_line(struct str *out, const struct str *text, size_t n)
{
	const char *line = line_at(text, n);

	str_addn(out, line, strcspn(line, "\n"));
	str_addc(out, '\n');
}

static void add_rows(struct str *out, const struct top_sample *s, const struct top_look *look)
{
	HALE_CLEANUP(str_done) struct str painted = {0}, plain = {0};
	size_t rows = top_view_rows(s, look);

	format_rows(&painted, s, look, look->has_colour);
	format_rows(&plain, s, look, false);
	add_line(out, &painted, 0);
	for (size_t i = look->first; i < s->rows_n && i < look->first + rows; i++) {
		/* Colours within the line would end the reversing. */
		bool is_reversed = look->is_live && look->has_colour && i == look->chosen;

		str_add(out, is_reversed ? REVERSE : "");
		add_line(out, is_reversed ? &plain : &painted, i + 1);
		if (is_reversed) {
			str_truncate(out, out->len - 1);
			str_add(out, REVERSE_OFF "\n");
		}
	}
}

/* ---- the page ---- */

/* Components in trouble that are shown, without their titles. */
static size_t trouble_shown(const struct top_sample *s, const struct top_look *look)
{
	size_t n = status_troubles_count(s->status);

	if (look->height == 0)
		return n;
	n = HALE_MIN(n, (size_t)TROUBLE_MAX);
	return HALE_MIN(n, look->height / 4);
}

size_t top_view_rows(const struct top_sample *s, const struct top_look *look)
{
	size_t trouble = trouble_shown(s, look);
	/* A blank line and titles above them; and the last line. */
	size_t others = FIXED_LINES + (trouble > 0 ? trouble + 2 : 0) + (look->is_live ? 1 : 0);

	if (look->height == 0)
		return s->rows_n;
	return look->height > others + ROWS_MIN ? look->height - others : ROWS_MIN;
}

static void add_last_line(struct str *out, const struct top_sample *s, const struct top_look *look)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	size_t lines = 0, rows = top_view_rows(s, look);

	for (const char *p = str_text(out); *p != '\0'; p++)
		lines += *p == '\n';
	for (; lines + 1 < look->height; lines++)
		str_addc(out, '\n');
	if (look->message != NULL) {
		paint_add(out, look->has_colour, TONE_BOLD, look->message);
		return;
	}
	str_addf(&line, "by %s", top_sort_name(look->sort));
	if (rows < s->rows_n)
		str_addf(&line, "; %zu to %zu of %zu", look->first + 1,
			 HALE_MIN(look->first + rows, s->rows_n), s->rows_n);
	str_add(&line, "   q quit  s sort  j k move  r restart  ? help");
	paint_add(out, look->has_colour, TONE_DIM, str_text(&line));
}

void top_view_format(struct str *out, const struct top_sample *s, const struct top_look *look)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	struct status_look status = {
		.now_ms = s->wall_ms, .width = look->width, .has_colour = look->has_colour};

	status_header(out, s->status, &status);
	add_process_counts(&line, s);
	add_bus(&line, s);
	paint_add(out, look->has_colour, TONE_DIM, str_text(&line));
	str_add(out, "\n\n");
	add_rows(out, s, look);
	status_troubles(out, s->status, &status, trouble_shown(s, look));
	if (look->is_live)
		add_last_line(out, s, look);
}

void top_view_help(struct str *out)
{
	str_add(out,
		"hale top\n\n"
		"  q, Ctrl-C          quit\n"
		"  s                  sort by name, CPU, memory, restarts\n"
		"  j k, arrows        choose a process; also Page Up and Down, Home (g), End (G)\n"
		"  r                  restart the chosen process, after a question\n"
		"  blank              look again now\n"
		"  ?                  this help\n\n"
		"CPU% is of one processor. PSS is a process's share of the memory it uses, with "
		"what\n"
		"several share divided among them; RSS stands there when that may not be read.\n"
		"Rows are of the processes themselves, not of what they start.\n\n"
		"Any key goes back.\n");
}
