/* SPDX-License-Identifier: Apache-2.0 */
#include "haled.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/finish.h"
#include "proc/init.h"
#include "proc/lock.h"
#include "model/frame.h"
#include "service/child_proto.h"

#define LOCK_FILE "haled.lock"

/* Counters and times that are not transitions may be this old after a crash of haled. */
#define STATE_SAVE_MS 5000

/* Less is how clocks are kept right all the time; this is a clock being set. */
#define CLOCK_STEP_MS 1000

/* As PID 1: what is left after its own processes may take so long to end. With the stages before it
 * must fit into what a container runtime waits at all. */
#define ORPHAN_GRACE_MS 3000

/* ---- health ---- */

static void on_health(void *ctx, const struct health_news *news)
{
	struct haled *d = ctx;

	hub_publish_text(d->hub, TOPIC_HEALTH, news->line, news->save, news->must_survive);
	d->is_state_dirty = true;
	tend_health(d, news);
	if (news->has_changed)
		log_info("health", KV_S("component", news->component),
			 KV_S("status", status_name(news->status)),
			 KV_S("previous", status_name(news->previous)),
			 KV_S("message", news->message));
}

/* Due times are wall times; when the clock is set (or the machine slept) they go with it, so that
 * nothing is overdue, and nothing looks alive, because of a clock. */
static void follow_clock(struct haled *d)
{
	int64_t offset = clock_wall_ms() - clock_mono_ms();
	int64_t step = offset - d->clock_offset_ms;

	if (step > -CLOCK_STEP_MS && step < CLOCK_STEP_MS)
		return;
	d->clock_offset_ms = offset;
	log_info("the clock was set", KV_I("by_ms", step));
	health_shift(d->health, step);
	haled_arm_due(d);
}

static void on_due(uv_timer_t *timer)
{
	struct haled *d = timer->data;

	follow_clock(d);
	health_expire(d->health, clock_wall_ms());
	haled_arm_due(d);
}

void haled_arm_due(struct haled *d)
{
	int64_t due = health_next_due(d->health);
	int64_t wait;

	if (due == INT64_MAX) {
		(void)uv_timer_stop(&d->due_timer);
		return;
	}
	d->due_armed_ms = due;
	wait = due - clock_wall_ms();
	(void)uv_timer_start(&d->due_timer, on_due, wait < 0 ? 0 : (uint64_t)wait, 0);
}

/* ---- what children send ---- */

static bool on_child_text(void *ctx, const char *service, const char *topic, const char *text,
			  size_t len)
{
	struct haled *d = ctx;
	struct err err;
	int rc;

	if (!str_eq(topic, TOPIC_OBSERVATION))
		return false;
	rc = health_observe_text(d->health, service, text, len, clock_wall_ms(), &err);
	/* What a reload has just removed may still report once. */
	if (rc < 0)
		log_debug("observation dropped", KV_S("process", service), KV_S("error", err.text));
	/* Usually later than before; earlier when it had been without data. */
	if (!uv_is_active((uv_handle_t *)&d->due_timer) ||
	    health_next_due(d->health) < d->due_armed_ms)
		haled_arm_due(d);
	return rc != -EBADMSG;
}

static void on_child_line(void *ctx, const char *service HALE_UNUSED,
			  uint64_t generation HALE_UNUSED, const char *topic, const json_t *line)
{
	hub_publish(((struct haled *)ctx)->hub, topic, line, NULL, true);
}

void haled_event(struct haled *d, const char *kind, const char *severity, const char *subject,
		 const char *message, json_t *details)
{
	char at[CLOCK_TEXT_MAX];
	json_t *line =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "at", clock_now_text(at), "node",
			  d->config->node, "kind", kind, "severity", severity, "subject", subject,
			  "message", message, "details", details == NULL ? json_object() : details);

	hub_publish(d->hub, TOPIC_EVENT, line, NULL, true);
	json_decref(line);
}

static void on_loss(void *ctx, const char *process, const char *message, json_t *details)
{
	haled_event(ctx, "bus_loss", "warning", process, message, details);
}

json_t *haled_overall(struct haled *d)
{
	double score = health_score(d->health);
	int64_t since_ms = d->pause.is_active ? d->pause.since_ms : health_overall_since(d->health);

	return json_pack("{s:s, s:o, s:o, s:b, s:o}", "status",
			 status_name(health_overall(d->health)), "score",
			 isnan(score) ? json_null() : json_real(score), "since",
			 component_time(since_ms), "monitoring_active", !d->pause.is_active,
			 "monitoring", pause_encode(&d->pause));
}

