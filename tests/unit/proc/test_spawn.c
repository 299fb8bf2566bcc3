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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "proc/spawn.h"

/* "nobody" on every Linux. */
#define NOBODY 65534

/* Runs a shell script with these rights; what it wrote. Caller frees. */
static char *shell(const char *script, const struct spawn_rights *rights)
{
	char sh[] = "/bin/sh", c[] = "-c";
	HALE_CLEANUP(cleanup_free) char *text = mem_dup(script);
	char *argv[] = {sh, c, text, NULL};
	char path[] = "PATH=/usr/bin:/bin";
	char *envp[] = {path, NULL};
	struct str out = {0};
	struct err err = {0};
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = spawn_start(&(struct spawn_plan){.program = sh,
					       .argv = argv,
					       .envp = envp,
					       .output_fd = fds[1],
					       .error_fd = -1,
					       .slice_fd = -1,
					       .rights = rights},
			  &err);
	(void)close(fds[1]);
	if (pid < 0)
		fail_msg("%s", err.text);
	assert_int_equal(file_read_fd(fds[0], 1u << 16, &out), 0);
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return str_take(&out);
}

static void assert_shell(const char *script, const struct spawn_rights *rights, const char *wanted)
{
	HALE_CLEANUP(cleanup_free) char *out = shell(script, rights);

	assert_string_equal(out, wanted);
}

/* The error of a start that must fail. */
static int fail_to_start(const char *program, const struct spawn_rights *rights, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *name = mem_dup(program);
	char *argv[] = {name, NULL};
	char *envp[] = {NULL};
	pid_t pid = spawn_start(&(struct spawn_plan){.program = program,
						     .argv = argv,
						     .envp = envp,
						     .output_fd = STDERR_FILENO,
						     .error_fd = -1,
						     .slice_fd = -1,
						     .rights = rights},
				err);

	assert_true(pid < 0);
	return (int)pid;
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void a_program_is_leader_of_a_clean_session(void **state)
{
	(void)state;
	assert_shell(
		"test \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$ && echo leader; env | grep -v PWD; "
		"readlink /proc/$$/fd/0; ls /proc/self/fd | wc -l",
		NULL, "leader\nPATH=/usr/bin:/bin\n/dev/null\n4\n");
}

static void a_directory_is_entered(void **state)
{
	char usr[] = "/usr";

	(void)state;
	assert_shell("pwd", &(struct spawn_rights){.directory = usr}, "/usr\n");
}

static void a_file_is_its_stdin(void **state)
{
	char passwd[] = "/etc/passwd";

	(void)state;
	assert_shell("read line; echo \"${line%%:*}\"",
		     &(struct spawn_rights){.stdin_path = passwd}, "root\n");
}

static void the_umask_is_its_own(void **state)
{
	(void)state;
	assert_shell("umask", &(struct spawn_rights){.umask = 027, .has_umask = true}, "0027\n");
}

static void limits_are_set_hard_and_soft(void **state)
{
	const struct spawn_rights rights = {
		.limits = {{RLIMIT_NOFILE, 77}, {RLIMIT_CORE, 0}, {RLIMIT_CPU, 5}},
		.limits_n = 3,
	};

	(void)state;
	assert_shell("ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -t", &rights, "77\n77\n0\n5\n");
}

static void a_memory_limit_is_felt(void **state)
{
	const struct spawn_rights rights = {.limits = {{RLIMIT_DATA, 20u << 20}}, .limits_n = 1};

	(void)state;
	/* dd takes its buffer from the heap. */
	assert_shell("dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; echo $?", &rights,
		     "1\n");
	assert_shell("dd if=/dev/zero of=/dev/null bs=1M count=1 2>/dev/null; echo $?", &rights,
		     "0\n");
}

static void a_user_is_all_that_it_is(void **state)
{
	gid_t groups[] = {7, 8};
	const struct spawn_rights rights = {
		.has_user = true, .uid = NOBODY, .gid = NOBODY, .groups = groups, .groups_n = 2};

	(void)state;
	need_root();
	assert_shell("id -u; id -ru; id -g; id -rg; grep Groups: /proc/$$/status | tr -d '\\t '; "
		     "grep Cap[PEA] /proc/$$/status | cut -f2 | uniq",
		     &rights, "65534\n65534\n65534\n65534\nGroups:78\n0000000000000000\n");
	/* Ours are what they were, and so are our cores. */
	assert_int_equal(geteuid(), 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
}

/* A change of user clears the wish to die with the parent: it must be there all the same. */
static void another_user_dies_with_haled_too(void **state)
{
	const struct spawn_rights rights = {.has_user = true, .uid = NOBODY, .gid = NOBODY};
	char sleep_path[] = "/bin/sleep", forever[] = "1000";
	char *argv[] = {sleep_path, forever, NULL};
	char *envp[] = {NULL};
	int fds[2];
	char byte;
	pid_t parent;

	(void)state;
	need_root();
	assert_int_equal(pipe(fds), 0);
	parent = fork();
	if (parent == 0) {
		/* The pipe's end that only the grandchild holds on to. */
		(void)spawn_start(&(struct spawn_plan){.program = sleep_path,
						       .argv = argv,
						       .envp = envp,
						       .output_fd = fds[1],
						       .error_fd = -1,
						       .slice_fd = -1,
						       .rights = &rights},
				  NULL);
		_exit(0);
	}
	(void)close(fds[1]);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	(void)alarm(10); /* a failing test must end */
	assert_int_equal(read(fds[0], &byte, 1), 0);
	(void)alarm(0);
	(void)close(fds[0]);
}

static void errors_say_which_step_failed(void **state)
{
	char nowhere[] = "/nowhere/at/all", user[] = "trader";
	struct err err;

	(void)state;
	assert_int_equal(
		fail_to_start("/bin/true", &(struct spawn_rights){.directory = nowhere}, &err),
		-ENOENT);
	assert_string_equal(err.text, "cannot enter directory /nowhere/at/all to run /bin/true: No "
				      "such file or directory");
	assert_int_equal(
		fail_to_start("/bin/true", &(struct spawn_rights){.stdin_path = nowhere}, &err),
		-ENOENT);
	assert_string_equal(err.text, "cannot open stdin /nowhere/at/all: No such file or "
				      "directory");
	assert_int_equal(
		fail_to_start("/bin/true",
			      &(struct spawn_rights){
				      .limits = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, UINT64_MAX}},
				      .limits_n = 2},
			      &err),
		-EPERM);
	assert_string_equal(err.text, "cannot set limit nofile of /bin/true: Operation not "
				      "permitted");
	if (geteuid() == 0)
		return;
	assert_int_equal(
		fail_to_start("/bin/true",
			      &(struct spawn_rights){.has_user = true, .user = user, .uid = 1},
			      &err),
		-EPERM);
	assert_string_equal(err.text, "cannot change to user trader to run /bin/true: Operation "
				      "not permitted");
}

