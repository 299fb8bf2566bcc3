/* SPDX-License-Identifier: Apache-2.0 */
/* hale config check, config show, ping */
#include "verbs.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/command.h"
#include "catalog.h"
#include "conf/schema.h"
#include "field.h"
#include "run_program.h"
#include "text.h"
#include "yaml_out.h"

#define DEFAULT_CONFIG "/etc/hale/hale.yaml"

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
