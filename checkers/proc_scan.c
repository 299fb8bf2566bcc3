/* SPDX-License-Identifier: Apache-2.0 */
#include "proc_scan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "threads.h"

#define US_PER_MS 1000
#define GROW_BY   256
#define PATH_SIZE 320 /* "NUMBER/cgroup" below the folder */

struct proc_ask {
	struct scanner *scanner;
	struct proc_ask *next;
	unsigned what;
	proc_table_fn on_table;
	void *ctx;
};

/* One for each proc file system. */
struct scanner {
	char *proc;
	struct threads *threads;
	struct job job;
	unsigned what;              /* of all that ever asked */
	struct proc_table *reading; /* by the thread */
	struct proc_table *last;
	struct proc_ask *asks;
	uv_timer_t timer; /* to tell what is there already, from the loop */
	bool is_closed;
};

struct scanners {
	struct map by_proc;
};

/* ---- Reading, in the thread ---- */

/* At most max bytes: a command line may be megabytes. */
static bool read_text(const char *proc, const char *pid, const char *name, size_t max,
		      struct str *text)
{
	char path[PATH_SIZE];
	int fd;
	ssize_t n = 1;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/%s", proc, pid, name) >= sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	str_clear(text);
	str_reserve(text, max + 1);
	while (n > 0 && text->len < max) {
		char buf[PROC_TEXT_MAX];

		n = read(fd, buf, HALE_MIN(sizeof(buf), max - text->len));
		if (n > 0)
			str_addn(text, buf, (size_t)n);
	}
	close(fd);
	return n >= 0;
}

static void read_command(const char *proc, const char *pid, struct str *text,
			 struct proc_entry *entry)
{
	HALE_CLEANUP(str_done) struct str command = {0};

	if (!read_text(proc, pid, "cmdline", PROC_TEXT_MAX, text))
		str_clear(text);
	proc_command_add(str_text(text), text->len, &command);
	entry->program = mem_dup(text->len > 0 ? str_text(text) : "");
	entry->command = mem_dup(str_text(&command));
}

/* False if it is gone meanwhile. */
static bool read_entry(const char *proc, const char *pid, unsigned what, struct str *text,
		       struct proc_entry *entry_r)
{
	struct proc_entry entry = {.uid = (uid_t)-1};

	if (!read_text(proc, pid, "stat", PROC_TEXT_MAX, text) ||
	    proc_stat_parse(str_text(text), &entry.stat) < 0)
		return false;
	if ((what & PROC_SCAN_USER) != 0 && read_text(proc, pid, "status", PROC_TEXT_MAX, text))
		(void)proc_uid_parse(str_text(text), &entry.uid);
	if ((what & PROC_SCAN_GROUP) != 0 && read_text(proc, pid, "cgroup", PROC_TEXT_MAX, text))
		entry.group = mem_dup(str_text(text));
	if ((what & PROC_SCAN_COMMAND) != 0)
		read_command(proc, pid, text, &entry);
	*entry_r = entry;
	return true;
}

static void read_all(const char *proc, DIR *folder, struct proc_table *t)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	const struct dirent *name;

	while ((name = readdir(folder)) != NULL) {
		if (!isdigit((unsigned char)name->d_name[0]))
			continue;
		if (t->n % GROW_BY == 0)
			t->v = mem_grow(t->v, t->n + GROW_BY, sizeof(*t->v));
		if (read_entry(proc, name->d_name, t->what, &text, &t->v[t->n]))
			t->n++;
	}
}

static int read_age(const char *proc, struct proc_table *t)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(proc, "uptime");
	HALE_CLEANUP(str_done) struct str text = {0};
	int rc = file_read(path, PROC_TEXT_MAX, &text, &t->err);
	char *end;

	if (rc < 0)
		return rc;
	t->boot_seconds = strtod(str_text(&text), &end);
	return end != str_text(&text) ? 0 : err_set(&t->err, -EINVAL, "%s: no number", path);
}

static void scan(void *data)
{
	struct scanner *s = data;
	struct proc_table *t = s->reading;
	DIR *folder = opendir(s->proc);

	if (folder == NULL) {
		t->rc = err_errno(&t->err, -errno, "%s", s->proc);
		return;
	}
	t->rc = read_age(s->proc, t);
	if (t->rc == 0)
		read_all(s->proc, folder, t);
	closedir(folder);
}

/* ---- Telling ---- */

static struct proc_table *table_ref(struct proc_table *t)
{
	t->refs++;
	return t;
}

