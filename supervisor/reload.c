/* SPDX-License-Identifier: Apache-2.0 */
/* reload - a new configuration, found good by another process, then taken over
 *
 * `haled --check --json` runs as a process of its own: whatever a broken file makes it do, the
 * running haled does not. Only children whose slice changed are restarted.
 */
#include "haled.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "deploy/config_diff.h"
#include "proc/init.h"
#include "model/frame.h"
#include "proc/inquiry.h"

/* The validator asks all children; deepcheck.h bounds that at a minute. */
#define RELOAD_TIMEOUT_MS  90000
/* Who waits for the same reload, and for the one after it. */
#define RELOAD_WAITERS_MAX 32
/* A file that is another each time it was found good is being written to; whoever does so knows
 * better when it is done. */
#define RELOAD_TRIES_MAX   5

/* What is asked of one reading of the file. */
struct order {
	struct waiter {
		struct command_request *rq;
		enum reload_want want;
	} v[RELOAD_WAITERS_MAX];
	size_t n;
	bool is_wanted;  /* somebody wants it in force */
	bool is_upgrade; /* and somebody the new binary with it */
};

struct reload {
	struct haled *d;
	struct inquiry *inquiry;
	struct order order;
	bool is_asked_again; /* since it began: the file may be another by now */
	struct order again;
	unsigned tries; /* files that were another once they were found good */
};

static void answer(struct order *o, enum reload_want want, const json_t *result)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->v[i].want == want)
			command_reply(o->v[i].rq, json_incref((json_t *)(uintptr_t)result));
	}
}

static void refuse(struct haled *d, struct order *o, json_t *errors /* taken */,
		   const char *message)
{
	json_t *data = json_pack("{s:o}", "errors", errors);

	for (size_t i = 0; i < o->n; i++)
		command_fail(o->v[i].rq, COMMAND_E_FAILED, json_incref(data), "%s", message);
	o->n = 0;
	if (o->is_wanted) {
		log_error("reload refused; the old configuration stays in force",
			  KV_S("why", message));
		free(d->reload_error);
		d->reload_error = mem_dup(message);
		haled_event(d, "reload_failed", "warning", "config", message, json_incref(data));
		haled_judge_config(d);
	}
	json_decref(data);
}

/* Both carry it to people: the answer to a reload and to the question what one would do. */
static json_t *plan(struct haled *d, const struct config *fresh)
{
	struct config_side from = {config_whole(d->config), config_masked(d->config)};
	struct config_side to = {fresh->json, fresh->masked};
	json_t *result = roster_plan(d, fresh);
	char at[CLOCK_TEXT_MAX];
	size_t more;

	json_object_set_new(result, "diff", config_diff(&from, &to, fresh->units, &more));
	json_decref((json_t *)from.json);
	json_decref((json_t *)from.masked);
	json_object_set_new(result, "at", json_string(clock_now_text(at)));
	json_object_set_new(result, "diff_more", json_integer((json_int_t)more));
	return result;
}

/* On failure nothing has changed, and fresh is freed. */
static int apply(struct haled *d, struct config *fresh, struct err *err)
{
	struct config *old = d->config;
	size_t before = d->children_n;
	int rc;

	/* Its directories and sockets are somebody's from the start. */
	if (fresh->service.uid != d->config->service.uid ||
	    fresh->service.gid != d->config->service.gid)
		rc = err_set(err, -EBUSY,
			     "instance.user and group change only when haled is restarted");
	else
		rc = roster_grow(d, fresh, err);
	if (rc < 0) {
		config_free(fresh);
		return rc;
	}
	d->config = fresh;
	config_fold(fresh);
	d->home.at.node = fresh->node;
	d->home.at.timezone = fresh->timezone;
	hub_resize(d->hub, fresh->ring_bytes);
	/* Told before the children change, so that what a stopped checker leaves is told of as
	 * removed, not as without data. */
	health_configure(d->health, fresh->components, fresh->components_n, &fresh->aggregate,
			 clock_wall_ms());
	roster_apply(d, before);
	config_free(old);
	haled_arm_due(d);
	return 0;
}

