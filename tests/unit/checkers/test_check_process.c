/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "kind.h"

/* A proc file system of our own. */
static char dir[64];

static void put(const char *name, const char *text, size_t len)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, name);
	HALE_CLEANUP(cleanup_free)
	char *folder = mem_dupn(path, (size_t)(strrchr(path, '/') - path));

	assert_int_equal(dir_make(folder, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(path, text, len, 0644, NULL), 0);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

struct fake {
	int pid, parent;
	const char *name;
	char state;
	int ticks;      /* of processor time */
	double started; /* seconds after boot */
	const char *cmdline;
	size_t cmdline_len;
	int uid;
	const char *group;
};

static void put_process(const struct fake *f)
{
	HALE_CLEANUP(cleanup_free)
	char *stat = mem_printf("%d (%s) %c %d 7 7 0 -1 0 0 0 0 0 %d 0 0 0 20 0 2 0 %ld 9 100 9\n",
				f->pid, f->name, f->state, f->parent, f->ticks,
				(long)(f->started * (double)sysconf(_SC_CLK_TCK)));
	HALE_CLEANUP(cleanup_free) char *status = mem_printf("Uid:\t0\t%d\t0\t0\n", f->uid);
	char name[64];

	(void)snprintf(name, sizeof(name), "%d/stat", f->pid);
	put_text(name, stat);
	(void)snprintf(name, sizeof(name), "%d/status", f->pid);
	put_text(name, status);
	(void)snprintf(name, sizeof(name), "%d/cgroup", f->pid);
	put_text(name, f->group != NULL ? f->group : "0::/\n");
	(void)snprintf(name, sizeof(name), "%d/cmdline", f->pid);
	put(name, f->cmdline, f->cmdline_len);
	(void)snprintf(name, sizeof(name), "%d/io", f->pid);
	put_text(name, "read_bytes: 10\nwrite_bytes: 20\n");
	(void)snprintf(name, sizeof(name), "%d/smaps_rollup", f->pid);
	put_text(name, "Pss: 3 kB\n");
	(void)snprintf(name, sizeof(name), "%d/fd/0", f->pid);
	put_text(name, "");
}

#define COMMAND(text) .cmdline = (text), .cmdline_len = sizeof(text)

static int setup(void **state)
{
	(void)strcpy(dir, "/tmp/hale-test-proc-XXXXXX");
	assert_non_null(mkdtemp(dir));
	put_text("uptime", "1000.00 1\n");
	put_process(&(struct fake){.pid = 10,
				   .parent = 1,
				   .name = "nginx",
				   .state = 'S',
				   .started = 100,
				   COMMAND("nginx: master\0--secret=geheim"),
				   .group = "0::/system.slice/nginx.service\n"});
	put_process(&(struct fake){.pid = 11,
				   .parent = 10,
				   .name = "nginx",
				   .state = 'D',
				   .started = 900,
				   COMMAND("nginx: worker"),
				   .uid = 33,
				   .group = "0::/system.slice/nginx.service\n"});
	put_process(&(struct fake){.pid = 12,
				   .parent = 10,
				   .name = "cgi",
				   .state = 'R',
				   .started = 950,
				   COMMAND("/usr/bin/cgi")});
	put_process(&(struct fake){.pid = 13,
				   .parent = 1,
				   .name = "gone",
				   .state = 'Z',
				   .started = 10,
				   .cmdline = "",
				   .cmdline_len = 0});
	put_process(&(struct fake){.pid = 14,
				   .parent = 1,
				   .name = "halted",
				   .state = 'T',
				   .started = 10,
				   COMMAND("halted")});
	put_process(&(struct fake){.pid = 15,
				   .parent = 1,
				   .name = "a-very-long-nam",
				   .state = 'S',
				   .started = 10,
				   COMMAND("/opt/a-very-long-name\0x")});
	put_process(&(struct fake){.pid = 16,
				   .parent = 1,
				   .name = "python3",
				   .state = 'S',
				   .started = 10,
				   COMMAND("python3\0-m\0bot.trader")});
	put_text("99/stat", "garbage");
	put_text("sys/x", "");
	return kind_setup(state);
}

static int teardown(void **state)
{
	HALE_CLEANUP(cleanup_free) char *removal = mem_printf("rm -r '%s'", dir);

	assert_int_equal(system(removal), 0);
	return kind_teardown(state);
}

static char *options(const char *more)
{
	return mem_printf("{\"proc\": \"%s\", %s}", dir, more);
}

static void expect(const char *more, const char *outcome, const char *reason, const char *message)
{
	HALE_CLEANUP(cleanup_free) char *text = options(more);

	kind_expect(text, outcome, reason, message);
}

static void processes_are_found_by_what_is_told(void **state)
{
	(void)state;
	expect("\"name\": \"nginx\"", "pass", "ok",
	       "nginx is running, 2 processes, up 1m40s, 1 waiting for a disk");
	expect("\"pattern\": \"-m bot\\\\.trader$\"", "pass", "ok",
	       "'-m bot\\.trader$' is running, pid 16, up 16m30s");
	expect("\"name\": \"nginx\", \"user\": \"33\"", "pass", "ok",
	       "nginx is running, pid 11, up 1m40s, 1 waiting for a disk");
	expect("\"unit\": \"nginx.service\", \"user\": \"0\"", "pass", "ok",
	       "nginx.service is running, pid 10, up 15m");
	expect("\"name\": \"a-very-long-name\"", "pass", "ok",
	       "a-very-long-name is running, pid 15, up 16m30s");
	expect("\"name\": \"a-very-long-nope\"", "down", "process_down",
	       "a-very-long-nope is not running");
	expect("\"name\": \"gone\"", "down", "process_down",
	       "gone is dead, its parent has not noticed (zombie)");
	expect("\"name\": \"halted\"", "down", "process_down",
	       "halted is stopped (SIGSTOP, or a debugger)");
	expect("\"name\": \"nginx\", \"max\": 1", "fail", "process_count",
	       "2 processes of nginx, expected at most 1");
	expect("\"name\": \"xmrig\", \"min\": 0, \"max\": 0", "pass", "ok",
	       "xmrig is not running, as expected");
}

/* A folder in its place: root may read all else. */
static void expect_unreadable(void)
{
	HALE_CLEANUP(cleanup_free) char *folder = mem_printf("%s/folder", dir);
	HALE_CLEANUP(cleanup_free) char *options = mem_printf("\"pidfile\": \"%s\"", folder);

	assert_int_equal(mkdir(folder, 0700), 0);
	expect(options, "error", "file_unreadable", NULL);
	assert_int_equal(rmdir(folder), 0);
}

static void a_pidfile_names_one_that_must_fit(void **state)
{
	HALE_CLEANUP(cleanup_free) char *pidfile = mem_printf("\"pidfile\": \"%s/pid\"", dir);
	HALE_CLEANUP(cleanup_free) char *named = mem_printf("%s, \"name\": \"nginx\"", pidfile);
	HALE_CLEANUP(cleanup_free)
	char *absent = mem_printf(
		"nginx is not running: cannot read %s/pid: No such file or directory", dir);

	(void)state;
	expect(named, "down", "process_down", absent);
	put_text("pid", "10\n");
	expect(named, "pass", "ok", "nginx is running, pid 10, up 15m");
	put_text("pid", "12\n");
	expect(named, "down", "process_down",
	       "nginx is not running: the pidfile names 12, which is gone or another program");
	expect(pidfile, "pass", "ok", NULL);
	put_text("pid", "none\n");
	expect(pidfile, "down", "process_down", NULL);
	expect_unreadable();
}

static void what_they_use_is_summed_up(void **state)
{
	HALE_CLEANUP(cleanup_free) char *text = options("\"name\": \"nginx\", \"pss\": true");
	json_t *o = kind_ask(text, 20000);
	HALE_CLEANUP(cleanup_free)
	char *details = json_dumps(json_object_get(o, "details"), JSON_COMPACT);

	(void)state;
	assert_true(kind_metric(o, "count") == 2 && kind_metric(o, "blocked") == 1);
	assert_true(kind_metric(o, "threads") == 4);
	assert_true(kind_metric(o, "rss_bytes") == 200.0 * (double)sysconf(_SC_PAGESIZE));
	assert_true(kind_metric(o, "pss_bytes") == 6144);
	assert_true(kind_metric(o, "fds") >= 2);
	assert_true(kind_metric(o, "children") == 1);
	assert_true(kind_metric(o, "uptime_seconds") == 100);
	assert_true(kind_metric(o, "uptime_oldest_seconds") == 900);
	assert_non_null(strstr(details, "\"pids\":[10,11]"));
	assert_non_null(strstr(details, "\"program\":\"nginx:\""));
	/* Of the command line nothing else is shown. */
	assert_null(strstr(details, "geheim"));
	json_decref(o);
}

static void a_proc_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	kind_expect("{\"name\": \"x\", \"proc\": \"/nosuch\"}", "error", "internal_error",
		    "/nosuch: No such file or directory");
}

static void expect_problem(const char *text, const char *expected)
{
	HALE_CLEANUP(cleanup_free) char *problem = kind_problem(text);

	assert_string_equal(problem, expected);
}

static void validation_says_what_is_wrong(void **state)
{
	(void)state;
	expect_problem("{}", ": one of pidfile, name, pattern, user, unit must say which process");
	expect_problem("{\"pattern\": \"a(\"}", "/pattern: Unmatched ( or \\(");
	expect_problem("{\"user\": \"nosuchuser\"}", "/user: there is no such user here");
	expect_problem("{\"name\": \"x\", \"min\": 3, \"max\": 2}", "/max: is less than min");
	expect_problem("{\"pidfile\": \"x\"}", "/pidfile: expected an absolute path");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(processes_are_found_by_what_is_told),
		TEST(a_pidfile_names_one_that_must_fit),
		TEST(what_they_use_is_summed_up),
		TEST(a_proc_that_is_not_there_is_an_error),
		TEST(validation_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
