/* SPDX-License-Identifier: Apache-2.0 */
/* roster - the children: started, watched, restarted, stopped in order */
#include "haled.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "proc/init.h"
#include "model/frame.h"
#include "proc/orphans.h"

/* ---- what children do, told ---- */

static void publish_process(struct haled *d, struct child *c, const char *event)
{
	char at[CLOCK_TEXT_MAX];
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:o}", "at", clock_now_text(at), "node",
				 d->config->node, "process", child_name(c), "event", event, "state",
				 child_encode(c));

	hub_publish(d->hub, TOPIC_PROCESS, line, NULL, true);
	json_decref(line);
}

static const char *component_of(const struct child *c)
{
	return child_spec(c)->component;
}

/* What is stopped on purpose, or not wanted, is no part of the total. */
static void count_process(struct haled *d, const struct child *c)
{
	const char *id = component_of(c);

	health_set_counted(d->health, id,
			   (child_state_of(c) != PROCESS_STOPPED || child_is_finished(c)) &&
				   child_is_enabled(c));
}

/* How it stands, for people: the verdict's message, and what on_failing is told. */
char *roster_message(const struct child *c)
{
	enum process_state state = child_state_of(c);
	const char *report = child_report(c);

	if (child_is_crash_looping(c))
		return mem_printf("Keeps crashing: %s", report);
	switch (state) {
	case PROCESS_READY:
		return mem_dup("Running");
	case PROCESS_BACKOFF:
		return mem_printf("Waits to be restarted: %s", report);
	case PROCESS_HELD:
		return mem_printf("Held until reload or start: %s", report);
	case PROCESS_WAITING:
		return mem_printf("Not started: %s", child_status_text(c));
	case PROCESS_STOPPED:
		return child_is_finished(c) ? mem_printf("Finished: %s", child_last_exit(c))
					    : mem_dup("Stopped");
	case PROCESS_STARTING:
		return mem_dup("Does not become ready");
	case PROCESS_STOPPING:
	case PROCESS_STATE_MAX:
		break;
	}
	return mem_dup("Is being stopped");
}

/* The verdict on a process as a component. Starting changes nothing: a restart that works at once
 * is told as a process event, not as an outage; nor does a wait that will end by itself. */
void roster_judge(struct haled *d, struct child *c)
{
	static const struct {
		enum outcome outcome;
		enum reason reason;
		bool is_told;
	} verdicts[PROCESS_STATE_MAX] = {
		[PROCESS_READY] = {OUTCOME_PASS, REASON_OK, true},
		[PROCESS_BACKOFF] = {OUTCOME_WARN, REASON_PROCESS_STARTING, true},
		[PROCESS_HELD] = {OUTCOME_DOWN, REASON_PROCESS_DOWN, true},
		[PROCESS_STOPPED] = {OUTCOME_ERROR, REASON_NO_DATA, true},
	};
	const char *id = component_of(c);
	HALE_CLEANUP(cleanup_free) char *text = roster_message(c);
	enum process_state state = child_state_of(c);
	int64_t now = clock_wall_ms();

	count_process(d, c);
	if (child_is_crash_looping(c))
		health_report(d->health, id, OUTCOME_FAIL, REASON_CRASH_LOOP, text, now);
	else if (child_is_finished(c))
		health_report(d->health, id, OUTCOME_PASS, REASON_OK, text, now);
	else if (state == PROCESS_WAITING && child_care(c)->is_stuck)
		health_report(d->health, id, OUTCOME_WARN, REASON_PROCESS_STARTING, text, now);
	else if (verdicts[state].is_told)
		health_report(d->health, id, verdicts[state].outcome, verdicts[state].reason, text,
			      now);
}

/* A checker that cannot check must not leave its components looking healthy. */
static void silence_components(struct haled *d, struct child *c, const char *event)
{
	HALE_CLEANUP(cleanup_free) char *text = NULL;
	enum process_state state = child_state_of(c);

	if (str_eq(event, "watchdog"))
		text = mem_printf("No data: %s does not respond", child_name(c));
	else if (state == PROCESS_HELD)
		text = mem_printf("No data: %s is held (%s)", child_name(c), child_last_exit(c));
	else if (state == PROCESS_STOPPED)
		text = mem_printf("No data: %s is stopped", child_name(c));
	else if (state == PROCESS_WAITING)
		text = mem_printf("No data: %s %s", child_name(c), child_status_text(c));
	if (text != NULL)
		health_silence(d->health, child_name(c), text, clock_wall_ms());
}

