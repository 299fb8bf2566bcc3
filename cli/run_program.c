/* SPDX-License-Identifier: Apache-2.0 */
#include "run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* Help texts and reports; more is a program gone wrong. */
#define OUTPUT_BYTES_MAX (4u << 20)

static int start(const char *program, char **argv, int out_fd, pid_t *pid_r)
{
	posix_spawn_file_actions_t actions;
	int rc;

	(void)posix_spawn_file_actions_init(&actions);
	if (out_fd >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	rc = posix_spawn(pid_r, program, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -rc;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int run_program(const struct cli *cli, const char *name, char **argv, struct str *out,
		struct err *err)
{
	HALE_CLEANUP(cleanup_free)
	char *program = path_join(cli->exe_dir == NULL ? "" : cli->exe_dir, name);
	int fds[2] = {-1, -1}, rc = 0, read_rc = 0;
	pid_t pid = -1;

	argv[0] = program;
	(void)fflush(cli->out);
	if (out != NULL && pipe2(fds, O_CLOEXEC) < 0)
		rc = -errno;
	if (rc == 0)
		rc = start(program, argv, fds[1], &pid);
	if (fds[1] >= 0)
		(void)close(fds[1]);
	if (rc == 0 && out != NULL)
		read_rc = file_read_fd(fds[0], OUTPUT_BYTES_MAX, out);
	if (fds[0] >= 0)
		(void)close(fds[0]);
	argv[0] = NULL;
	if (rc < 0)
		return err_errno(err, rc, "cannot run %s", program);
	rc = wait_for(pid);
	return read_rc < 0 ? err_errno(err, read_rc, "cannot read what %s says", program) : rc;
}
