/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "service/confine_private.h"

/* One directory for the whole run: run/, state/ with a history.db, data/, elsewhere/secret. */
static char root[] = "/tmp/hale-confine-XXXXXX";

static char *at(const char *name)
{
	return path_join(root, name);
}

static void put(const char *name)
{
	HALE_CLEANUP(cleanup_free) char *path = at(name);

	assert_int_equal(file_write_atomic(path, "x", 1, 0600, NULL), 0);
}

static int make_root(void **state)
{
	static const char *const dirs[] = {"run", "state", "data", "elsewhere", NULL};

	(void)state;
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; dirs[i] != NULL; i++) {
		HALE_CLEANUP(cleanup_free) char *path = at(dirs[i]);

		assert_int_equal(mkdir(path, 0700), 0);
	}
	put("state/history.db");
	put("data/one");
	put("elsewhere/secret");
	return 0;
}

static int remove_root(void **state)
{
	HALE_CLEANUP(cleanup_free) char *command = mem_printf("rm -r %s", root);

	(void)state;
	return system(command);
}

/* Runs `act` in a process of its own that was confined as `service`, because nothing of it can be
 * taken back. What it returns must be JSON. New reference. */
typedef json_t *(*act_fn)(struct confine *c);

static json_t *confined(const char *service, struct confine_needs *needs, act_fn act)
{
	struct confine_needs none = {0};
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *answer;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		HALE_CLEANUP(cleanup_free) char *run_dir = at("run");
		HALE_CLEANUP(cleanup_free) char *state_dir = at("state");
		struct confine c = {0};

		confine_apply(&c, service, run_dir, state_dir, needs != NULL ? needs : &none);
		answer = act(&c);
		_exit(json_dumpfd(answer, fds[1], JSON_ENCODE_ANY) == 0 ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(file_read_fd(fds[0], 1 << 20, &text), 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	if (needs != NULL)
		confine_needs_done(needs);
	answer = json_loads(str_text(&text), JSON_DECODE_ANY, NULL);
	assert_non_null(answer);
	return answer;
}

/* ---- What can be read of the process itself ---- */

static json_t *look(struct confine *c)
{
	struct rlimit nofile;

	getrlimit(RLIMIT_NOFILE, &nofile);
	return json_pack("{s:i, s:i, s:I, s:i, s:O}", "no_new_privs",
			 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), "dumpable",
			 prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), "nofile", (json_int_t)nofile.rlim_max,
			 "net_raw", prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0), "measures",
			 c->measures);
}

static json_int_t number(const json_t *seen, const char *name)
{
	return json_integer_value(json_object_get(seen, name));
}

static const char *state_of(const json_t *seen, const char *measure)
{
	size_t i;
	json_t *m;

	json_array_foreach (json_object_get(seen, "measures"), i, m) {
		if (str_eq(json_string_value(json_object_get(m, "measure")), measure))
			return json_string_value(json_object_get(m, "state"));
	}
	return NULL;
}

static void a_checker_gains_no_privileges_and_no_more_files_than_the_table_says(void **state)
{
	json_t *seen = confined("check.http", NULL, look);

	(void)state;
	assert_int_equal(number(seen, "no_new_privs"), 1);
	assert_true(number(seen, "nofile") <= 8192);
	assert_string_equal(state_of(seen, "no_new_privs"), "on");
	assert_string_equal(state_of(seen, "rlimit nofile"), "on");
	assert_string_equal(state_of(seen, "seccomp"), "on");
	json_decref(seen);
}

static void a_plugin_may_still_be_setuid(void **state)
{
	json_t *seen = confined("check.exec.slow", NULL, look);

	(void)state;
	assert_int_equal(number(seen, "no_new_privs"), 0);
	assert_int_equal(number(seen, "net_raw"), prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0));
	assert_string_equal(state_of(seen, "no_new_privs"), "off");
	assert_string_equal(state_of(seen, "landlock files"), "off");
	json_decref(seen);
}

static void who_holds_secrets_leaves_no_core(void **state)
{
	json_t *seen = confined("notifier", NULL, look);

	(void)state;
	assert_int_equal(number(seen, "dumpable"), 0);
	assert_string_equal(state_of(seen, "not dumpable"), "on");
	json_decref(seen);
	seen = confined("check.null", NULL, look);
	assert_int_equal(number(seen, "dumpable"), 1);
	json_decref(seen);
}

