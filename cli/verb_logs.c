/* SPDX-License-Identifier: Apache-2.0 */
/* hale logs: what the processes wrote, and what they write now */
#include "verbs.h"

#include "bus/command.h"
#include "field.h"
#include "process_view.h"

#define DEFAULT_LINES 50
#define FOLLOW_MS     300
/* haled keeps fewer lines of one process; a burst between two looks is taken whole. */
#define FOLLOW_LINES  10000

static void print_lines(struct cli *cli, const json_t *answer, bool with_process)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *line;
	size_t i;

	json_array_foreach (field_array(answer, "lines"), i, line) {
		if (cli->is_json)
			cli_json_line(cli, line);
		else
			log_line_add(&out, line, cli->has_colour, with_process);
	}
	cli_print(cli, &out);
	(void)fflush(cli->out);
}

static json_t *question(const char *name, json_int_t after, json_int_t limit)
{
	return json_pack("{s:s?, s:I, s:I}", "name", name, "after", after, "limit", limit);
}

static int follow(struct cli *cli, const char *name, json_int_t after)
{
	while (ferror(cli->out) == 0) {
		json_t *answer = NULL;
		json_int_t next;
		int code;

		cli_pause(FOLLOW_MS);
		code = cli_ask(cli, "haled", "logs", question(name, after, FOLLOW_LINES),
			       CLI_TIMEOUT_MS, &answer);
		if (code != 0)
			return code;
		next = field_int(answer, "next", after);
		/* A new haled counts from the start again. */
		if (next >= after)
			print_lines(cli, answer, name == NULL);
		after = next >= after ? next : 0;
		json_decref(answer);
	}
	return CLI_DONE;
}

int verb_logs(struct cli *cli, const struct args *args)
{
	const char *name = args_word(args, 0);
	json_int_t limit = args_number(args, "lines", DEFAULT_LINES);
	json_int_t next = 0;
	json_t *answer = NULL;
	int code;

	if ((name == NULL) != args_is(args, "all"))
		return cli_refuse(cli, CLI_USAGE, "logs: name a process, or say --all");
	/* One line is asked for even if none is wanted: the answer tells where following begins. */
	code = cli_ask(cli, "haled", "logs", question(name, 0, HALE_MAX(limit, 1)), CLI_TIMEOUT_MS,
		       &answer);
	if (code != 0)
		return code;
	next = field_int(answer, "next", 0);
	if (limit > 0)
		print_lines(cli, answer, name == NULL);
	json_decref(answer);
	return args_is(args, "follow") ? follow(cli, name, next) : CLI_DONE;
}
