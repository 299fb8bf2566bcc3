/* SPDX-License-Identifier: Apache-2.0 */
/* hale reload, config check, config show, ping */
#include "verbs.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/command.h"
#include "catalog.h"
#include "conf/report.h"
#include "conf/schema.h"
#include "field.h"
#include "run_program.h"
#include "text.h"
#include "yaml_out.h"

/* haled gives the process that reads the new configuration 90 s. */
#define RELOAD_TIMEOUT_MS 100000
#define DEFAULT_CONFIG    "/etc/hale/hale.yaml"

/* ---- reload ---- */

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

static void say_reloaded(struct cli *cli, const json_t *result)
{
	const json_t *changed = field_array(result, "changed");
	const json_t *started = field_array(result, "started");
	const json_t *stopped = field_array(result, "stopped");
	HALE_CLEANUP(str_done) struct str out = {0};

	str_add(&out, "configuration reloaded");
	if (json_array_size(changed) + json_array_size(started) + json_array_size(stopped) == 0)
		str_add(&out, ", no process had to restart");
	str_addc(&out, '\n');
	add_names(&out, "restarted", changed);
	add_names(&out, "started", started);
	add_names(&out, "stopped", stopped);
	if (field_int(result, "unchanged", 0) > 0)
		str_addf(&out, "  %-9s %lld process%s\n", "unchanged",
			 (long long)field_int(result, "unchanged", 0),
			 field_int(result, "unchanged", 0) == 1 ? "" : "es");
	cli_print(cli, &out);
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

int verb_reload(struct cli *cli, const struct args *args)
{
	json_t *result = NULL, *data = NULL;
	struct err err = {0};
	const json_t *errors;
	int code = cli_try(cli, "haled", "reload", NULL, RELOAD_TIMEOUT_MS, &result, &data, &err);

	(void)args;
	errors = field_array(data, "errors");
	if (code == 0 && cli->is_json) {
		cli_json(cli, result);
	} else if (code == 0) {
		say_reloaded(cli, result);
	} else if (json_array_size(errors) > 0) {
		if (cli->is_json)
			cli_json(cli, data);
		else
			say_errors(cli, errors);
		code = cli_refuse(cli, CLI_FAILED, "the configuration before it stays in force");
	} else {
		code = cli_tell_failure(cli, "haled", code, &err);
	}
	json_decref(result);
	json_decref(data);
	return code;
}

/* ---- config ---- */

/* Which file the running haled reads; else where one is by default. Caller frees. */
static char *config_path(struct cli *cli, const struct args *args)
{
	json_t *status = NULL;
	struct err err;
	char *path;

	if (args_word(args, 0) != NULL)
		return mem_dup(args_word(args, 0));
	(void)cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status, NULL, &err);
	path = mem_dup(field_or(json_object_get(status, "config"), "path", DEFAULT_CONFIG));
	json_decref(status);
	return path;
}

int verb_config_check(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(cleanup_free) char *path = config_path(cli, args);
	char *argv[] = {NULL,
			(char[]){"--check"},
			(char[]){"--config"},
			path,
			cli->is_json ? (char[]){"--json"} : NULL,
			NULL};
	struct err err = {0};
	int rc = run_program(cli, "haled", argv, NULL, &err);

	if (rc < 0)
		return cli_refuse(cli, CLI_FAILED, "%s", err.text);
	return rc == 0 ? CLI_DONE : CLI_FAILED;
}

/* Without the manifests (another version's, a plugin that has gone) numbers stay numbers. */
static json_t *readable(const struct cli *cli, json_t *config)
{
	struct catalog catalog = {0};
	struct err err;
	json_t *out = catalog_load(&catalog, cli, config, &err) < 0
			      ? json_incref(config)
			      : schema_readable(config, &catalog.manifests, catalog.core);

	catalog_done(&catalog);
	return out;
}

static int refuse_section(struct cli *cli, const json_t *config, const char *section)
{
	const char **names = mem_array(json_object_size(config) + 1, sizeof(*names));
	const char *name, *near;
	json_t *value;
	size_t n = 0;

	json_object_foreach ((json_t *)(uintptr_t)config, name, value)
		names[n++] = name;
	near = suggest_nearest(section, names);
	free(names);
	if (near != NULL)
		return cli_refuse(cli, CLI_USAGE,
				  "the configuration has no section '%s' (did you mean '%s'?)",
				  section, near);
	return cli_refuse(cli, CLI_USAGE, "the configuration has no section '%s'", section);
}

int verb_config_show(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const char *section = args_word(args, 0);
	const json_t *shown;
	json_t *config = NULL, *text;
	int code = cli_ask(cli, "haled", "config.show", json_pack("{s:b}", "masked", 1),
			   CLI_TIMEOUT_MS, &config);

	if (code != 0)
		return code;
	text = cli->is_json ? json_incref(config) : readable(cli, config);
	shown = section == NULL ? text : json_object_get(text, section);
	if (shown == NULL)
		code = refuse_section(cli, text, section);
	else if (cli->is_json)
		cli_json(cli, shown);
	else
		yaml_add(&out, shown);
	cli_print(cli, &out);
	json_decref(text);
	json_decref(config);
	return code;
}

/* ---- ping ---- */

int verb_ping(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const char *service = args_word(args, 0) != NULL ? args_word(args, 0) : "haled";
	char took[TEXT_TIME_MAX], up[TEXT_TIME_MAX];
	int64_t start_us = clock_mono_us();
	json_t *pong = NULL;
	int code = cli_ask(cli, service, "ping", NULL, CLI_TIMEOUT_MS, &pong);

	if (code != 0)
		return code;
	if (cli->is_json) {
		cli_json(cli, pong);
	} else {
		text_add(&out, field_or(pong, "service", service));
		str_addf(&out, " answers in %s",
			 text_took((double)(clock_mono_us() - start_us) / 1000, took));
		str_addf(&out, " (pid %lld, up %s)\n", (long long)field_int(pong, "pid", 0),
			 text_span(HALE_MAX(field_int(pong, "uptime_ms", 0), 1000), up));
		cli_print(cli, &out);
	}
	json_decref(pong);
	return CLI_DONE;
}
