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
#include "init.h"
#include "model/frame.h"
#include "proc/spawn.h"

/* What the validator may say: REPORT_MAX errors with their lines. */
#define RELOAD_OUTPUT_MAX  (1u << 20)
/* The validator asks all children; deepcheck.h bounds that at a minute. */
#define RELOAD_TIMEOUT_MS  90000
/* Who waits for the same reload. */
#define RELOAD_WAITERS_MAX 16

struct waiters {
	struct command_request *v[RELOAD_WAITERS_MAX];
	size_t n;
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
	struct waiters waiters;
	bool is_asked_again;  /* since it began: the file may be another by now */
	struct waiters again; /* who asked */
};

static void answer(struct reload *r, json_t *result, json_t *errors, const char *message)
{
	for (size_t i = 0; i < r->waiters.n; i++) {
		if (result != NULL)
			command_reply(r->waiters.v[i], json_incref(result));
		else
			command_fail(r->waiters.v[i], COMMAND_E_FAILED,
				     json_pack("{s:O}", "errors", errors), "%s", message);
	}
	r->waiters.n = 0;
}

static void refuse(struct reload *r, json_t *errors /* taken */, const char *message)
{
	struct haled *d = r->d;

	log_error("reload refused; the old configuration stays in force", KV_S("why", message));
	free(d->reload_error);
	d->reload_error = mem_dup(message);
	haled_event(d, "reload_failed", "warning", "config", message,
		    json_pack("{s:O}", "errors", errors));
	answer(r, NULL, errors, message);
	json_decref(errors);
}

/* NULL with err: nothing has changed, and fresh is freed. */
static json_t *apply(struct haled *d, struct config *fresh, struct err *err)
{
	json_t *changed = json_array(), *started = json_array(), *stopped = json_array();
	struct config *old = d->config;
	size_t before = d->children_n;
	size_t unchanged;

	if (roster_grow(d, fresh, err) < 0) {
		config_free(fresh);
		json_decref(changed);
		json_decref(started);
		json_decref(stopped);
		return NULL;
	}
	d->config = fresh;
	d->home.node = fresh->node;
	d->home.timezone = fresh->timezone;
	hub_resize(d->hub, fresh->ring_bytes);
	/* Told before the children change, so that what a stopped checker leaves is told of as
	 * removed, not as without data. */
	health_configure(d->health, fresh->components, fresh->components_n, &fresh->aggregate,
			 clock_wall_ms());
	unchanged = roster_apply(d, before, changed, started, stopped);
	config_free(old);
	haled_arm_due(d);
	return json_pack("{s:o, s:o, s:o, s:I}", "changed", changed, "started", started, "stopped",
			 stopped, "unchanged", (json_int_t)unchanged);
}

static void accept_new(struct reload *r)
{
	struct haled *d = r->d;
	struct report report = {0};
	struct err err = {0};
	struct config *fresh = config_load(d->config->path, &d->dirs, false, &report);
	json_t *result;

	/* The file changed between the check and now. */
	if (fresh == NULL) {
		refuse(r, report_encode(&report), "the configuration changed while it was checked");
		report_done(&report);
		return;
	}
	report_done(&report);
	result = apply(d, fresh, &err);
	if (result == NULL) {
		refuse(r, json_array(), err.text);
		return;
	}
	d->loaded_ms = clock_wall_ms();
	free(TAKE_PTR(d->reload_error));
	log_info("configuration reloaded",
		 KV_I("changed", json_array_size(json_object_get(result, "changed"))),
		 KV_I("started", json_array_size(json_object_get(result, "started"))),
		 KV_I("stopped", json_array_size(json_object_get(result, "stopped"))));
	haled_event(d, "reload", "info", "config", "configuration reloaded", json_incref(result));
	answer(r, result, NULL, NULL);
	json_decref(result);
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

static void begin(struct haled *d, const struct waiters *waiters);

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
		begin(r->d, &r->again);
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

static void conclude(struct reload *r)
{
	json_t *errors;

	if (!r->has_exited || !r->is_at_end)
		return;
	if (r->d->is_ready)
		init_ready(&r->d->options.ready_fd); /* ends RELOADING, whatever came of it */
	if (WIFEXITED(r->wait_status) && WEXITSTATUS(r->wait_status) == 0) {
		accept_new(r);
		finish(r);
		return;
	}
	errors = json_loads(str_text(&r->text), 0, NULL);
	if (json_array_size(errors) > 0) {
		HALE_CLEANUP(cleanup_free) char *message = first_error(errors);

		refuse(r, errors, message);
	} else {
		json_decref(errors);
		refuse(r, json_array(), "the validating process failed; see its log lines");
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

static int try_begin(struct haled *d, const struct waiters *waiters, struct err *err)
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
	r->waiters = *waiters;
	open_handles(r);
	d->reload = r;
	return 0;
}

static void begin(struct haled *d, const struct waiters *waiters)
{
	struct err err = {0};

	if (try_begin(d, waiters, &err) == 0) {
		if (d->is_ready) /* else init still waits for the first READY */
			init_reloading();
		log_info("checking the new configuration", KV_S("path", d->config->path));
		return;
	}
	log_error("cannot reload", KV_S("error", err.text));
	for (size_t i = 0; i < waiters->n; i++)
		command_fail(waiters->v[i], COMMAND_E_FAILED, NULL, "%s", err.text);
}

static void ask_again(struct reload *r, struct command_request *rq)
{
	r->is_asked_again = true;
	if (rq == NULL)
		return;
	if (r->again.n < RELOAD_WAITERS_MAX)
		r->again.v[r->again.n++] = rq;
	else
		command_fail(rq, COMMAND_E_BUSY, NULL, "a reload is running");
}

void reload_start(struct haled *d, struct command_request *rq)
{
	struct waiters waiters = {.v = {rq}, .n = rq != NULL};

	if (d->stop_stage < 0 && d->reload == NULL)
		begin(d, &waiters);
	else if (d->stop_stage < 0)
		ask_again(d->reload, rq);
	else if (rq != NULL)
		command_fail(rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
}

static void send_away(const struct waiters *waiters)
{
	for (size_t i = 0; i < waiters->n; i++)
		command_fail(waiters->v[i], COMMAND_E_REFUSED, NULL, "haled is stopping");
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
	send_away(&r->waiters);
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
