/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "fixture.h"

/* The whole report, as people read it, begins with `wanted` at "hale.yaml:". */
static void assert_report(const char *yaml, const char *wanted)
{
	struct deployment d;
	HALE_CLEANUP(str_done) struct str text = {0};
	struct str lines = {0};

	deployment_init(&d, yaml);
	report_format(&d.report, false, &text);
	/* "place: message" and its hint; the source line and its caret are the report's own tests.
	 */
	for (size_t i = 0; i < d.report.n; i++) {
		const struct report_entry *e = &d.report.v[i];

		str_addf(&lines, "%zu:%zu: %s%s%s%s\n", e->mark.line, e->mark.column,
			 e->is_warning ? "warning: " : "", e->message, e->hint != NULL ? " | " : "",
			 e->hint != NULL ? e->hint : "");
	}
	deployment_done(&d);
	if (!str_eq(str_text(&lines), wanted))
		fail_msg("wanted:\n%s\ngot:\n%s\n%s", wanted, str_text(&lines), str_text(&text));
	str_done(&lines);
}

static void names_are_nobody_elses(void **state)
{
	(void)state;
	assert_report(
		"programs:\n"
		"  notifier: {command: [sleep]}\n"
		"  check.mine: {command: [sleep]}\n"
		"  haled: {command: [sleep]}\n",
		"2:3: the name 'notifier' is that of hale-notifier | choose another name\n"
		"3:3: the name 'check.mine' is that of hale's checkers | choose another name\n"
		"4:3: the name 'haled' is that of hale itself | choose another name\n");
	assert_report("components: {program.a: {null: {}}}\nprograms: {a: {command: [sleep]}}\n",
		      "1:14: component id 'program.a' is that of the program 'a' | choose another "
		      "id\n");
}

static void names_can_be_file_names(void **state)
{
	(void)state;
	assert_report("programs:\n"
		      "  My Bot: {command: [sleep]}\n"
		      "  .a: {command: [sleep]}\n"
		      "  ../a: {command: [sleep]}\n",
		      "2:3: program name 'My Bot' holds other characters than a-z 0-9 _ . -, or "
		      "begins with one of _ . - | write 'my_bot', and label: for the name people "
		      "read\n"
		      "3:3: program name '.a' holds other characters than a-z 0-9 _ . -, or begins "
		      "with one of _ . - | write 'a', and label: for the name people read\n"
		      "4:3: program name '../a' holds other characters than a-z 0-9 _ . -, or "
		      "begins with one of _ . - | write 'a', and label: for the name people "
		      "read\n");
	assert_report("programs: {"
		      "a123456789a123456789a123456789a123456789a123456789a123456789a1234: "
		      "{command: [sleep]}}\n",
		      "1:12: program name is longer than 64 characters\n");
}

static void a_command_is_a_list(void **state)
{
	(void)state;
	assert_report("programs:\n"
		      "  a: {command: python3 -m bot}\n"
		      "  b: {command: 'cd /x && run'}\n"
		      "  c: {command: ['']}\n",
		      "2:16: a command is a list of words, and no shell reads it | write [python3, "
		      "-m, bot], or [sh, -c, \"…\"] for a shell\n"
		      "3:16: a command is a list of words, and no shell reads it | write a list of "
		      "words, or [sh, -c, \"…\"] for a shell\n"
		      "4:17: the program's name is empty\n");
	assert_report("programs: {a: {}, b: {command: []}}\n",
		      "1:12: required option 'command' is missing | command: the program and its "
		      "arguments, as a list; no shell reads it\n"
		      "1:23: 'command' must not be empty\n");
}

