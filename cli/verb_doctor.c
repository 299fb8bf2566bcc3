/* SPDX-License-Identifier: Apache-2.0 */
/* hale doctor: what holds hale's processes, what does not, and why
 *
 * Each process is asked what of its row of the table is in force, and to try what it must not.
 */
#include "verbs.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "bus/command.h"
#include "doctor_host.h"
#include "field.h"
#include "service/confine.h"
#include "table.h"
#include "text.h"

/* ---- Asking ---- */

/* Programs that are not of hale have no row: what holds them is in their configuration. */
static bool is_ours(const json_t *process)
{
	return str_starts(field_or(process, "program", ""), "hale-");
}

static json_t *user_of(json_int_t pid)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("/proc/%lld", (long long)pid);
	struct stat st;
	const struct passwd *user;

	if (pid <= 0 || stat(path, &st) < 0)
		return json_null();
	user = getpwuid(st.st_uid);
	return user != NULL ? json_string(user->pw_name) : json_integer((json_int_t)st.st_uid);
}

static json_t *ask_process(struct cli *cli, const json_t *process, const char *config)
{
	const char *name = field_or(process, "name", "?");
	json_t *answer = NULL;
	struct err err = {0};
	int code = cli_try(cli, name, "confinement",
			   json_pack("{s:b, s:s?}", "probe", 1, "config", config), CLI_TIMEOUT_MS,
			   &answer, NULL, &err);

	/* A checker in another language need not have that command, nor any. */
	if (code == COMMAND_E_METHOD || code == COMMAND_E_NO_PEER)
		return json_pack("{s:s, s:b}", "service", name, "is_foreign", 1);
	if (code != 0)
		return json_pack("{s:s, s:s}", "service", name, "error", err.text);
	json_object_set_new(answer, "user", user_of(field_int(process, "pid", 0)));
	return answer;
}

static json_t *ask_all(struct cli *cli, const json_t *status, const char *config)
{
	json_t *answers = json_array();
	json_t *process;
	size_t i;

	json_array_foreach (field_array(status, "processes"), i, process) {
		if (is_ours(process) && json_is_integer(json_object_get(process, "pid")))
			json_array_append_new(answers, ask_process(cli, process, config));
	}
	return answers;
}

/* ---- Judging ---- */

static const struct {
	const char *measure, *advice;
} advices[] = {
	{"landlock files", "Linux 5.13 or newer with landlock in its lsm= list; in a container, a "
			   "seccomp profile that passes landlock_*"},
	{"landlock tcp", "Linux 6.7 or newer"},
	{"landlock signals", "Linux 6.12 or newer"},
	{"capabilities", "start haled as root or with CAP_SETPCAP, or as a user without any"},
	{"seccomp", "a kernel with CONFIG_SECCOMP_FILTER"},
	{"sockets", "a kernel with CONFIG_SECCOMP_FILTER"},
};

static void add_finding(json_t *findings, const char *service, const char *what, const char *why)
{
	const char *advice = NULL;

	for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
		if (str_eq(advices[i].measure, what))
			advice = advices[i].advice;
	}
	json_array_append_new(findings, json_pack("{s:s, s:s, s:s, s:s?}", "process", service,
						  "what", what, "why", why, "advice", advice));
}

/* Narrower than the table is fine: the user it runs as may do less than its row. */
static void judge_probe(json_t *findings, const char *service, const json_t *probe)
{
	if (str_eq(field_text(probe, "expected"), "refused") &&
	    str_eq(field_text(probe, "result"), "allowed"))
		add_finding(findings, service, field_or(probe, "act", "?"),
			    "it should be refused, and is not");
}

static json_t *judge(const json_t *answers)
{
	json_t *findings = json_array();
	json_t *answer, *item;
	size_t i, j;

	json_array_foreach ((json_t *)(uintptr_t)answers, i, answer) {
		const char *service = field_or(answer, "service", "?");

		if (field_text(answer, "error") != NULL)
			add_finding(findings, service, "its answer", field_text(answer, "error"));
		json_array_foreach (field_array(answer, "measures"), j, item) {
			if (str_eq(field_text(item, "state"), "refused"))
				add_finding(findings, service, field_or(item, "measure", "?"),
					    field_or(item, "detail", ""));
		}
		json_array_foreach (field_array(answer, "probes"), j, item)
			judge_probe(findings, service, item);
	}
	return findings;
}