static void take_over(struct haled *d, struct order *o, struct config *fresh, json_t *result)
{
	struct err err = {0};

	if (apply(d, fresh, &err) < 0) {
		refuse(d, o, json_array(), err.text);
		return;
	}
	d->loaded_ms = clock_wall_ms();
	free(TAKE_PTR(d->reload_error));
	haled_judge_config(d);
	log_info("configuration reloaded",
		 KV_I("changed", json_array_size(json_object_get(result, "changed"))),
		 KV_I("started", json_array_size(json_object_get(result, "started"))),
		 KV_I("stopped", json_array_size(json_object_get(result, "stopped"))));
	haled_event(d, "reload", "info", "config", "configuration reloaded", json_incref(result));
	answer(o, RELOAD_APPLY, result);
}

/* False if the file is another than the one that was found good. Children would have checked what
 * is in their slices; everything else config_load checks each time. */
static bool accept_new(struct reload *r, const char *stamp)
{
	struct haled *d = r->d;
	struct report report = {0};
	struct config *fresh = config_load(d->config->path, &d->dirs, false, &report);
	json_t *result;

	report_done(&report);
	if (fresh == NULL || !str_eq(fresh->stamp, stamp)) {
		config_free(fresh);
		return false;
	}
	result = plan(d, fresh);
	if (r->order.is_wanted)
		take_over(d, &r->order, fresh, result);
	else
		config_free(fresh);
	answer(&r->order, RELOAD_DRY, result); /* unless all were refused */
	json_decref(result);
	return true;
}

static void begin(struct haled *d, const struct order *order, unsigned tries);

static void finish(struct reload *r)
{
	r->d->reload = NULL;
	if (r->d->is_hup_due && !r->is_asked_again) {
		r->d->is_hup_due = false;
		roster_forward(r->d, SIGHUP);
	}
	if (r->is_asked_again)
		begin(r->d, &r->again, r->tries);
	free(r);
}

/* Who asked for this one and who for the next are answered together. */
static void try_again(struct reload *r)
{
	struct order *o = &r->order;

	if (++r->tries >= RELOAD_TRIES_MAX) {
		refuse(r->d, o, json_array(),
		       "the configuration changes faster than it can be checked");
		return;
	}
	for (size_t i = 0; i < o->n; i++)
		r->again.v[r->again.n++] = o->v[i];
	r->again.is_wanted |= o->is_wanted;
	r->again.is_upgrade |= o->is_upgrade;
	r->is_asked_again = true;
}

/* The report is one line, and after it comes the stamp of what was found good. */
static const char *stamp_of(const char *text)
{
	const char *end = strchr(text, '\n');

	return end == NULL ? "" : end + 1;
}

static void refuse_with(struct reload *r, const char *text, bool is_late)
{
	json_t *errors = json_loads(text, 0, NULL);
	HALE_CLEANUP(cleanup_free) char *message = NULL;

	if (json_array_size(errors) > 0) {
		message = report_headline(errors);
		refuse(r->d, &r->order, errors, message);
		return;
	}
	json_decref(errors);
	refuse(r->d, &r->order, json_array(),
	       is_late ? "checking the configuration takes too long"
	       : r->order.is_upgrade
		       ? "the new program failed, or cannot follow this one; see its log lines"
		       : "the validating process failed; see its log lines");
}

/* Last of all, when the reload is over: it does not return if it works. */
static void upgrade(struct haled *d, struct order *o)
{
	json_t *result = json_pack("{s:s, s:I}", "version", HALE_VERSION, "processes",
				   (json_int_t)d->children_n);

	answer(o, RELOAD_UPGRADE, result);
	json_decref(result);
	upgrade_exec(d);
}

/* Somebody wants the file read once more, and an answer: the new program comes after that. */
static void put_off_upgrade(struct reload *r)
{
	for (size_t i = 0; i < r->order.n; i++) {
		if (r->order.v[i].want == RELOAD_UPGRADE)
			r->again.v[r->again.n++] = r->order.v[i];
	}
	r->again.is_wanted |= r->order.is_upgrade;
	r->again.is_upgrade |= r->order.is_upgrade;
}

