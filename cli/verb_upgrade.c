/* SPDX-License-Identifier: Apache-2.0 */
/* hale upgrade: haled gives way to its new binary, in the same process */
#include "verbs.h"

#include "base/clock.h"
#include "field.h"
#include "text.h"

/* haled gives the process that reads the configuration 90 s, and then needs far less than a second.
 */
#define ASK_TIMEOUT_MS 100000
#define COME_BACK_MS   20000
#define LOOK_MS        5

enum outcome_seen { NOT_YET, UPGRADED, STARTED_ANEW };

/* A haled counts the programs it has been in this process. */
static json_int_t generation_of(const struct cli *cli, int64_t *uptime_ms_r)
{
	json_t *pong = NULL;
	struct err err = {0};
	json_int_t n = -1; /* it does not answer right now */

	if (cli_try(cli, "haled", "ping", NULL, CLI_TIMEOUT_MS, &pong, NULL, &err) == 0) {
		n = field_int(pong, "generation", -1);
		*uptime_ms_r = field_int(pong, "uptime_ms", INT64_MAX);
	}
	json_decref(pong);
	return n;
}

static enum outcome_seen wait_for(const struct cli *cli, json_int_t wanted, int64_t asked_us)
{
	int64_t deadline_ms = clock_mono_ms() + COME_BACK_MS;
	int64_t uptime_ms = INT64_MAX;

	while (clock_mono_ms() < deadline_ms) {
		json_int_t generation = generation_of(cli, &uptime_ms);

		if (generation >= wanted)
			return UPGRADED;
		if (generation > 0 && uptime_ms < (clock_mono_us() - asked_us) / 1000)
			return STARTED_ANEW;
		cli_pause(LOOK_MS);
	}
	return NOT_YET;
}

static int say_upgraded(struct cli *cli, const json_t *before, int64_t asked_us)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	int64_t took_us = clock_mono_us() - asked_us;
	char took[TEXT_TIME_MAX];
	json_t *status = NULL;
	int code = cli_ask(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status);

	if (code != 0)
		return code;
	if (cli->is_json) {
		json_t *line = json_pack(
			"{s:s, s:s, s:I, s:f}", "from", field_or(before, "version", "?"), "to",
			field_or(status, "version", "?"), "kept", field_int(before, "processes", 0),
			"took_ms", (double)took_us / 1000);

		cli_json(cli, line);
		json_decref(line);
	} else {
		str_addf(&out, "haled %s is now %s, after %s; ", field_or(before, "version", "?"),
			 field_or(status, "version", "?"), text_took((double)took_us / 1000, took));
		str_addf(&out, "%lld processes ran on\n",
			 (long long)field_int(before, "processes", 0));
		cli_print(cli, &out);
	}
	json_decref(status);
	return CLI_DONE;
}

int verb_upgrade(struct cli *cli, const struct args *args)
{
	int64_t asked_us = clock_mono_us();
	int64_t uptime_ms = 0;
	json_int_t generation = generation_of(cli, &uptime_ms);
	json_t *before = NULL;
	int code = cli_ask(cli, "haled", "upgrade", NULL, ASK_TIMEOUT_MS, &before);

	(void)args;
	if (code != 0)
		return code;
	switch (wait_for(cli, generation + 1, asked_us)) {
	case UPGRADED:
		code = say_upgraded(cli, before, asked_us);
		break;
	case STARTED_ANEW:
		code = cli_refuse(cli, CLI_FAILED,
				  "the new program could not take over: it started all processes "
				  "anew (hale status)");
		break;
	case NOT_YET:
		code = cli_refuse(cli, CLI_FAILED,
				  "haled is still the former program, or does not answer; see its "
				  "log lines");
		break;
	}
	json_decref(before);
	return code;
}
