/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "bus/command.h"
#include "field.h"
#include "process_names.h"
#include "process_view.h"
#include "table.h"
#include "verbs.h"

#define VERBS_MAX   64 /* names offered as a suggestion */
/* Enough for one value without the noise of its binary form. */
#define REAL_DIGITS 15

/* ---- output ---- */

int64_t cli_now(const struct cli *cli)
{
	return cli->now_ms != 0 ? cli->now_ms : clock_wall_ms();
}

void cli_pause(uint32_t ms)
{
	(void)poll(NULL, 0, (int)ms);
}

void cli_print(struct cli *cli, const struct str *text)
{
	(void)fwrite(str_text(text), 1, text->len, cli->out);
}

void cli_say(struct cli *cli, enum tone tone, const char *text)
{
	HALE_CLEANUP(str_done) struct str line = {0};

	paint_add(&line, cli->has_colour, tone, text);
	str_addc(&line, '\n');
	cli_print(cli, &line);
}

static void dump(struct cli *cli, const json_t *value, size_t flags)
{
	(void)json_dumpf(value, cli->out,
			 flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS));
	(void)fputc('\n', cli->out);
}

void cli_json(struct cli *cli, const json_t *value)
{
	dump(cli, value, JSON_INDENT(2));
}

void cli_json_line(struct cli *cli, const json_t *value)
{
	dump(cli, value, JSON_COMPACT);
}

int cli_refuse(struct cli *cli, enum cli_exit code, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	(void)fprintf(cli->err, "hale: %s\n", str_text(&text));
	return cli->verb != NULL && cli->verb->is_verdict ? CLI_NO_HALE : (int)code;
}

/* ---- asking ---- */

int cli_try(const struct cli *cli, const char *service, const char *method, json_t *params,
	    uint32_t timeout_ms, json_t **result_r, json_t **data_r, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *name = mem_printf("%s.ipc", service);
	HALE_CLEANUP(cleanup_free) char *path = path_join(cli->run_dir, name);

	return command_call_sync(path, method, params, timeout_ms, result_r, data_r, err);
}

/* The socket is not there, or nobody listens at it. */
static bool is_absent(int code, const struct err *err)
{
	return code == COMMAND_E_NO_PEER && str_starts(err->text, "no hale is running at");
}

static int tell_no_process(struct cli *cli, const json_t *status, const char *name)
{
	const json_t *processes = field_array(status, "processes");
	const char **names = mem_array(json_array_size(processes) + 1, sizeof(*names));
	const char *near;
	json_t *process;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)processes, i, process)
		names[i] = field_or(process, "name", "");
	near = suggest_nearest(name, names);
	free(names);
	if (near != NULL)
		return cli_refuse(cli, CLI_USAGE, "no process is named '%s' (did you mean '%s'?)",
				  name, near);
	return cli_refuse(cli, CLI_USAGE, "no process is named '%s' (see: hale status)", name);
}

/* haled runs: why this one does not answer is in its status. */
static int tell_silent(struct cli *cli, const json_t *status, const char *service)
{
	const json_t *process = field_find(field_array(status, "processes"), "name", service);

	/* It runs only where it has something to do. */
	if (process == NULL && str_eq(service, "reconciler"))
		return cli_refuse(cli, CLI_FAILED,
				  "no jobs or actions are configured (sections reconcile and "
				  "actions), so no reconciler runs");
	if (process == NULL)
		return tell_no_process(cli, status, service);
	if (process_is_program(status, service))
		return cli_refuse(cli, CLI_FAILED,
				  "%s is a program of your own, which takes no commands of hale's",
				  service);
	return cli_refuse(cli, CLI_FAILED, "%s does not answer: it is %s (see: hale show %s)",
			  service, process_word(process), service);
}

static int tell_absent(struct cli *cli, const char *service)
{
	json_t *status = NULL;
	struct err err = {0};
	int code = COMMAND_E_NO_PEER;

	if (!str_eq(service, "haled"))
		code = cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status, NULL, &err);
	if (code == 0)
		code = tell_silent(cli, status, service);
	else
		code = cli_refuse(cli, CLI_NO_HALE,
				  "no hale is running with run directory %s (start it with: haled "
				  "--config FILE)",
				  cli->run_dir);
	json_decref(status);
	return code;
}

