/* SPDX-License-Identifier: Apache-2.0 */
/* hale restart, stop, start: tells haled, then watches until it is so
 *
 * haled answers at once with the processes it means; what becomes of them is read from its status.
 * A restart has worked when a younger generation than before is ready.
 */
#include "verbs.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/command.h"
#include "field.h"
#include "process_view.h"
#include "text.h"

#define WAIT_DEFAULT_MS 30000
#define LOOK_MS         20 /* between two looks: below what a person notices */
#define FAILURE_LINES   5

enum verdict { STILL_WAITING, REACHED, GIVEN_UP };

struct goal {
	const char *method;
	const char *done; /* "ready": what is said when it is so */
	enum verdict (*judge)(const json_t *before, const json_t *now);
};

static bool is_in(const json_t *process, const char *state)
{
	return str_eq(field_text(process, "state"), state);
}

static bool is_younger(const json_t *before, const json_t *now)
{
	return before == NULL ||
	       field_int(now, "generation", 0) > field_int(before, "generation", 0);
}

static enum verdict judge_ready(const json_t *now)
{
	if (is_in(now, "ready"))
		return REACHED;
	/* Held waits for people. One that ended by itself, as it should, will not become ready. */
	return is_in(now, "held") || is_in(now, "stopped") ? GIVEN_UP : STILL_WAITING;
}

static enum verdict judge_restart(const json_t *before, const json_t *now)
{
	return is_younger(before, now) ? judge_ready(now) : STILL_WAITING;
}

static enum verdict judge_start(const json_t *before, const json_t *now)
{
	if (is_in(before, "ready"))
		return REACHED;
	/* What was stopped or held before is no outcome until something was tried. */
	return is_younger(before, now) || is_in(now, "ready") ? judge_ready(now) : STILL_WAITING;
}

static enum verdict judge_stop(const json_t *before, const json_t *now)
{
	(void)before;
	return is_in(now, "stopped") && !json_is_integer(json_object_get(now, "pid"))
		       ? REACHED
		       : STILL_WAITING;
}

static const struct goal restart_goal = {"process.restart", "ready", judge_restart};
static const struct goal start_goal = {"process.start", "ready", judge_start};
static const struct goal stop_goal = {"process.stop", "stopped", judge_stop};

struct wait {
	struct cli *cli;
	const struct goal *goal;
	json_t *before;   /* status */
	json_t *names;    /* still waited for */
	int64_t asked_ms; /* wall */
	bool has_failed;
};

static json_t *process_of(const json_t *status, const char *name)
{
	return field_find(field_array(status, "processes"), "name", name);
}

static void say_json(struct wait *w, const char *name, const json_t *process, bool is_reached)
{
	json_t *line =
		json_pack("{s:s, s:b, s:O?}", "name", name, "done", is_reached, "process", process);

	cli_json_line(w->cli, line);
	json_decref(line);
}

static void say_reached(struct wait *w, const char *name, const json_t *now)
{
	const json_t *pid = json_object_get(now, "pid");
	HALE_CLEANUP(str_done) struct str line = {0};
	char took[TEXT_TIME_MAX];
	int64_t since_ms;

	text_add(&line, name);
	if (!field_time(now, "since", &since_ms) || since_ms < w->asked_ms)
		str_addf(&line, " is already %s", w->goal->done);
	else
		str_addf(&line, " %s in %s", w->goal->done,
			 text_took((double)(since_ms - w->asked_ms), took));
	if (json_is_integer(pid))
		str_addf(&line, " (pid %lld)", (long long)json_integer_value(pid));
	str_addc(&line, '\n');
	cli_print(w->cli, &line);
	(void)fflush(w->cli->out);
}

/* Its last words, as far as haled still knows them. */
static void add_lines(struct wait *w, struct str *out, const char *name)
{
	struct err err = {0};
	json_t *answer = NULL;

	if (cli_try(w->cli, "haled", "logs",
		    json_pack("{s:s, s:i, s:i}", "name", name, "after", 0, "limit", FAILURE_LINES),
		    CLI_TIMEOUT_MS, &answer, NULL, &err) == 0)
		log_lines_add(out, field_array(answer, "lines"), FAILURE_LINES, 4,
			      w->cli->has_colour);
	json_decref(answer);
}

