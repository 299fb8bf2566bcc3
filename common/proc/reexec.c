/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/reexec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* The kernel's list of children: pids in text. A pid is 7 digits at most. */
#define CHILDREN_TEXT_MAX (8u * 4194304)

int reexec_open(json_t *state, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int fd = memfd_create("reexec", MFD_CLOEXEC);
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(state, JSON_COMPACT);
	int rc;

	json_decref(state);
	HALE_ASSERT(text != NULL);
	if (fd < 0)
		return err_errno(err, -errno, "cannot create a memfd");
	rc = fd_write(fd, text, strlen(text));
	if (rc == 0)
		rc = fd_write(fd, "\n", 1);
	if (rc < 0)
		return err_errno(err, rc, "cannot fill a memfd");
	return TAKE_FD(fd);
}

void reexec_keep_open(int fd, bool over_exec)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, over_exec ? 0 : FD_CLOEXEC);
}

static bool map(int fd, struct reexec_text *t)
{
	struct stat st;
	void *text;

	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return false;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return false;
	t->text = text;
	t->len = (size_t)st.st_size;
	return true;
}

json_t *reexec_read(int fd, struct reexec_text *t_r)
{
	const char *newline;
	json_t *state = NULL;

	*t_r = (struct reexec_text){0};
	newline = map(fd, t_r) ? memchr(t_r->text, '\n', t_r->len) : NULL;
	close(fd);
	if (newline != NULL) {
		state = json_loadb(t_r->text, (size_t)(newline - t_r->text), JSON_REJECT_DUPLICATES,
				   NULL);
		t_r->rest = newline + 1;
		t_r->rest_len = t_r->len - (size_t)(t_r->rest - t_r->text);
	}
	return state;
}

void reexec_text_done(struct reexec_text *t)
{
	if (t->text != NULL)
		(void)munmap(t->text, t->len);
	*t = (struct reexec_text){0};
}

void reexec_end_children(void)
{
	HALE_CLEANUP(str_done) struct str pids = {0};
	HALE_CLEANUP(cleanup_free)
	char *path = mem_printf("/proc/self/task/%d/children", (int)getpid());
	char *save = NULL;

	if (file_read(path, CHILDREN_TEXT_MAX, &pids, NULL) < 0 || pids.len == 0)
		return;
	for (char *p = strtok_r(pids.data, " \n", &save); p != NULL;
	     p = strtok_r(NULL, " \n", &save)) {
		pid_t pid = (pid_t)strtol(p, NULL, 10);

		if (pid > 1) {
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
		}
	}
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}