static void a_user_may_be_refused_its_directory(void **state)
{
	char dir[] = "/tmp/hale-spawn-XXXXXX";
	struct err err;

	(void)state;
	need_root();
	assert_non_null(mkdtemp(dir)); /* 0700 */
	assert_int_equal(fail_to_start("/bin/true",
				       &(struct spawn_rights){.has_user = true,
							      .uid = NOBODY,
							      .gid = NOBODY,
							      .directory = dir},
				       &err),
			 -EACCES);
	assert_non_null(strstr(err.text, "cannot enter directory /tmp/hale-spawn-"));
	assert_int_equal(rmdir(dir), 0);
}

static void a_script_without_its_interpreter_is_told(void **state)
{
	char dir[] = "/tmp/hale-spawn-XXXXXX";
	HALE_CLEANUP(cleanup_free) char *path = NULL;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = path_join(dir, "run.sh");
	assert_int_equal(file_write_atomic(path, "#!/no/python\n", 13, 0700, NULL), 0);
	assert_int_equal(fail_to_start(path, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "interpreter"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(fail_to_start(path, NULL, &err), -ENOENT);
	assert_null(strstr(err.text, "interpreter"));
}

static void what_made_haled_hard_to_kill_is_not_inherited(void **state)
{
	HALE_CLEANUP(cleanup_fd) int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);

	(void)state;
	if (fd < 0 || write(fd, "-500", 4) != 4)
		skip();
	assert_shell("cat /proc/self/oom_score_adj", &(struct spawn_rights){0}, "0\n");
	assert_shell("cat /proc/self/oom_score_adj", NULL, "-500\n");
	assert_int_equal(write(fd, "0", 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_leader_of_a_clean_session),
		cmocka_unit_test(a_directory_is_entered),
		cmocka_unit_test(a_file_is_its_stdin),
		cmocka_unit_test(the_umask_is_its_own),
		cmocka_unit_test(limits_are_set_hard_and_soft),
		cmocka_unit_test(a_memory_limit_is_felt),
		cmocka_unit_test(a_user_is_all_that_it_is),
		cmocka_unit_test(another_user_dies_with_haled_too),
		cmocka_unit_test(errors_say_which_step_failed),
		cmocka_unit_test(a_user_may_be_refused_its_directory),
		cmocka_unit_test(a_script_without_its_interpreter_is_told),
		cmocka_unit_test(what_made_haled_hard_to_kill_is_not_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
