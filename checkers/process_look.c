/* SPDX-License-Identifier: Apache-2.0 */
#include "process_look.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define PIDFILE_MAX     4096
#define KERNEL_NAME_MAX 15

/* ---- Who fits ---- */

/* Names beyond 15 bytes are cut by the kernel: then the file's name tells. */
static bool is_named(const struct proc_entry *e, const char *name)
{
	const char *slash = strrchr(e->program, '/');

	if (strcmp(e->stat.name, name) == 0)
		return true;
	return strncmp(e->stat.name, name, KERNEL_NAME_MAX) == 0 &&
	       strlen(name) > KERNEL_NAME_MAX &&
	       strcmp(slash != NULL ? slash + 1 : e->program, name) == 0;
}

static bool fits(const struct process_wish *w, const struct proc_entry *e, pid_t pid)
{
	if (pid != 0 ? e->stat.pid != pid : e->stat.pid == getpid())
		return false;
	if (w->name != NULL && !is_named(e, w->name))
		return false;
	if (w->uid != NULL && e->uid != *w->uid)
		return false;
	if (w->unit != NULL && (e->group == NULL || !proc_is_in_group(e->group, w->unit)))
		return false;
	return w->regex == NULL || regexec(w->regex, e->command, 0, NULL, 0) == 0;
}

/* 0: there is none, and l->missing says why. */
static pid_t read_pidfile(struct process_look *l)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct err err = {0};
	pid_t pid = 0;
	int rc = file_read(l->wish->pidfile, PIDFILE_MAX, &text, &err);

	/* One that is not there says that the program is not; one that may not be read says
	 * nothing.
	 */
	l->is_unreadable = rc < 0 && rc != -ENOENT && rc != -ENOTDIR;
	if (rc < 0)
		(void)snprintf(l->missing, sizeof(l->missing), "%.150s", err.text);
	else if (proc_pid_parse(str_text(&text), &pid) < 0)
		(void)snprintf(l->missing, sizeof(l->missing),
			       "the pidfile holds no number of a process");
	return pid;
}

static int older_first(const void *a, const void *b)
{
	const struct proc_entry *x = *(const struct proc_entry *const *)a;
	const struct proc_entry *y = *(const struct proc_entry *const *)b;

	if (x->stat.start_ticks != y->stat.start_ticks)
		return x->stat.start_ticks < y->stat.start_ticks ? -1 : 1;
	return x->stat.pid < y->stat.pid ? -1 : x->stat.pid > y->stat.pid;
}

static void find_matches(struct process_look *l)
{
	const struct proc_table *t = l->table;
	pid_t pid = 0;

	l->matches = mem_array(t->n + 1, sizeof(struct proc_entry *));
	if (l->wish->pidfile != NULL) {
		pid = read_pidfile(l);
		if (pid == 0)
			return;
	}
	for (size_t i = 0; i < t->n; i++) {
		if (fits(l->wish, &t->v[i], pid))
			l->matches[l->n++] = &t->v[i];
	}
	qsort(l->matches, l->n, sizeof(struct proc_entry *), older_first);
	if (pid != 0 && l->n == 0)
		(void)snprintf(l->missing, sizeof(l->missing),
			       "the pidfile names %d, which is gone or another program", (int)pid);
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

static void count_children(struct process_look *l)
{
	HALE_CLEANUP(cleanup_free) pid_t *pids = mem_array(l->n + 1, sizeof(*pids));

	for (size_t i = 0; i < l->n; i++)
		pids[i] = l->matches[i]->stat.pid;
	qsort(pids, l->n, sizeof(*pids), by_pid);
	for (size_t i = 0; i < l->table->n; i++) {
		const struct proc_stat *s = &l->table->v[i].stat;

		if (bsearch(&s->parent, pids, l->n, sizeof(*pids), by_pid) != NULL &&
		    bsearch(&s->pid, pids, l->n, sizeof(*pids), by_pid) == NULL)
			l->children++;
	}
}

/* ---- What they use ---- */

static bool read_of(const struct process_look *l, pid_t pid, const char *name, struct str *text)
{
	HALE_CLEANUP(cleanup_free)
	char *path = mem_printf("%s/%d/%s", l->wish->proc, (int)pid, name);

	return file_read(path, 1u << 20, text, NULL) == 0;
}

/* Since Linux 6.2 the folder's size is the number, and asking for that needs no privilege. */
static int64_t count_fds(const struct process_look *l, pid_t pid)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/%d/fd", l->wish->proc, (int)pid);
	const struct dirent *entry;
	struct stat st;
	int64_t n = 0;
	DIR *folder;

	if (stat(path, &st) == 0 && st.st_size > 0)
		return st.st_size;
	folder = opendir(path);
	if (folder == NULL)
		return -1;
	while ((entry = readdir(folder)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(folder);
	return n;
}

static bool is_gone(const struct process_look *l, pid_t pid)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/%d", l->wish->proc, (int)pid);
	struct stat st;

	return stat(path, &st) != 0 && errno == ENOENT;
}

static bool look_into(struct process_look *l, pid_t pid)
{
	HALE_CLEANUP(str_done) struct str io_text = {0};
	HALE_CLEANUP(str_done) struct str rollup = {0};
	int64_t fds = count_fds(l, pid);
	struct proc_io io;
	uint64_t pss = 0;

	if (fds < 0 || !read_of(l, pid, "io", &io_text) ||
	    proc_io_parse(str_text(&io_text), &io) < 0)
		return false;
	if (l->wish->pss && (!read_of(l, pid, "smaps_rollup", &rollup) ||
			     proc_pss_parse(str_text(&rollup), &pss) < 0))
		return false;
	l->fds += fds;
	l->io.read_bytes += io.read_bytes;
	l->io.written_bytes += io.written_bytes;
	l->pss_bytes += pss;
	return true;
}

bool process_is_zombie(const struct proc_entry *e)
{
	return e->stat.state == 'Z' || e->stat.state == 'X';
}

void process_look(struct process_look *l)
{
	find_matches(l);
	count_children(l);
	for (size_t i = 0; i < l->n && i < PROCESS_LOOKED_MAX; i++) {
		const pid_t pid = l->matches[i]->stat.pid;

		if (!process_is_zombie(l->matches[i]))
			l->hidden += !look_into(l, pid) && !is_gone(l, pid);
	}
}

void process_look_done(struct process_look *l)
{
	free(TAKE_PTR(l->matches));
}
