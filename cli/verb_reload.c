/* SPDX-License-Identifier: Apache-2.0 */
/* hale reload, config diff: what the file says otherwise, and who has to restart for it */
#include "verbs.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bus/command.h"
#include "conf/report.h"
#include "diff_view.h"
#include "field.h"
#include "text.h"
#include "wait_ready.h"

/* haled gives the process that reads the new configuration 90 s. */
#define RELOAD_TIMEOUT_MS 100000
#define WAIT_DEFAULT_MS   30000

static void add_names(struct str *out, const char *what, const json_t *names)
{
	json_t *name;
	size_t i;

	if (json_array_size(names) == 0)
		return;
	str_addf(out, "  %-9s ", what);
	json_array_foreach ((json_t *)(uintptr_t)names, i, name) {
		str_add(out, i > 0 ? ", " : "");
		text_add(out, json_is_string(name) ? json_string_value(name) : "?");
	}
	str_addc(out, '\n');
}

/* The words for what was done, or what would be. */
struct words {
	const char *head, *none, *changed, *started, *stopped;
};

static const struct words done = {"configuration reloaded", "no process had to restart",
				  "restarted", "started", "stopped"};
static const struct words would = {"a reload would change this", "no process would restart",
				   "restart", "start", "stop"};

static void say_result(struct cli *cli, const json_t *result, const struct words *words)
{
	const json_t *changed = field_array(result, "changed");
	const json_t *started = field_array(result, "started");
	const json_t *stopped = field_array(result, "stopped");
	json_int_t unchanged = field_int(result, "unchanged", 0);
	HALE_CLEANUP(str_done) struct str out = {0};

	str_add(&out, words->head);
	if (json_array_size(changed) + json_array_size(started) + json_array_size(stopped) == 0)
		str_addf(&out, ", %s", words->none);
	str_addc(&out, '\n');
	diff_view_add(&out, result, cli->has_colour, cli->width);
	add_names(&out, words->changed, changed);
	add_names(&out, words->started, started);
	add_names(&out, words->stopped, stopped);
	if (unchanged > 0)
		str_addf(&out, "  %-9s %lld process%s\n", "unchanged", (long long)unchanged,
			 unchanged == 1 ? "" : "es");
	cli_print(cli, &out);
	(void)fflush(cli->out);
}

static size_t size_field(const json_t *entry, const char *key)
{
	json_int_t n = field_int(entry, key, 0);

	return n < 0 ? 0 : (size_t)n;
}

/* The same words, marks and carets that haled --check would print. */
static void say_errors(struct cli *cli, const json_t *errors)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct report report = {0};
	json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)errors, i, entry) {
		const struct conf_mark mark = {.file = field_text(entry, "file"),
					       .line = size_field(entry, "line"),
					       .column = size_field(entry, "column"),
					       .length = size_field(entry, "length")};
		bool is_warning = field_true(entry, "warning");

		(is_warning ? report_warn : report_add)(&report, &mark, field_text(entry, "source"),
							field_text(entry, "hint"), "%s",
							field_or(entry, "message", "error"));
	}
	report_format(&report, cli->has_colour, &out);
	report_done(&report);
	(void)fputs(str_text(&out), cli->err);
}

static int say_refused(struct cli *cli, int code, const json_t *data, const struct err *err)
{
	const json_t *errors = field_array(data, "errors");

	if (json_array_size(errors) == 0)
		return cli_tell_failure(cli, "haled", code, err);
	if (cli->is_json)
		cli_json(cli, data);
	else
		say_errors(cli, errors);
	return cli_refuse(cli, CLI_FAILED, "the configuration before it stays in force");
}

/* ---- reload ---- */

/* What has a new generation coming. What somebody stopped has changed, and stays stopped. */
static json_t *awaited(const json_t *before, const json_t *result)
{
	const json_t *processes = field_array(before, "processes");
	json_t *names = json_array(), *name;
	size_t i;

	json_array_foreach (field_array(result, "changed"), i, name) {
		const json_t *process = field_find(processes, "name", json_string_value(name));

		if (!str_eq(field_text(process, "state"), "stopped"))
			json_array_append(names, name);
	}
	json_array_extend(names, field_array(result, "started"));
	return names;
}

static void say_took(struct cli *cli, int64_t from_ms)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	char took[TEXT_TIME_MAX];

	str_addf(&line, "all ready %s after the new configuration was in force\n",
		 text_took((double)(clock_wall_ms() - from_ms), took));
	cli_print(cli, &line);
}

static int wait_for(struct cli *cli, const struct args *args, const json_t *before, json_t *result)
{
	json_t *names = awaited(before, result);
	struct wait_ready w = {.before = before,
			       .timeout_ms = args_number(args, "timeout", WAIT_DEFAULT_MS),
			       .asked_ms = clock_wall_ms()};
	int code = CLI_DONE;

	if (json_array_size(names) == 0 || args_is(args, "no-wait")) {
		json_decref(names);
		return code;
	}
	(void)field_time(result, "at", &w.asked_ms);
	if (cli->is_json)
		w.outcome = json_array();
	code = wait_ready(cli, names, &w);
	if (cli->is_json)
		json_object_set_new(result, "processes", w.outcome);
	else if (code == CLI_DONE && json_array_size(names) > 1)
		say_took(cli, w.asked_ms);
	json_decref(names);
	return code;
}

int verb_reload(struct cli *cli, const struct args *args)
{
	json_t *before = NULL, *result = NULL, *data = NULL;
	struct err err = {0};
	int code;

	/* Whatever is wrong will be told by the reload itself. */
	(void)cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &before, NULL, &err);
	code = cli_try(cli, "haled", "reload", NULL, RELOAD_TIMEOUT_MS, &result, &data, &err);
	if (code != 0) {
		code = say_refused(cli, code, data, &err);
	} else {
		if (!cli->is_json)
			say_result(cli, result, &done);
		code = wait_for(cli, args, before, result);
		if (cli->is_json)
			cli_json(cli, result);
	}
	json_decref(before);
	json_decref(result);
	json_decref(data);
	return code;
}

/* ---- config diff ---- */

int verb_config_diff(struct cli *cli, const struct args *args)
{
	json_t *result = NULL, *data = NULL;
	struct err err = {0};
	int code =
		cli_try(cli, "haled", "config.diff", NULL, RELOAD_TIMEOUT_MS, &result, &data, &err);

	(void)args;
	if (code != 0)
		code = say_refused(cli, code, data, &err);
	else if (cli->is_json)
		cli_json(cli, result);
	else if (json_array_size(field_array(result, "diff")) > 0 ||
		 json_array_size(field_array(result, "changed")) > 0)
		say_result(cli, result, &would);
	else
		cli_say(cli, TONE_PLAIN, "the file says what is in force");
	json_decref(result);
	json_decref(data);
	return code;
}