static void log_process(struct child *c, const char *event)
{
	const char *state = process_state_name(child_state_of(c));

	if (str_eq(event, "exit") || str_eq(event, "held"))
		log_warn("process ended unexpectedly", KV_S("process", child_name(c)),
			 KV_S("how", child_last_exit(c)), KV_S("state", state),
			 KV_I("failures", child_failures(c)));
	else if (str_eq(event, "watchdog") || str_eq(event, "start_timeout"))
		log_warn("process does not respond and is killed", KV_S("process", child_name(c)),
			 KV_S("why", event));
	else
		log_info("process", KV_S("process", child_name(c)), KV_S("event", event),
			 KV_S("state", state), KV_I("pid", child_pid(c)));
}

/* True once it has come up, or has shown that it does not. */
static bool is_seen(struct child *c)
{
	switch (child_state_of(c)) {
	case PROCESS_READY:
	case PROCESS_BACKOFF:
	case PROCESS_HELD:
	case PROCESS_STOPPED:
		return true;
	case PROCESS_WAITING:
		return child_care(c)->is_stuck;
	case PROCESS_STARTING:
	case PROCESS_STOPPING:
	case PROCESS_STATE_MAX:
		break;
	}
	return false;
}

/* init is told once each process has come up or has shown that it does not: one that keeps failing
 * must not have the others killed for starting too slowly. */
void roster_note_started(struct haled *d)
{
	size_t ready = 0, wanted = 0;

	if (d->is_ready || d->stop_stage >= 0)
		return;
	for (size_t i = 0; i < d->children_n; i++) {
		struct child *c = d->children[i];

		if (!is_seen(c))
			return;
		wanted += child_state_of(c) != PROCESS_STOPPED;
		ready += child_state_of(c) == PROCESS_READY;
	}
	d->is_ready = true;
	log_info(ready == wanted ? "all processes are ready" : "not all processes are ready",
		 KV_I("processes", wanted), KV_I("ready", ready),
		 KV_I("took_ms", clock_wall_ms() - d->started_ms));
	init_ready(&d->options.ready_fd);
	haled_tell_init(d);
}

/* What a former generation sent last may still be on its way when the next one starts; once that
 * one is ready it is not. */
static void forget_former(struct haled *d, const struct child *c, const char *event)
{
	if (str_eq(event, "start"))
		hub_forget(d->hub, child_name(c), child_generation(c) - 1);
	else if (str_eq(event, "ready"))
		hub_forget(d->hub, child_name(c), child_generation(c));
}

static void on_event(void *ctx, struct child *c, const char *event)
{
	struct haled *d = ctx;

	vital_note(&child_care(c)->vital, child_state_of(c), clock_mono_ms());
	log_process(c, event);
	publish_process(d, c, event);
	forget_former(d, c, event);
	if (d->stop_stage < 0) {
		roster_judge(d, c);
		silence_components(d, c, event);
		haled_arm_due(d);
	}
	d->is_state_dirty = true;
	tend_soon(d);
}

static void on_line(void *ctx, struct child *c, int priority, const char *text)
{
	(void)ctx;
	log_foreign(child_name(c), priority, text);
}

static void on_crash_loop(void *ctx, struct child *c, bool began)
{
	struct haled *d = ctx;
	HALE_CLEANUP(cleanup_free)
	char *text = began ? mem_printf("%s keeps crashing: %s", child_name(c), child_report(c))
			   : mem_printf("%s runs stably again", child_name(c));

	log_warn(began ? "process is crash-looping" : "process runs stably again",
		 KV_S("process", child_name(c)), KV_S("last_exit", child_last_exit(c)));
	haled_event(d, began ? "crash_loop" : "crash_loop_end", began ? "critical" : "info",
		    child_name(c), text, NULL);
	if (!began && d->stop_stage < 0)
		roster_judge(d, c);
}

/* ---- the table ---- */

static int add_child(struct haled *d, const struct process_spec *spec, struct err *err)
{
	const json_t *former = takeover_child(&d->takeover, spec->name);
	const json_t *saved = json_object_get(d->saved.processes, spec->name);
	const struct child_hooks hooks = {
		.on_event = on_event, .on_line = on_line, .on_crash_loop = on_crash_loop, .ctx = d};
	struct child *c;
	int rc = child_new(&d->loop, spec, &d->home, &hooks, former, &c, err);

	if (rc < 0)
		return rc;
	if (former == NULL && saved != NULL)
		child_recall(c, saved);
	d->children = mem_grow(d->children, d->children_n + 1, sizeof(struct child *));
	d->children[d->children_n++] = c;
	return 0;
}

