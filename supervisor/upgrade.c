/* SPDX-License-Identifier: Apache-2.0 */
#include "upgrade.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "haled.h"
#include "proc/init.h"
#include "proc/reexec.h"

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
	HALE_CLEANUP(cleanup_fd) int fd = reexec_open(encode(d), err);
	int rc = fd;

	if (fd >= 0)
		rc = hub_hand_over(d->hub, fd, err);
	return rc < 0 ? rc : TAKE_FD(fd);
}

static void keep_open(struct haled *d, int state_fd, bool over_exec)
{
	reexec_keep_open(state_fd, over_exec);
	reexec_keep_open(d->lock_fd, over_exec);
	reexec_keep_open(d->state_lock_fd, over_exec);
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

static void become_with_all(struct haled *d, int fd)
{
	sigset_t all, before;

	/* A SIGTERM between the two programs waits for the second, which opens its mask once its
	 * handlers stand. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	keep_open(d, fd, true);
	become(d, fd);
	keep_open(d, fd, false);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void upgrade_exec(struct haled *d)
{
	HALE_CLEANUP(cleanup_fd) int fd = -1;
	struct err err = {0};

	log_info("becoming the new program");
	init_reloading();
	statefile_save(d);
	/* The new program believes the state file: an old one would have health forgotten. */
	fd = d->has_saved_error ? err_set(&err, -EIO, "the state file cannot be written")
				: write_state(d, &err);
	if (fd >= 0)
		become_with_all(d, fd);
	else
		log_error("cannot upgrade", KV_S("error", err.text));
	if (d->is_ready)
		init_ready(&d->options.ready_fd); /* else it would be reloading for ever */
	haled_event(d, "upgrade_failed", "critical", "haled",
		    "the new program could not take over; the old one goes on", NULL);
}

/* ---- taking ---- */

void takeover_read(int fd, struct takeover *t_r)
{
	t_r->state = reexec_read(fd, &t_r->text);
	if (upgrade_understands(json_string_value(json_object_get(t_r->state, "version"))))
		return;
	log_error("what the former program left is not understood; all processes start anew");
	reexec_end_children();
	takeover_done(t_r);
	/* Among what was left open are the locks, which would stand in our own way. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
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
	reexec_keep_open(*lock_r, false);
	reexec_keep_open(*state_lock_r, false);
	return true;
}

void takeover_close(const json_t *child)
{
	const json_t *output = json_object_get(child, "output");

	close(number(child, "notify"));
	if (number(output, "fd") >= 0)
		close(number(output, "fd"));
}

void takeover_drop(struct takeover *t)
{
	const json_t *child;
	size_t i;

	reexec_end_children();
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
	reexec_text_done(&t->text);
	*t = (struct takeover){0};
}
