/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "conf/manifest.h"
#include "import.h"
#include "service/confine.h"

/* Beside haled's other state, when the configuration names no file. */
#define DEFAULT_NAME "history.db"

static const struct conf_section sections[] = {
	{"store", store_items, CONF_T_MAP, "Where history is kept, and for how long"},
	{0},
};

static json_t *describe(void)
{
	return manifest_service("hale-recorder", "recorder",
				"stores what the bus tells: results, transitions, events", "always",
				sections, NULL);
}

struct checking {
	service_problem_fn problem;
	void *ctx;
};

static void on_problem(void *ctx, const char *path, const char *message)
{
	const struct checking *c = ctx;
	HALE_CLEANUP(cleanup_free) char *full = mem_printf("/store%s", path);

	c->problem(c->ctx, full, message);
}

static void check(const json_t *slice, service_problem_fn problem, void *ctx)
{
	struct checking c = {.problem = problem, .ctx = ctx};
	const json_t *section = json_object_get(slice, "store");
	struct store_options options = {0};

	/* What does not decode has been told of already. */
	if (section != NULL && conf_decode(store_items, section, &options, NULL) == 0)
		store_options_check(&options, on_problem, &c);
	conf_free(store_items, &options);
}

/* The store's directory is made when it is opened, which is then not allowed any more. */
static void needs(const json_t *slice, struct confine_needs *n)
{
	const json_t *sqlite = json_object_get(json_object_get(slice, "store"), "sqlite");
	const char *path = json_string_value(json_object_get(sqlite, "path"));
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	HALE_CLEANUP(cleanup_free) char *dir = NULL;

	confine_needs_sections(n, sections, slice);
	if (slash == NULL || slash == path)
		return;
	dir = mem_dupn(path, (size_t)(slash - path));
	(void)dir_make(dir, 0750, NULL); /* opening says what is wrong with it */
}

static int start(struct service *s, const json_t *slice, void **state_r, struct err *err)
{
	const json_t *section = json_object_get(slice, "store");
	struct store_options options = {0};
	json_t *none = json_object();
	struct recorder *r;
	int rc = conf_decode(store_items, section != NULL ? section : none, &options, err);

	json_decref(none);
	if (rc != 0) {
		err_prefix(err, "store");
		return -EINVAL;
	}
	if (options.sqlite.path == NULL && options.postgres.dsn == NULL)
		options.sqlite.path = path_join(service_state_dir(s), DEFAULT_NAME);
	r = recorder_new(s, &options);
	*state_r = r;
	/* Ready whatever the store says: not being able to store must not look like not running. */
	service_ready(s);
	recorder_start(r);
	return 0;
}

static void stop(void *state)
{
	recorder_stop(state, service_stopped);
}

static void done(void *state)
{
	recorder_free(state);
}

/* --- commands --- */

static void call_status(void *ctx, struct command_request *rq, const json_t *params)
{
	struct recorder_status st = recorder_status_get(ctx);
	char text[CLOCK_TEXT_MAX];
	const char *last = st.last_commit_ms > 0 ? clock_format(st.last_commit_ms, text) : NULL;

	(void)params;
	command_reply(rq, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s?, s:{s:s, s:I}, s:s?}",
				    "backend", "sqlite", "path", st.path, "rows_written",
				    (json_int_t)st.rows_written, "lines_skipped",
				    (json_int_t)st.lines_skipped, "lines_dropped",
				    (json_int_t)st.lines_dropped, "rows_purged",
				    (json_int_t)st.rows_purged, "backlog", (json_int_t)st.backlog,
				    "last_commit", last, "cursor", "epoch", st.cursor.epoch, "seq",
				    (json_int_t)st.cursor.seq, "error", st.error));
}

static void answer_purge(void *ctx, uint64_t deleted, const char *error)
{
	if (error != NULL)
		command_fail(ctx, COMMAND_E_FAILED, NULL, "%s", error);
	else
		command_reply(ctx, json_pack("{s:I}", "deleted", (json_int_t)deleted));
}

static void call_purge(void *ctx, struct command_request *rq, const json_t *params)
{
	(void)params;
	if (!recorder_purge(ctx, answer_purge, rq))
		command_fail(rq, COMMAND_E_BUSY, NULL, "a purge is under way already");
}

static void call_import(void *ctx, struct command_request *rq, const json_t *params)
{
	import_call(ctx, rq, params);
}

static const struct command_method methods[] = {
	{"store.status", call_status,
	 "{} -> {backend, path, rows_written, lines_skipped, lines_dropped, rows_purged, backlog,"
	 " last_commit, cursor, error}"},
	{"store.import", call_import, IMPORT_HELP},
	{"store.purge", call_purge, "{} -> {deleted}; deletes what is beyond its retention, now"},
	{0},
};

const struct service_ops recorder_service_ops = {
	.program = "hale-recorder",
	.summary = "stores what hale sees: results, transitions, events",
	.describe = describe,
	.check = check,
	.needs = needs,
	.start = start,
	.stop = stop,
	.done = done,
	.methods = methods,
	.has_feed = true,
	.sections = sections,
};
