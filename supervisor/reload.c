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
#include "spawn.h"

/* What the validator may say: REPORT_MAX errors with their lines. */
#define RELOAD_OUTPUT_MAX (1u << 20)
/* The validator asks all children; deepcheck.h bounds that at a minute. */
#define RELOAD_TIMEOUT_MS 90000
/* Requests that come while one is running are answered with its result. */
#define RELOAD_WAITERS_MAX 16

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
	struct command_request *waiters[RELOAD_WAITERS_MAX];
	size_t waiters_n;
};

static void answer(struct reload *r, json_t *result, json_t *errors, const char *message)
{
	for (size_t i = 0; i < r->waiters_n; i++) {
		if (result != NULL)
			command_reply(r->waiters[i], json_incref(result));
		else
			command_fail(r->waiters[i], COMMAND_E_FAILED,
				     json_pack("{s:O}", "errors", errors), "%s", message);
	}
	r->waiters_n = 0;
}

static void refuse(struct reload *r, json_t *errors /* taken */, const char *message)
{
	struct haled *d = r->d;

	log_error("reload refused; the old configuration stays in force", KV_S("why", message));
	free(d->reload_error);
	d->reload_error = mem_dup(message);
	haled_event(d, "reload_failed", "warning", "config", message, json_pack("{s:O}", "errors", errors));
	answer(r, NULL, errors, message);
	json_decref(errors);
}

static json_t *apply(struct haled *d, struct config *fresh, struct err *err)
{
	json_t *changed = json_array(), *started = json_array(), *stopped = json_array();
	struct config *old = d->config;
	int rc;

	d->config = fresh;
	d->home.node = fresh->node;
	d->home.timezone = fresh->timezone;
	/* Told before the children change, so that what a stopped checker leaves is told of as
	 * removed, not as without data. */
	health_configure(d->health, fresh, clock_wall_ms());
	rc = roster_apply(d, fresh, changed, started, stopped, err);
	config_free(old);
	haled_arm_due(d);
	if (rc < 0) {
		json_decref(changed);
		json_decref(started);
		json_decref(stopped);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:o, s:I}", "changed", changed, "started", started, "stopped",
			 stopped, "unchanged",
			 (json_int_t)(d->children_n - json_array_size(changed) -
				      json_array_size(started) - json_array_size(stopped)));
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

static void finish(struct reload *r)
{
	r->d->reload = NULL;
	uv_close((uv_handle_t *)&r->output, on_handle_closed);
	uv_close((uv_handle_t *)&r->timer, on_handle_closed);
}

static void conclude(struct reload *r)
{
	json_t *errors;

	if (!r->has_exited || !r->is_at_end)
		return;
	init_ready(); /* ends RELOADING, whatever came of it */
	if (WIFEXITED(r->wait_status) && WEXITSTATUS(r->wait_status) == 0) {
		accept_new(r);
		finish(r);
		return;
	}
	errors = json_loads(str_text(&r->text), 0, NULL);
	if (json_array_size(errors) > 0) {
		json_t *first = json_array_get(errors, 0);
		HALE_CLEANUP(cleanup_free)
		char *message = mem_printf(
			"%s:%lld:%lld: %s%s", json_string_value(json_object_get(first, "file")),
			(long long)json_integer_value(json_object_get(first, "line")),
			(long long)json_integer_value(json_object_get(first, "column")),
			json_string_value(json_object_get(first, "message")),
			json_array_size(errors) > 1 ? " (and more)" : "");

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
	(void)kill(-r->pid, SIGKILL);
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

static void begin(struct haled *d, struct command_request *rq, struct err *err)
{
	HALE_CLEANUP(cleanup_fd) int output = -1;
	struct reload *r;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		(void)err_errno(err, -errno, "cannot create a pipe");
		return;
	}
	output = fds[1];
	if (start_validator(d, output, &pid, err) < 0) {
		close(fds[0]);
		return;
	}
	r = mem_alloc(sizeof(*r));
	r->d = d;
	r->pid = pid;
	r->fd = fds[0];
	r->open_handles = 2;
	r->output.data = r;
	r->timer.data = r;
	(void)uv_poll_init(&d->loop, &r->output, r->fd);
	(void)uv_poll_start(&r->output, UV_READABLE, on_output);
	(void)uv_timer_init(&d->loop, &r->timer);
	(void)uv_timer_start(&r->timer, on_timeout, RELOAD_TIMEOUT_MS, 0);
	if (rq != NULL)
		r->waiters[r->waiters_n++] = rq;
	d->reload = r;
	init_reloading();
	log_info("checking the new configuration", KV_S("path", d->config->path));
}

void reload_start(struct haled *d, struct command_request *rq)
{
	struct err err = {0};

	if (d->stop_stage >= 0) {
		if (rq != NULL)
			command_fail(rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
		return;
	}
	if (d->reload != NULL) {
		/* The file may have changed since: whoever asks again may ask again later. */
		if (rq != NULL && d->reload->waiters_n < RELOAD_WAITERS_MAX)
			d->reload->waiters[d->reload->waiters_n++] = rq;
		else if (rq != NULL)
			command_fail(rq, COMMAND_E_BUSY, NULL, "a reload is running");
		return;
	}
	begin(d, rq, &err);
	if (err.text[0] == '\0')
		return;
	log_error("cannot reload", KV_S("error", err.text));
	if (rq != NULL)
		command_fail(rq, COMMAND_E_FAILED, NULL, "%s", err.text);
}

void reload_cancel(struct haled *d)
{
	struct reload *r = d->reload;

	if (r == NULL)
		return;
	(void)kill(-r->pid, SIGKILL);
	(void)uv_poll_stop(&r->output);
	(void)uv_timer_stop(&r->timer);
	for (size_t i = 0; i < r->waiters_n; i++)
		command_fail(r->waiters[i], COMMAND_E_REFUSED, NULL, "haled is stopping");
	finish(r);
}
