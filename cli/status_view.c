/* SPDX-License-Identifier: Apache-2.0 */
#include "status_view.h"

#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/units.h"
#include "field.h"
#include "model/process.h"
#include "model/status.h"
#include "process_view.h"
#include "table.h"
#include "text.h"

#define EXIT_UNKNOWN 3

/* ---- selection and verdict ---- */

static json_t *select_part(const json_t *status, const char *list, const char *key,
			   const struct strlist *globs, bool *seen)
{
	json_t *out = json_array(), *element;
	size_t i;

	json_array_foreach (field_array(status, list), i, element) {
		const char *name = field_or(element, key, "");
		bool is_chosen = false;

		for (size_t g = 0; g < globs->n; g++) {
			if (fnmatch(globs->v[g], name, 0) == 0)
				is_chosen = seen[g] = true;
		}
		if (is_chosen)
			json_array_append(out, element);
	}
	return out;
}

json_t *status_select(const json_t *status, const struct strlist *globs, const char **missing_r)
{
	bool *seen = mem_array(globs->n, sizeof(*seen));
	json_t *out =
		json_is_object(status) ? json_copy((json_t *)(uintptr_t)status) : json_object();

	json_object_set_new(out, "components",
			    select_part(status, "components", "id", globs, seen));
	json_object_set_new(out, "processes",
			    select_part(status, "processes", "name", globs, seen));
	*missing_r = NULL;
	for (size_t g = globs->n; g-- > 0;) {
		if (!seen[g])
			*missing_r = globs->v[g];
	}
	free(seen);
	return out;
}

static enum status status_of(const json_t *object)
{
	enum status s;

	return status_from_name(field_text(object, "status"), &s) ? s : STATUS_UNKNOWN;
}

static enum status status_of_process(const json_t *process)
{
	enum process_state s;

	if (field_true(process, "finished"))
		return STATUS_HEALTHY;
	if (!process_state_from_name(field_text(process, "state"), &s))
		return STATUS_UNKNOWN;
	if (field_true(process, "crash_looping") && s != PROCESS_STOPPED)
		return HALE_MAX(STATUS_CRITICAL, process_state_status(s));
	return process_state_status(s);
}

int process_exit(const json_t *process)
{
	return status_exit_code(status_of_process(process));
}

int status_exit(const json_t *status, bool is_partial)
{
	const json_t *components = field_array(status, "components");
	const json_t *processes = field_array(status, "processes");
	enum status worst = STATUS_HEALTHY;
	json_t *element;
	size_t i;

	if (!is_partial)
		return status_exit_code(status_of(status));
	if (json_array_size(components) + json_array_size(processes) == 0)
		return EXIT_UNKNOWN;
	json_array_foreach (components, i, element) {
		worst = HALE_MAX(worst, status_of(element));
	}
	for (i = 0; json_array_size(components) == 0 && i < json_array_size(processes); i++)
		worst = HALE_MAX(worst, status_of_process(json_array_get(processes, i)));
	return status_exit_code(worst);
}

/* ---- header ---- */

static bool is_hales_own(const json_t *component)
{
	const char *kind = field_text(component, "kind");

	return str_starts(field_or(component, "id", ""), "hale.") &&
	       (str_eq(kind, "process") || str_eq(kind, "config"));
}

static size_t count_own(const json_t *components)
{
	json_t *component;
	size_t i, n = 0;

	json_array_foreach ((json_t *)(uintptr_t)components, i, component) {
		n += is_hales_own(component);
	}
	return n;
}

static void add_counts(struct str *out, const json_t *status)
{
	/* Best first, as people say it. */
	static const enum status order[] = {STATUS_HEALTHY, STATUS_DEGRADED, STATUS_CRITICAL,
					    STATUS_DOWN, STATUS_UNKNOWN};
	const json_t *counts = json_object_get(status, "counts");
	json_int_t total = field_int(counts, "total", -1);
	size_t own = count_own(field_array(status, "components"));
	const char *separator = ": ";

	if (total < 0)
		return;
	str_addf(out, "%lld component%s", (long long)total, total == 1 ? "" : "s");
	if (own > 0)
		str_addf(out, " (%zu of hale itself)", own);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		json_int_t n = field_int(counts, status_name(order[i]), 0);

		if (n == 0)
			continue;
		str_addf(out, "%s%lld %s", separator, (long long)n, status_name(order[i]));
		separator = ", ";
	}
}