/* ---- Showing ---- */

static void show_host(struct cli *cli, const json_t *host)
{
	static const struct table_column columns[] = {TABLE_PLAIN, TABLE_PLAIN, TABLE_PLAIN};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *check;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)host, i, check) {
		const char *state = field_or(check, "state", "ok");
		const char *advice = field_text(check, "advice");
		bool is_bad = str_eq(state, "bad");
		enum tone tone = is_bad ? TONE_BAD : str_eq(state, "ok") ? TONE_GOOD : TONE_WARN;

		table_cellf(&t, tone, "%s %s",
			    is_bad                ? "✗"
			    : str_eq(state, "ok") ? "●"
						  : "○",
			    state);
		table_cell(&t, TONE_PLAIN, field_text(check, "check"));
		table_cellf(&t, TONE_PLAIN, "%s%s%s", field_or(check, "detail", ""),
			    advice != NULL ? "; " : "", advice != NULL ? advice : "");
	}
	table_format(&t, cli->has_colour, 0, &out);
	table_done(&t);
	cli_print(cli, &out);
}

/* One cell: the detail of a measure, or why there is none. */
static void measure_cell(struct table *t, const json_t *answer, const char *measure,
			 const char *when_off)
{
	const json_t *m = field_find(field_array(answer, "measures"), "measure", measure);
	const char *state = field_or(m, "state", "?");

	if (str_eq(state, "on"))
		table_cell(t, TONE_PLAIN, field_text(m, "detail"));
	else if (str_eq(state, "off"))
		table_cell(t, TONE_PLAIN, when_off);
	else
		table_cell(t, TONE_BAD, state);
}

static void seccomp_cell(struct table *t, const json_t *answer)
{
	const json_t *m = field_find(field_array(answer, "measures"), "measure", "seccomp");
	const char *state = field_or(m, "state", "?");
	bool is_on = str_eq(state, "on");
	const json_t *sockets = field_find(field_array(answer, "measures"), "measure", "sockets");

	if (!is_on)
		table_cell(t, str_eq(state, "off") ? TONE_PLAIN : TONE_BAD,
			   str_eq(state, "off") ? "any" : state);
	else
		table_cell(t, TONE_PLAIN,
			   str_eq(field_text(sockets, "state"), "on") ? "filtered"
								      : "not the machine's");
}

static void probes_cell(struct table *t, const json_t *answer)
{
	const json_t *probes = field_array(answer, "probes");
	size_t open = 0, refused = 0, i;
	json_t *probe;

	json_array_foreach ((json_t *)(uintptr_t)probes, i, probe) {
		bool is_refused = str_eq(field_text(probe, "result"), "refused");

		refused += is_refused;
		open += !is_refused && str_eq(field_text(probe, "expected"), "refused");
	}
	if (open > 0)
		table_cellf(t, TONE_BAD, "%zu refused, %zu should be", refused, open);
	else
		table_cellf(t, TONE_GOOD, "%zu of %zu refused", refused, json_array_size(probes));
}

static void process_row(struct table *t, const json_t *answer)
{
	const json_t *user = json_object_get(answer, "user");

	bool is_foreign = field_true(answer, "is_foreign");

	table_cell(t, TONE_PLAIN, field_text(answer, "service"));
	if (is_foreign || field_text(answer, "error") != NULL) {
		table_cell(t, is_foreign ? TONE_DIM : TONE_BAD,
			   is_foreign ? "says nothing" : "no answer");
		for (size_t i = 0; i < 5; i++)
			table_cell(t, TONE_PLAIN, NULL);
		return;
	}
	if (json_is_integer(user))
		table_cellf(t, TONE_PLAIN, "%lld", (long long)json_integer_value(user));
	else
		table_cell(t, TONE_PLAIN, json_string_value(user));
	measure_cell(t, answer, "capabilities", "as haled");
	measure_cell(t, answer, "landlock files", "any");
	table_cell(t, TONE_PLAIN, field_text(answer, "network"));
	seccomp_cell(t, answer);
	probes_cell(t, answer);
}

