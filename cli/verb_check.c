/* SPDX-License-Identifier: Apache-2.0 */
/* hale check COMPONENT: look at it now */
#include "verbs.h"

#include "facts.h"
#include "field.h"
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

static void print_observation(struct cli *cli, const char *name, const json_t *o)
{
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
	cli_print(cli, &out);
}

static int run_check(struct cli *cli, const char *name, const char *process)
{
	const json_t *observation;
	json_t *result = NULL;
	int code = cli_ask(cli, process, "check.run", json_pack("{s:s}", "component", name),
			   CHECK_TIMEOUT_MS, &result);

	if (code != 0)
		return code;
	observation = json_object_get(result, "observation");
	if (cli->is_json)
		cli_json(cli, result);
	else
		print_observation(cli, name, observation);
	code = exit_of_outcome(observation);
	json_decref(result);
	return code;
}

int verb_check(struct cli *cli, const struct args *args)
{
	const char *name = args_word(args, 0), *process;
	const json_t *component;
	json_t *shown = NULL;
	int code = cli_ask(cli, "haled", "show", json_pack("{s:s}", "name", name), CLI_TIMEOUT_MS,
			   &shown);

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
	else
		code = run_check(cli, name, process);
	json_decref(shown);
	return code;
}
