/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "deploy/programs.h"
#include "deploy/slice.h"
#include "fixture.h"

/* "nobody" on every Linux. */
#define NOBODY 65534

static const char *variable(const struct process_spec *p, const char *name)
{
	HALE_CLEANUP(cleanup_free) char *prefix = mem_printf("%s=", name);

	for (char **e = p->env; *e != NULL; e++) {
		if (str_starts(*e, prefix))
			return *e + strlen(prefix);
	}
	return NULL;
}

static void assert_clean(const struct deployment *d)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (d->report.n == 0)
		return;
	report_format(&d->report, false, &text);
	fail_msg("%s", str_text(&text));
}

static void a_command_is_all_that_is_needed(void **state)
{
	struct deployment d;
	const struct process_spec *p;

	(void)state;
	deployment_init(&d, "programs: {trader: {command: [sh, -c, 'exit 0']}}\n");
	assert_clean(&d);
	p = deployment_program(&d, "trader");
	assert_string_equal(p->component, "program.trader");
	assert_string_equal(p->argv[1], "-c");
	assert_string_equal(p->argv[2], "exit 0");
	assert_null(p->argv[3]);
	assert_string_equal(p->argv[0], p->program);
	assert_true(str_ends(p->program, "/bin/sh"));
	assert_true(p->is_user);
	assert_true(p->is_enabled);
	assert_null(p->slice);
	assert_int_equal(p->stop_stage, SLICE_PROGRAMS_STAGE);
	assert_int_equal(p->stop_signal, SIGTERM);
	assert_false(p->rights.has_user);
	assert_string_equal(p->rights.directory, "/");
	assert_string_equal(p->rights.stdin_path, "/dev/null");
	assert_true(p->rights.has_umask);
	assert_int_equal(p->rights.umask, 022);
	assert_int_equal(p->rights.limits_n, 0);
	assert_string_equal(p->log.path, "/var/lib/hale/log/trader.log");
	assert_int_equal(p->log.max_bytes, 10 << 20);
	assert_int_equal(p->log.files, 5);
	assert_true(p->log.has_time);
	assert_int_equal(p->policy.when, RESTART_ALWAYS);
	assert_int_equal(p->policy.ready_after_ms, 1000);
	assert_int_equal(p->policy.watchdog_ms, 0);
	assert_false(p->policy.is_held_on_78);
	assert_int_equal(p->policy.backoff.base_ms, 100);
	assert_int_equal(p->on_check_failure.components.n, 0);
	assert_null(p->on_failing);
	deployment_done(&d);
}