/* ---- the pause ---- */

/* Checkers do not run while monitoring is paused. */
static bool is_paused(const struct haled *d, const struct process_spec *spec)
{
	return d->pause.is_active && !spec->is_user && str_starts(spec->name, "check.");
}

static void make_idle(struct haled *d, struct child *c)
{
	if (!strlist_has(&d->idle, child_name(c)))
		strlist_add(&d->idle, child_name(c));
	tend_ask(c, WISH_STOP);
}

static void start(struct haled *d, struct child *c)
{
	if (is_paused(d, child_spec(c)))
		make_idle(d, c);
	else
		tend_ask(c, WISH_START);
}

void roster_idle(struct haled *d)
{
	for (size_t i = 0; i < d->children_n; i++) {
		struct child *c = d->children[i];

		/* What somebody stopped by hand stays so afterwards. */
		if (is_paused(d, child_spec(c)) && child_is_enabled(c) &&
		    child_state_of(c) != PROCESS_STOPPED)
			make_idle(d, c);
	}
	tend(d);
}

void roster_wake(struct haled *d)
{
	struct strlist idle = d->idle;

	d->idle = (struct strlist){0};
	for (size_t i = 0; i < d->children_n; i++) {
		struct child *c = d->children[i];

		if (strlist_has(&idle, child_name(c)) && child_is_enabled(c))
			tend_ask(c, WISH_START);
	}
	tend(d);
	for (size_t i = 0; i < d->children_n; i++) {
		/* What happened to it meanwhile was not told as health. */
		roster_judge(d, d->children[i]);
		silence_components(d, d->children[i], "");
	}
	strlist_done(&idle);
}

/* Of a former haled of this process, and not in the configuration of this one. */
static void end_unknown(struct haled *d)
{
	const json_t *former;
	size_t i;

	json_array_foreach (json_object_get(d->takeover.state, "children"), i, former) {
		const char *name = json_string_value(json_object_get(former, "name"));
		pid_t pid = (pid_t)json_integer_value(json_object_get(former, "pid"));

		if (pid <= 1 || (name != NULL && roster_find(d, name) != NULL))
			continue;
		log_warn("process is not in the configuration and is killed", KV_S("process", name),
			 KV_I("pid", pid));
		(void)kill(-pid, SIGKILL);
		(void)kill(pid, SIGKILL);
		takeover_close(former);
	}
}

static bool is_told_to_stop(struct child *c)
{
	return child_is_leaving(c) || child_care(c)->wish == WISH_STOP;
}

static void start_or_keep(struct haled *d, struct child *c)
{
	bool is_former = takeover_child(&d->takeover, child_name(c)) != NULL;

	if (child_is_enabled(c) && (!is_former || is_paused(d, child_spec(c))))
		start(d, c);
	else if (is_former && child_differs(c, child_spec(c)) && !is_told_to_stop(c))
		tend_ask(c, WISH_RESTART);
}

int roster_boot(struct haled *d, struct err *err)
{
	for (size_t i = 0; i < d->config->processes_n; i++) {
		int rc = add_child(d, &d->config->processes[i], err);

		if (rc < 0)
			return rc;
	}
	end_unknown(d);
	for (size_t i = 0; i < d->children_n; i++)
		start_or_keep(d, d->children[i]);
	takeover_done(&d->takeover);
	/* Who ended while the programs changed has told nobody. */
	roster_reap(d);
	tend(d);
	return 0;
}

struct child *roster_find(const struct haled *d, const char *name)
{
	for (size_t i = 0; i < d->children_n; i++) {
		if (str_eq(child_name(d->children[i]), name))
			return d->children[i];
	}
	return NULL;
}

char *roster_hint(const struct haled *d, const char *name, bool with_components)
{
	size_t n = 0, parts = with_components ? health_size(d->health) : 0;
	const char **names = mem_array(parts + d->children_n + 1, sizeof(*names));
	const char *near;

	for (size_t i = 0; i < parts; i++)
		names[n++] = health_id(d->health, i);
	for (size_t i = 0; i < d->children_n; i++)
		names[n++] = child_name(d->children[i]);
	near = suggest_nearest(name, names);
	free(names);
	return near == NULL ? mem_dup("see: hale status") : mem_printf("did you mean '%s'?", near);
}

static int no_match(const struct haled *d, const char *name, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *hint = roster_hint(d, name, false);

	return err_set(err, -ENOENT, "no process is named '%s' (%s)", name, hint);
}

