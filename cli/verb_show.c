/* SPDX-License-Identifier: Apache-2.0 */
/* hale show NAME: all that is known of one component or process */
#include "verbs.h"

#include "base/units.h"
#include "facts.h"
#include "field.h"
#include "model/status.h"
#include "process_view.h"
#include "status_view.h"
#include "text.h"

#define SHOW_LINES 10

/* ---- component ---- */

static void add_watched(struct facts *f, const json_t *c)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	char every[UNITS_TEXT_MAX];
	json_int_t interval_ms = field_int(c, "interval_ms", 0);

	if (field_text(c, "kind") != NULL)
		str_addf(&text, "%s", field_text(c, "kind"));
	if (field_text(c, "process") != NULL)
		str_addf(&text, " by %s", field_text(c, "process"));
	if (field_text(c, "node") != NULL)
		str_addf(&text, " on %s", field_text(c, "node"));
	if (interval_ms > 0)
		str_addf(&text, ", every %s", duration_format_short(interval_ms, every));
	if (json_is_false(json_object_get(c, "configured")))
		str_add(&text, ", not configured");
	else if (json_is_false(json_object_get(c, "enabled")))
		str_add(&text, ", disabled");
	facts_add(f, "checked", str_text(&text));
}

static void add_reason(struct facts *f, const json_t *c)
{
	const char *reason = field_text(c, "reason");
	const char *outcome = field_text(c, "outcome");

	if (reason != NULL && outcome != NULL)
		facts_addf(f, "reason", "%s (the check itself: %s)", reason, outcome);
	else
		facts_add(f, "reason", reason);
}

static void add_component(struct cli *cli, struct str *out, const json_t *c)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	enum tone tone;
	struct facts f;

	dot_status(&word, field_text(c, "status"), &tone);
	facts_title(out, cli->has_colour, str_text(&word), tone, field_or(c, "id", "?"),
		    field_text(c, "label"));
	facts_init(&f, cli_now(cli));
	facts_time(&f, "since", c, "since");
	facts_member(&f, "message", c, "message");
	add_reason(&f, c);
	add_watched(&f, c);
	/* What haled says of a process took nobody's time. */
	if (!str_eq(field_text(c, "process"), "haled"))
		facts_took(&f, "took", c, "took_ms");
	facts_time(&f, "last check", c, "last_check");
	facts_time(&f, "last success", c, "last_success");
	if (field_int(c, "consecutive_failures", 0) > 0)
		facts_addf(&f, "failures", "%lld in a row",
			   (long long)field_int(c, "consecutive_failures", 0));
	facts_member(&f, "impact", c, "impact");
	facts_member(&f, "depends on", c, "depends_on");
	facts_member(&f, "blocked by", c, "blocked_by");
	facts_object(&f, "labels", json_object_get(c, "labels"));
	facts_object(&f, "metrics", json_object_get(c, "metrics"));
	facts_object(&f, "details", json_object_get(c, "details"));
	facts_finish(&f, cli->has_colour, out);
}

/* ---- process ---- */

static void add_last_exit(struct facts *f, const json_t *p)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	const json_t *last_exit = json_object_get(p, "last_exit");

	exit_describe(&text, last_exit);
	if (text.len > 0 && json_is_true(json_object_get(last_exit, "expected")) &&
	    !field_true(p, "finished"))
		str_add(&text, ", as asked");
	facts_add(f, "last exit", str_text(&text));
	facts_time(f, "", last_exit, "at");
}

static void add_process(struct cli *cli, struct str *out, const json_t *p)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	enum tone tone;
	struct facts f;

	dot_process(&word, process_word(p), field_true(p, "crash_looping"), &tone);
	facts_title(out, cli->has_colour, str_text(&word), tone, field_or(p, "name", "?"), NULL);
	facts_init(&f, cli_now(cli));
	facts_time(&f, "since", p, "since");
	facts_member(&f, "program", p, "program");
	facts_member(&f, "pid", p, "pid");
	facts_member(&f, "restarts", p, "restarts");
	facts_time(&f, "next start", p, "next_start");
	facts_member(&f, "says", p, "status_text");
	add_last_exit(&f, p);
	facts_finish(&f, cli->has_colour, out);
	if (json_array_size(field_array(p, "lines")) > 0)
		str_add(out, "  last lines\n");
	log_lines_add(out, field_array(p, "lines"), SHOW_LINES, 4, cli->has_colour);
}

static int exit_of(const json_t *component, const json_t *process)
{
	enum status s;

	if (component == NULL)
		return process_exit(process);
	return status_from_name(field_text(component, "status"), &s) ? status_exit_code(s)
								     : CLI_NO_HALE;
}

int verb_show(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const json_t *component, *process;
	json_t *shown = NULL;
	int code = cli_ask(cli, "haled", "show", json_pack("{s:s}", "name", args_word(args, 0)),
			   CLI_TIMEOUT_MS, &shown);

	if (code != 0)
		return code;
	component = json_object_get(shown, "component");
	process = json_object_get(shown, "process");
	if (cli->is_json) {
		cli_json(cli, shown);
	} else {
		if (component != NULL)
			add_component(cli, &out, component);
		if (component != NULL && process != NULL)
			str_addc(&out, '\n');
		if (process != NULL)
			add_process(cli, &out, process);
		cli_print(cli, &out);
	}
	code = exit_of(component, process);
	json_decref(shown);
	return code;
}