void proc_table_unref(struct proc_table *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].program);
		free(t->v[i].command);
		free(t->v[i].group);
	}
	free(t->v);
	free(t);
}

static bool is_fresh(const struct proc_table *t, unsigned what)
{
	return t != NULL && (t->what & what) == what && clock_mono_us() < t->fresh_until_us;
}

static void on_scanned(struct job *job);

static void begin(struct scanner *s)
{
	if (s->reading != NULL)
		return;
	s->reading = mem_alloc(sizeof(*s->reading));
	s->reading->refs = 1;
	s->reading->what = s->what;
	s->reading->at_us = clock_mono_us();
	s->reading->fresh_until_us = s->reading->at_us + PROC_SCAN_FRESH_MS * US_PER_MS;
	s->job = (struct job){.work = scan, .after = on_scanned, .data = s};
	threads_run(s->threads, &s->job);
}

/* Who wants more than was read waits for the next one. */
static void tell(struct scanner *s)
{
	struct proc_ask **link = &s->asks;
	struct proc_ask *served = NULL;

	while (*link != NULL) {
		struct proc_ask *ask = *link;

		if (!is_fresh(s->last, ask->what)) {
			link = &ask->next;
			continue;
		}
		*link = ask->next;
		ask->next = served;
		served = ask;
	}
	if (s->asks != NULL)
		begin(s);
	while (served != NULL) {
		struct proc_ask *ask = served;

		served = ask->next;
		ask->on_table(ask->ctx, table_ref(s->last));
		free(ask);
	}
}

static void on_scanned(struct job *job)
{
	struct scanner *s = job->data;

	proc_table_unref(s->last);
	s->last = TAKE_PTR(s->reading);
	/* However long it took: it is as new as can be had. */
	s->last->fresh_until_us = HALE_MAX(s->last->fresh_until_us,
					   clock_mono_us() + PROC_SCAN_FRESH_MS * US_PER_MS / 2);
	tell(s);
}

static void on_timer(uv_timer_t *timer)
{
	tell(timer->data);
}

/* ---- Whose ---- */

static void *scanners_make(const struct check *c HALE_UNUSED)
{
	return mem_alloc(sizeof(struct scanners));
}

static void scanners_close(void *thing)
{
	const struct scanners *all = thing;
	const char *proc;
	struct scanner *s;

	for (size_t i = 0; map_each(&all->by_proc, &i, &proc, (void **)&s);) {
		s->is_closed = true;
		uv_close((uv_handle_t *)&s->timer, NULL);
	}
}

static void scanners_free(void *thing)
{
	struct scanners *all = thing;
	const char *proc;
	struct scanner *s;

	for (size_t i = 0; map_each(&all->by_proc, &i, &proc, (void **)&s);) {
		if (s->job.is_out)
			continue; /* its thread still uses it */
		proc_table_unref(s->last);
		proc_table_unref(s->reading);
		free(s->proc);
		free(s);
	}
	map_done(&all->by_proc);
	free(all);
}

static struct scanner *scanner_of(const struct check *c, const char *proc)
{
	struct scanners *all = check_shared_open(c, scanners_make, scanners_close, scanners_free);
	struct scanner *s = map_get(&all->by_proc, proc);

	if (s != NULL)
		return s;
	s = mem_alloc(sizeof(*s));
	s->proc = mem_dup(proc);
	s->threads = check_threads(c);
	HALE_ASSERT(uv_timer_init(check_loop(c), &s->timer) == 0);
	s->timer.data = s;
	map_put(&all->by_proc, proc, s);
	return s;
}

struct proc_ask *proc_scan_ask(const struct check *c, const char *proc, unsigned what,
			       proc_table_fn on_table, void *ctx)
{
	struct scanner *s = scanner_of(c, proc);
	struct proc_ask *ask = mem_alloc(sizeof(*ask));

	*ask = (struct proc_ask){
		.scanner = s, .what = what, .on_table = on_table, .ctx = ctx, .next = s->asks};
	s->asks = ask;
	s->what |= what;
	if (is_fresh(s->last, what))
		(void)uv_timer_start(&s->timer, on_timer, 0, 0);
	else
		begin(s);
	return ask;
}

void proc_scan_cancel(struct proc_ask *ask)
{
	struct proc_ask **link;

	if (ask == NULL)
		return;
	for (link = &ask->scanner->asks; *link != ask; link = &(*link)->next)
		;
	*link = ask->next;
	free(ask);
}
