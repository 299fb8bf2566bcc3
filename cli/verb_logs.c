/* SPDX-License-Identifier: Apache-2.0 */
/* hale logs: what the processes wrote, and what they write now
 *
 * haled knows the lines of one process, or of all. Of several, all are asked for, and those of the
 * others left out here.
 */
#include "verbs.h"

#include "bus/command.h"
#include "field.h"
#include "process_names.h"
#include "process_view.h"

#define DEFAULT_LINES 50
#define FOLLOW_MS     300
/* haled keeps fewer lines of one process; a burst between two looks is taken whole. */
#define FOLLOW_LINES  10000

struct logs {
	struct cli *cli;
	const char *name; /* one process; NULL: all */
	json_t *names;    /* of all, those of these; NULL: every one */
};

static bool is_wanted(const struct logs *l, const json_t *line)
{
	const char *process = field_text(line, "process");
	json_t *name;
	size_t i;

	json_array_foreach (l->names, i, name) {
		if (process != NULL && str_eq(json_string_value(name), process))
			return true;
	}
	return l->names == NULL;
}

/* The last `limit` of those that are wanted. */
static void print_lines(const struct logs *l, const json_t *answer, size_t limit)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *line, *wanted = json_array();
	size_t i, n;

	json_array_foreach (field_array(answer, "lines"), i, line) {
		if (is_wanted(l, line))
			json_array_append(wanted, line);
	}
	n = json_array_size(wanted);
	for (i = n > limit ? n - limit : 0; i < n; i++) {
		line = json_array_get(wanted, i);
		if (l->cli->is_json)
			cli_json_line(l->cli, line);
		else
			log_line_add(&out, line, l->cli->has_colour, l->name == NULL);
	}
	json_decref(wanted);
	cli_print(l->cli, &out);
	(void)fflush(l->cli->out);
}

static json_t *question(const struct logs *l, json_int_t after, json_int_t limit)
{
	return json_pack("{s:s?, s:I, s:I}", "name", l->name, "after", after, "limit", limit);
}

static int follow(const struct logs *l, json_int_t after)
{
	while (ferror(l->cli->out) == 0) {
		json_t *answer = NULL;
		json_int_t next;
		int code;

		cli_pause(FOLLOW_MS);
		code = cli_ask(l->cli, "haled", "logs", question(l, after, FOLLOW_LINES),
			       CLI_TIMEOUT_MS, &answer);
		if (code != 0)
			return code;
		next = field_int(answer, "next", after);
		/* A new haled counts from the start again. */
		if (next >= after)
			print_lines(l, answer, FOLLOW_LINES);
		after = next >= after ? next : 0;
		json_decref(answer);
	}
	return CLI_DONE;
}

static int show(const struct logs *l, json_int_t limit, bool is_following)
{
	json_t *answer = NULL;
	json_int_t next;
	/* One line is asked for even if none is wanted: the answer tells where following begins. */
	json_int_t asked = l->names != NULL ? FOLLOW_LINES : HALE_MAX(limit, 1);
	int code = cli_ask(l->cli, "haled", "logs", question(l, 0, asked), CLI_TIMEOUT_MS, &answer);

	if (code != 0)
		return code;
	next = field_int(answer, "next", 0);
	if (limit > 0)
		print_lines(l, answer, (size_t)limit);
	json_decref(answer);
	return is_following ? follow(l, next) : CLI_DONE;
}

/* haled refuses one unknown name by itself; among several it would only be silent. */
static int refuse_unknown(struct cli *cli, const json_t *status, const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)names, i, name) {
		if (field_find(field_array(status, "processes"), "name", json_string_value(name)) ==
		    NULL)
			return cli_refuse(cli, CLI_USAGE,
					  "no process is named '%s' (see: hale status)",
					  json_string_value(name));
	}
	return 0;
}

int verb_logs(struct cli *cli, const struct args *args)
{
	struct logs l = {.cli = cli};
	json_t *status = NULL, *names = NULL;
	struct err err = {0};
	int code = 0;

	if ((args->words.n == 0) != args_is(args, "all"))
		return cli_refuse(cli, CLI_USAGE, "logs: name a process, or say --all");
	if (args->words.n > 0) {
		(void)cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status, NULL, &err);
		names = process_names_expand(status, &args->words, &err);
		if (names == NULL)
			code = cli_refuse(cli, CLI_USAGE, "%s", err.text);
	}
	if (json_array_size(names) == 1) {
		l.name = json_string_value(json_array_get(names, 0));
	} else if (names != NULL) {
		l.names = names;
		code = refuse_unknown(cli, status, names);
	}
	if (code == 0)
		code = show(&l, args_number(args, "lines", DEFAULT_LINES), args_is(args, "follow"));
	json_decref(names);
	json_decref(status);
	return code;
}