int cli_tell_failure(struct cli *cli, const char *service, int code, const struct err *err)
{
	if (is_absent(code, err))
		return tell_absent(cli, service);
	switch (code) {
	case COMMAND_E_NO_PEER:
		return cli_refuse(cli, CLI_NO_HALE, "%s", err->text);
	case COMMAND_E_NOT_FOUND:
		return cli_refuse(cli, CLI_USAGE, "%s", err->text);
	case COMMAND_E_METHOD:
		return cli_refuse(cli, CLI_FAILED,
				  "%s: %s (is it of another version than this command?)", service,
				  err->text);
	default:
		return cli_refuse(cli, CLI_FAILED, "%s", err->text);
	}
}

int cli_ask(struct cli *cli, const char *service, const char *method, json_t *params,
	    uint32_t timeout_ms, json_t **result_r)
{
	struct err err = {0};
	int code = cli_try(cli, service, method, params, timeout_ms, result_r, NULL, &err);

	return code == 0 ? 0 : cli_tell_failure(cli, service, code, &err);
}

/* ---- help ---- */

static void add_usage(struct str *out, const struct verb *v)
{
	str_addf(out, "Usage: hale %s%s%s%s", v->name, v->words[0] != '\0' ? " " : "", v->words,
		 v->flags != NULL ? " [OPTION…]" : "");
}

static void help_verb(struct cli *cli, const struct verb *v)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	add_usage(&out, v);
	str_addf(&out, "\n%s.\n", v->help);
	if (v->details != NULL)
		str_addf(&out, "\n%s", v->details);
	if (v->flags != NULL) {
		str_add(&out, "\nOptions:\n");
		args_help(&out, v->flags);
	}
	str_add(&out, "\nEverywhere:\n");
	args_help(&out, verb_global_flags);
	cli_print(cli, &out);
}

/* "config" is no verb, "config check" and "config show" are. False: no verb begins with that. */
static bool help_group(struct cli *cli, const char *word)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (!str_starts(v->name, word) || v->name[strlen(word)] != ' ')
			continue;
		add_usage(&out, v);
		str_addf(&out, "\n  %s.\n", v->help);
	}
	if (out.len > 0)
		cli_print(cli, &out);
	return out.len > 0;
}

static void help(FILE *file)
{
	static const struct table_column columns[] = {TABLE_PLAIN, TABLE_PLAIN};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns), .indent = 2};
	HALE_CLEANUP(str_done) struct str out = {0};

	str_add(&out,
		"Usage: hale [OPTION…] VERB …\n"
		"Tells how the system that hale watches is doing, and tells hale what to do.\n\n");
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		table_cellf(&t, TONE_PLAIN, "%s %s", v->name, v->words);
		table_cell(&t, TONE_PLAIN, v->help);
	}
	table_format(&t, false, 0, &out);
	table_done(&t);
	str_add(&out, "\nOptions, before or behind VERB:\n");
	args_help(&out, verb_global_flags);
	str_add(&out,
		"\n'hale help VERB' tells more. Exit codes: 0 done, 1 failed, 2 usage or no such\n"
		"name, 3 no hale is running; status, show and check are Nagios plugins: 0 "
		"healthy,\n"
		"1 degraded, 2 critical or down, 3 unknown.\n");
	(void)fputs(str_text(&out), file);
}

/* ---- verbs ---- */

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (str_eq(v->name, name))
			return v;
	}
	return NULL;
}

/* Two words if there is such a verb, else one; *next moves behind them. */
static const struct verb *take_verb(int argc, char **argv, int *next)
{
	const struct verb *v = NULL;

	if (*next + 1 < argc) {
		HALE_CLEANUP(cleanup_free)
		char *two = mem_printf("%s %s", argv[*next], argv[*next + 1]);

		v = find_verb(two);
	}
	if (v != NULL) {
		*next += 2;
		return v;
	}
	v = find_verb(argv[*next]);
	*next += v != NULL;
	return v;
}

