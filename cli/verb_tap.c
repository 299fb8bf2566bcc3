/* SPDX-License-Identifier: Apache-2.0 */
/* hale tap: every line of the bus as it comes, and with --raw every frame
 *
 * Lines come through the feed: what was missed is asked for, so nothing is missing unless it says
 * so. --raw shows what is on the wire, gaps included.
 */
#include "verbs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "base/file.h"
#include "base/mem.h"
#include "bus/feed.h"
#include "bus/sub.h"
#include "field.h"
#include "model/frame.h"
#include "tap_view.h"
#include "topic.h"

struct tap {
	struct cli *cli;
	const struct strlist *topics; /* none: all */
	const char *glob;             /* NULL: all */
	int64_t left;                 /* lines (or frames) to go; negative: no end */
	uv_loop_t loop;
	uv_signal_t signals[2];
	struct feed *feed;
	struct sub *sub;
	char epoch[FRAME_EPOCH_MAX];
	uint64_t next;    /* --raw: the number to come */
	uint64_t unknown; /* lines and frames of a later version, told of */
	bool is_stopping;
};

static void stop(struct tap *t)
{
	if (t->is_stopping)
		return;
	t->is_stopping = true;
	if (t->feed != NULL)
		feed_close(t->feed, NULL, NULL);
	if (t->sub != NULL)
		sub_close(t->sub, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t->signals); i++)
		uv_close((uv_handle_t *)&t->signals[i], NULL);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	stop(handle->data);
}

/* What is between the lines goes where it does not spoil them. */
static void note(struct tap *t, const char *fmt, ...) HALE_PRINTF(2, 3);

static void note(struct tap *t, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	(void)fflush(t->cli->out);
	(void)fprintf(t->cli->err, "hale: %s\n", str_text(&text));
}

static void note_restart(struct tap *t, const char *epoch)
{
	if (t->epoch[0] != '\0' && !str_eq(t->epoch, epoch))
		note(t, "haled was restarted; its lines are numbered from 1 again");
	(void)snprintf(t->epoch, sizeof(t->epoch), "%s", epoch);
}

static bool is_wanted(const struct tap *t, const char *topic)
{
	return t->topics->n == 0 || strlist_has(t->topics, topic);
}

static void count_down(struct tap *t)
{
	if (ferror(t->cli->out) != 0 || (t->left > 0 && --t->left == 0))
		stop(t);
}

/* ---- lines ---- */

static void print_json(struct tap *t, const char *topic, const char *epoch, uint64_t seq,
		       const json_t *object)
{
	json_t *line = json_pack("{s:s, s:s, s:I}", "topic", topic, "epoch", epoch, "seq",
				 (json_int_t)seq);

	(void)json_object_update(line, (json_t *)(uintptr_t)object);
	cli_json_line(t->cli, line);
	json_decref(line);
}

static void on_line(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		    const json_t *object)
{
	struct tap *t = ctx;
	HALE_CLEANUP(str_done) struct str out = {0};

	note_restart(t, epoch);
	if (!is_wanted(t, topic) || (t->glob != NULL && !tap_matches(topic, object, t->glob)))
		return;
	if (t->cli->is_json) {
		print_json(t, topic, epoch, seq, object);
	} else {
		tap_format(&out, topic, seq, object, t->cli->has_colour, t->cli->width);
		cli_print(t->cli, &out);
	}
	count_down(t);
}

static void on_snapshot(void *ctx, const json_t *snapshot)
{
	struct tap *t = ctx;
	uint64_t lost = feed_stats_get(t->feed)->lost;

	(void)snapshot;
	if (lost > 0)
		note(t,
		     "lines are missing here, %" PRIu64 " at least: haled no longer had them "
		     "(bus.ring in the configuration)",
		     lost);
	else
		note(t, "haled no longer has everything since its start: this is from now on");
}

static void on_batch(void *ctx, const struct feed_cursor *cursor)
{
	struct tap *t = ctx;
	const struct feed_stats *stats = feed_stats_get(t->feed);

	(void)cursor;
	(void)fflush(t->cli->out);
	if (stats->unknown > t->unknown)
		note(t, "%" PRIu64 " lines were passed over: haled is of a later version",
		     stats->unknown - t->unknown);
	t->unknown = stats->unknown;
}

static const struct feed_ops feed_ops = {
	.on_line = on_line, .on_snapshot = on_snapshot, .on_batch = on_batch};

/* ---- frames ---- */