static void an_unknown_service_gets_the_last_row(void **state)
{
	json_t *seen = confined("something.else", NULL, look);

	(void)state;
	assert_int_equal(number(seen, "no_new_privs"), 1);
	assert_true(number(seen, "nofile") <= 1024);
	json_decref(seen);
}

static void capabilities_are_gone_also_from_the_bounding_set(void **state)
{
	json_t *seen;

	(void)state;
	if (geteuid() != 0)
		skip();
	seen = confined("recorder", NULL, look);
	assert_int_equal(number(seen, "net_raw"), 0);
	assert_string_equal(state_of(seen, "capabilities"), "on");
	json_decref(seen);
	seen = confined("check.icmp", NULL, look);
	assert_int_equal(number(seen, "net_raw"), 1);
	json_decref(seen);
}

/* ---- What it tries ---- */

static json_t *probe(struct confine *c)
{
	HALE_CLEANUP(cleanup_free) char *config = at("elsewhere/secret");

	return confine_probe(c, config);
}

/* Everything ends as the row says; kernels that know less of Landlock are told by the measures. */
static json_t *probed(const char *service, struct confine_needs *needs)
{
	json_t *probes = confined(service, needs, probe);
	json_t *p;
	size_t i;

	assert_true(json_array_size(probes) >= 17);
	json_array_foreach (probes, i, p) {
		const char *expected = json_string_value(json_object_get(p, "expected"));
		const char *result = json_string_value(json_object_get(p, "result"));

		if (!str_eq(expected, result))
			fail_msg("%s: %s is %s, not %s", service,
				 json_string_value(json_object_get(p, "act")), result, expected);
	}
	return probes;
}

static void each_row_refuses_what_it_says(void **state)
{
	static const char *const services[] = {"check.http", "check.null", "check.sql",
					       "recorder",   "notifier",   "reconciler",
					       "web",        "uplink",     NULL};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; services[i] != NULL; i++)
		json_decref(probed(services[i], NULL));
	json_decref(probed("check.exec", NULL));
}

static const char *result_of(const json_t *probes, const char *act)
{
	size_t i;
	json_t *p;

	json_array_foreach (probes, i, p) {
		if (str_eq(json_string_value(json_object_get(p, "act")), act))
			return json_string_value(json_object_get(p, "result"));
	}
	return "not tried";
}

static void a_database_elsewhere_gives_the_network(void **state)
{
	struct confine_needs needs = {.connects = true};
	json_t *without = probed("recorder", NULL);
	json_t *with = probed("recorder", &needs);

	(void)state;
	assert_string_equal(result_of(without, "open a network socket"), "refused");
	assert_string_equal(result_of(with, "open a network socket"), "allowed");
	assert_string_equal(result_of(with, "connect by TCP"), "allowed");
	assert_string_equal(result_of(with, "listen for TCP"), "refused");
	json_decref(without);
	json_decref(with);
}

/* ---- Paths ---- */