void haled_judge_config(struct haled *d)
{
	bool is_good = d->reload_error == NULL;

	health_report(d->health, CONFIG_COMPONENT, is_good ? OUTCOME_PASS : OUTCOME_WARN,
		      is_good ? REASON_OK : REASON_CONFIG, is_good ? "In force" : d->reload_error,
		      clock_wall_ms());
}

json_t *haled_status(struct haled *d, bool is_brief)
{
	json_t *out = haled_overall(d);
	json_t *processes = is_brief ? NULL : json_array();
	json_t *config;

	for (size_t i = 0; i < d->children_n && !is_brief; i++)
		json_array_append_new(processes, child_encode(d->children[i]));
	config = json_pack("{s:s, s:o, s:b, s:o}", "path", d->config->path, "loaded_at",
			   component_time(d->loaded_ms), "last_reload_ok", d->reload_error == NULL,
			   "last_reload_error",
			   d->reload_error == NULL ? json_null() : json_string(d->reload_error));
	json_object_update_new(
		out,
		json_pack("{s:s, s:s, s:o, s:o*, s:o*, s:o, s:o, s:o, s:s, s:I, s:s, s:I, s:o}",
			  "node", d->config->node, "instance", d->config->instance, "counts",
			  health_counts(d->health), "components",
			  is_brief ? NULL : health_components(d->health), "processes", processes,
			  "config", config, "bus", hub_stats(d->hub), "commands",
			  command_stats_encode(d->commands), "epoch", hub_epoch(d->hub), "head",
			  (json_int_t)hub_head(d->hub), "version", HALE_VERSION, "pid",
			  (json_int_t)getpid(), "started", component_time(d->started_ms)));
	return out;
}

/* ---- signals and timers ---- */

static void on_signal(uv_signal_t *handle, int signum)
{
	struct haled *d = handle->data;

	switch (signum) {
	case SIGCHLD:
		roster_reap(d);
		break;
	case SIGHUP: /* handed on once the reload is over */
		d->is_hup_due = true;
		reload_start(d, NULL, RELOAD_APPLY);
		if (d->reload == NULL) { /* it could not even begin */
			d->is_hup_due = false;
			roster_forward(d, signum);
		}
		break;
	case SIGUSR1:
	case SIGUSR2:
	case SIGWINCH:
		roster_forward(d, signum);
		break;
	default:
		haled_stop(d);
		break;
	}
}

static void on_save(uv_timer_t *timer)
{
	struct haled *d = timer->data;

	follow_clock(d);
	mem_give_back(&d->gave_back_ms, clock_mono_ms());
	haled_tell_init(d);
	/* A process has what it was given, be it an hour; that haled does not hang it shows so. */
	if (!d->is_ready || d->stop_stage >= 0)
		init_extend(6 * STATE_SAVE_MS); /* some may come late */
	if (d->is_state_dirty)
		statefile_save(d);
}

void haled_tell_init(struct haled *d)
{
	char text[sizeof(d->told)];
	size_t ready = 0;

	if (!d->is_ready || d->stop_stage >= 0)
		return;
	for (size_t i = 0; i < d->children_n; i++)
		ready += child_state_of(d->children[i]) == PROCESS_READY;
	(void)snprintf(text, sizeof(text), "%s; %zu of %zu processes are ready",
		       status_name(health_overall(d->health)), ready, d->children_n);
	if (str_eq(text, d->told))
		return;
	memcpy(d->told, text, sizeof(text));
	init_status(text);
}

/* init is to restart haled as a last resort when it does not bring back what it cannot do without.
 */
static void on_watchdog(uv_timer_t *timer)
{
	struct haled *d = timer->data;
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < d->children_n && d->stop_stage < 0; i++) {
		const struct process_spec *spec = child_spec(d->children[i]);
		struct vital *vital = &child_care(d->children[i])->vital;

		vital_note(vital, child_state_of(d->children[i]), now);
		if (!spec->is_vital || !vital_is_missed(vital, spec->vital_grace_ms, now))
			continue;
		log_error("the watchdog is not fed: a vital process cannot be kept running",
			  KV_S("process", spec->name));
		return;
	}
	init_watchdog();
}

static void start_handles(struct haled *d)
{
	static const int signals[] = {SIGCHLD, SIGHUP,  SIGTERM, SIGINT,  SIGQUIT,
				      SIGPWR,  SIGUSR1, SIGUSR2, SIGWINCH};
	int64_t watchdog = init_watchdog_interval();

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		(void)uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		(void)uv_signal_start(&d->signals[i], on_signal, signals[i]);
	}
	(void)uv_timer_init(&d->loop, &d->due_timer);
	(void)uv_timer_init(&d->loop, &d->save_timer);
	(void)uv_timer_init(&d->loop, &d->notify_timer);
	tend_open(d);
	(void)uv_timer_init(&d->loop, &d->pause_timer);
	d->due_timer.data = d;
	d->pause_timer.data = d;
	d->save_timer.data = d;
	d->notify_timer.data = d;
	(void)uv_timer_start(&d->save_timer, on_save, STATE_SAVE_MS, STATE_SAVE_MS);
	if (watchdog > 0)
		(void)uv_timer_start(&d->notify_timer, on_watchdog, 0, (uint64_t)watchdog);
}