static bool is_in(struct child *const *list, size_t n, const struct child *c)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == c)
			return true;
	}
	return false;
}

int roster_match(const struct haled *d, const json_t *names, struct child **out, size_t *n_r,
		 struct err *err)
{
	json_t *name;
	size_t i, n = 0;

	json_array_foreach (names, i, name) {
		const char *glob = json_string_value(name);
		bool has_match = false;

		for (size_t j = 0; glob != NULL && j < d->children_n; j++) {
			/* What has left the configuration is on its way out and stays so. */
			if (fnmatch(glob, child_name(d->children[j]), 0) != 0 ||
			    config_process(d->config, child_name(d->children[j])) == NULL)
				continue;
			has_match = true;
			if (!is_in(out, n, d->children[j]))
				out[n++] = d->children[j];
		}
		if (!has_match)
			return no_match(d, glob == NULL ? "" : glob, err);
	}
	*n_r = n;
	return 0;
}

/* ---- reload ---- */

/* What is to become of a child under a new spec. What an operator is stopping is not brought back
 * by a change; what was given up and is wanted again before it has gone, is. */
static enum child_wish change_of(const struct haled *d, struct child *c,
				 const struct process_spec *spec)
{
	enum process_state state = child_state_of(c);
	bool is_down = state == PROCESS_STOPPED || state == PROCESS_STOPPING;
	bool is_back = !child_is_enabled(c) && spec != NULL && spec->is_enabled;

	if (spec == NULL)
		return state == PROCESS_STOPPED ? WISH_NONE : WISH_STOP;
	if (child_is_enabled(c) && !spec->is_enabled)
		return WISH_STOP;
	if (strlist_has(&d->idle, child_name(c)))
		return WISH_NONE;
	if (is_back && is_down)
		return WISH_START;
	if (is_told_to_stop(c) && !is_back)
		return WISH_NONE;
	return child_differs(c, spec) || state == PROCESS_HELD ? WISH_RESTART : WISH_NONE;
}

json_t *roster_plan(const struct haled *d, const struct config *config)
{
	json_t *changed = json_array(), *started = json_array(), *stopped = json_array();
	json_int_t unchanged = 0;

	for (size_t i = 0; i < d->children_n; i++) {
		struct child *c = d->children[i];
		const struct process_spec *spec = config_process(config, child_name(c));
		enum child_wish wish = change_of(d, c, spec);
		json_t *list = wish == WISH_START ? started : wish == WISH_STOP ? stopped : changed;

		if (wish != WISH_NONE)
			json_array_append_new(list, json_string(child_name(c)));
		else
			unchanged += spec != NULL;
	}
	for (size_t i = 0; i < config->processes_n; i++) {
		const struct process_spec *spec = &config->processes[i];

		if (spec->is_enabled && roster_find(d, spec->name) == NULL && !is_paused(d, spec))
			json_array_append_new(started, json_string(spec->name));
	}
	return json_pack("{s:o, s:o, s:o, s:I}", "changed", changed, "started", started, "stopped",
			 stopped, "unchanged", unchanged);
}

void roster_retire(struct haled *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->children_n; i++) {
		struct child *c = d->children[i];

		if (d->stop_stage < 0 && config_process(d->config, child_name(c)) == NULL &&
		    child_state_of(c) == PROCESS_STOPPED && child_pid(c) == 0) {
			/* Should it come back, its generations begin at 1 again. */
			hub_forget(d->hub, child_name(c), UINT64_MAX);
			child_close(c);
		} else {
			d->children[kept++] = c;
		}
	}
	d->children_n = kept;
}

int roster_grow(struct haled *d, const struct config *config, struct err *err)
{
	size_t before = d->children_n;

	for (size_t i = 0; i < config->processes_n; i++) {
		int rc;

		if (roster_find(d, config->processes[i].name) != NULL)
			continue;
		rc = add_child(d, &config->processes[i], err);
		if (rc < 0) {
			while (d->children_n > before)
				child_close(d->children[--d->children_n]);
			return rc;
		}
	}
	return 0;
}

