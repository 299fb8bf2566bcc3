/* SPDX-License-Identifier: Apache-2.0 */
/* reload - a new configuration, found good by another process, then taken over
 *
 * `haled --check --json` runs as a process of its own: whatever a broken file makes it do, the
 * running haled does not. Only children whose slice changed are restarted.
 */
#include "haled.h"

#include <errno.h>
#include <fcntl.h>
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
#include "proc/spawn.h"

/* What the validator may say: REPORT_MAX errors with their lines. */
#define RELOAD_OUTPUT_MAX  (1u << 20)
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
		bool is_dry;
	} v[RELOAD_WAITERS_MAX];
	size_t n;
	bool is_wanted; /* somebody wants it in force */
};

struct reload {
	struct haled *d;
	pid_t pid;
	uv_poll_t output;
	uv_timer_t timer;
	int fd;
	int open_handles;
	struct str text;
	int wait_status;
	bool has_exited;
	bool is_at_end;
	struct order order;
	bool is_asked_again; /* since it began: the file may be another by now */
	struct order again;
	unsigned tries; /* files that were another once they were found good */
};

static void answer(struct order *o, bool is_dry, const json_t *result)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->v[i].is_dry == is_dry)
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
	struct config_side from = {d->config->json, d->config->masked};
	struct config_side to = {fresh->json, fresh->masked};
	json_t *result = roster_plan(d, fresh);
	char at[CLOCK_TEXT_MAX];
	size_t more;

	json_object_set_new(result, "diff", config_diff(&from, &to, fresh->units, &more));
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
	d->home.node = fresh->node;
	d->home.timezone = fresh->timezone;
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
	answer(o, false, result);
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
	answer(&r->order, true, result);
	if (r->order.is_wanted)
		take_over(d, &r->order, fresh, result);
	else
		config_free(fresh);
	json_decref(result);
	return true;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct reload *r = handle->data;

	if (--r->open_handles > 0)
		return;
	close(r->fd);
	str_done(&r->text);
	free(r);
}

static void begin(struct haled *d, const struct order *order, unsigned tries);

static void finish(struct reload *r)
{
	r->d->reload = NULL;
	if (r->d->is_hup_due && !r->is_asked_again) {
		r->d->is_hup_due = false;
		roster_forward(r->d, SIGHUP);
	}
	uv_close((uv_handle_t *)&r->output, on_handle_closed);
	uv_close((uv_handle_t *)&r->timer, on_handle_closed);
	if (r->is_asked_again)
		begin(r->d, &r->again, r->tries);
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
	r->is_asked_again = true;
}

/* "hale.yaml:3:5: what is wrong (and more)" */
static char *first_error(const json_t *errors)
{
	const json_t *first = json_array_get(errors, 0);
	const char *file = json_string_value(json_object_get(first, "file"));
	const char *message = json_string_value(json_object_get(first, "message"));
	const char *more = json_array_size(errors) > 1 ? " (and more)" : "";

	if (message == NULL)
		message = "not accepted";
	/* Some errors are about no place in particular. */
	if (file == NULL || file[0] == '\0')
		return mem_printf("%s%s", message, more);
	return mem_printf("%s:%lld:%lld: %s%s", file,
			  (long long)json_integer_value(json_object_get(first, "line")),
			  (long long)json_integer_value(json_object_get(first, "column")), message,
			  more);
}

/* The report is one line, and after it comes the stamp of what was found good. */
static const char *stamp_of(const struct reload *r)
{
	const char *end = strchr(str_text(&r->text), '\n');

	return end == NULL ? "" : end + 1;
}

static void conclude(struct reload *r)
{
	json_t *errors;

	if (!r->has_exited || !r->is_at_end)
		return;
	if (r->d->is_ready)
		init_ready(&r->d->options.ready_fd); /* ends RELOADING, whatever came of it */
	if (WIFEXITED(r->wait_status) && WEXITSTATUS(r->wait_status) == 0) {
		if (accept_new(r, stamp_of(r)))
			r->tries = 0;
		else
			try_again(r);
		finish(r);
		return;
	}
	errors = json_loads(str_text(&r->text), 0, NULL);
	if (json_array_size(errors) > 0) {
		HALE_CLEANUP(cleanup_free) char *message = first_error(errors);

		refuse(r->d, &r->order, errors, message);
	} else {
		json_decref(errors);
		refuse(r->d, &r->order, json_array(),
		       "the validating process failed; see its log lines");
	}
	finish(r);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
	struct reload *r = poll->data;
	char buf[4096];
	ssize_t got = status < 0 ? 0 : read(r->fd, buf, sizeof(buf));

	(void)events;
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got > 0 && r->text.len < RELOAD_OUTPUT_MAX) {
		str_addn(&r->text, buf, (size_t)got);
		return;
	}
	r->is_at_end = true;
	(void)uv_poll_stop(poll);
	conclude(r);
}