static void every_option_arrives(void **state)
{
	struct deployment d;
	const struct process_spec *p;

	(void)state;
	deployment_init(
		&d, "components: {api: {null: {}}}\n"
		    "programs:\n"
		    "  db: {command: [sleep, 1]}\n"
		    "  trader:\n"
		    "    command: [sleep, '1']\n"
		    "    directory: /tmp\n"
		    "    environment: {MODE: paper, LANG: de_DE.UTF-8}\n"
		    "    umask: 027\n"
		    "    stdin: /etc/passwd\n"
		    "    log: {file: /var/log/t.log, max_size: 1MB, files: 0, timestamps: false}\n"
		    "    notify: true\n"
		    "    watchdog: 5s\n"
		    "    start_timeout: 1m\n"
		    "    stop_timeout: 7s\n"
		    "    stop_signal: INT\n"
		    "    limits: {memory: 64MB, cpu: 90s, nofile: 64, core: 0, processes: 50,\n"
		    "             file_size: 1GB}\n"
		    "    after: [notifier]\n"
		    "    requires: [db]\n"
		    "    restart: {when: on-failure, delay: 10s, give_up_after: 3}\n"
		    "    forward_signals: [USR1, HUP]\n"
		    "    on_failing: [echo, help]\n"
		    "    failing_after: 2m\n"
		    "    on_check_failure: {components: api, status: critical, after: 10s,\n"
		    "                       limit: 2, window: 30m}\n"
		    "    enabled: false\n");
	assert_clean(&d);
	p = deployment_program(&d, "trader");
	assert_string_equal(p->rights.directory, "/tmp");
	assert_string_equal(p->rights.stdin_path, "/etc/passwd");
	assert_int_equal(p->rights.umask, 027);
	assert_string_equal(variable(p, "MODE"), "paper");
	assert_string_equal(variable(p, "LANG"), "de_DE.UTF-8");
	assert_string_equal(p->log.path, "/var/log/t.log");
	assert_int_equal(p->log.max_bytes, 1 << 20);
	assert_int_equal(p->log.files, 0);
	assert_false(p->log.has_time);
	assert_int_equal(p->policy.ready_after_ms, -1);
	assert_int_equal(p->policy.watchdog_ms, 5000);
	assert_int_equal(p->policy.start_timeout_ms, 60000);
	assert_int_equal(p->policy.stop_timeout_ms, 7000);
	assert_int_equal(p->stop_signal, SIGINT);
	assert_string_equal(p->after.v[0], "notifier");
	assert_string_equal(p->requires.v[0], "db");
	assert_int_equal(p->policy.when, RESTART_ON_FAILURE);
	assert_int_equal(p->policy.fixed_delay_ms, 10000);
	assert_int_equal(p->policy.give_up_after, 3);
	assert_true(strlist_has(&p->forward, "USR1"));
	assert_true(strlist_has(&p->forward, "HUP"));
	assert_true(str_ends(p->on_failing[0], "/echo"));
	assert_string_equal(p->on_failing[1], "help");
	assert_int_equal(p->failing_after_ms, 120000);
	assert_string_equal(p->on_check_failure.components.v[0], "api");
	assert_int_equal(p->on_check_failure.from, STATUS_CRITICAL);
	assert_int_equal(p->on_check_failure.rule.after_ms, 10000);
	assert_int_equal(p->on_check_failure.rule.limit, 2);
	assert_int_equal(p->on_check_failure.rule.window_ms, 1800000);
	assert_false(p->is_enabled);
	deployment_done(&d);
}

static void limits_are_those_of_setrlimit(void **state)
{
	static const struct spawn_limit wanted[] = {
		{RLIMIT_DATA, 64u << 20}, {RLIMIT_CPU, 2}, {RLIMIT_CORE, 0}, {RLIMIT_NPROC, 50}};
	struct deployment d;
	const struct process_spec *p;

	(void)state;
	/* A second and a half of processor time is rounded up, not down. */
	deployment_init(&d, "programs: {a: {command: [sleep, 1], limits: {memory: 64MB, "
			    "cpu: 1s500ms, core: 0, processes: 50}}}\n");
	assert_clean(&d);
	p = deployment_program(&d, "a");
	assert_int_equal(p->rights.limits_n, ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_int_equal(p->rights.limits[i].resource, wanted[i].resource);
		assert_int_equal(p->rights.limits[i].value, wanted[i].value);
	}
	deployment_done(&d);
}

static void a_word_is_enough_for_restart_and_log(void **state)
{
	struct deployment d;
	const struct process_spec *p;

	(void)state;
	deployment_init(&d, "programs: {a: {command: [sleep, 1], restart: never, log: none}}\n");
	assert_clean(&d);
	p = deployment_program(&d, "a");
	assert_int_equal(p->policy.when, RESTART_NEVER);
	assert_int_equal(p->policy.backoff.cap_ms, 30000);
	assert_null(p->log.path);
	deployment_done(&d);
}

static void a_oneshot_is_ready_when_it_has_ended(void **state)
{
	struct deployment d;
	const struct process_spec *p;

	(void)state;
	deployment_init(&d, "programs:\n"
			    "  a: {command: [sleep, 1], oneshot: true}\n"
			    "  b: {command: [sleep, 1], oneshot: true, restart: never}\n");
	assert_clean(&d);
	p = deployment_program(&d, "a");
	assert_int_equal(p->policy.when, RESTART_ON_FAILURE);
	assert_true(p->policy.ready_after_ms > INT64_C(86400000) * 365);
	assert_int_equal(deployment_program(&d, "b")->policy.when, RESTART_NEVER);
	deployment_done(&d);
}