static int try_open(const char *name, int flags)
{
	HALE_CLEANUP(cleanup_free) char *path = at(name);
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static json_t *open_many(struct confine *c)
{
	(void)c;
	return json_pack("{s:i, s:i, s:i, s:i, s:i}", "one", try_open("data/one", O_RDONLY), "two",
			 try_open("data/two", O_RDONLY), "write", try_open("data/one", O_WRONLY),
			 "make", try_open("data/new", O_WRONLY | O_CREAT), "secret",
			 try_open("elsewhere/secret", O_RDONLY));
}

static void give(struct strlist *list, const char *name)
{
	HALE_CLEANUP(cleanup_free) char *path = at(name);

	strlist_add(list, path);
}

static void one_file_is_that_file(void **state)
{
	struct confine_needs needs = {0};
	json_t *seen;

	(void)state;
	put("data/two");
	give(&needs.files, "data/one");
	seen = confined("check.http", &needs, open_many);
	assert_int_equal(number(seen, "one"), 0);
	assert_int_equal(number(seen, "two"), -EACCES);
	assert_int_equal(number(seen, "write"), -EACCES);
	assert_int_equal(number(seen, "secret"), -EACCES);
	json_decref(seen);
}

static void beside_is_the_directory_read(void **state)
{
	struct confine_needs needs = {0};
	json_t *seen;

	(void)state;
	put("data/two");
	give(&needs.besides, "data/one");
	seen = confined("check.sql", &needs, open_many);
	assert_int_equal(number(seen, "one"), 0);
	assert_int_equal(number(seen, "two"), 0);
	assert_int_equal(number(seen, "write"), -EACCES);
	assert_int_equal(number(seen, "make"), -EACCES);
	assert_int_equal(number(seen, "secret"), -EACCES);
	json_decref(seen);
}

static void what_is_written_may_be_made(void **state)
{
	struct confine_needs needs = {0};
	json_t *seen;

	(void)state;
	give(&needs.writes, "data/one");
	seen = confined("recorder", &needs, open_many);
	assert_int_equal(number(seen, "write"), 0);
	assert_int_equal(number(seen, "make"), 0);
	assert_int_equal(number(seen, "secret"), -EACCES);
	json_decref(seen);
	/* The same option in the slice of one that only reads. */
	give(&needs.writes, "data/one");
	seen = confined("web", &needs, open_many);
	assert_int_equal(number(seen, "one"), 0);
	assert_int_equal(number(seen, "write"), -EACCES);
	json_decref(seen);
}

static void where_a_link_leads_may_be_read(void **state)
{
	struct confine_needs needs = {0};
	HALE_CLEANUP(cleanup_free) char *link = at("data/link");
	HALE_CLEANUP(cleanup_free) char *target = at("elsewhere/secret");
	json_t *seen;

	(void)state;
	assert_int_equal(symlink(target, link), 0);
	give(&needs.besides, "data/link");
	seen = confined("check.sql", &needs, open_many);
	assert_int_equal(number(seen, "secret"), 0);
	json_decref(seen);
	assert_int_equal(unlink(link), 0);
}

static json_t *replace(struct confine *c)
{
	const char *path = NULL;
	bool before = confine_is_outdated(c, &path);
	bool after;

	/* It may not do that itself, and another does; stat tells all the same. */
	if (kill(getpid(), SIGSTOP) < 0)
		return json_null();
	after = confine_is_outdated(c, &path);
	return json_pack("{s:b, s:b, s:s?}", "before", before, "after", after, "path", path);
}

static void replace_one(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	put("data/one");
	assert_int_equal(kill(pid, SIGCONT), 0);
}

static void a_replaced_file_is_noticed(void **state)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int fds[2], status;
	json_t *seen;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct confine_needs needs = {0};
		HALE_CLEANUP(cleanup_free) char *run_dir = at("run");
		struct confine c = {0};

		give(&needs.files, "data/one");
		confine_apply(&c, "check.http", run_dir, root, &needs);
		_exit(json_dumpfd(replace(&c), fds[1], 0) == 0 ? 0 : 1);
	}
	close(fds[1]);
	replace_one(pid);
	assert_int_equal(file_read_fd(fds[0], 4096, &text), 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	seen = json_loads(str_text(&text), 0, NULL);
	assert_true(json_is_false(json_object_get(seen, "before")));
	assert_true(json_is_true(json_object_get(seen, "after")));
	assert_non_null(strstr(json_string_value(json_object_get(seen, "path")), "data/one"));
	json_decref(seen);
}

/* ---- Threads made later ---- */

static void *in_thread(void *arg)
{
	*(int *)arg = try_open("elsewhere/secret", O_RDONLY);
	return NULL;
}

static json_t *in_threads(struct confine *c)
{
	pthread_t thread;
	int rc = 0;

	(void)c;
	if (pthread_create(&thread, NULL, in_thread, &rc) != 0)
		return json_null();
	pthread_join(thread, NULL);
	return json_integer(rc);
}

static void threads_are_bound_too(void **state)
{
	json_t *rc = confined("check.http", NULL, in_threads);

	(void)state;
	assert_int_equal(json_integer_value(rc), -EACCES);
	json_decref(rc);
}

/* ---- Without privileges ---- */

/* As the one of these rows that keeps its privileges, after they were given up. */
static json_t *as_nobody(long unused)
{
	HALE_CLEANUP(cleanup_free) char *run_dir = at("run");
	struct confine_needs none = {0};
	struct confine c = {0};
	json_t *answer;

	(void)unused;
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return json_null();
	confine_apply(&c, "check.exec", run_dir, root, &none);
	answer = json_pack("{s:O, s:o}", "measures", c.measures, "probes", probe(&c));
	confine_done(&c);
	return answer;
}

static json_t *in_child(json_t *(*make)(long abi), long abi);