static void on_checked(void *ctx, int wait_status, bool is_late, const char *text)
{
	struct reload *r = ctx;
	struct haled *d = r->d;
	struct order order;
	bool is_taken = false, is_last;

	if (d->is_ready)
		init_ready(&d->options.ready_fd); /* ends RELOADING, whatever came of it */
	if (is_late || !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
		refuse_with(r, text, is_late);
	else if (accept_new(r, stamp_of(text)))
		is_taken = true;
	else
		try_again(r);
	r->tries = is_taken ? 0 : r->tries;
	order = r->order;
	is_last = !r->is_asked_again;
	if (is_taken && !is_last)
		put_off_upgrade(r);
	finish(r);
	if (is_taken && is_last && order.is_upgrade && order.n > 0)
		upgrade(d, &order);
}

bool reload_reaped(struct haled *d, pid_t pid, int wait_status)
{
	return d->reload != NULL && inquiry_reaped(d->reload->inquiry, pid, wait_status);
}

static int try_begin(struct reload *r, struct err *err)
{
	struct haled *d = r->d;
	HALE_CLEANUP(cleanup_free) char *program = path_join(d->dirs.exe_dir, "haled");
	char *argv[] = {program,
			(char[]){"--check"},
			(char[]){"--json"},
			(char[]){"--stamp"},
			(char[]){"--config"},
			d->config->path,
			(char[]){"--run-dir"},
			d->options.run_dir,
			(char[]){"--state-dir"},
			d->options.state_dir,
			r->order.is_upgrade ? (char[]){"--takes-over=" UPGRADE_VERSION} : NULL,
			NULL};

	return inquiry_start(&d->loop,
			     &(struct spawn_plan){.program = program,
						  .argv = argv,
						  .envp = environ,
						  .error_fd = STDERR_FILENO,
						  .slice_fd = -1},
			     RELOAD_TIMEOUT_MS, on_checked, r, &r->inquiry, err);
}

static void begin(struct haled *d, const struct order *order, unsigned tries)
{
	struct reload *r = mem_alloc(sizeof(*r));
	struct err err = {0};

	*r = (struct reload){.d = d, .order = *order, .tries = tries};
	if (try_begin(r, &err) < 0) {
		refuse(d, &r->order, json_array(), err.text);
		free(r);
		return;
	}
	d->reload = r;
	if (d->is_ready) /* else init still waits for the first READY */
		init_reloading();
	log_info("checking the new configuration", KV_S("path", d->config->path));
}

/* -EBUSY: too many wait already. */
static int join(struct order *o, size_t others, struct command_request *rq, enum reload_want want)
{
	o->is_wanted |= want != RELOAD_DRY;
	o->is_upgrade |= want == RELOAD_UPGRADE;
	if (rq == NULL)
		return 0;
	if (o->n + others >= RELOAD_WAITERS_MAX)
		return -EBUSY;
	o->v[o->n++] = (struct waiter){rq, want};
	return 0;
}

void reload_start(struct haled *d, struct command_request *rq, enum reload_want want)
{
	struct reload *r = d->reload;
	struct order order = {0};

	if (d->stop_stage >= 0) {
		if (rq != NULL)
			command_fail(rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
	} else if (r == NULL) {
		(void)join(&order, 0, rq, want);
		begin(d, &order, 0);
	} else {
		r->is_asked_again = true;
		if (join(&r->again, r->order.n, rq, want) < 0)
			command_fail(rq, COMMAND_E_BUSY, NULL, "a reload is running");
	}
}

static void send_away(struct order *o)
{
	for (size_t i = 0; i < o->n; i++)
		command_fail(o->v[i].rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
	o->n = 0;
}

void reload_cancel(struct haled *d)
{
	struct reload *r = d->reload;

	if (r == NULL)
		return;
	inquiry_cancel(r->inquiry);
	send_away(&r->order);
	send_away(&r->again);
	r->is_asked_again = false;
	finish(r);
}
