/* SPDX-License-Identifier: Apache-2.0 */
/* hale pause, resume: whether anything is monitored */
#include "verbs.h"

#include "field.h"
#include "text.h"

static void say_state(struct cli *cli, const json_t *monitoring)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	const char *reason = field_text(monitoring, "reason");
	char date[TEXT_TIME_MAX], ago[TEXT_TIME_MAX];
	int64_t at_ms;

	if (field_true(monitoring, "active")) {
		cli_say(cli, TONE_GOOD, "monitoring goes on");
		return;
	}
	str_add(&line, "monitoring is paused");
	if (field_time(monitoring, "until", &at_ms))
		str_addf(&line, " until %s (%s)", text_date(at_ms, date),
			 /* What was asked for, less the time it took. */
			 text_ago(at_ms + 999, cli_now(cli), ago));
	else
		str_add(&line, " until 'hale resume'");
	if (reason != NULL)
		str_addf(&line, ": %s", reason);
	cli_say(cli, TONE_WARN, str_text(&line));
}

static int tell(struct cli *cli, const char *method, json_t *params)
{
	json_t *monitoring = NULL;
	int code = cli_ask(cli, "haled", method, params, CLI_TIMEOUT_MS, &monitoring);

	if (code != 0)
		return code;
	if (cli->is_json)
		cli_json(cli, monitoring);
	else
		say_state(cli, monitoring);
	json_decref(monitoring);
	return CLI_DONE;
}

int verb_pause(struct cli *cli, const struct args *args)
{
	const char *reason = args_text(args, "reason");
	int64_t for_ms = args_number(args, "for", -1);
	json_t *params = json_object();

	if (for_ms == 0) {
		json_decref(params);
		return cli_refuse(cli, CLI_USAGE, "pause: --for 0 would be no pause");
	}
	if (for_ms > 0)
		json_object_set_new(params, "for_ms", json_integer(for_ms));
	if (reason != NULL)
		json_object_set_new(params, "reason", json_string(reason));
	return tell(cli, "monitoring.pause", params);
}

int verb_resume(struct cli *cli, const struct args *args)
{
	(void)args;
	return tell(cli, "monitoring.resume", NULL);
}