static void a_relative_log_file_stands_in_the_state_directory(void **state)
{
	struct deployment d;

	(void)state;
	deployment_init(&d, "programs: {a: {command: [sleep, 1], log: b.log}}\n");
	assert_clean(&d);
	assert_string_equal(deployment_program(&d, "a")->log.path, "/var/lib/hale/log/b.log");
	deployment_done(&d);
}

static void the_environment_is_that_of_a_login_and_nothing_else(void **state)
{
	struct deployment d;
	const struct process_spec *p;

	(void)state;
	assert_int_equal(setenv("HALE_TEST_LEAK", "leaked", 1), 0);
	assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
	deployment_init(&d, "programs: {a: {command: [sleep, 1], environment: {B: 2}}}\n");
	assert_clean(&d);
	p = deployment_program(&d, "a");
	assert_null(variable(p, "HALE_TEST_LEAK"));
	assert_non_null(variable(p, "HOME"));
	assert_non_null(variable(p, "USER"));
	assert_string_equal(variable(p, "USER"), variable(p, "LOGNAME"));
	assert_non_null(variable(p, "SHELL"));
	assert_non_null(variable(p, "PATH"));
	assert_string_equal(variable(p, "LANG"), "C.UTF-8");
	assert_string_equal(variable(p, "TZ"), "Asia/Tokyo");
	assert_string_equal(variable(p, "B"), "2");
	assert_string_equal(variable(p, "HALE_PROGRAM"), "a");
	assert_string_equal(variable(p, "HALE_INSTANCE"), "test");
	deployment_done(&d);
	assert_int_equal(unsetenv("TZ"), 0);
}

static void its_own_path_finds_its_program(void **state)
{
	struct deployment d;

	(void)state;
	deployment_init(&d, "programs:\n"
			    "  a: {command: [env], environment: {PATH: '/nowhere:/usr/bin'}}\n"
			    "  b: {command: [./sh], directory: /bin}\n"
			    "  c: {command: /bin/true}\n");
	assert_clean(&d);
	assert_string_equal(deployment_program(&d, "a")->program, "/usr/bin/env");
	assert_string_equal(deployment_program(&d, "b")->program, "/bin/./sh");
	assert_string_equal(deployment_program(&d, "c")->program, "/bin/true");
	deployment_done(&d);
}

static void a_user_brings_its_groups_and_home(void **state)
{
	struct deployment d;
	const struct process_spec *p;

	(void)state;
	if (geteuid() != 0)
		skip();
	deployment_init(&d, "programs:\n"
			    "  a: {command: [sleep, 1], user: nobody}\n"
			    "  b: {command: [sleep, 1], user: '65534', group: daemon}\n"
			    "  c: {command: [sleep, 1], user: 4321}\n"
			    "  d: {command: [sleep, 1], user: root}\n");
	assert_clean(&d);
	p = deployment_program(&d, "a");
	assert_true(p->rights.has_user);
	assert_int_equal(p->rights.uid, NOBODY);
	assert_int_equal(p->rights.gid, NOBODY);
	assert_string_equal(p->rights.user, "nobody");
	assert_int_equal(p->rights.groups[0], NOBODY);
	assert_string_equal(variable(p, "USER"), "nobody");
	p = deployment_program(&d, "b");
	assert_int_equal(p->rights.uid, NOBODY);
	assert_int_equal(p->rights.gid, 1);
	assert_string_equal(variable(p, "USER"), "nobody");
	/* A number that nobody has: containers run so. */
	p = deployment_program(&d, "c");
	assert_int_equal(p->rights.uid, 4321);
	assert_int_equal(p->rights.gid, 4321);
	assert_int_equal(p->rights.groups_n, 1);
	assert_string_equal(variable(p, "USER"), "4321");
	assert_string_equal(variable(p, "HOME"), "/");
	assert_false(deployment_program(&d, "d")->rights.has_user);
	deployment_done(&d);
}