static void a_plugin_without_privileges_needs_no_filter(void **state)
{
	json_t *seen;

	(void)state;
	if (geteuid() != 0)
		skip();
	seen = in_child(as_nobody, 0);
	assert_string_equal(state_of(seen, "seccomp"), "off");
	assert_string_equal(result_of(json_object_get(seen, "probes"), "set the clock"), "refused");
	assert_string_equal(result_of(json_object_get(seen, "probes"), "stop the machine"),
			    "refused");
	json_decref(seen);
}

/* ---- Older kernels ---- */

/* As a kernel that knows only this much of Landlock: 0 is none. */
static json_t *with_abi(long abi)
{
	HALE_CLEANUP(cleanup_free) char *run_dir = at("run");
	struct confine c = {
		.row = confine_row_for("check.http"),
		.network = CONFINE_NET_CONNECT,
		.state_dir = at("state"),
		.history = at("state/history.db"),
		.measures = json_array(),
	};
	json_t *answer;

	confine_no_new_privs(&c);
	confine_landlock(&c, run_dir, abi == 0 ? -ENOSYS : abi);
	answer = json_pack("{s:O, s:o, s:i}", "measures", c.measures, "probes", probe(&c), "secret",
			   try_open("elsewhere/secret", O_RDONLY));
	confine_done(&c);
	return answer;
}

static json_t *in_child(json_t *(*make)(long abi), long abi)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		_exit(json_dumpfd(make(abi), fds[1], 0) == 0 ? 0 : 1);
	close(fds[1]);
	assert_int_equal(file_read_fd(fds[0], 1 << 20, &text), 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return json_loads(str_text(&text), 0, NULL);
}

static void each_abi_gives_what_it_has(void **state)
{
	long newest = confine_landlock_abi();

	(void)state;
	for (long abi = 0; abi <= newest; abi++) {
		json_t *seen = in_child(with_abi, abi);
		const json_t *probes = json_object_get(seen, "probes");

		assert_non_null(seen);
		assert_string_equal(state_of(seen, "landlock files"), abi > 0 ? "on" : "refused");
		assert_int_equal(number(seen, "secret"), abi > 0 ? -EACCES : 0);
		assert_string_equal(result_of(probes, "listen for TCP"),
				    abi >= 4 ? "refused" : "allowed");
		assert_string_equal(result_of(probes, "signal haled"),
				    abi >= 6 ? "refused" : "allowed");
		if (abi > 0) {
			assert_string_equal(state_of(seen, "landlock tcp"),
					    abi >= 4 ? "on" : "refused");
			assert_string_equal(state_of(seen, "landlock signals"),
					    abi >= 6 ? "on" : "refused");
		}
		json_decref(seen);
	}
}

/* ---- The table ---- */

static void the_table_reads_as_text(void **state)
{
	json_t *table = confine_table();
	const json_t *last = json_array_get(table, json_array_size(table) - 1);

	(void)state;
	assert_true(json_array_size(table) > 8);
	assert_string_equal(json_string_value(json_object_get(last, "process")), "*");
	assert_string_equal(json_string_value(json_object_get(last, "programs")), "no");
	json_decref(table);
}

static void the_first_row_that_fits_holds(void **state)
{
	(void)state;
	assert_string_equal(confine_row_for("check.sql.slow")->service, "check.sql*");
	assert_string_equal(confine_row_for("check.dns")->service, "check.*");
	assert_string_equal(confine_row_for("web")->service, "web");
	assert_string_equal(confine_row_for("webs")->service, "*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_checker_gains_no_privileges_and_no_more_files_than_the_table_says),
		cmocka_unit_test(a_plugin_may_still_be_setuid),
		cmocka_unit_test(who_holds_secrets_leaves_no_core),
		cmocka_unit_test(an_unknown_service_gets_the_last_row),
		cmocka_unit_test(capabilities_are_gone_also_from_the_bounding_set),
		cmocka_unit_test(each_row_refuses_what_it_says),
		cmocka_unit_test(a_database_elsewhere_gives_the_network),
		cmocka_unit_test(one_file_is_that_file),
		cmocka_unit_test(beside_is_the_directory_read),
		cmocka_unit_test(what_is_written_may_be_made),
		cmocka_unit_test(where_a_link_leads_may_be_read),
		cmocka_unit_test(a_replaced_file_is_noticed),
		cmocka_unit_test(threads_are_bound_too),
		cmocka_unit_test(a_plugin_without_privileges_needs_no_filter),
		cmocka_unit_test(each_abi_gives_what_it_has),
		cmocka_unit_test(the_table_reads_as_text),
		cmocka_unit_test(the_first_row_that_fits_holds),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