static int refuse_verb(struct cli *cli, int argc, char **argv, int next)
{
	HALE_CLEANUP(str_done) struct str rest = {0};
	const char *names[VERBS_MAX + 1] = {NULL};
	const char *first = argv[next], *near;
	size_t n = 0;

	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (str_starts(v->name, first) && v->name[strlen(first)] == ' ')
			str_addf(&rest, "%shale %s", rest.len > 0 ? ", " : "", v->name);
		if (n < VERBS_MAX)
			names[n++] = v->name;
	}
	if (rest.len > 0)
		return cli_refuse(cli, CLI_USAGE, "%s%s%s: say one of: %s", first,
				  next + 1 < argc ? " " : "", next + 1 < argc ? argv[next + 1] : "",
				  str_text(&rest));
	near = suggest_nearest(first, names);
	if (near != NULL)
		return cli_refuse(cli, CLI_USAGE, "unknown verb '%s' (did you mean '%s'?)", first,
				  near);
	return cli_refuse(cli, CLI_USAGE, "unknown verb '%s' (see: hale help)", first);
}

static int take_globals(struct cli *cli, const struct args *a, struct err *err)
{
	const char *format = args_text(a, "output");

	if (args_text(a, "run-dir") != NULL)
		cli->run_dir = args_text(a, "run-dir");
	if (args_is(a, "no-color"))
		cli->has_colour = false;
	if (format != NULL && !str_eq(format, "text") && !str_eq(format, "json"))
		return err_set(err, -1, "--output: '%s' is neither text nor json", format);
	if (format != NULL)
		cli->is_json = str_eq(format, "json");
	return 0;
}

static int check_words(const struct verb *v, const struct args *a, struct err *err)
{
	HALE_CLEANUP(str_done) struct str usage = {0};

	add_usage(&usage, v);
	if (a->words.n < v->words_min)
		return err_set(err, -1, "%s: words are missing\n%s", v->name, str_text(&usage));
	if (a->words.n > v->words_max)
		return err_set(err, -1, "%s: '%s' is one word too many\n%s", v->name,
			       a->words.v[v->words_max], str_text(&usage));
	return 0;
}

static int run_verb(struct cli *cli, const struct verb *v, struct args *a, int argc, char **argv,
		    int next)
{
	const struct flag *tables[] = {verb_global_flags, v->flags, NULL};
	struct err err = {0};

	cli->verb = v;
	if (args_parse(a, tables, argc, argv, &next, false, &err) < 0 ||
	    take_globals(cli, a, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s: %s (see: hale help %s)", v->name, err.text,
				  v->name);
	if (args_is(a, "help")) {
		help_verb(cli, v);
		return CLI_DONE;
	}
	if (check_words(v, a, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s", err.text);
	return v->run(cli, a);
}

static int run_help(struct cli *cli, int argc, char **argv, int next)
{
	const struct verb *v;

	if (next >= argc) {
		help(cli->out);
		return CLI_DONE;
	}
	v = take_verb(argc, argv, &next);
	if (v == NULL && help_group(cli, argv[next]))
		return CLI_DONE;
	if (v == NULL)
		return refuse_verb(cli, argc, argv, next);
	help_verb(cli, v);
	return CLI_DONE;
}

static int run(struct cli *cli, struct args *a, int argc, char **argv)
{
	const struct flag *tables[] = {verb_global_flags, NULL};
	const struct verb *v;
	struct err err = {0};
	int next = 1;

	if (args_parse(a, tables, argc, argv, &next, true, &err) < 0 ||
	    take_globals(cli, a, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s (see: hale help)", err.text);
	if (args_is(a, "version")) {
		(void)fputs("hale " HALE_VERSION "\n", cli->out);
		return CLI_DONE;
	}
	if (args_is(a, "help") || (next < argc && str_eq(argv[next], "help")))
		return run_help(cli, argc, argv,
				next + (next < argc && str_eq(argv[next], "help")));
	if (next >= argc) {
		help(cli->err);
		return CLI_USAGE;
	}
	v = take_verb(argc, argv, &next);
	if (v == NULL && next + 1 < argc &&
	    (str_eq(argv[next + 1], "--help") || str_eq(argv[next + 1], "-h")) &&
	    help_group(cli, argv[next]))
		return CLI_DONE;
	return v != NULL ? run_verb(cli, v, a, argc, argv, next)
			 : refuse_verb(cli, argc, argv, next);
}

int cli_main(struct cli *cli, int argc, char **argv)
{
	struct args args = {0};
	int code = run(cli, &args, argc, argv);

	args_done(&args);
	if (fflush(cli->out) != 0 || ferror(cli->out) != 0)
		return cli_refuse(cli, CLI_FAILED, "cannot write the output");
	return code;
}