void haled_stop(struct haled *d)
{
	if (d->stop_stage >= 0)
		return;
	log_info("stopping");
	init_stopping();
	haled_event(d, "stop", "info", "haled", "haled is stopping", NULL);
	reload_cancel(d);
	d->stop_stage = 0;
	roster_stop_next(d);
}

/* ---- life ---- */

/* Two that shared sockets, or wrote the same journal and databases, would spoil each other's. */
static int take_locks(struct haled *d, struct err *err)
{
	if (takeover_locks(&d->takeover, &d->lock_fd, &d->state_lock_fd))
		return 0;
	d->lock_fd = lock_dir(d->options.run_dir, LOCK_FILE, -1, err);
	if (d->lock_fd == -EBUSY)
		return err_set(err, -EBUSY, "another haled runs with the run directory %s",
			       d->options.run_dir);
	if (d->lock_fd < 0)
		return d->lock_fd;
	d->state_lock_fd = lock_dir(d->options.state_dir, LOCK_FILE, d->lock_fd, err);
	if (d->state_lock_fd == -EBUSY)
		return err_set(err, -EBUSY, "another haled runs with the state directory %s",
			       d->options.state_dir);
	return d->state_lock_fd == LOCK_IS_HELD || d->state_lock_fd >= 0 ? 0 : d->state_lock_fd;
}

/* haled's own, which it writes itself. */
static bool is_kept(const char *name)
{
	return str_starts(name, LOCK_FILE) || str_starts(name, STATE_FILE_NAME) ||
	       str_starts(name, "journal.") || str_starts(name, "config.ok");
}

/* The sockets are as open as the directory they stand in. Whom the processes run as owns both, as
 * if systemd had made them (User=, StateDirectory=); sockets made there get the directory's group.
 */
static int make_dirs(struct haled *d, struct err *err)
{
	const struct spawn_rights *own = &d->config->service;
	int rc = dir_make(d->options.run_dir, 0700, err);

	if (rc == 0)
		rc = dir_make(d->options.state_dir, 0700, err);
	if (rc == 0 && own->has_user)
		rc = dir_give(d->options.run_dir, own->uid, own->gid, 02750, NULL, err);
	if (rc == 0 && own->has_user)
		rc = dir_give(d->options.state_dir, own->uid, own->gid, 0750, is_kept, err);
	if (rc == 0 && access(d->options.state_dir, W_OK) < 0)
		rc = err_errno(err, -errno, "cannot write to the state directory %s",
			       d->options.state_dir);
	return rc;
}

static int open_bus(struct haled *d, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(d->options.run_dir, CHILD_SOCKET_HALED);
	HALE_CLEANUP(cleanup_free) char *bus = path_join(d->options.run_dir, CHILD_SOCKET_BUS);
	HALE_CLEANUP(cleanup_free)
	char *results = path_join(d->options.run_dir, CHILD_SOCKET_RESULTS);
	const struct bus_access access = bus_access_within(d->options.run_dir);
	struct hub_home home = {.bus = bus,
				.access = &access,
				.results = results,
				.state_dir = d->options.state_dir,
				.ring_bytes = d->config->ring_bytes,
				.handover = d->takeover.text.rest,
				.handover_len = d->takeover.text.rest_len};
	const struct hub_hooks hooks = {.on_line = on_child_line,
					.on_text = on_child_text,
					.on_loss = on_loss,
					.on_record = statefile_record,
					.ctx = d};
	int rc = hub_open(&d->loop, &home, &hooks, &d->hub, err);

	/* Without the past of the bus the children's numbers would fit nothing any more. */
	if (rc == -EINVAL && home.handover != NULL) {
		log_error("the bus cannot be taken over; all processes start anew",
			  KV_S("error", err->text));
		takeover_drop(&d->takeover);
		home.handover = NULL;
		rc = hub_open(&d->loop, &home, &hooks, &d->hub, err);
	}
	if (rc < 0)
		return rc;
	return command_listen(&d->loop, path, &access, haled_methods, d, &d->commands, err);
}

