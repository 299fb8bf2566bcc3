/* SPDX-License-Identifier: Apache-2.0 */
/* commands - what haled.ipc answers (docs/bus.md) */
#include "haled.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "proc/tail.h"

/* More lines than all tails of a large installation hold. */
#define LOGS_LIMIT_MAX 20000

static const char *text_param(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

static void call_status(void *ctx, struct command_request *rq, const json_t *params)
{
	command_reply(rq, haled_status(ctx, json_is_true(json_object_get(params, "brief"))));
}

/* By its name or that of its component: "notifier", "hale.notifier", "program.trader". */
static struct child *find_process(const struct haled *d, const char *name)
{
	struct child *c = roster_find(d, name);

	for (size_t i = 0; c == NULL && i < d->children_n; i++) {
		if (str_eq(child_spec(d->children[i])->component, name))
			c = d->children[i];
	}
	return c;
}

static void call_show(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;
	const char *name = text_param(params, "name");
	struct child *child;
	json_t *component, *result;

	if (name == NULL) {
		command_fail(rq, COMMAND_E_PARAMS, NULL, "show needs a name");
		return;
	}
	child = find_process(d, name);
	component = health_component(d->health, name);
	if (component == NULL && child == NULL) {
		HALE_CLEANUP(cleanup_free) char *hint = roster_hint(d, name, true);

		command_fail(rq, COMMAND_E_NOT_FOUND, NULL,
			     "no component or process is named '%s' (%s)", name, hint);
		return;
	}
	result = json_object();
	if (component != NULL)
		json_object_set_new(result, "component", component);
	if (component != NULL)
		json_object_set_new(result, "thresholds", health_thresholds(d->health, name));
	if (child != NULL) {
		json_t *process = child_encode(child);
		json_t *lines = json_array();

		tail_encode(child_tail(child), child_name(child), 0, TAIL_LINES, lines);
		json_object_set_new(process, "lines", lines);
		json_object_set_new(result, "process", process);
	}
	command_reply(rq, result);
}

static void call_logs(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;
	const char *name = text_param(params, "name");
	json_int_t after = json_integer_value(json_object_get(params, "after"));
	json_int_t limit = json_integer_value(json_object_get(params, "limit"));
	json_t *lines = json_array();
	const struct child *child;

	if (limit <= 0 || limit > LOGS_LIMIT_MAX)
		limit = TAIL_LINES;
	child = name == NULL ? NULL : find_process(d, name);
	if (name != NULL && child == NULL) {
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "no process is named '%s'", name);
		json_decref(lines);
		return;
	}
	for (size_t i = 0; i < d->children_n; i++) {
		if (child == NULL || child == d->children[i])
			tail_encode(child_tail(d->children[i]), child_name(d->children[i]),
				    after < 0 ? 0 : (uint64_t)after, TAIL_LINES, lines);
	}
	command_reply(rq, json_pack("{s:o, s:I}", "lines", tail_newest(lines, (size_t)limit),
				    "next", (json_int_t)d->line_counter));
	json_decref(lines);
}

static bool has_refused_idle(const struct haled *d, struct command_request *rq,
			     struct child *const *matched, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strlist_has(&d->idle, child_name(matched[i])))
			continue;
		command_fail(rq, COMMAND_E_REFUSED, NULL,
			     "monitoring is paused, %s does not run (see: hale resume)",
			     child_name(matched[i]));
		return true;
	}
	return false;
}

static void process_event(struct haled *d, struct command_request *rq, const json_t *params,
			  enum child_wish wish)
{
	const json_t *names = json_object_get(params, "names");
	struct child **matched;
	struct err err;
	size_t n = 0;
	json_t *out;

	if (json_array_size(names) == 0) {
		command_fail(rq, COMMAND_E_PARAMS, NULL, "names must list processes");
		return;
	}
	/* What is started behind its stage's back would be stopped by nobody. */
	if (d->stop_stage >= 0) {
		command_fail(rq, COMMAND_E_REFUSED, NULL, "haled is stopping");
		return;
	}
	matched = mem_array(d->children_n, sizeof(struct child *));
	if (roster_match(d, names, matched, &n, &err) < 0) {
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "%s", err.text);
		free(matched);
		return;
	}
	if (wish != WISH_STOP && has_refused_idle(d, rq, matched, n)) {
		free(matched);
		return;
	}
	out = json_array();
	for (size_t i = 0; i < n; i++) {
		bool is_down = child_state_of(matched[i]) == PROCESS_STOPPED;

		json_array_append_new(out, json_string(child_name(matched[i])));
		if (wish == WISH_STOP) /* and not again after the pause */
			strlist_drop(&d->idle, child_name(matched[i]));
		/* Asked to restart what is stopped, people mean: have it run. */
		tend_ask(matched[i], wish == WISH_RESTART && is_down ? WISH_START : wish);
	}
	tend(d);
	free(matched);
	command_reply(rq, json_pack("{s:o}", "processes", out));
}