/* "tradeguard on web1, up 3h12m" */
static void add_place(struct str *out, const json_t *status, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	char span[TEXT_TIME_MAX];
	const char *instance = field_text(status, "instance");
	const char *node = field_text(status, "node");
	int64_t at_ms;

	if (instance != NULL)
		paint_add(&text, look->has_colour, TONE_BOLD, instance);
	if (node != NULL && !str_eq(node, instance)) {
		str_add(&text, instance != NULL ? " on " : "");
		text_add(&text, node);
	}
	if (field_time(status, "started", &at_ms))
		str_addf(&text, "%sup %s", text.len > 0 ? ", " : "",
			 text_span(HALE_MAX(look->now_ms - at_ms, 1000), span));
	if (text.len > 0)
		str_addf(out, "   %s", str_text(&text));
}

static void add_summary(struct str *out, const json_t *status, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	char text[TEXT_TIME_MAX], number[UNITS_TEXT_MAX];
	enum tone tone;
	int64_t at_ms;
	double score;

	dot_status(&word, field_text(status, "status"), &tone);
	paint_add(out, look->has_colour, tone, str_text(&word));
	if (field_time(status, "since", &at_ms))
		str_addf(out, " for %s", text_span(HALE_MAX(look->now_ms - at_ms, 1000), text));
	if (field_number(status, "score", &score))
		str_addf(out, ", score %s", number_format(round(score * 10) / 10, number));
	add_place(out, status, look);
	str_addc(out, '\n');
}

static void add_pause(struct str *out, const json_t *monitoring, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	const char *reason = field_text(monitoring, "reason");
	char text[TEXT_TIME_MAX];
	int64_t at_ms;

	str_add(&line, "Monitoring is paused, everything is as it was then");
	if (field_time(monitoring, "until", &at_ms))
		str_addf(&line, "; it goes on %s", text_ago(at_ms + 999, look->now_ms, text));
	if (reason != NULL)
		str_addf(&line, ": %s", reason);
	paint_add(out, look->has_colour, TONE_WARN, str_text(&line));
	str_addc(out, '\n');
}

void status_header(struct str *out, const json_t *status, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str counts = {0};
	const json_t *config = json_object_get(status, "config");

	add_summary(out, status, look);
	add_counts(&counts, status);
	if (counts.len > 0)
		paint_add(out, look->has_colour, TONE_DIM, str_text(&counts));
	if (counts.len > 0)
		str_addc(out, '\n');
	if (json_is_false(json_object_get(status, "monitoring_active")))
		add_pause(out, json_object_get(status, "monitoring"), look);
	if (json_is_false(json_object_get(config, "last_reload_ok"))) {
		HALE_CLEANUP(str_done) struct str line = {0};

		str_addf(&line,
			 "The last reload failed, the configuration before it is in force: %s",
			 field_or(config, "last_reload_error", "no reason given"));
		paint_add(out, look->has_colour, TONE_WARN, str_text(&line));
		str_addc(out, '\n');
	}
}

/* ---- components ---- */

/* hale's own processes have a table of their own; they are in this one when something is wrong. */
static bool is_shown(const json_t *component, const struct status_look *look)
{
	return look->is_partial || !is_hales_own(component) ||
	       (status_of(component) != STATUS_HEALTHY && status_of(component) != STATUS_UNKNOWN);
}

static void ago_cell(struct table *t, const json_t *object, const char *key, int64_t now_ms)
{
	char text[TEXT_TIME_MAX];
	int64_t at_ms;

	table_cell(t, TONE_PLAIN,
		   field_time(object, key, &at_ms) ? text_ago(at_ms, now_ms, text) : NULL);
}