static void show_processes(struct cli *cli, const json_t *answers)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("PROCESS"), TABLE_LEFT("USER"),    TABLE_LEFT("CAPABILITIES"),
		TABLE_LEFT("FILES"),   TABLE_LEFT("NETWORK"), TABLE_LEFT("SYSTEM CALLS"),
		TABLE_LEFT("TRIED"),
	};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *answer;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)answers, i, answer)
		process_row(&t, answer);
	str_addc(&out, '\n');
	table_format(&t, cli->has_colour, 0, &out);
	table_done(&t);
	cli_print(cli, &out);
}

static void show_findings(struct cli *cli, const json_t *findings)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("NOT IN FORCE"),
		TABLE_LEFT("PROCESS"),
		TABLE_LEFT("WHY"),
		TABLE_LEFT("WHAT HELPS"),
	};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *f;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
		table_cell(&t, TONE_BAD, field_text(f, "what"));
		table_cell(&t, TONE_PLAIN, field_text(f, "process"));
		table_cell(&t, TONE_PLAIN, field_text(f, "why"));
		table_cell(&t, TONE_PLAIN, field_text(f, "advice"));
	}
	str_addc(&out, '\n');
	if (json_array_size(findings) > 0)
		table_format(&t, cli->has_colour, 0, &out);
	else
		str_add(&out, "All that the table asks for is in force.\n");
	table_done(&t);
	cli_print(cli, &out);
}

/* ---- The table ---- */

static int show_table(struct cli *cli)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("PROCESS"), TABLE_LEFT("USER"),         TABLE_LEFT("CAPABILITIES"),
		TABLE_LEFT("FILES"),   TABLE_LEFT("NETWORK"),      TABLE_LEFT("PROGRAMS"),
		TABLE_LEFT("LIMITS"),  TABLE_LEFT("SYSTEM CALLS"),
	};
	static const char *const keys[] = {"process", "user",     "capabilities", "files",
					   "network", "programs", "limits",       "system_calls"};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *rows = confine_table();
	json_t *row;
	size_t i;

	if (cli->is_json) {
		cli_json(cli, rows);
	} else {
		json_array_foreach (rows, i, row) {
			for (size_t k = 0; k < ARRAY_LEN(keys); k++)
				table_cell(&t, TONE_PLAIN, field_text(row, keys[k]));
		}
		table_format(&t, cli->has_colour, 0, &out);
		cli_print(cli, &out);
	}
	table_done(&t);
	json_decref(rows);
	return CLI_DONE;
}

/* ---- The verb ---- */

static bool has_bad(const json_t *host)
{
	json_t *check;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)host, i, check) {
		if (str_eq(field_text(check, "state"), "bad"))
			return true;
	}
	return false;
}

static int tell(struct cli *cli, const json_t *host, const json_t *answers)
{
	json_t *findings = judge(answers);
	bool is_fine = json_array_size(findings) == 0 && !has_bad(host);

	if (cli->is_json) {
		json_t *all = json_pack("{s:b, s:O, s:O, s:O}", "ok", is_fine, "host", host,
					"processes", answers, "findings", findings);

		cli_json(cli, all);
		json_decref(all);
	} else {
		show_host(cli, host);
		if (json_array_size(answers) > 0) {
			show_processes(cli, answers);
			show_findings(cli, findings);
		}
	}
	json_decref(findings);
	return is_fine ? CLI_DONE : CLI_FAILED;
}

static const char *state_dir_of(const json_t *answers)
{
	json_t *answer;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)answers, i, answer) {
		if (field_text(answer, "state_dir") != NULL)
			return field_text(answer, "state_dir");
	}
	return NULL;
}

int verb_doctor(struct cli *cli, const struct args *args)
{
	struct doctor_host where = {.run_dir = cli->run_dir};
	json_t *status = NULL, *answers, *host;
	struct err err = {0};
	int code;

	if (args_is(args, "table"))
		return show_table(cli);
	/* Without hale the rest is still worth telling. */
	if (cli_try(cli, "haled", "status", NULL, CLI_TIMEOUT_MS, &status, NULL, &err) == 0) {
		where.pid = (int)field_int(status, "pid", 0);
		where.config = field_text(json_object_get(status, "config"), "path");
	}
	answers = ask_all(cli, status, where.config);
	where.state_dir = state_dir_of(answers);
	host = doctor_host(&where);
	code = tell(cli, host, answers);
	if (status == NULL)
		code = CLI_NO_HALE;
	json_decref(host);
	json_decref(answers);
	json_decref(status);
	return code;
}
