/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of every verb: options, help, exit codes, who is asked and who is not there. */
#include "fake.h"

#include <string.h>

#include "base/str.h"
#include "bus/command.h"
#include "verbs.h"

static void without_a_verb_help_goes_to_stderr(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_run(f, ""), 2);
	assert_string_equal(fake_out(f), "");
	assert_non_null(strstr(fake_err(f), "Usage: hale [OPTION…] VERB …\n"));
}

static void help_names_every_verb(void **state)
{
	struct fake *f = *state;

	assert_int_equal(fake_run(f, "--help"), 0);
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		char row[64];

		(void)snprintf(row, sizeof(row), "\n  %s ", v->name);
		if (strstr(fake_out(f), row) == NULL)
			fail_msg("%s is not in the help", v->name);
	}
	assert_int_equal(fake_run(f, "help"), 0);
}

static void every_verb_has_help_of_its_own(void **state)
{
	struct fake *f = *state;

	for (const struct verb *v = verbs; v->name != NULL; v++) {
		char words[64], usage[64];

		(void)snprintf(words, sizeof(words), "help %s", v->name);
		(void)snprintf(usage, sizeof(usage), "Usage: hale %s", v->name);
		assert_int_equal(fake_run(f, words), 0);
		assert_true(str_starts(fake_out(f), usage));
		(void)snprintf(words, sizeof(words), "%s --help", v->name);
		assert_int_equal(fake_run(f, words), 0);
		assert_true(str_starts(fake_out(f), usage));
	}
}

static void version_is_told(void **state)
{
	assert_run(*state, "--version", 0, "hale " HALE_VERSION "\n");
}

static void an_unknown_verb_is_answered_with_the_nearest(void **state)
{
	assert_refused(*state, "staus", 2, "hale: unknown verb 'staus' (did you mean 'status'?)\n");
	assert_refused(*state, "xyzzy", 2, "hale: unknown verb 'xyzzy' (see: hale help)\n");
	assert_refused(*state, "help staus", 2,
		       "hale: unknown verb 'staus' (did you mean 'status'?)\n");
	assert_refused(*state, "config", 2,
		       "hale: config: say one of: hale config check, hale config diff, hale config "
		       "show, hale config schema\n");
	assert_refused(*state, "config shwo", 2,
		       "hale: config shwo: say one of: hale config check, hale config diff, hale "
		       "config show, hale config schema\n");
}

static void help_for_half_a_verb_lists_what_begins_with_it(void **state)
{
	const char *all = "Usage: hale config check [FILE]\n"
			  "  Whether a configuration is good, and all that is wrong in it.\n"
			  "Usage: hale config diff\n"
			  "  What a reload would change and restart, without doing it.\n"
			  "Usage: hale config show [SECTION]\n"
			  "  The configuration in force, secrets masked.\n"
			  "Usage: hale config schema\n"
			  "  The JSON Schema of the configuration, for editors.\n";

	assert_run(*state, "help config", 0, all);
	assert_run(*state, "config --help", 0, all);
}

static void wrong_usage_is_2_and_no_verdict_is_3(void **state)
{
	assert_refused(*state, "restart", 2, "hale: restart: name processes, or say --all\n");
	assert_refused(*state, "check", 3,
		       "hale: check: words are missing\nUsage: hale check COMPONENT…\n");
	assert_refused(*state, "reload now", 2,
		       "hale: reload: 'now' is one word too many\nUsage: hale reload [OPTION…]\n");
	assert_refused(*state, "restart --no-wiat x", 2,
		       "hale: restart: unknown option --no-wiat (did you mean --no-wait?) "
		       "(see: hale help restart)\n");
	assert_refused(*state, "-o yaml reload", 2,
		       "hale: --output: 'yaml' is neither text nor json (see: hale help)\n");
	assert_refused(*state, "status -o yaml", 3,
		       "hale: status: --output: 'yaml' is neither text nor json (see: hale help "
		       "status)\n");
	assert_refused(*state, "show", 3, "hale: show: words are missing\nUsage: hale show NAME\n");
}