static void message_cell(struct table *t, const json_t *component)
{
	const char *message = field_or(component, "message", "");
	const char *blocker = field_text(component, "blocked_by");

	/* What haled itself judges says why it does not count: it is stopped. */
	if (json_is_false(json_object_get(component, "configured")))
		table_cell(t, TONE_DIM, message);
	else if (json_is_false(json_object_get(component, "enabled")) &&
		 !str_eq(field_text(component, "process"), "haled"))
		table_cell(t, TONE_DIM, "disabled");
	else if (blocker != NULL)
		table_cellf(t, TONE_PLAIN, "behind %s: %s", blocker, message);
	else
		table_cell(t, TONE_PLAIN, message);
}

static void add_component(struct table *t, const json_t *c, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	const char *id = field_or(c, "id", "?"), *label = field_text(c, "label");
	char text[TEXT_TIME_MAX];
	enum tone tone;
	double took_ms;

	dot_status(&word, field_text(c, "status"), &tone);
	table_cell(t, tone, str_text(&word));
	table_cell(t, TONE_PLAIN, id);
	table_cell(t, TONE_PLAIN, str_eq(id, label) ? NULL : label);
	ago_cell(t, c, "since", look->now_ms);
	ago_cell(t, c, "last_check", look->now_ms);
	/* What haled says of a process took nobody's time. */
	table_cell(t, TONE_PLAIN,
		   field_number(c, "took_ms", &took_ms) &&
				   !str_eq(field_text(c, "process"), "haled")
			   ? text_took(took_ms, text)
			   : NULL);
	message_cell(t, c);
}

static void add_components(struct str *out, const json_t *status, const struct status_look *look)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("STATUS"),     TABLE_LEFT("COMPONENT"), TABLE_OPTIONAL("LABEL"),
		TABLE_RIGHT("SINCE"),     TABLE_RIGHT("LAST"),     TABLE_RIGHT("TOOK"),
		TABLE_FLEXIBLE("MESSAGE")};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	json_t *component;
	size_t i;

	json_array_foreach (field_array(status, "components"), i, component) {
		if (is_shown(component, look))
			add_component(&t, component, look);
	}
	if (t.cells_n > 0 && out->len > 0)
		str_addc(out, '\n');
	table_format(&t, look->has_colour, look->width, out);
	table_done(&t);
}

/* ---- trouble ---- */

static bool is_trouble(const json_t *component)
{
	return status_of(component) != STATUS_HEALTHY &&
	       !json_is_false(json_object_get(component, "enabled")) &&
	       !(is_hales_own(component) && status_of(component) == STATUS_UNKNOWN);
}

size_t status_troubles_count(const json_t *status)
{
	json_t *component;
	size_t i, n = 0;

	json_array_foreach (field_array(status, "components"), i, component) {
		n += is_trouble(component);
	}
	return n;
}

void status_troubles(struct str *out, const json_t *status, const struct status_look *look,
		     size_t max)
{
	struct status_look all = *look;
	json_t *worst = json_pack("{s:[]}", "components");
	json_t *component;
	size_t i;

	all.is_partial = true;
	for (int s = STATUS_MAX - 1; s >= 0; s--) {
		json_array_foreach (field_array(status, "components"), i, component) {
			if ((int)status_of(component) == s && is_trouble(component) &&
			    json_array_size(field_array(worst, "components")) < max)
				json_array_append(field_array(worst, "components"), component);
		}
	}
	add_components(out, worst, &all);
	json_decref(worst);
}

/* ---- processes ---- */

static void add_part(struct str *out, const char *fmt, ...) HALE_PRINTF(2, 3);

static void add_part(struct str *out, const char *fmt, ...)
{
	va_list args;

	str_add(out, out->len > 0 ? "; " : "");
	va_start(args, fmt);
	str_vaddf(out, fmt, args);
	va_end(args);
}