static void on_timeout(uv_timer_t *timer)
{
	struct reload *r = timer->data;

	log_error("checking the configuration takes too long; given up");
	if (!r->has_exited) {
		(void)kill(-r->pid, SIGKILL);
		return;
	}
	/* It has ended, and somebody holds its output: there is nothing more to wait for. */
	r->is_at_end = true;
	conclude(r);
}

bool reload_reaped(struct haled *d, pid_t pid, int wait_status)
{
	struct reload *r = d->reload;

	if (r == NULL || r->pid != pid || r->has_exited)
		return false;
	r->has_exited = true;
	r->wait_status = wait_status;
	conclude(r);
	return true;
}

static int start_validator(struct haled *d, int output, pid_t *pid_r, struct err *err)
{
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
			NULL};
	pid_t pid = spawn_start(&(struct spawn_plan){.program = program,
						     .argv = argv,
						     .envp = environ,
						     .output_fd = output,
						     .error_fd = STDERR_FILENO,
						     .slice_fd = -1},
				err);

	if (pid < 0)
		return (int)pid;
	*pid_r = pid;
	return 0;
}

static void open_handles(struct reload *r)
{
	r->open_handles = 2;
	r->output.data = r;
	r->timer.data = r;
	if (uv_poll_init(&r->d->loop, &r->output, r->fd) < 0 ||
	    uv_poll_start(&r->output, UV_READABLE, on_output) < 0)
		hale_panic(__FILE__, __LINE__, "uv_poll on a fresh pipe");
	(void)uv_timer_init(&r->d->loop, &r->timer);
	(void)uv_timer_start(&r->timer, on_timeout, RELOAD_TIMEOUT_MS, 0);
}

static int try_begin(struct haled *d, const struct order *order, unsigned tries, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int output = -1;
	struct reload *r;
	int fds[2];
	pid_t pid;
	int rc;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(err, -errno, "cannot create a pipe");
	output = fds[1];
	rc = start_validator(d, output, &pid, err);
	if (rc < 0) {
		close(fds[0]);
		return rc;
	}
	r = mem_alloc(sizeof(*r));
	r->d = d;
	r->pid = pid;
	r->fd = fds[0];
	r->order = *order;
	r->tries = tries;
	open_handles(r);
	d->reload = r;
	return 0;
}

static void begin(struct haled *d, const struct order *order, unsigned tries)
{
	struct order failed = *order;
	struct err err = {0};

	if (try_begin(d, order, tries, &err) < 0) {
		refuse(d, &failed, json_array(), err.text);
		return;
	}
	if (d->is_ready) /* else init still waits for the first READY */
		init_reloading();
	log_info("checking the new configuration", KV_S("path", d->config->path));
}

/* -EBUSY: too many wait already. */
static int join(struct order *o, size_t others, struct command_request *rq, bool is_dry)
{
	o->is_wanted |= !is_dry;
	if (rq == NULL)
		return 0;
	if (o->n + others >= RELOAD_WAITERS_MAX)
		return -EBUSY;
	o->v[o->n++] = (struct waiter){rq, is_dry};
	return 0;
}

void reload_start(struct haled *d, struct command_request *rq, bool is_dry)
{
	struct reload *r = d->reload;
	struct order order = {0};

	if (d->stop_stage >= 0) {
		if (rq != NULL)
			command_fail(rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
	} else if (r == NULL) {
		(void)join(&order, 0, rq, is_dry);
		begin(d, &order, 0);
	} else {
		r->is_asked_again = true;
		if (join(&r->again, r->order.n, rq, is_dry) < 0)
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
	if (!r->has_exited)
		(void)kill(-r->pid, SIGKILL);
	(void)uv_poll_stop(&r->output);
	(void)uv_timer_stop(&r->timer);
	send_away(&r->order);
	send_away(&r->again);
	r->is_asked_again = false;
	finish(r);
}

void reload_upgrade(struct haled *d, struct command_request *rq)
{
	command_reply(rq, json_pack("{s:s, s:I}", "version", HALE_VERSION, "processes",
				    (json_int_t)d->children_n));
	upgrade_exec(d);
}
