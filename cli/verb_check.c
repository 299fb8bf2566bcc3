/* SPDX-License-Identifier: Apache-2.0 */
/* hale check COMPONENT…: look at it now, and show all that was seen */
#include "verbs.h"

#include "facts.h"
#include "field.h"
#include "saw_view.h"
#include "model/status.h"

/* A check answers within its own timeout; the longest that may be set is below this. */
#define CHECK_TIMEOUT_MS (10 * 60 * 1000)

static int exit_of_outcome(const json_t *observation)
{
	static const int codes[OUTCOME_MAX] = {[OUTCOME_PASS] = 0,
					       [OUTCOME_WARN] = 1,
					       [OUTCOME_FAIL] = 2,
					       [OUTCOME_DOWN] = 2,
					       [OUTCOME_ERROR] = 3};
	enum outcome o;

	return outcome_from_name(field_text(observation, "outcome"), &o) ? codes[o] : CLI_NO_HALE;
}

static void print_result(struct cli *cli, const char *name, const json_t *result)
{
	const json_t *o = json_object_get(result, "observation");
	HALE_CLEANUP(str_done) struct str out = {0}, word = {0};
	enum tone tone;
	struct facts f;

	dot_outcome(&word, field_text(o, "outcome"), &tone);
	facts_title(&out, cli->has_colour, str_text(&word), tone, name, NULL);
	facts_init(&f, cli_now(cli));
	facts_member(&f, "message", o, "message");
	facts_member(&f, "reason", o, "reason");
	facts_took(&f, "took", o, "took_ms");
	facts_object(&f, "metrics", json_object_get(o, "metrics"));
	facts_object(&f, "details", json_object_get(o, "details"));
	facts_finish(&f, cli->has_colour, &out);
	saw_view(&out, json_object_get(result, "saw"), cli->has_colour);
	cli_print(cli, &out);
}

/* *result_r is a new reference, or NULL. */
static int run_check(struct cli *cli, const char *name, const char *process, json_t **result_r)
{
	json_t *result = NULL;
	int code = cli_ask(cli, process, "check.run", json_pack("{s:s}", "component", name),
			   CHECK_TIMEOUT_MS, &result);

	*result_r = NULL;
	if (code != 0)
		return code;
	*result_r = result;
	return exit_of_outcome(json_object_get(result, "observation"));
}

static int check_one(struct cli *cli, const char *name, json_t **result_r)
{
	const char *process;
	const json_t *component;
	json_t *shown = NULL;
	int code = cli_ask(cli, "haled", "show", json_pack("{s:s}", "name", name), CLI_TIMEOUT_MS,
			   &shown);

	*result_r = NULL;
	if (code != 0)
		return code;
	component = json_object_get(shown, "component");
	process = field_text(component, "process");
	if (component == NULL)
		code = cli_refuse(cli, CLI_USAGE,
				  "%s is a process, not a component (see: hale show %s)", name,
				  name);
	else if (process == NULL || !str_starts(process, "check."))
		code = cli_refuse(cli, CLI_FAILED, "%s is judged without a check that could be run",
				  name);
	else if (json_is_false(json_object_get(component, "configured")))
		code = cli_refuse(cli, CLI_FAILED,
				  "%s is not configured: the variable that its target comes from "
				  "is empty",
				  name);
	else if (json_is_false(json_object_get(component, "enabled")))
		code = cli_refuse(cli, CLI_FAILED, "%s is disabled (enabled: false)", name);
	else
		code = run_check(cli, name, process, result_r);
	json_decref(shown);
	return code;
}

/* One after the other: each has its say, the worst is the exit code. */
int verb_check(struct cli *cli, const struct args *args)
{
	json_t *all = json_array();
	int worst = 0;

	for (size_t i = 0; i < args->words.n; i++) {
		json_t *result;
		int code = check_one(cli, args_word(args, i), &result);

		worst = HALE_MAX(worst, code);
		if (result == NULL)
			continue;
		if (!cli->is_json && json_array_size(all) > 0)
			cli_say(cli, TONE_PLAIN, "");
		if (!cli->is_json)
			print_result(cli, args_word(args, i), result);
		json_array_append_new(all, result);
	}
	/* Of one it is the thing itself. */
	if (cli->is_json && args->words.n > 1)
		cli_json(cli, all);
	else if (cli->is_json && json_array_size(all) == 1)
		cli_json(cli, json_array_get(all, 0));
	json_decref(all);
	return worst;
}
