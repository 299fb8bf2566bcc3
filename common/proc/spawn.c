/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* What the child was doing when it failed; it writes here in the parent's memory. */
struct attempt {
	enum spawn_step {
		STEP_PREPARE,
		STEP_OUTPUT,
		STEP_LIMIT,
		STEP_USER,
		STEP_DIRECTORY,
		STEP_EXEC,
	} step;
	size_t limit; /* STEP_LIMIT: which */
	int error;    /* errno; 0: it runs */
};

static int set_limits(const struct spawn_rights *r, volatile struct attempt *a)
{
	for (a->limit = 0; a->limit < r->limits_n; a->limit++) {
		const struct spawn_limit *limit = &r->limits[a->limit];
		const struct rlimit both = {.rlim_cur = limit->value, .rlim_max = limit->value};

		if (setrlimit((__rlimit_resource_t)limit->resource, &both) < 0)
			return -1;
	}
	return 0;
}

/* haled is made hard to kill where memory is short; what it runs is not to inherit that. */
static void reset_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char sign = '0';

	if (fd < 0)
		return;
	if (read(fd, &sign, 1) == 1 && sign == '-')
		(void)!write(fd, "0", 1);
	(void)close(fd);
}

/* By the system calls themselves: the library's functions change all threads of the process, and
 * in the child of a vfork those are the parent's. */
static int change_user(const struct spawn_rights *r)
{
	if (!r->has_user)
		return 0;
	if (syscall(SYS_setgroups, r->groups_n, r->groups) < 0 ||
	    syscall(SYS_setresgid, r->gid, r->gid, r->gid) < 0 ||
	    syscall(SYS_setresuid, r->uid, r->uid, r->uid) < 0)
		return -1;
	/* What an init may have given haled is not for others (systemd AmbientCapabilities=). */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return 0;
}

/* Dies with haled. Asked for again after a change of user, which makes the kernel forget it. */
static int follow_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	if (getppid() == parent)
		return 0;
	errno = ESRCH;
	return -1;
}

static int take_rights(const struct spawn_rights *r, pid_t parent, volatile struct attempt *a)
{
	reset_oom_score(); /* needs a file descriptor, which a limit may not leave */
	a->step = STEP_LIMIT;
	if (set_limits(r, a) < 0)
		return -1;
	if (r->has_umask)
		(void)umask(r->umask);
	a->step = STEP_USER;
	if (change_user(r) < 0 || follow_parent(parent) < 0)
		return -1;
	/* As the user: on some file systems (NFS) not even root may enter what is the user's. */
	a->step = STEP_DIRECTORY;
	return r->directory == NULL ? 0 : chdir(r->directory);
}

/* Runs in the child, in the parent's memory: only system calls, nothing of the parent's changed
 * but the attempt. Returns if it failed. */
static void become(const struct spawn_plan *plan, pid_t parent, int stdin_fd,
		   volatile struct attempt *a)
{
	a->step = STEP_PREPARE;
	reset_signals();
	(void)setsid();
	if (follow_parent(parent) < 0)
		return;
	a->step = STEP_OUTPUT;
	if (place(stdin_fd, STDIN_FILENO) < 0 || place(plan->output_fd, STDOUT_FILENO) < 0 ||
	    place(plan->error_fd >= 0 ? plan->error_fd : plan->output_fd, STDERR_FILENO) < 0)
		return;
	if (plan->slice_fd >= 0 && place(plan->slice_fd, SPAWN_SLICE_FD) < 0)
		return;
	/* Whatever a library opened without CLOEXEC must not reach the child. */
	(void)close_range(plan->slice_fd >= 0 ? SPAWN_SLICE_FD + 1 : SPAWN_SLICE_FD, ~0U,
			  CLOSE_RANGE_CLOEXEC);
	if (plan->rights != NULL && take_rights(plan->rights, parent, a) < 0)
		return;
	a->step = STEP_EXEC;
	(void)execve(plan->program, plan->argv, plan->envp);
}

/* Opened here, with haled's rights, before the child gives them up. Not to wait for a writer if
 * it is a FIFO, and not to become haled's terminal if it is one. */
static int open_stdin(const struct spawn_rights *r, struct err *err)
{
	const char *path = r != NULL && r->stdin_path != NULL ? r->stdin_path : "/dev/null";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_errno(err, -errno, "cannot open stdin %s", path);
	(void)fcntl(fd, F_SETFL, 0);
	return fd;
}

static const char *limit_name(int resource)
{
	switch (resource) {
	case RLIMIT_DATA:
		return "memory";
	case RLIMIT_CPU:
		return "cpu";
	case RLIMIT_NOFILE:
		return "nofile";
	case RLIMIT_CORE:
		return "core";
	case RLIMIT_NPROC:
		return "processes";
	case RLIMIT_FSIZE:
		return "file_size";
	default:
		return "?";
	}
}

static int tell(const struct spawn_plan *plan, const struct attempt *a, struct err *err)
{
	const struct spawn_rights *r = plan->rights;
	int code = -a->error;

	switch (a->step) {
	case STEP_LIMIT:
		return err_errno(err, code, "cannot set limit %s of %s",
				 limit_name(r->limits[a->limit].resource), plan->program);
	case STEP_USER:
		if (r->user != NULL)
			return err_errno(err, code, "cannot change to user %s to run %s", r->user,
					 plan->program);
		return err_errno(err, code, "cannot change to user %u to run %s", r->uid,
				 plan->program);
	case STEP_DIRECTORY:
		return err_errno(err, code, "cannot enter directory %s to run %s", r->directory,
				 plan->program);
	case STEP_EXEC:
		/* The kernel says ENOENT for a script without its interpreter, too. */
		if (code == -ENOENT && access(plan->program, F_OK) == 0)
			return err_set(err, code,
				       "cannot run %s: the interpreter it names in its first line, "
				       "or its loader, does not exist",
				       plan->program);
		break;
	case STEP_PREPARE:
	case STEP_OUTPUT:
		break;
	}
	return err_errno(err, code, "cannot run %s", plan->program);
}

pid_t spawn_start(const struct spawn_plan *plan, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int stdin_fd = open_stdin(plan->rights, err);
	volatile struct attempt a = {0};
	pid_t parent = getpid();
	sigset_t all, before;
	pid_t pid;

	if (stdin_fd < 0)
		return stdin_fd;
	/* No handler of ours may run in the child while it still shares our memory. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0) {
		become(plan, parent, stdin_fd, &a);
		a.error = errno;
		_exit(127);
	}
	if (pid < 0)
		a.error = errno;
	else if (a.error != 0)
		(void)waitpid(pid, NULL, 0); /* it is gone already: vfork returned on its _exit */
	/* A change of user in memory that is ours made us undumpable (so that the user cannot look
	 * at it meanwhile); our own cores are wanted again. */
	if (plan->rights != NULL && plan->rights->has_user)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (a.error != 0)
		return tell(plan, &(struct attempt){a.step, a.limit, a.error}, err);
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