static void say_failed(struct wait *w, const char *name, const json_t *now)
{
	HALE_CLEANUP(str_done) struct str line = {0}, how = {0};
	const json_t *last_exit = json_object_get(now, "last_exit");

	str_addf(&line, "%s is not %s but %s", name, w->goal->done, field_or(now, "state", "gone"));
	exit_describe(&how, last_exit);
	if (how.len > 0)
		str_addf(&line, ": %s", str_text(&how));
	str_clear(&how);
	paint_add(&how, w->cli->has_colour, TONE_BAD, str_text(&line));
	str_addc(&how, '\n');
	add_lines(w, &how, name);
	cli_print(w->cli, &how);
}

static void settle(struct wait *w, const char *name, const json_t *now, bool is_reached)
{
	w->has_failed |= !is_reached;
	if (w->cli->is_json)
		say_json(w, name, now, is_reached);
	else if (is_reached)
		say_reached(w, name, now);
	else
		say_failed(w, name, now);
}

/* Those which are decided leave the list; when time is up, all are. */
static void look(struct wait *w, const json_t *status, bool is_late)
{
	for (size_t i = 0; i < json_array_size(w->names);) {
		const char *name = json_string_value(json_array_get(w->names, i));
		const json_t *now = process_of(status, name);
		enum verdict v =
			now == NULL ? GIVEN_UP : w->goal->judge(process_of(w->before, name), now);

		if (v == STILL_WAITING && !is_late) {
			i++;
			continue;
		}
		settle(w, name == NULL ? "?" : name, now, v == REACHED);
		json_array_remove(w->names, i);
	}
}

static int wait_all(struct wait *w, int64_t timeout_ms)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;

	while (json_array_size(w->names) > 0) {
		bool is_late = clock_mono_ms() >= deadline_ms;
		json_t *status = NULL;
		int code = cli_ask(w->cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status);

		if (code != 0)
			return code;
		look(w, status, is_late);
		json_decref(status);
		if (json_array_size(w->names) > 0)
			cli_pause(LOOK_MS);
	}
	return w->has_failed ? CLI_FAILED : CLI_DONE;
}

static void say_asked(struct cli *cli, const json_t *answer)
{
	json_t *name;
	size_t i;

	if (cli->is_json) {
		cli_json(cli, answer);
		return;
	}
	json_array_foreach (field_array(answer, "processes"), i, name)
		cli_say(cli, TONE_PLAIN, json_is_string(name) ? json_string_value(name) : "?");
}

static int tell(struct cli *cli, const struct args *args, const struct goal *goal)
{
	struct wait w = {.cli = cli, .goal = goal};
	json_t *names = json_array(), *answer = NULL;
	int code;

	for (size_t i = 0; i < args->words.n; i++)
		json_array_append_new(names, json_string(args->words.v[i]));
	code = cli_ask(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &w.before);
	w.asked_ms = clock_wall_ms();
	if (code == 0)
		code = cli_ask(cli, "haled", goal->method, json_pack("{s:O}", "names", names),
			       CLI_TIMEOUT_MS, &answer);
	if (code == 0 && args_is(args, "no-wait")) {
		say_asked(cli, answer);
	} else if (code == 0) {
		w.names = json_incref(field_array(answer, "processes"));
		code = wait_all(&w, args_number(args, "timeout", WAIT_DEFAULT_MS));
		json_decref(w.names);
	}
	json_decref(w.before);
	json_decref(answer);
	json_decref(names);
	return code;
}

int verb_restart(struct cli *cli, const struct args *args)
{
	return tell(cli, args, &restart_goal);
}

int verb_start(struct cli *cli, const struct args *args)
{
	return tell(cli, args, &start_goal);
}

int verb_stop(struct cli *cli, const struct args *args)
{
	return tell(cli, args, &stop_goal);
}
