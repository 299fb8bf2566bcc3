/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* fd to `target`, not CLOEXEC there. dup2 onto itself would keep the flag. */
static int place(int fd, int target)
{
	if (fd == target)
		return fcntl(fd, F_SETFD, 0);
	return dup2(fd, target);
}

/* Runs in the child, in the parent's memory: only system calls, nothing of the parent's changed. */
static int become(const struct spawn_plan *plan, pid_t parent, int null_fd)
{
	reset_signals();
	(void)setsid();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return errno != 0 ? errno : ESRCH;
	if (place(null_fd, STDIN_FILENO) < 0 || place(plan->output_fd, STDOUT_FILENO) < 0 ||
	    place(plan->error_fd >= 0 ? plan->error_fd : plan->output_fd, STDERR_FILENO) < 0)
		return errno;
	if (plan->slice_fd >= 0 && place(plan->slice_fd, SPAWN_SLICE_FD) < 0)
		return errno;
	/* Whatever a library opened without CLOEXEC must not reach the child. */
	(void)close_range(plan->slice_fd >= 0 ? SPAWN_SLICE_FD + 1 : SPAWN_SLICE_FD, ~0U,
			  CLOSE_RANGE_CLOEXEC);
	(void)execve(plan->program, plan->argv, plan->envp);
	return errno;
}

pid_t spawn_start(const struct spawn_plan *plan, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	volatile int failed = 0;
	pid_t parent = getpid();
	sigset_t all, before;
	pid_t pid;

	if (null_fd < 0)
		return err_errno(err, -errno, "cannot open /dev/null");
	/* No handler of ours may run in the child while it still shares our memory. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0) {
		failed = become(plan, parent, null_fd);
		_exit(127);
	}
	if (pid < 0)
		failed = errno;
	else if (failed != 0)
		(void)waitpid(pid, NULL, 0); /* it is gone already: vfork returned on its _exit */
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		return err_errno(err, -failed, "cannot run %s", plan->program);
	return pid;
}

int spawn_memfd(const char *name, const char *text, size_t len, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_errno(err, -errno, "cannot create a memfd");
	for (size_t done = 0; done < len;) {
		ssize_t put = write(fd, text + done, len - done);

		if (put < 0)
			return err_errno(err, -errno, "cannot fill a memfd");
		done += (size_t)put;
	}
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_errno(err, -errno, "cannot seal a memfd");
	return TAKE_FD(fd);
}
