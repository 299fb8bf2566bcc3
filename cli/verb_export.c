/* SPDX-License-Identifier: Apache-2.0 */
/* hale export: the store's rows as NDJSON, CSV or JSON
 *
 * To a file it is written beside it first, so that a file of that name is a whole export.
 */
#include "verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "past.h"
#include "period.h"
#include "store/export.h"

#define PART_SUFFIX ".part"

struct output {
	FILE *file;
	int error; /* errno of the write that failed */
};

static bool put(void *ctx, const char *data, size_t len)
{
	struct output *o = ctx;

	errno = 0;
	if (fwrite(data, 1, len, o->file) == len)
		return true;
	o->error = errno;
	return false;
}

/* ---- what is asked for ---- */

static int64_t step_of(const char *text)
{
	if (str_eq(text, "5m"))
		return 300000;
	if (str_eq(text, "1h"))
		return 3600000;
	return str_eq(text, "1d") ? 86400000 : -1;
}

static int read_kinds(const struct args *args, struct export_plan *plan, struct err *err)
{
	const char *what = args_text(args, "what"), *format = args_text(args, "format");
	const char *step = args_text(args, "step");
	int f = format == NULL ? TRANSFER_NDJSON : transfer_format_of(format);

	if (f < 0)
		return err_set(err, -EINVAL, "--format: '%s' is none of ndjson, csv, json", format);
	plan->format = (enum transfer_format)f;
	plan->what = transfer_set_of(what != NULL           ? what
				     : f == TRANSFER_NDJSON ? "all"
							    : "results");
	if (plan->what == 0)
		return err_set(err, -EINVAL,
			       "--what: '%s' is none of results, transitions, events, processes, "
			       "alerts, deliveries, runs, recoveries, metrics (several with "
			       "commas), or all",
			       what);
	if (f == TRANSFER_CSV && (plan->what & (plan->what - 1)) != 0)
		return err_set(err, -EINVAL,
			       "--format csv holds rows of one kind: choose one with --what");
	if (step == NULL)
		return 0;
	plan->step_ms = step_of(step);
	if (plan->step_ms < 0)
		return err_set(err, -EINVAL, "--step: '%s' is none of 5m, 1h, 1d", step);
	if ((plan->what & 1u << TRANSFER_METRICS) == 0)
		return err_set(err, -EINVAL, "--step goes with --what metrics");
	return 0;
}

static int read_plan(struct cli *cli, const struct args *args, struct export_plan *plan)
{
	struct period period;
	struct err err = {0};

	*plan = (struct export_plan){.hale = HALE_VERSION,
				     .component = args_text(args, "component"),
				     .node = args_text(args, "node")};
	if (period_of(args, cli_now(cli), 0, &period, &err) < 0 || read_kinds(args, plan, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s", err.text);
	plan->from_ms = period.from_ms;
	plan->to_ms = period.to_ms;
	return 0;
}

/* ---- how it went ---- */

static void tell_counts(struct cli *cli, const uint64_t *counts, const char *file, bool is_whole)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	for (int what = 0; what < TRANSFER_EPOCHS; what++) {
		if (counts[what] > 0)
			str_addf(&text, "%s%llu %s", text.len > 0 ? ", " : "",
				 (unsigned long long)counts[what], transfer_what_name(what));
	}
	(void)fprintf(cli->err, "hale: %s%s%s%s\n", text.len > 0 ? str_text(&text) : "no rows",
		      file == NULL ? "" : " in ", file == NULL ? "" : file,
		      is_whole ? "" : ", then the reader had enough");
}

/* 0, or an exit code. A reader that has gone is nobody's fault. */
static int run(struct cli *cli, struct past *past, const struct export_plan *plan, struct output *o,
	       const char *file)
{
	uint64_t counts[TRANSFER_WHAT_MAX] = {0};
	struct err err = {0};
	bool is_whole = false;
	int rc = export_run(past_history(past), plan, put, o, counts, &is_whole, &err);

	/* A damaged store gives what it can. */
	if (rc == -EUCLEAN)
		tell_counts(cli, counts, file, true);
	if (rc < 0)
		return cli_refuse(cli, rc == -EINVAL ? CLI_USAGE : CLI_FAILED,
				  "%s; what was written is not all", err.text);
	if (is_whole && fflush(o->file) != 0) {
		o->error = errno;
		is_whole = false;
	}
	if (!is_whole && o->error != EPIPE)
		return cli_refuse(cli, CLI_FAILED, "cannot write%s%s: %s", file == NULL ? "" : " ",
				  file == NULL ? "" : file, strerror(o->error));
	tell_counts(cli, counts, file, is_whole);
	return 0;
}

static int to_stdout(struct cli *cli, struct past *past, const struct export_plan *plan)
{
	struct output o = {.file = cli->out};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	int code;

	(void)sigaction(SIGPIPE, &ignore, &before);
	code = run(cli, past, plan, &o, NULL);
	/* Already told, or no failure: what is left in the buffer must not be written later. */
	if (o.error != 0) {
		__fpurge(cli->out);
		clearerr(cli->out);
	}
	(void)sigaction(SIGPIPE, &before, NULL);
	return code;
}

static int to_file(struct cli *cli, struct past *past, const struct export_plan *plan,
		   const char *path)
{
	HALE_CLEANUP(cleanup_free) char *part = mem_printf("%s" PART_SUFFIX, path);
	struct output o = {0};
	struct stat st;
	int code;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return cli_refuse(cli, CLI_FAILED, "%s is a directory: name a file in it", path);
	o.file = fopen(part, "we");
	if (o.file == NULL)
		return cli_refuse(cli, CLI_FAILED, "%s: %s", part, strerror(errno));
	code = run(cli, past, plan, &o, path);
	if (fclose(o.file) != 0 && code == 0)
		code = cli_refuse(cli, CLI_FAILED, "%s: %s", part, strerror(errno));
	if (code == 0 && rename(part, path) != 0)
		code = cli_refuse(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
	if (code != 0)
		(void)unlink(part);
	return code;
}

int verb_export(struct cli *cli, const struct args *args)
{
	const char *store = args_text(args, "store"), *file = args_text(args, "file");
	struct export_plan plan;
	struct past *past = NULL;
	int code = read_plan(cli, args, &plan);

	if (code != 0)
		return code;
	code = store != NULL ? past_open_at(cli, store, &past) : past_open(cli, false, &past);
	if (code == 0 && file != NULL && !str_eq(file, "-"))
		code = to_file(cli, past, &plan, file);
	else if (code == 0)
		code = to_stdout(cli, past, &plan);
	past_close(past);
	return code;
}
