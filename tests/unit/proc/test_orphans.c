/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proc/orphans.h"
#include "proc/spawn.h"

/* Two sleepers in sessions of their own, one below the other, and their pids on stdout. */
#define DAEMON                                                                                     \
	"setsid sh -c 'setsid sleep 1000 & echo $$ $!; wait' </dev/null & "                        \
	"while read line; do break; done"

struct family {
	pid_t main; /* ours */
	int output;
	int input;
	pid_t daemon, below;
};

/* Starts it and reads the pids of what it will leave behind. */
static void start(struct family *f, const char *variable)
{
	char sh[] = "/bin/sh", c[] = "-c", script[] = DAEMON, path[] = "PATH=/usr/bin:/bin";
	HALE_CLEANUP(cleanup_free) char *env = mem_dup(variable);
	char *argv[] = {sh, c, script, NULL};
	char *envp[] = {path, env, NULL};
	char text[64] = "", fifo[] = "/tmp/hale-orphans-XXXXXX";
	struct spawn_rights rights = {.stdin_path = fifo};
	int fds[2];

	assert_int_equal(close(mkstemp(fifo)), 0);
	assert_int_equal(unlink(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	f->input = open(fifo, O_RDWR | O_CLOEXEC);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	f->main = spawn_start(&(struct spawn_plan){.program = sh,
						   .argv = argv,
						   .envp = envp,
						   .output_fd = fds[1],
						   .error_fd = -1,
						   .slice_fd = -1,
						   .rights = &rights},
			      NULL);
	assert_true(f->main > 0);
	(void)close(fds[1]);
	assert_int_equal(unlink(fifo), 0);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_int_equal(sscanf(text, "%d %d", &f->daemon, &f->below), 2);
	f->output = fds[0];
}

/* Lets the main process end; its orphans are ours then. */
static void end(struct family *f)
{
	assert_int_equal(write(f->input, "\n", 1), 1);
	assert_int_equal(waitpid(f->main, NULL, 0), f->main);
	(void)close(f->input);
}

static bool is_main(void *ctx, pid_t pid)
{
	const struct family *f = ctx;

	return pid == f->main;
}

/* The pipe that all of them hold ends with the last. */
static void assert_all_gone(struct family *f)
{
	char byte;

	(void)alarm(20); /* a failing test must end */
	assert_int_equal(read(f->output, &byte, 1), 0);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	(void)alarm(0);
	(void)close(f->output);
}

static void what_a_program_left_behind_is_killed_with_all_below_it(void **state)
{
	struct family f;

	(void)state;
	start(&f, "HALE_PROGRAM=x");
	end(&f);
	assert_int_equal(kill(f.daemon, 0), 0);
	assert_int_equal(kill(f.below, 0), 0);
	assert_int_equal(orphans_kill("HALE_PROGRAM=x", 0, is_main, &f), 2);
	assert_all_gone(&f);
}

static void what_belongs_to_others_is_left_alone(void **state)
{
	struct family f;

	(void)state;
	start(&f, "HALE_PROGRAM=xy");
	/* The program itself is no orphan. */
	assert_int_equal(orphans_kill("HALE_PROGRAM=xy", 0, is_main, &f), 0);
	end(&f);
	assert_int_equal(orphans_kill("HALE_PROGRAM=x", 0, is_main, &f), 0);
	assert_int_equal(orphans_kill("HALE_PROGRAM=xyz", 0, is_main, &f), 0);
	assert_int_equal(kill(f.daemon, 0), 0);
	assert_int_equal(orphans_kill("HALE_PROGRAM=xy", 0, is_main, &f), 2);
	assert_all_gone(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_program_left_behind_is_killed_with_all_below_it),
		cmocka_unit_test(what_belongs_to_others_is_left_alone),
	};

	/* As haled is. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