static void tell_start(struct haled *d)
{
	if (d->takeover.state == NULL) {
		haled_event(d, "start", "info", "haled", "haled " HALE_VERSION " started", NULL);
		return;
	}
	haled_event(d, "upgrade", "info", "haled",
		    "haled is now " HALE_VERSION "; its processes ran on", NULL);
	init_ready(&d->options.ready_fd); /* it was said that this takes a moment */
}

int haled_open(struct haled *d, struct haled_options *options, struct config *config,
	       struct err *err)
{
	struct health_hooks hooks = {.on_health = on_health, .ctx = d};
	sigset_t none;
	int rc;

	d->options = *options;
	*options = (struct haled_options){0};
	d->config = config;
	config_fold(config);
	d->lock_fd = d->state_lock_fd = -1;
	d->stop_stage = -1;
	d->started_ms = d->loaded_ms = clock_wall_ms();
	d->generation = 1;
	takeover_facts(d);
	d->clock_offset_ms = d->loaded_ms - clock_mono_ms();
	d->home = (struct child_home){.at = {.run_dir = d->options.run_dir,
					     .state_dir = d->options.state_dir,
					     .node = config->node,
					     .timezone = config->timezone},
				      .line_counter = &d->line_counter};
	/* As PID 1 orphans come to us anyway; elsewhere those of our own children should too. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)uv_loop_init(&d->loop);
	start_handles(d);
	/* A former program of this process held back what came in between (upgrade.c). */
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	d->health = health_new(&hooks);
	rc = make_dirs(d, err);
	if (rc == 0)
		rc = take_locks(d, err);
	if (rc < 0)
		return rc;
	health_configure(d->health, config->components, config->components_n, &config->aggregate,
			 clock_wall_ms());
	pause_load(d);
	statefile_load(d);
	rc = open_bus(d, err);
	if (rc == 0) {
		tell_start(d);
		pause_remind(d);
		health_tell_gone(d->health, clock_wall_ms());
		haled_judge_config(d);
		rc = roster_boot(d, err);
	}
	state_file_done(&d->saved);
	haled_arm_due(d);
	return rc;
}

/* nng 1.5.2 deadlocks in about one of some hundred closes. By then everything is stopped and saved,
 * so haled does not wait for it longer than this. */
#define CLOSE_MAX_S 2

static void on_close_overdue(int signum)
{
	(void)signum;
	_exit(EXIT_SUCCESS);
}

static void on_failed_close_overdue(int signum)
{
	(void)signum;
	_exit(EXIT_FAILURE);
}

static void close_all(struct haled *d, int code)
{
	(void)signal(SIGALRM, code == EXIT_SUCCESS ? on_close_overdue : on_failed_close_overdue);
	(void)alarm(CLOSE_MAX_S);
	roster_close(d);
	if (d->commands != NULL)
		command_close(d->commands, NULL, NULL);
	hub_close(d->hub);
	for (size_t i = 0; i < ARRAY_LEN(d->signals); i++)
		uv_close((uv_handle_t *)&d->signals[i], NULL);
	uv_close((uv_handle_t *)&d->due_timer, NULL);
	uv_close((uv_handle_t *)&d->save_timer, NULL);
	uv_close((uv_handle_t *)&d->pause_timer, NULL);
	uv_close((uv_handle_t *)&d->notify_timer, NULL);
	tend_close(d);
	(void)uv_run(&d->loop, UV_RUN_DEFAULT);
	HALE_ASSERT(uv_loop_close(&d->loop) == 0);
	bus_finish();
	(void)alarm(0);
	health_free(d->health);
	config_free(d->config);
	free(d->reload_error);
	strlist_done(&d->idle);
	free(d->options.config_path);
	free(d->options.run_dir);
	free(d->options.state_dir);
	free(d->dirs.exe_dir);
	cleanup_fd(&d->lock_fd);
	cleanup_fd(&d->state_lock_fd);
	cleanup_fd(&d->options.ready_fd);
}

/* What its own processes left behind is nobody's else to end where haled is PID 1; elsewhere it is
 * init's, which may have been told to keep it. */
static void end_orphans(void)
{
	if (getpid() != 1)
		return;
	if (!init_end_orphans(ORPHAN_GRACE_MS))
		log_warn("something had to be killed for the container to stop");
}

int haled_run(struct haled *d)
{
	/* haled_open failed half-way: nothing to wait for. */
	if (d->commands == NULL || d->children_n < d->config->processes_n) {
		close_all(d, EXIT_FAILURE);
		return EXIT_FAILURE;
	}
	(void)uv_run(&d->loop, UV_RUN_DEFAULT);
	statefile_save(d);
	end_orphans();
	log_info("stopped");
	close_all(d, EXIT_SUCCESS);
	return EXIT_SUCCESS;
}
