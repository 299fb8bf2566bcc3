/* SPDX-License-Identifier: Apache-2.0 */
/* hale store: how the store is doing, and what may be done to it
 *
 * All of it is asked of the recorder, which alone writes.
 */
#include "verbs.h"

#include "base/clock.h"
#include "facts.h"
#include "field.h"
#include "period.h"
#include "text.h"

/* Deleting what a month has left behind, on a slow disk. */
#define PURGE_MS        600000
#define COMPACT_MS      600000
/* Lines wait for a second anyhow, to be stored together. */
#define BACKLOG_TOLD_MS 5000
/* Less free room than one part in so many is nothing to act on. */
#define FREE_TOLD       20

/* ---- status ---- */

static void add_size(struct facts *f, const json_t *st)
{
	char text[TEXT_TIME_MAX], room[TEXT_TIME_MAX];
	json_int_t bytes = field_int(st, "bytes", -1), free_bytes = field_int(st, "free_bytes", 0);

	if (bytes >= 0 && free_bytes > bytes / FREE_TOLD)
		facts_addf(f, "size", "%s, %s of it free%s", text_bytes(bytes, text),
			   text_bytes(free_bytes, room),
			   field_true(st, "keeps_room") ? " (hale store compact gives it back)"
							: "");
	else if (bytes >= 0)
		facts_add(f, "size", text_bytes(bytes, text));
}

static void add_count(struct facts *f, const char *name, const json_t *object, const char *key)
{
	json_int_t n = field_int(object, key, 0);

	if (n > 0)
		facts_addf(f, name, "%lld", (long long)n);
}

/* Nothing waits: that is worth a word, too. */
static void add_backlog(struct facts *f, const json_t *st)
{
	json_int_t lines = field_int(st, "backlog", 0);
	char text[TEXT_TIME_MAX];
	int64_t since_ms;

	if (lines == 0)
		facts_add(f, "backlog", "none");
	else
		facts_addf(f, "backlog", "%lld %s", (long long)lines,
			   lines == 1 ? "line" : "lines");
	if (field_time(st, "backlog_since", &since_ms) && f->now_ms - since_ms > BACKLOG_TOLD_MS)
		facts_time(f, "since", st, "backlog_since");
	if (field_int(st, "spool_lines", 0) > 0)
		facts_addf(f, "spool", "%lld lines, %s on disk",
			   (long long)field_int(st, "spool_lines", 0),
			   text_bytes(field_int(st, "spool_bytes", 0), text));
}

static void add_facts(struct facts *f, const json_t *st)
{
	facts_member(f, "where", st, json_object_get(st, "where") != NULL ? "where" : "path");
	add_size(f, st);
	facts_time(f, "oldest result", st, "oldest_result");
	facts_time(f, "last commit", st, "last_commit");
	add_backlog(f, st);
	if (field_int(st, "rollups_pending", -1) == 0)
		facts_add(f, "rollups", "up to date");
	else if (field_int(st, "rollups_pending", -1) > 0)
		facts_addf(f, "rollups", "%lld %s to be computed",
			   (long long)field_int(st, "rollups_pending", 0),
			   field_int(st, "rollups_pending", 0) == 1 ? "bucket" : "buckets");
	facts_member(f, "schema", st, "schema_version");
	add_count(f, "rows written", st, "rows_written");
	add_count(f, "rows purged", st, "rows_purged");
	add_count(f, "not understood", st, "lines_skipped");
	add_count(f, "dropped", st, "lines_dropped");
	facts_member(f, "spool error", st, "spool_error");
	facts_member(f, "set aside", st, "set_aside");
	/* Upkeep rests while the store cannot be used, for that reason. */
	if (!str_eq(field_text(st, "keeper_error"), field_text(st, "error")))
		facts_member(f, "upkeep", st, "keeper_error");
	facts_member(f, "error", st, "error");
}

static void print_status(struct cli *cli, const json_t *st)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	bool is_good = field_text(st, "error") == NULL;
	struct facts f;

	facts_title(&out, cli->has_colour, is_good ? "\xe2\x97\x8f stores" : "\xe2\x97\x8f waits",
		    is_good ? TONE_GOOD : TONE_BAD, field_or(st, "backend", "store"), NULL);
	facts_init(&f, cli_now(cli));
	add_facts(&f, st);
	facts_finish(&f, cli->has_colour, &out);
	cli_print(cli, &out);
}

int verb_store_status(struct cli *cli, const struct args *args)
{
	json_t *st = NULL;
	int code = cli_ask(cli, "recorder", "store.status", NULL, CLI_TIMEOUT_MS, &st);

	(void)args;
	if (code != 0)
		return code;
	if (cli->is_json)
		cli_json(cli, st);
	else
		print_status(cli, st);
	code = field_text(st, "error") == NULL ? CLI_DONE : CLI_FAILED;
	json_decref(st);
	return code;
}

/* ---- what is done to it ---- */

static int ask(struct cli *cli, const char *method, json_t *params /* taken */, uint32_t timeout_ms,
	       json_t **answer_r)
{
	int code = cli_ask(cli, "recorder", method, params, timeout_ms, answer_r);

	if (code == 0 && cli->is_json)
		cli_json(cli, *answer_r);
	return code;
}

int verb_store_purge(struct cli *cli, const struct args *args)
{
	json_t *answer = NULL;
	int code = ask(cli, "store.purge", NULL, PURGE_MS, &answer);

	(void)args;
	if (code == 0 && !cli->is_json)
		(void)fprintf(cli->out, "%lld rows beyond their retention deleted\n",
			      (long long)field_int(answer, "deleted", 0));
	json_decref(answer);
	return code;
}

int verb_store_rebuild(struct cli *cli, const struct args *args)
{
	char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];
	struct period p;
	struct err err = {0};
	json_t *answer = NULL;
	int code;

	if (period_of(args, cli_now(cli), 0, &p, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s", err.text);
	code = ask(cli, "store.rebuild",
		   json_pack("{s:s?, s:s?}", "from",
			     p.from_ms == 0 ? NULL : clock_format(p.from_ms, from), "to",
			     p.to_ms == 0 ? NULL : clock_format(p.to_ms, to)),
		   CLI_TIMEOUT_MS, &answer);
	if (code == 0 && !cli->is_json)
		(void)fprintf(cli->out,
			      "%lld buckets of 5 minutes will be computed anew (see: hale store)\n",
			      (long long)field_int(answer, "buckets", 0));
	json_decref(answer);
	return code;
}

int verb_store_compact(struct cli *cli, const struct args *args)
{
	char before[TEXT_TIME_MAX], after[TEXT_TIME_MAX];
	json_t *answer = NULL;
	int code = ask(cli, "store.compact", NULL, COMPACT_MS, &answer);

	(void)args;
	if (code == 0 && !cli->is_json)
		(void)fprintf(cli->out, "%s before, %s now\n",
			      text_bytes(field_int(answer, "bytes_before", 0), before),
			      text_bytes(field_int(answer, "bytes", 0), after));
	json_decref(answer);
	return code;
}