static void call_restart(void *ctx, struct command_request *rq, const json_t *params)
{
	process_event(ctx, rq, params, WISH_RESTART);
}

static void call_stop(void *ctx, struct command_request *rq, const json_t *params)
{
	process_event(ctx, rq, params, WISH_STOP);
}

static void call_start(void *ctx, struct command_request *rq, const json_t *params)
{
	process_event(ctx, rq, params, WISH_START);
}

static void call_reload(void *ctx, struct command_request *rq, const json_t *params)
{
	(void)params;
	reload_start(ctx, rq, RELOAD_APPLY);
}

static void call_config_diff(void *ctx, struct command_request *rq, const json_t *params)
{
	(void)params;
	reload_start(ctx, rq, RELOAD_DRY);
}

static void call_upgrade(void *ctx, struct command_request *rq, const json_t *params)
{
	(void)params;
	reload_start(ctx, rq, RELOAD_UPGRADE);
}

static void call_config_show(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;

	(void)params;
	command_reply(rq, config_masked(d->config));
}

static void call_config_section(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;
	const char *name = text_param(params, "name");
	json_t *whole = config_whole(d->config);
	json_t *section = name == NULL ? NULL : json_object_get(whole, name);

	if (section == NULL)
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "no such section");
	else
		command_reply(rq, json_incref(section));
	json_decref(whole);
}

static json_t *snapshot(void *ctx)
{
	return haled_status(ctx, false);
}

static void call_replay(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;
	struct err err;
	json_t *result = hub_replay(d->hub, params, snapshot, d, &err);

	if (result == NULL)
		command_fail(rq, COMMAND_E_PARAMS, NULL, "%s", err.text);
	else
		command_reply(rq, result);
}

static void call_ping(void *ctx, struct command_request *rq, const json_t *params)
{
	struct haled *d = ctx;

	(void)params;
	command_reply(rq,
		      json_pack("{s:s, s:I, s:I, s:I, s:s, s:I}", "service", "haled", "generation",
				(json_int_t)d->generation, "pid", (json_int_t)getpid(), "uptime_ms",
				(json_int_t)(clock_wall_ms() - d->started_ms), "epoch",
				hub_epoch(d->hub), "head", (json_int_t)hub_head(d->hub)));
}

static void call_log_level(void *ctx, struct command_request *rq, const json_t *params)
{
	const char *name = text_param(params, "level");
	enum log_level level;

	(void)ctx;
	if (name == NULL || !log_level_parse(name, &level)) {
		command_fail(rq, COMMAND_E_PARAMS, NULL,
			     "level must be one of debug, info, warn, error");
		return;
	}
	log_set_level(level);
	command_reply(rq, json_pack("{s:s}", "level", name));
}

static void call_methods(void *ctx, struct command_request *rq, const json_t *params)
{
	json_t *out = json_array();

	(void)ctx;
	(void)params;
	for (const struct command_method *m = haled_methods; m->name != NULL; m++)
		json_array_append_new(out,
				      json_pack("{s:s, s:s}", "name", m->name, "help", m->help));
	command_reply(rq, json_pack("{s:o}", "methods", out));
}

const struct command_method haled_methods[] = {
	{"status", call_status, "{brief}: everything; brief without components, processes"},
	{"show", call_show, "{name}: one component or process"},
	{"logs", call_logs, "{name, after, limit}: last lines of the processes"},
	{"process.restart", call_restart, "{names}: globs are fine"},
	{"process.stop", call_stop, "{names}"},
	{"process.start", call_start, "{names}"},
	{"reload", call_reload, "reads the configuration again; keeps the old one if it is wrong"},
	{"upgrade", call_upgrade, "becomes the binary on disk, keeps all processes"},
	{"config.diff", call_config_diff, "what a reload would do, without doing it"},
	{"monitoring.pause", pause_call,
	 "{for_ms, reason}: nothing is checked and no alert moves until it is resumed"},
	{"monitoring.resume", pause_call_resume, "monitoring goes on"},
	{"config.show", call_config_show, "the configuration in force, secrets masked"},
	{"config.section", call_config_section, "{name}: one section, unmasked"},
	{"bus.replay", call_replay, "{epoch, after}: what was published since"},
	{"ping", call_ping, "who answers, and how far the bus has come"},
	{"log.level", call_log_level, "{level}: debug, info, warn, error"},
	{"methods", call_methods, "this list"},
	{NULL, NULL, NULL},
};