static void secrets_are_masked_where_they_are_shown(void **state)
{
	struct deployment d;
	HALE_CLEANUP(cleanup_free) char *shown = NULL;

	(void)state;
	assert_int_equal(setenv("HALE_TEST_SECRET", "hidden-1", 1), 0);
	deployment_init(&d, "programs:\n"
			    "  a:\n"
			    "    command: [sleep, '1', '${HALE_TEST_SECRET}']\n"
			    "    environment:\n"
			    "      FROM_ENV: ${HALE_TEST_SECRET}\n"
			    "      API_TOKEN: hidden-2\n"
			    "      db_password: hidden-3\n"
			    "      DATABASE_URL: postgres://u:hidden-4@h/db\n"
			    "      SIGNING_KEY: hidden-5\n"
			    "      MODE: visible-1\n"
			    "      KEYBOARD: visible-2\n"
			    "      URL: http://h:80/visible-3@x\n");
	assert_clean(&d);
	assert_string_equal(variable(deployment_program(&d, "a"), "FROM_ENV"), "hidden-1");
	assert_string_equal(variable(deployment_program(&d, "a"), "API_TOKEN"), "hidden-2");
	shown = json_dumps(d.config->masked, JSON_COMPACT);
	assert_null(strstr(shown, "hidden"));
	assert_non_null(strstr(shown, "visible-1"));
	assert_non_null(strstr(shown, "visible-2"));
	assert_non_null(strstr(shown, "visible-3"));
	deployment_done(&d);
}

static void it_is_a_component(void **state)
{
	struct deployment d;
	struct component_spec spec;
	struct err err;

	(void)state;
	deployment_init(&d,
			"components: {api: {null: {}, depends_on: [program.a]}}\n"
			"programs:\n"
			"  a: {command: [sleep, 1], label: The A, impact: degraded, weight: 3,\n"
			"      depends_on: [program.b], labels: {team: x}}\n"
			"  b: {command: [sleep, 1], enabled: false}\n");
	assert_clean(&d);
	assert_int_equal(programs_component(d.config, deployment_program(&d, "a"), &spec, &err), 0);
	assert_string_equal(spec.id, "program.a");
	assert_string_equal(spec.label, "The A");
	assert_string_equal(spec.kind, "program");
	assert_string_equal(spec.process, "haled");
	assert_int_equal(spec.impact, IMPACT_DEGRADED);
	assert_true(spec.weight == 3);
	assert_string_equal(spec.depends_on.v[0], "program.b");
	assert_string_equal(json_string_value(json_object_get(spec.labels, "team")), "x");
	assert_true(spec.is_enabled);
	component_spec_done(&spec);
	assert_int_equal(programs_component(d.config, deployment_program(&d, "b"), &spec, &err), 0);
	assert_string_equal(spec.label, "b");
	assert_int_equal(spec.impact, IMPACT_CRITICAL);
	assert_false(spec.is_enabled);
	component_spec_done(&spec);
	deployment_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_all_that_is_needed),
		cmocka_unit_test(every_option_arrives),
		cmocka_unit_test(limits_are_those_of_setrlimit),
		cmocka_unit_test(a_word_is_enough_for_restart_and_log),
		cmocka_unit_test(a_oneshot_is_ready_when_it_has_ended),
		cmocka_unit_test(a_relative_log_file_stands_in_the_state_directory),
		cmocka_unit_test(the_environment_is_that_of_a_login_and_nothing_else),
		cmocka_unit_test(its_own_path_finds_its_program),
		cmocka_unit_test(a_user_brings_its_groups_and_home),
		cmocka_unit_test(secrets_are_masked_where_they_are_shown),
		cmocka_unit_test(it_is_a_component),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