static void a_program_that_is_not_there_is_told(void **state)
{
	char dir[] = "/tmp/hale-programs-XXXXXX";
	HALE_CLEANUP(cleanup_free) char *script = NULL;
	HALE_CLEANUP(cleanup_free) char *yaml = NULL;
	HALE_CLEANUP(cleanup_free) char *wanted = NULL;

	(void)state;
	assert_report("programs:\n"
		      "  a: {command: [no-such-program, x]}\n"
		      "  b: {command: [/no/such]}\n"
		      "  c: {command: [bin/x]}\n"
		      "  d: {command: [/etc]}\n"
		      "  e: {command: [sleep], on_failing: [no-such-mail]}\n",
		      "2:17: no program 'no-such-program' in "
		      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin | install it, "
		      "or write its whole path\n"
		      "3:17: there is no program '/no/such' | check the path\n"
		      "4:17: 'bin/x' is relative to nothing | write its whole path, or set "
		      "directory:\n"
		      "5:17: '/etc' is a directory | name the program in it\n"
		      "6:38: no program 'no-such-mail' in "
		      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin | install it, "
		      "or write its whole path\n");
	assert_non_null(mkdtemp(dir));
	script = path_join(dir, "run");
	assert_int_equal(file_write_atomic(script, "#!/bin/sh\n", 10, 0600, NULL), 0);
	yaml = mem_printf("programs: {a: {command: [run], environment: {PATH: '%s'}}}\n", dir);
	wanted = mem_printf("1:26: '%s' may not be executed | chmod +x it, or name its "
			    "interpreter first\n",
			    script);
	assert_report(yaml, wanted);
	assert_int_equal(unlink(script), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void places_that_are_not_there_are_told(void **state)
{
	(void)state;
	assert_report(
		"programs:\n"
		"  a: {command: [sleep], directory: /no/such}\n"
		"  b: {command: [sleep], directory: src}\n"
		"  c: {command: [sleep], directory: /etc/passwd}\n"
		"  d: {command: [sleep], stdin: /no/such}\n"
		"  e: {command: [sleep], stdin: /etc}\n"
		"  f: {command: [sleep], umask: '0999'}\n"
		"  g: {command: [sleep], log: /var/log/}\n",
		"2:36: cannot use directory '/no/such': No such file or directory | create it, "
		"or correct the path\n"
		"3:36: directory 'src' is relative to nothing | write its whole path\n"
		"4:36: '/etc/passwd' is no directory\n"
		"5:32: cannot read stdin '/no/such': No such file or directory | create it, or "
		"correct the path\n"
		"6:32: stdin '/etc' is a directory\n"
		"7:32: '0999' is no umask in octal between 000 and 777 | e.g. 027: files are "
		"not for others\n"
		"8:30: log file '/var/log/' is a directory | name a file in it\n");
}

static void one_log_file_has_one_writer(void **state)
{
	(void)state;
	assert_report("programs:\n"
		      "  a: {command: [sleep], log: /tmp/x.log}\n"
		      "  b: {command: [sleep], log: {file: /tmp/x.log}}\n"
		      "  c: {command: [sleep], log: a.log}\n",
		      "3:37: '/tmp/x.log' is the log file of 'a' already | give each its own\n");
}

static void users_must_exist_and_be_possible(void **state)
{
	HALE_CLEANUP(cleanup_free) char *wanted = NULL;
	struct rlimit own;

	(void)state;
	assert_report(
		"programs:\n"
		"  a: {command: [sleep], user: no-such-user}\n"
		"  b: {command: [sleep], group: no-such-group}\n"
		"  c: {command: [sleep], user: 4294967295}\n",
		"2:31: there is no user 'no-such-user' on this machine | create it (useradd "
		"--system), or correct the name\n"
		"3:32: there is no group 'no-such-group' on this machine | create it (groupadd "
		"--system), or correct the name\n"
		"4:31: there is no user '4294967295' on this machine | create it (useradd "
		"--system), or correct the name\n");
	if (geteuid() != 0)
		return;
	assert_int_equal(seteuid(65534), 0);
	assert_report("programs:\n"
		      "  a: {command: [sleep], user: daemon}\n"
		      "  b: {command: [sleep], user: nobody}\n",
		      "2:31: to run a program as user 'daemon' haled must run as root, not as uid "
		      "65534 | start haled as root, or as this user, or leave it out\n");
	if (getrlimit(RLIMIT_NOFILE, &own) == 0 && own.rlim_max < 1048576)
		wanted = mem_printf("1:51: haled itself may not have more nofile than %llu | "
				    "start haled as root, or with higher limits\n",
				    (unsigned long long)own.rlim_max);
	assert_report("programs: {a: {command: [sleep], limits: {nofile: 1048576}}}\n",
		      wanted == NULL ? "" : wanted);
	assert_int_equal(seteuid(0), 0);
	/* The change made us undumpable, and the leak sanitizer wants to look at us. */
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
}

static void variables_have_names_and_some_are_hales(void **state)
{
	(void)state;
	assert_report("programs: {a: {command: [sleep], environment: {NOTIFY_SOCKET: x, 'A=B': 1, "
		      "'': 2}}}\n",
		      "1:48: NOTIFY_SOCKET is set by haled itself | leave it out\n"
		      "1:66: 'A=B' is no name of a variable | write NAME: value\n"
		      "1:76: '' is no name of a variable | write NAME: value\n");
}

static void a_secret_is_not_told_in_an_error(void **state)
{
	struct deployment d;
	HALE_CLEANUP(str_done) struct str text = {0};

	(void)state;
	deployment_init(&d, "programs: {a: {command: [sleep], environment: {TOKEN: [hidden]}}}\n");
	report_format(&d.report, false, &text);
	deployment_done(&d);
	assert_non_null(strstr(str_text(&text), "hale.yaml:1:55: expected text, found a list"));
	assert_null(strstr(str_text(&text), "hidden"));
}

static void orders_lead_somewhere_and_end(void **state)
{
	(void)state;
	assert_report(
		"programs:\n"
		"  a: {command: [sleep], after: [notifer], requires: [c]}\n"
		"  b: {command: [sleep], requires: a}\n"
		"  c: {command: [sleep], after: [zebra, b]}\n"
		"  d: {command: [sleep], after: [d]}\n",
		"2:33: no program or process is named 'notifer' | did you mean 'notifier'?\n"
		"3:35: after and requires go in a circle: a -> c -> b -> a | remove one of "
		"these\n"
		"4:33: no program or process is named 'zebra' | known here: notifier, a, b, c, "
		"d\n"
		"5:33: after and requires go in a circle: d -> d | remove one of these\n");
	assert_report("programs:\n"
		      "  a: {command: [sleep], enabled: false}\n"
		      "  b: {command: [sleep], requires: [a]}\n",
		      "3:36: warning: 'a' is not enabled, so that 'b' will not start by itself\n");
}

static void depends_on_may_name_programs_but_not_in_a_circle(void **state)
{
	(void)state;
	assert_report("components: {api: {null: {}, depends_on: [program.a]}}\n"
		      "programs: {a: {command: [sleep], depends_on: [api]}}\n",
		      "2:47: depends_on goes in a circle: api -> program.a -> api | remove one of "
		      "these dependencies\n");
	assert_report("components: {api: {null: {}, depends_on: [program.tradr]}}\n"
		      "programs: {trader: {command: [sleep]}}\n",
		      "1:43: unknown component 'program.tradr' | did you mean 'program.trader'? (a "
		      "name in components)\n");
}

static void what_has_no_effect_is_told(void **state)
{
	(void)state;
	assert_report("programs: {a: {command: [sleep], watchdog: 5s}}\n",
		      "1:44: a watchdog needs a program that speaks sd_notify | add notify: true, "
		      "if it says READY=1 and WATCHDOG=1\n");
	assert_report("programs: {a: {command: [sleep], notify: true, ready_after: 5s}}\n",
		      "1:61: warning: ready_after has no effect: with notify the program says when "
		      "it is ready\n");
	assert_report(
		"programs:\n"
		"  a: {command: [sleep], oneshot: true, notify: true}\n"
		"  b: {command: [sleep], oneshot: true, restart: always}\n",
		"2:48: a oneshot is ready when it has ended, not when it says so | leave one of "
		"them out\n"
		"3:49: a oneshot that is always restarted never ends | write on-failure or "
		"never\n");
	assert_report("programs: {a: {command: [sleep], on_check_failure: {components: program.a}}}"
		      "\n",
		      "1:65: 'program.a' is the program itself, which is restarted anyway | name a "
		      "component that is checked\n");
}

static void a_bare_word_is_held_against_its_option(void **state)
{
	(void)state;
	assert_report("programs:\n"
		      "  a: {command: [sleep], restart: onfailure}\n"
		      "  b: {command: [sleep], restart: [never]}\n",
		      "2:34: 'onfailure' is not one of always, on-failure, never | did you mean "
		      "'on-failure'?\n"
		      "3:34: expected a mapping with when, base, factor, cap, …\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_nobody_elses),
		cmocka_unit_test(names_can_be_file_names),
		cmocka_unit_test(a_command_is_a_list),
		cmocka_unit_test(a_program_that_is_not_there_is_told),
		cmocka_unit_test(places_that_are_not_there_are_told),
		cmocka_unit_test(one_log_file_has_one_writer),
		cmocka_unit_test(users_must_exist_and_be_possible),
		cmocka_unit_test(variables_have_names_and_some_are_hales),
		cmocka_unit_test(a_secret_is_not_told_in_an_error),
		cmocka_unit_test(orders_lead_somewhere_and_end),
		cmocka_unit_test(depends_on_may_name_programs_but_not_in_a_circle),
		cmocka_unit_test(what_has_no_effect_is_told),
		cmocka_unit_test(a_bare_word_is_held_against_its_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