static void every_verb_says_that_no_hale_is_running(void **state)
{
	static const char *const calls[] = {
		"status",         "show api",
		"logs web",       "logs --all -f",
		"restart web",    "stop web",
		"start web",      "reload",
		"config diff",    "pause",
		"resume",         "check api",
		"events",         "events -f",
		"history api",    "alerts",
		"alerts show 12", "notify test ops",
		"reconcile",      "reconcile positions",
		"action",         "action reconnect",
		"config show",    "ping",
		"ping recorder",
	};
	struct fake *f = *state;
	char expected[200];

	(void)snprintf(
		expected, sizeof(expected),
		"hale: no hale is running with run directory %s (start it with: haled --config "
		"FILE)\n",
		fake_dir(f));
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		assert_refused(f, calls[i], 3, expected);
}

static void the_run_directory_can_be_given(void **state)
{
	struct fake *f = *state;

	assert_refused(
		f, "status --run-dir /nowhere/hale", 3,
		"hale: no hale is running with run directory /nowhere/hale (start it with: haled "
		"--config FILE)\n");
	assert_refused(
		f, "--run-dir=/nowhere/hale status", 3,
		"hale: no hale is running with run directory /nowhere/hale (start it with: haled "
		"--config FILE)\n");
}

static void a_process_that_is_not_there_is_named(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status",
		    "{\"processes\": [{\"name\": \"notifier\", \"state\": \"backoff\"},"
		    " {\"name\": \"bot\", \"state\": \"ready\"}],"
		    " \"components\": [{\"id\": \"program.bot\"}]}");
	assert_refused(f, "alerts", 1,
		       "hale: notifier does not answer: it is backoff (see: hale show notifier)\n");
	assert_refused(
		f, "reconcile x", 1,
		"hale: no jobs or actions are configured (sections reconcile and actions), so no "
		"reconciler runs\n");
	assert_refused(f, "ping notifer", 2,
		       "hale: no process is named 'notifer' (did you mean 'notifier'?)\n");
	assert_refused(f, "ping xyzzy", 2,
		       "hale: no process is named 'xyzzy' (see: hale status)\n");
	assert_refused(f, "ping bot", 1,
		       "hale: bot is a program of your own, which takes no commands of hale's\n");
}

static void refusals_have_their_exit_codes(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status", "{}");
	fake_refuse(f, "haled", "process.stop", COMMAND_E_NOT_FOUND,
		    "no process is named 'wbe' (did you mean 'web'?)", NULL);
	fake_refuse(f, "haled", "reload", COMMAND_E_REFUSED, "haled is stopping", NULL);
	fake_refuse(f, "haled", "show", COMMAND_E_NOT_FOUND, "no component or process is named 'x'",
		    NULL);
	assert_refused(f, "stop wbe", 2, "hale: no process is named 'wbe' (did you mean 'web'?)\n");
	assert_refused(f, "reload", 1, "hale: haled is stopping\n");
	assert_refused(f, "show x", 3, "hale: no component or process is named 'x'\n");
	assert_refused(
		f, "config show", 1,
		"hale: haled: unknown method \"config.show\" (is it of another version than this "
		"command?)\n");
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
	struct fake *f = *state;

	fake_fail_output_after(f, 0);
	assert_refused(f, "--version", 1, "hale: cannot write the output\n");
}

static void ping_tells_who_answers(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "ping",
		    "{\"service\": \"haled\", \"pid\": 17, \"uptime_ms\": 11520000}");
	fake_answer(f, "recorder", "ping", "{}");
	assert_int_equal(fake_run(f, "ping"), 0);
	assert_true(str_starts(fake_out(f), "haled answers in "));
	assert_true(str_ends(fake_out(f), " ms (pid 17, up 3h12m)\n"));
	assert_int_equal(fake_run(f, "ping recorder"), 0);
	assert_true(str_starts(fake_out(f), "recorder answers in "));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(without_a_verb_help_goes_to_stderr),
		T(help_names_every_verb),
		T(every_verb_has_help_of_its_own),
		T(version_is_told),
		T(an_unknown_verb_is_answered_with_the_nearest),
		T(help_for_half_a_verb_lists_what_begins_with_it),
		T(wrong_usage_is_2_and_no_verdict_is_3),
		T(every_verb_says_that_no_hale_is_running),
		T(the_run_directory_can_be_given),
		T(a_process_that_is_not_there_is_named),
		T(refusals_have_their_exit_codes),
		T(output_that_cannot_be_written_is_a_failure),
		T(ping_tells_who_answers),
	};

	return cmocka_run_group_tests_name("cli.cli", tests, NULL, NULL);
}