static void follow_numbers(struct tap *t, const struct frame *f)
{
	bool is_sync = str_eq(f->topic, TOPIC_SYNC);
	uint64_t end = is_sync ? f->first_seq + 1 : f->first_seq + f->count;

	if (!str_eq(t->epoch, f->epoch))
		t->next = is_sync ? end : f->first_seq;
	note_restart(t, f->epoch);
	if ((is_sync ? end : f->first_seq) > t->next)
		note(t, "gap: %" PRIu64 " lines from %" PRIu64 " on did not come",
		     (is_sync ? end : f->first_seq) - t->next, t->next);
	t->next = HALE_MAX(t->next, end);
}

static void on_frame(void *ctx, const struct frame *f)
{
	struct tap *t = ctx;
	HALE_CLEANUP(str_done) struct str out = {0};
	const struct sub_stats *stats = sub_stats_get(t->sub);

	if (stats->unknown > t->unknown)
		note(t, "%" PRIu64 " frames are of a later version", stats->unknown - t->unknown);
	t->unknown = stats->unknown;
	follow_numbers(t, f);
	if (!is_wanted(t, f->topic))
		return;
	frame_format(&out, f->topic, f->epoch, f->first_seq, f->count, f->lines, f->lines_len);
	cli_print(t->cli, &out);
	(void)fflush(t->cli->out);
	count_down(t);
}

/* ---- the verb ---- */

static int open_raw(struct tap *t, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(t->cli->run_dir, FEED_BUS_SOCKET);

	return sub_dial(&t->loop, path, on_frame, t, &t->sub, err);
}

/* From where haled stands now, or from the oldest line it has. */
static int open_feed(struct tap *t, const json_t *pong, bool from_start, struct err *err)
{
	struct feed_cursor cursor = {.seq = (uint64_t)field_int(pong, "head", 0)};
	struct feed_plan plan = {.run_dir = t->cli->run_dir,
				 .name = "hale",
				 .start = FEED_FROM_CURSOR,
				 .cursor = &cursor};

	if (from_start)
		cursor.seq = 0;
	else if (field_text(pong, "epoch") != NULL)
		(void)snprintf(cursor.epoch, sizeof(cursor.epoch), "%s", field_text(pong, "epoch"));
	else
		plan.start = FEED_FROM_NOW;
	return feed_open(&t->loop, &plan, &feed_ops, t, &t->feed, err);
}

static int run(struct tap *t, const json_t *pong, bool is_raw, bool from_start)
{
	static const int signums[] = {SIGINT, SIGTERM};
	struct err err = {0};
	int rc;

	HALE_ASSERT(uv_loop_init(&t->loop) == 0);
	rc = is_raw ? open_raw(t, &err) : open_feed(t, pong, from_start, &err);
	if (rc < 0) {
		(void)uv_loop_close(&t->loop);
		return cli_refuse(t->cli, CLI_FAILED, "%s", err.text);
	}
	for (size_t i = 0; i < ARRAY_LEN(signums); i++) {
		(void)uv_signal_init(&t->loop, &t->signals[i]);
		t->signals[i].data = t;
		(void)uv_signal_start(&t->signals[i], on_signal, signums[i]);
	}
	(void)uv_run(&t->loop, UV_RUN_DEFAULT);
	HALE_ASSERT(uv_loop_close(&t->loop) == 0);
	(void)fflush(t->cli->out);
	return CLI_DONE;
}

static int check_topics(struct cli *cli, const struct args *args, bool is_raw)
{
	for (size_t i = 0; i < args->words.n; i++) {
		const char *topic = args->words.v[i];

		/* Not for people, but on the wire. */
		if ((!is_raw || !str_eq(topic, TOPIC_SYNC)) && topic_check(cli, topic) != 0)
			return CLI_USAGE;
	}
	return 0;
}

int verb_tap(struct cli *cli, const struct args *args)
{
	bool is_raw = args_is(args, "raw"), from_start = args_is(args, "from-start");
	struct tap t = {.cli = cli,
			.topics = &args->words,
			.glob = args_text(args, "component"),
			.left = args_number(args, "lines", -1)};
	json_t *pong = NULL;
	int code = check_topics(cli, args, is_raw);

	if (code != 0)
		return code;
	if (is_raw && (t.glob != NULL || from_start || cli->is_json))
		return cli_refuse(cli, CLI_USAGE,
				  "tap: --raw shows frames as they are: without --component, "
				  "--from-start and -o json");
	code = cli_ask(cli, "haled", "ping", NULL, CLI_TIMEOUT_MS, &pong);
	if (code == 0 && t.left != 0)
		code = run(&t, pong, is_raw, from_start);
	json_decref(pong);
	return code;
}
