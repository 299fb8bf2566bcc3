/* SPDX-License-Identifier: Apache-2.0 */
/* hale man, config schema: what hale says of itself, for man(1) and for editors */
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "bus/command.h"
#include "catalog.h"
#include "conf/man.h"
#include "conf/schema.h"
#include "man_pages.h"
#include "run_program.h"

#define DATE_LEN 10 /* "2026-11-22" */

/* reproducible-builds.org: pages built from one source are the same, whenever they are. */
static void date_of(const struct cli *cli, char date[CLOCK_TEXT_MAX])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int64_t now_ms = epoch != NULL ? strtoll(epoch, NULL, 10) * 1000 : cli_now(cli);

	(void)clock_format(now_ms, date);
	date[DATE_LEN] = '\0';
}

static int page_haled(struct cli *cli, struct str *page, const char *date)
{
	HALE_CLEANUP(str_done) struct str usage = {0};
	char *argv[] = {NULL, (char[]){"--help"}, NULL};
	struct err err = {0};

	if (run_program(cli, "haled", argv, &usage, &err) < 0)
		return cli_refuse(cli, CLI_FAILED, "%s", err.text);
	man_haled(page, str_text(&usage), date);
	return CLI_DONE;
}

static int page_config(struct cli *cli, struct str *page, const char *date)
{
	struct catalog catalog = {0};
	struct err err = {0};
	int code = CLI_DONE;

	if (catalog_load(&catalog, cli, NULL, &err) < 0)
		code = cli_refuse(cli, CLI_FAILED, "%s", err.text);
	else
		man_config(page, &catalog.manifests, catalog.core, date, "hale " HALE_VERSION);
	catalog_done(&catalog);
	return code;
}

int verb_man(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(str_done) struct str page = {0};
	const char *name = args_word(args, 0);
	char date[CLOCK_TEXT_MAX];
	int code = CLI_DONE;

	date_of(cli, date);
	if (str_eq(name, "hale"))
		man_hale(&page, date);
	else if (str_eq(name, "haled"))
		code = page_haled(cli, &page, date);
	else if (str_eq(name, "hale.yaml"))
		code = page_config(cli, &page, date);
	else
		code = cli_refuse(cli, CLI_USAGE, "man: '%s' is none of hale, haled, hale.yaml",
				  name);
	cli_print(cli, &page);
	return code;
}

int verb_config_schema(struct cli *cli, const struct args *args)
{
	struct catalog catalog = {0};
	struct err err = {0};
	int code = CLI_DONE;
	json_t *schema;

	(void)args;
	if (catalog_load_known(&catalog, cli, &err) < 0) {
		code = cli_refuse(cli, CLI_FAILED, "%s", err.text);
	} else {
		schema = schema_json_schema(&catalog.manifests, catalog.core);
		cli_json(cli, schema);
		json_decref(schema);
	}
	catalog_done(&catalog);
	return code;
}
