/* SPDX-License-Identifier: Apache-2.0 */
/* hale status: the one page that says how everything is doing */
#include "verbs.h"

#include <stdlib.h>

#include "bus/command.h"
#include "field.h"
#include "screen.h"
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

/* One page, or why there is none. False: nothing of that name to watch. A haled that goes away is
 * waited for: that is what one watches. */
static bool render_now(struct cli *cli, const struct args *args, struct str *page, int *code)
{
	struct err err = {0};
	json_t *status = NULL;

	if (cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status, NULL, &err) != 0) {
		str_addf(page, "%s\n", err.text);
		*code = CLI_NO_HALE;
		return true;
	}
	*code = render(cli, args, status, page);
	json_decref(status);
	return page->len > 0;
}

/* On a screen of its own, until somebody has seen enough. */
static int watch_screen(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(str_done) struct str first = {0};
	struct screen screen;
	bool goes_on = true;
	int code;

	if (!render_now(cli, args, &first, &code))
		return code;
	if (screen_open(&screen, cli->out) < 0)
		return cli_refuse(cli, CLI_FAILED, "status: this is no terminal");
	while (goes_on && ferror(cli->out) == 0) {
		HALE_CLEANUP(str_done) struct str page = {0};
		int key;

		cli->width = screen.width;
		goes_on = render_now(cli, args, &page, &code);
		screen_draw(&screen, str_text(&page));
		key = goes_on ? screen_wait(&screen, WATCH_MS) : KEY_NONE;
		goes_on = goes_on && key != 'q' && key != 'Q' && key != KEY_END_OF_INPUT;
	}
	screen_close(&screen);
	return code;
}

/* Elsewhere one page below the other, or a line of JSON each. */
static int watch(struct cli *cli, const struct args *args)
{
	int code = CLI_DONE;

	while (ferror(cli->out) == 0) {
		HALE_CLEANUP(str_done) struct str page = {0};
		struct err err = {0};
		json_t *status = NULL;

		if (!cli->is_json) {
			if (!render_now(cli, args, &page, &code))
				return code;
			str_addc(&page, '\n');
			cli_print(cli, &page);
		} else if (cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status, NULL,
				   &err) == 0) {
			cli_json_line(cli, status);
			json_decref(status);
		}
		(void)fflush(cli->out);
		if (ferror(cli->out) == 0)
			cli_pause(WATCH_MS);
	}
	return code;
}

int verb_status(struct cli *cli, const struct args *args)
{
	if (!args_is(args, "watch"))
		return show_once(cli, args);
	return cli->is_json || !screen_is_possible() ? watch(cli, args) : watch_screen(cli, args);
}
