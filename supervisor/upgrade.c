/* SPDX-License-Identifier: Apache-2.0 */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "haled.h"
#include "init.h"

/* Of what follows in the memfd; a program that does not know it refuses before anything is done. */
#define UPGRADE_VERSION "1"
/* The children's entries with 200 lines each. */
#define HEADER_MAX      (256u << 20)

bool upgrade_understands(const char *version)
{
	return str_eq(version, UPGRADE_VERSION);
}

/* ---- giving ---- */

static json_t *encode(struct haled *d)
{
	json_t *children = json_array();

	for (size_t i = 0; i < d->children_n; i++)
		json_array_append_new(children, child_hand_over(d->children[i]));
	return json_pack("{s:s, s:I, s:I, s:I, s:b, s:i, s:i, s:o}", "version", UPGRADE_VERSION,
			 "generation", (json_int_t)d->generation, "started",
			 (json_int_t)d->started_ms, "lines", (json_int_t)d->line_counter, "ready",
			 d->is_ready, "lock", d->lock_fd, "state_lock", d->state_lock_fd,
			 "children", children);
}

static int write_state(struct haled *d, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int fd = memfd_create("hale-upgrade", MFD_CLOEXEC);
	json_t *state = encode(d);
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(state, JSON_COMPACT);
	size_t len = strlen(text);
	int rc;

	json_decref(state);
	if (fd < 0)
		return err_errno(err, -errno, "cannot create a memfd");
	text[len++] = '\n';
	rc = fd_write(fd, text, len);
	if (rc < 0)
		return err_errno(err, rc, "cannot fill a memfd");
	rc = hub_hand_over(d->hub, fd, err);
	return rc < 0 ? rc : TAKE_FD(fd);
}

static void keep_open(struct haled *d, int state_fd, bool over_exec)
{
	const int own[] = {state_fd, d->lock_fd, d->state_lock_fd};

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (own[i] >= 0)
			(void)fcntl(own[i], F_SETFD, over_exec ? 0 : FD_CLOEXEC);
	}
	for (size_t i = 0; i < d->children_n; i++)
		child_keep_open(d->children[i], over_exec);
}

static void become(struct haled *d, int state_fd)
{
	HALE_CLEANUP(cleanup_free) char *program = path_join(d->dirs.exe_dir, "haled");
	char number[16];
	char *argv[] = {program,
			(char[]){"--config"},
			d->options.config_path,
			(char[]){"--run-dir"},
			d->options.run_dir,
			(char[]){"--state-dir"},
			d->options.state_dir,
			(char[]){"--take-over"},
			number,
			log_get_level() == LOG_LEVEL_DEBUG ? (char[]){"--verbose"} : NULL,
			NULL};

	(void)snprintf(number, sizeof(number), "%d", state_fd);
	(void)execv(program, argv);
	log_error("cannot become the new program", KV_S("program", program),
		  KV_S("error", strerror(errno)));
}

void upgrade_exec(struct haled *d)
{
	HALE_CLEANUP(cleanup_fd) int fd = -1;
	sigset_t all, before;
	struct err err = {0};

	log_info("becoming the new program");
	init_reloading();
	statefile_save(d);
	fd = write_state(d, &err);
	if (fd < 0) {
		log_error("cannot upgrade", KV_S("error", err.text));
		return;
	}
	/* A SIGTERM between the two programs waits for the second, which opens its mask once its
	 * handlers stand. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	keep_open(d, fd, true);
	become(d, fd);
	keep_open(d, fd, false);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	haled_event(d, "upgrade_failed", "critical", "haled",
		    "the new program could not be executed; the old one goes on", NULL);
}

/* ---- taking ---- */

/* Children of a former program, of which nothing is known but that they are ours. */
static void end_all_children(void)
{
	HALE_CLEANUP(str_done) struct str pids = {0};
	HALE_CLEANUP(cleanup_free)
	char *path = mem_printf("/proc/self/task/%d/children", (int)getpid());
	char *save = NULL;

	if (file_read(path, HEADER_MAX, &pids, NULL) < 0 || pids.len == 0)
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

static json_t *parse(struct takeover *t)
{
	const char *newline = memchr(t->text, '\n', t->text_len);
	json_t *state = NULL;

	if (newline != NULL)
		state = json_loadb(t->text, (size_t)(newline - t->text), 0, NULL);
	if (!upgrade_understands(json_string_value(json_object_get(state, "version")))) {
		json_decref(state);
		return NULL;
	}
	t->bus = newline + 1;
	t->bus_len = t->text_len - (size_t)(t->bus - t->text);
	return state;
}

void takeover_read(int fd, struct takeover *t_r)
{
	struct stat st;

	*t_r = (struct takeover){0};
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (text != MAP_FAILED) {
			t_r->text = text;
			t_r->text_len = (size_t)st.st_size;
			t_r->state = parse(t_r);
		}
	}
	close(fd);
	if (t_r->state != NULL)
		return;
	/* Among what was left open are the locks, which would stand in our own way. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	log_error("what the former program left is not understood; all processes start anew");
	end_all_children();
}

static int number(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

void takeover_facts(struct haled *d)
{
	const json_t *state = d->takeover.state;

	if (state == NULL)
		return;
	d->generation = (uint64_t)json_integer_value(json_object_get(state, "generation")) + 1;
	d->started_ms = json_integer_value(json_object_get(state, "started"));
	d->line_counter = (uint64_t)json_integer_value(json_object_get(state, "lines"));
	d->is_ready = json_is_true(json_object_get(state, "ready"));
}

bool takeover_locks(const struct takeover *t, int *lock_r, int *state_lock_r)
{
	if (t->state == NULL)
		return false;
	*lock_r = number(t->state, "lock");
	*state_lock_r = number(t->state, "state_lock");
	(void)fcntl(*lock_r, F_SETFD, FD_CLOEXEC);
	if (*state_lock_r >= 0)
		(void)fcntl(*state_lock_r, F_SETFD, FD_CLOEXEC);
	return true;
}

void takeover_close(const json_t *child)
{
	close(number(child, "notify"));
	if (number(child, "output") >= 0)
		close(number(child, "output"));
}

void takeover_drop(struct takeover *t)
{
	const json_t *child;
	size_t i;

	end_all_children();
	json_array_foreach (json_object_get(t->state, "children"), i, child)
		takeover_close(child);
	takeover_done(t);
}

const json_t *takeover_child(const struct takeover *t, const char *name)
{
	const json_t *child;
	size_t i;

	json_array_foreach (json_object_get(t->state, "children"), i, child) {
		if (str_eq(json_string_value(json_object_get(child, "name")), name))
			return child;
	}
	return NULL;
}

void takeover_done(struct takeover *t)
{
	json_decref(t->state);
	if (t->text != NULL)
		(void)munmap(t->text, t->text_len);
	*t = (struct takeover){0};
}
