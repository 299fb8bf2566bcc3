/* SPDX-License-Identifier: Apache-2.0 */
/* hale status: the one page that says how everything is doing */
#include "verbs.h"

#include <stdlib.h>

#include "bus/command.h"
#include "field.h"
#include "status_view.h"

#define WATCH_MS 1000

static int render(struct cli *cli, const struct args *args, const json_t *status, struct str *out)
{
	struct status_look look = {.now_ms = cli_now(cli),
				   .width = cli->width,
				   .has_colour = cli->has_colour,
				   .is_partial = args->words.n > 0};
	const char *missing = NULL;
	json_t *part;
	int code;

	if (!look.is_partial) {
		status_format(out, status, &look);
		return status_exit(status, false);
	}
	part = status_select(status, &args->words, &missing);
	if (missing != NULL) {
		json_decref(part);
		return cli_refuse(cli, CLI_USAGE,
				  "no component or process is named '%s' (see: hale status)",
				  missing);
	}
	status_format(out, part, &look);
	code = status_exit(part, true);
	json_decref(part);
	return code;
}

static int show_json(struct cli *cli, const struct args *args, const json_t *status)
{
	const char *missing = NULL;
	json_t *part;
	int code;

	if (args->words.n == 0) {
		cli_json(cli, status);
		return status_exit(status, false);
	}
	part = status_select(status, &args->words, &missing);
	code = status_exit(part, true);
	if (missing != NULL)
		code = cli_refuse(cli, CLI_USAGE,
				  "no component or process is named '%s' (see: hale status)",
				  missing);
	else
		cli_json(cli, part);
	json_decref(part);
	return code;
}

static int show_once(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *status = NULL;
	int code = cli_ask(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status);

	if (code != 0)
		return code;
	code = cli->is_json ? show_json(cli, args, status) : render(cli, args, status, &out);
	cli_print(cli, &out);
	json_decref(status);
	return code;
}

/* Written over the old page line by line: no flicker, and nothing of the old one stays. */
static void redraw(struct cli *cli, const struct str *page)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	str_add(&out, "\033[H");
	for (size_t i = 0; i < page->len; i++) {
		if (page->data[i] == '\n')
			str_add(&out, "\033[K");
		str_addc(&out, page->data[i]);
	}
	str_add(&out, "\033[J");
	cli_print(cli, &out);
	(void)fflush(cli->out);
}

/* A haled that goes away is waited for: that is what one watches. */
static int watch(struct cli *cli, const struct args *args)
{
	int code = CLI_DONE;

	while (ferror(cli->out) == 0) {
		HALE_CLEANUP(str_done) struct str page = {0};
		struct err err = {0};
		json_t *status = NULL;

		code = cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status, NULL, &err);
		if (code != 0) {
			str_addf(&page, "%s\n", err.text);
			code = CLI_NO_HALE;
		} else if (cli->is_json) {
			cli_json_line(cli, status);
			(void)fflush(cli->out);
		} else {
			code = render(cli, args, status, &page);
		}
		json_decref(status);
		if (!cli->is_json && page.len == 0)
			return code; /* nothing of that name to watch */
		if (!cli->is_json)
			redraw(cli, &page);
		if (ferror(cli->out) == 0)
			cli_pause(WATCH_MS);
	}
	return code;
}

int verb_status(struct cli *cli, const struct args *args)
{
	return args_is(args, "watch") ? watch(cli, args) : show_once(cli, args);
}