/* How it last ended, unless that was asked for and it runs again. */
static void add_last_exit(struct str *out, const json_t *process, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	const json_t *last_exit = json_object_get(process, "last_exit");
	char ago[TEXT_TIME_MAX];
	int64_t at_ms;

	if (str_eq(field_text(process, "state"), "ready") &&
	    json_is_true(json_object_get(last_exit, "expected")))
		return;
	/* By which signal is nothing to wonder about when somebody stopped it. */
	if (json_is_true(json_object_get(last_exit, "expected")) &&
	    !field_true(process, "finished"))
		str_add(&text, "as asked");
	else
		exit_describe(&text, last_exit);
	if (text.len == 0)
		return;
	add_part(out, "%s", str_text(&text));
	if (field_time(last_exit, "at", &at_ms))
		str_addf(out, ", %s", text_ago(at_ms, look->now_ms, ago));
}

/* What it says of itself, or haled of it ("waits for db"); how it ended; when it goes on. */
static void detail_cell(struct table *t, const json_t *process, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	const char *says = field_text(process, "status_text");
	char ago[TEXT_TIME_MAX];
	int64_t at_ms;

	if (says != NULL && *says != '\0')
		add_part(&text, "%s", says);
	add_last_exit(&text, process, look);
	if (field_time(process, "next_start", &at_ms))
		add_part(&text, "next start %s", text_ago(at_ms, look->now_ms, ago));
	table_cell(t, TONE_PLAIN, str_text(&text));
}

static void add_process(struct table *t, const json_t *p, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	const json_t *pid = json_object_get(p, "pid");
	char text[TEXT_TIME_MAX];
	enum tone tone;
	int64_t since_ms;

	dot_process(&word, process_word(p), field_true(p, "crash_looping"), &tone);
	table_cell(t, tone, str_text(&word));
	table_cell(t, TONE_PLAIN, field_or(p, "name", "?"));
	if (json_is_integer(pid))
		table_cellf(t, TONE_PLAIN, "%lld", (long long)json_integer_value(pid));
	else
		table_cell(t, TONE_PLAIN, NULL);
	if (json_is_integer(pid) && field_time(p, "since", &since_ms))
		table_cell(t, TONE_PLAIN, text_span(HALE_MAX(look->now_ms - since_ms, 1000), text));
	else
		table_cell(t, TONE_PLAIN, NULL);
	table_cellf(t, TONE_PLAIN, "%lld", (long long)field_int(p, "restarts", 0));
	detail_cell(t, p, look);
}

static void add_processes(struct str *out, const json_t *status, const struct status_look *look)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("STATE"),   TABLE_LEFT("PROCESS"),   TABLE_RIGHT("PID"),
		TABLE_RIGHT("UPTIME"), TABLE_RIGHT("RESTARTS"), TABLE_FLEXIBLE("DETAIL")};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	json_t *process;
	size_t i;

	json_array_foreach (field_array(status, "processes"), i, process)
		add_process(&t, process, look);
	if (t.cells_n > 0 && out->len > 0)
		str_addc(out, '\n');
	table_format(&t, look->has_colour, look->width, out);
	table_done(&t);
}

static void add_crash(struct str *out, const json_t *p, const struct status_look *look)
{
	HALE_CLEANUP(str_done) struct str title = {0};
	const json_t *last_exit = json_object_get(p, "last_exit");
	char text[TEXT_TIME_MAX];
	int64_t at_ms;

	str_addf(&title, "%s: ", field_or(p, "name", "?"));
	exit_describe(&title, last_exit);
	if (field_time(last_exit, "at", &at_ms))
		str_addf(&title, ", %s", text_ago(at_ms, look->now_ms, text));
	str_add(out, "\nLast crash of ");
	paint_add(out, look->has_colour, TONE_BAD, str_text(&title));
	str_addc(out, '\n');
	if (json_array_size(field_array(last_exit, "last_lines")) == 0)
		str_add(out, "    (it left no line)\n");
	log_lines_add(out, field_array(last_exit, "last_lines"), STATUS_CRASH_LINES, 4,
		      look->has_colour);
}

void status_format(struct str *out, const json_t *status, const struct status_look *look)
{
	json_t *process;
	size_t i;

	if (!look->is_partial)
		status_header(out, status, look);
	add_components(out, status, look);
	add_processes(out, status, look);
	json_array_foreach (field_array(status, "processes"), i, process) {
		if (exit_is_crash(process, look->now_ms, STATUS_CRASH_SHOWN_MS))
			add_crash(out, process, look);
	}
}
