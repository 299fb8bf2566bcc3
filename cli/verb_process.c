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
#include "process_names.h"
#include "process_view.h"
#include "text.h"
#include "wait_ready.h"

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
	if (is_in(now, "ready") || field_true(now, "finished"))
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
	json_t *first;      /* status before the first of several in turn; NULL: all at once */
	json_t *before;     /* status, from just before it was asked */
	json_t *names;      /* still waited for */
	size_t name_width;  /* of the widest, where several are told of */
	int64_t timeout_ms; /* for what was asked together */
	int64_t asked_ms;   /* wall */
	json_t *outcome;    /* what is told goes here instead; may be NULL */
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

	if (w->outcome != NULL) {
		json_array_append_new(w->outcome, line);
		return;
	}
	cli_json_line(w->cli, line);
	(void)fflush(w->cli->out);
	json_decref(line);
}

static void add_name(const struct wait *w, struct str *out, const char *name)
{
	text_add(out, name);
	for (size_t used = text_width(name); used < w->name_width; used++)
		str_addc(out, ' ');
}

static void say_reached(struct wait *w, const char *name, const json_t *now)
{
	const json_t *pid = json_object_get(now, "pid");
	const char *done = field_true(now, "finished") ? "finished" : w->goal->done;
	HALE_CLEANUP(str_done) struct str line = {0};
	char took[TEXT_TIME_MAX];
	int64_t since_ms;

	add_name(w, &line, name);
	if (!field_time(now, "since", &since_ms) || since_ms < w->asked_ms)
		str_addf(&line, " is already %s", done);
	else
		str_addf(&line, " %s in %s", done,
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

	add_name(w, &line, name);
	if (is_in(now, w->goal->done))
		str_add(&line, " has not restarted: it is still the one from before");
	else
		str_addf(&line, " is not %s but %s", w->goal->done, field_or(now, "state", "gone"));
	/* What it waits for matters more than how it once ended. */
	if (is_in(now, "waiting") && field_text(now, "status_text") != NULL)
		str_add(&how, field_text(now, "status_text"));
	else
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
	if (w->cli->is_json || w->outcome != NULL)
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

static int wait_all(struct wait *w)
{
	int64_t deadline_ms = clock_mono_ms() + w->timeout_ms;

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

/* ---- telling ---- */

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

static void measure(struct wait *w, const json_t *names)
{
	json_t *name;
	size_t i;

	w->name_width = 0;
	json_array_foreach ((json_t *)(uintptr_t)names, i, name) {
		const char *text = json_string_value(name);

		w->name_width = HALE_MAX(w->name_width, text_width(text == NULL ? "?" : text));
	}
}

int wait_ready(struct cli *cli, const json_t *names, const struct wait_ready *ready)
{
	struct wait w = {.cli = cli,
			 .goal = &restart_goal,
			 .before = (json_t *)(uintptr_t)ready->before,
			 .names = json_copy((json_t *)(uintptr_t)names),
			 .asked_ms = ready->asked_ms,
			 .timeout_ms = ready->timeout_ms,
			 .outcome = ready->outcome};
	int code;

	measure(&w, names);
	code = wait_all(&w);
	json_decref(w.names);
	return code;
}

static int ask(struct wait *w, json_t *names /* borrowed */, json_t **answer_r)
{
	w->asked_ms = clock_wall_ms();
	return cli_ask(w->cli, "haled", w->goal->method, json_pack("{s:O}", "names", names),
		       CLI_TIMEOUT_MS, answer_r);
}

static int tell_together(struct wait *w, json_t *names, bool is_waiting)
{
	json_t *answer = NULL;
	int code = ask(w, names, &answer);

	if (code == 0 && !is_waiting) {
		say_asked(w->cli, answer);
	} else if (code == 0) {
		w->names = json_incref(field_array(answer, "processes"));
		measure(w, w->names);
		code = wait_all(w);
		json_decref(w->names);
	}
	json_decref(answer);
	return code;
}

/* On a terminal the name stands there while its turn lasts. */
static void say_turn(struct wait *w, const char *name)
{
	HALE_CLEANUP(str_done) struct str line = {0};

	if (w->cli->is_json || w->cli->width == 0)
		return;
	/* The line that tells the outcome begins at the same place, and is longer. */
	text_add(&line, name);
	str_add(&line, " …\r");
	cli_print(w->cli, &line);
	(void)fflush(w->cli->out);
}

/* What requires another is restarted with it: once is enough. */
static bool was_taken_along(const struct wait *w, const char *name)
{
	return w->goal == &restart_goal &&
	       is_younger(process_of(w->first, name), process_of(w->before, name));
}

static int tell_one(struct wait *w, const char *name)
{
	json_t *one = json_pack("[s]", name), *answer = NULL;
	int code;

	json_decref(w->before);
	w->before = NULL;
	code = cli_ask(w->cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &w->before);
	if (code == 0)
		say_turn(w, name);
	if (code == 0 && was_taken_along(w, name)) {
		json_decref(w->before);
		w->before = json_incref(w->first);
	} else if (code == 0) {
		code = ask(w, one, &answer);
	}
	if (code == 0) {
		w->names = one;
		code = wait_all(w);
	}
	json_decref(answer);
	json_decref(one);
	return code;
}

static void say_left(struct wait *w, const json_t *names, size_t first)
{
	HALE_CLEANUP(str_done) struct str line = {0};

	for (size_t i = first; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (w->cli->is_json) {
			json_t *left =
				json_pack("{s:s, s:b, s:b}", "name", name, "done", 0, "skipped", 1);

			cli_json_line(w->cli, left);
			json_decref(left);
		} else {
			str_addf(&line, "%s%s", i > first ? ", " : "left alone: ", name);
		}
	}
	if (line.len > 0)
		cli_say(w->cli, TONE_WARN, str_text(&line));
}

/* The next only when the former is there: the first failure ends it. */
static int tell_in_turn(struct wait *w, const json_t *names)
{
	w->first = json_incref(w->before);
	measure(w, names);
	for (size_t i = 0; i < json_array_size(names); i++) {
		int code = tell_one(w, json_string_value(json_array_get(names, i)));

		if (code == CLI_DONE)
			continue;
		say_left(w, names, i + 1);
		return code;
	}
	return CLI_DONE;
}

/* Who stopped a process wants it to stay so when everything is restarted. */
static void drop_stopped(struct wait *w, json_t *names)
{
	for (size_t i = 0; i < json_array_size(names);) {
		const char *name = json_string_value(json_array_get(names, i));

		if (!is_in(process_of(w->before, name), "stopped")) {
			i++;
			continue;
		}
		if (!w->cli->is_json) {
			HALE_CLEANUP(cleanup_free)
			char *line = mem_printf("%s %s and stays so", name,
						field_true(process_of(w->before, name), "finished")
							? "has finished"
							: "is stopped");

			cli_say(w->cli, TONE_DIM, line);
		}
		json_array_remove(names, i);
	}
}

/* The names that are meant, or NULL with the exit code. */
static json_t *names_of(struct wait *w, const struct args *args, int *code)
{
	struct err err = {0};
	json_t *names;

	if (!args_is(args, "all")) {
		names = process_names_expand(w->before, &args->words, &err);
		if (names == NULL)
			*code = cli_refuse(w->cli, CLI_USAGE, "%s", err.text);
		return names;
	}
	/* What others need is started first, and stopped last. */
	names = process_names_all(w->before, w->goal == &start_goal);
	if (w->goal == &restart_goal)
		drop_stopped(w, names);
	return names;
}

static int tell(struct cli *cli, const struct args *args, const struct goal *goal)
{
	struct wait w = {.cli = cli,
			 .goal = goal,
			 .timeout_ms = args_number(args, "timeout", WAIT_DEFAULT_MS)};
	bool is_all = args_is(args, "all"), is_waiting = !args_is(args, "no-wait");
	bool in_turn = args_is(args, "in-turn") || (is_all && !args_is(args, "together"));
	json_t *names;
	int code;

	if ((args->words.n > 0) == is_all)
		return cli_refuse(cli, CLI_USAGE, "%s: name processes, or say --all",
				  cli->verb->name);
	if (args_is(args, "in-turn") && (args_is(args, "together") || !is_waiting))
		return cli_refuse(cli, CLI_USAGE, "%s: --in-turn has to wait for each",
				  cli->verb->name);
	code = cli_ask(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &w.before);
	if (code != 0)
		return code;
	names = names_of(&w, args, &code);
	if (json_array_size(names) > 0)
		code = in_turn && is_waiting ? tell_in_turn(&w, names)
					     : tell_together(&w, names, is_waiting);
	json_decref(names);
	json_decref(w.first);
	json_decref(w.before);
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