void roster_apply(struct haled *d, size_t before)
{
	for (size_t i = 0; i < before; i++) {
		struct child *c = d->children[i];
		const struct process_spec *spec = config_process(d->config, child_name(c));
		enum child_wish wish = change_of(d, c, spec);

		/* It may still have waited to be stopped. */
		if (spec != NULL && spec->is_enabled && !child_is_enabled(c))
			tend_ask(c, WISH_NONE);
		if (spec == NULL)
			child_disable(c);
		else
			child_update(c, spec);
		if (wish == WISH_START)
			start(d, c);
		else if (wish != WISH_NONE)
			tend_ask(c, wish);
	}
	for (size_t i = before; i < d->children_n; i++) {
		if (child_is_enabled(d->children[i]))
			start(d, d->children[i]);
	}
	tend(d);
	/* The new component specs know of no process that an operator has stopped. */
	for (size_t i = 0; i < d->children_n; i++)
		count_process(d, d->children[i]);
}

/* ---- the end of processes ---- */

static struct child *by_pid(const struct haled *d, pid_t pid)
{
	for (size_t i = 0; i < d->children_n; i++) {
		if (child_pid(d->children[i]) == pid)
			return d->children[i];
	}
	for (size_t i = 0; i < d->errands_n; i++) {
		if (child_pid(d->errands[i]) == pid)
			return d->errands[i];
	}
	return NULL;
}

static bool is_ours(void *ctx, pid_t pid)
{
	const struct haled *d = ctx;

	/* Or of its group, which has just been killed with it. */
	return by_pid(d, pid) != NULL || by_pid(d, getpgid(pid)) != NULL;
}

/* What went into the background would otherwise be there twice after the next start. */
static void end_orphans(struct haled *d, const struct child *c)
{
	HALE_CLEANUP(cleanup_free) char *mark = mem_printf("HALE_PROGRAM=%s", child_name(c));
	size_t n = child_spec(c)->is_user ? orphans_kill(mark, child_pid(c), is_ours, d) : 0;

	if (n > 0)
		log_warn("program left processes behind, killed", KV_S("process", child_name(c)),
			 KV_I("processes", n),
			 KV_S("advice", "it must stay in the foreground (docs/programs.md)"));
}

void roster_reap(struct haled *d)
{
	for (;;) {
		siginfo_t info = {0};
		struct child *c;
		int status = 0;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			break;
		c = by_pid(d, info.si_pid);
		/* What it left behind in its session has nobody to answer to. Told so while it is
		 * a zombie: until then the number cannot be anybody else's. */
		if (c != NULL) {
			(void)kill(-info.si_pid, SIGKILL);
			end_orphans(d, c);
		}
		(void)waitpid(info.si_pid, &status, 0);
		if (c != NULL)
			child_reaped(c, status);
		else
			(void)reload_reaped(d, info.si_pid, status);
		/* Anybody else is an orphan that came to us as its reaper. */
	}
	if (d->stop_stage >= 0)
		roster_stop_next(d);
}

static bool is_stage_running(const struct haled *d, int stage)
{
	for (size_t i = 0; i < d->errands_n; i++) {
		if (child_pid(d->errands[i]) != 0)
			return true;
	}
	for (size_t i = 0; i < d->children_n; i++) {
		if (child_stop_stage(d->children[i]) == stage && child_pid(d->children[i]) != 0)
			return true;
	}
	return false;
}

/* Within a stage, what requires or comes after another goes before it. */
void roster_stop_next(struct haled *d)
{
	for (size_t i = 0; i < d->errands_n; i++)
		child_event(d->errands[i], CHILD_EV_STOP);
	while (d->stop_stage < CONFIG_STOP_STAGES) {
		int stage = d->stop_stage;

		for (size_t i = 0; i < d->children_n; i++) {
			if (child_stop_stage(d->children[i]) == stage)
				tend_ask(d->children[i], WISH_STOP);
		}
		tend(d);
		if (is_stage_running(d, stage))
			return;
		d->stop_stage++;
	}
	if (d->stop_stage == CONFIG_STOP_STAGES) {
		d->stop_stage++;
		uv_stop(&d->loop);
	}
}

void roster_close(struct haled *d)
{
	for (size_t i = 0; i < d->children_n; i++)
		child_close(d->children[i]);
	for (size_t i = 0; i < d->errands_n; i++)
		child_close(d->errands[i]);
	free(d->children);
	free(d->errands);
	d->children = d->errands = NULL;
	d->children_n = d->errands_n = 0;
}

void roster_forward(struct haled *d, int signum)
{
	const char *name = sigabbrev_np(signum);

	for (size_t i = 0; i < d->children_n; i++) {
		if (strlist_has(&child_spec(d->children[i])->forward, name))
			child_signal(d->children[i], signum);
		/* What logrotate renamed is not to be written on to. */
		child_reopen_log(d->children[i]);
	}
}
