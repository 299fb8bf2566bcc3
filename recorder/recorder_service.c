/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <errno.h>
#include <stdlib.h>
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

/* Directories are made before confinement, which does not let them be; opening says what is wrong
 * with them. */
static void needs(const json_t *slice, struct confine_needs *n)
{
	const json_t *store = json_object_get(slice, "store");
	const json_t *sqlite = json_object_get(store, "sqlite");
	const char *path = json_string_value(json_object_get(sqlite, "path"));
	const char *spool =
		json_string_value(json_object_get(json_object_get(store, "spool"), "path"));
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	HALE_CLEANUP(cleanup_free) char *dir = NULL;

	confine_needs_sections(n, sections, slice);
	if (spool != NULL)
		(void)dir_make(spool, 0700, NULL);
	if (slash == NULL || slash == path)
		return;
	dir = mem_dupn(path, (size_t)(slash - path));
	(void)dir_make(dir, 0750, NULL);
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

/* null where it is not known. */
static json_t *encode_time(int64_t wall_ms)
{
	char text[CLOCK_TEXT_MAX];

	return wall_ms > 0 ? json_string(clock_format(wall_ms, text)) : json_null();
}

static json_t *encode_count(int64_t n)
{
	return n >= 0 ? json_integer((json_int_t)n) : json_null();
}

static void add_backlog(json_t *out, const struct backlog_status *b)
{
	json_t *add =
		json_pack("{s:I, s:I, s:I, s:I, s:o, s:s?, s:I, s:{s:I, s:I, s:I}}", "backlog",
			  (json_int_t)b->lines, "backlog_bytes", (json_int_t)b->bytes,
			  "spool_lines", (json_int_t)b->spool_lines, "spool_bytes",
			  (json_int_t)b->spool_bytes, "backlog_since", encode_time(b->oldest_ms),
			  "spool_error", b->spool_error, "lines_dropped",
			  (json_int_t)(b->dropped[LINE_RESULT] + b->dropped[LINE_OTHER] +
				       b->dropped[LINE_TRANSITION]),
			  "dropped", "results", (json_int_t)b->dropped[LINE_RESULT], "others",
			  (json_int_t)b->dropped[LINE_OTHER], "transitions",
			  (json_int_t)b->dropped[LINE_TRANSITION]);

	(void)json_object_update(out, add);
	json_decref(add);
}

static void add_keeper(json_t *out, const struct keeper_status *k)
{
	const struct keep_facts none = {.bytes = -1,
					.free_bytes = -1,
					.oldest_result_ms = -1,
					.rollups_pending = -1,
					.schema_version = -1};
	const struct keep_facts *facts = k->has_facts ? &k->facts : &none;
	json_t *add = json_pack(
		"{s:s?, s:I, s:o, s:o, s:b, s:s?, s:o, s:o, s:o, s:s?}", "where", k->where,
		"rows_purged", (json_int_t)k->rows_purged, "bytes", encode_count(facts->bytes),
		"free_bytes", encode_count(facts->free_bytes), "keeps_room", facts->keeps_room,
		"set_aside", facts->set_aside[0] != '\0' ? facts->set_aside : NULL, "oldest_result",
		encode_time(facts->oldest_result_ms), "rollups_pending",
		encode_count(facts->rollups_pending), "schema_version",
		encode_count(facts->schema_version), "keeper_error", k->error);

	(void)json_object_update(out, add);
	json_decref(add);
}

static void call_status(void *ctx, struct command_request *rq, const json_t *params)
{
	struct recorder_status st = recorder_status_get(ctx);
	json_t *out = json_pack("{s:s, s:I, s:I, s:I, s:o, s:{s:s, s:I}, s:s?}", "backend",
				st.backend, "rows_written", (json_int_t)st.rows_written,
				"rows_repeated", (json_int_t)st.rows_repeated, "lines_skipped",
				(json_int_t)st.lines_skipped, "last_commit",
				encode_time(st.last_commit_ms), "cursor", "epoch", st.cursor.epoch,
				"seq", (json_int_t)st.cursor.seq, "error", st.error);

	(void)params;
	add_backlog(out, &st.backlog);
	add_keeper(out, &st.keeper);
	command_reply(rq, out);
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

/* --- store.rebuild --- */

struct rebuild {
	struct command_request *rq;
	int64_t from_ms, to_ms;
	uint64_t buckets;
};

static int work_rebuild(struct store *s, void *ctx, struct err *err)
{
	struct rebuild *b = ctx;

	return keep_rebuild(s, b->from_ms, b->to_ms, &b->buckets, err);
}

static void answer_rebuild(void *ctx, int rc, const char *error)
{
	struct rebuild *b = ctx;

	if (rc < 0)
		command_fail(b->rq, COMMAND_E_FAILED, NULL, "%s", error);
	else
		command_reply(b->rq, json_pack("{s:I}", "buckets", (json_int_t)b->buckets));
	free(b);
}

/* Absent or null leaves it as it is. */
static bool read_time(const json_t *params, const char *name, int64_t *wall_ms)
{
	const json_t *value = json_object_get(params, name);

	if (value == NULL || json_is_null(value))
		return true;
	return json_is_string(value) && clock_parse(json_string_value(value), wall_ms) == 0;
}

static void call_rebuild(void *ctx, struct command_request *rq, const json_t *params)
{
	struct rebuild *b = mem_alloc(sizeof(*b));

	b->rq = rq;
	b->to_ms = clock_wall_ms();
	if (!read_time(params, "from", &b->from_ms) || !read_time(params, "to", &b->to_ms)) {
		free(b);
		command_fail(rq, COMMAND_E_PARAMS, NULL, "from and to are times (RFC 3339)");
		return;
	}
	recorder_do(ctx, work_rebuild, answer_rebuild, b);
}

/* --- store.compact --- */

struct compact {
	struct command_request *rq;
	struct keep_facts before, after;
};

static int work_compact(struct store *s, void *ctx, struct err *err)
{
	struct compact *c = ctx;
	int rc = keep_facts(s, &c->before, err);

	if (rc == 0)
		rc = keep_compact(s, err);
	return rc < 0 ? rc : keep_facts(s, &c->after, err);
}

static void answer_compact(void *ctx, int rc, const char *error)
{
	struct compact *c = ctx;

	if (rc < 0)
		command_fail(c->rq, COMMAND_E_FAILED, NULL, "%s", error);
	else
		command_reply(c->rq,
			      json_pack("{s:o, s:o}", "bytes_before", encode_count(c->before.bytes),
					"bytes", encode_count(c->after.bytes)));
	free(c);
}

static void call_compact(void *ctx, struct command_request *rq, const json_t *params)
{
	struct compact *c = mem_alloc(sizeof(*c));

	(void)params;
	c->rq = rq;
	recorder_do(ctx, work_compact, answer_compact, c);
}

static void call_import(void *ctx, struct command_request *rq, const json_t *params)
{
	import_call(ctx, rq, params);
}

static const struct command_method methods[] = {
	{"store.status", call_status,
	 "{} -> {backend, where, rows_written, rows_repeated, lines_skipped, lines_dropped,"
	 " dropped {results, others, transitions}, backlog, backlog_bytes, backlog_since,"
	 " spool_lines, spool_bytes, spool_error, last_commit, cursor, error, bytes, free_bytes,"
	 " keeps_room, set_aside, oldest_result,"
	 " rollups_pending, schema_version, rows_purged, keeper_error}"},
	{"store.import", call_import, IMPORT_HELP},
	{"store.purge", call_purge, "{} -> {deleted}; deletes what is beyond its retention, now"},
	{"store.rebuild", call_rebuild,
	 "{from, to} -> {buckets}; has the rollups of that time computed anew from raw results"},
	{"store.compact", call_compact,
	 "{} -> {bytes_before, bytes}; writes the file anew without the room that is free in it"},
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
