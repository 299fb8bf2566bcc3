/* SPDX-License-Identifier: Apache-2.0 */
/* hale events: what happened, from the store, and with -f what happens, from the bus
 *
 * With -f the store's own cursor is where the bus is taken up, so that nothing between the last row
 * written and now is missing.
 */
#include "verbs.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "bus/feed.h"
#include "event_view.h"
#include "field.h"
#include "model/frame.h"
#include "past.h"
#include "topic.h"

#define DEFAULT_LINES 20
/* Pages read until enough of one topic is found: further back, ask `hale history`. */
#define PAGES_MAX     20

static void print_event(struct cli *cli, const struct event *e, json_t *line)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	if (cli->is_json) {
		if (json_object_get(line, "topic") == NULL)
			json_object_set_new(line, "topic", json_string(e->topic));
		cli_json_line(cli, line);
	} else {
		event_format(&out, e, cli->has_colour, cli->width);
		cli_print(cli, &out);
	}
}

/* ---- past ---- */

struct gathered {
	struct item {
		struct event event;
		json_t *row;
		size_t order; /* of arrival: keeps what happened in one millisecond in its order */
	} * v;
	size_t n;
};

static void gather(struct gathered *g, enum read_what what, const char *topic, json_t *row)
{
	struct event e;

	if (!event_of_row(what, row, &e))
		return;
	if (topic != NULL && !str_eq(topic, e.topic)) {
		event_done(&e);
		return;
	}
	g->v = mem_grow(g->v, g->n + 1, sizeof(*g->v));
	g->v[g->n] = (struct item){.event = e, .row = json_incref(row), .order = g->n};
	g->n++;
}

static int newest_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->event.at_ms != y->event.at_ms)
		return x->event.at_ms < y->event.at_ms ? 1 : -1;
	return (x->order > y->order) - (x->order < y->order);
}

/* One kind of row, page by page, until `limit` of the topic are found. */
static int gather_kind(struct cli *cli, struct past *p, enum read_what what, const char *topic,
		       size_t limit, struct gathered *g)
{
	struct read_query q = {.what = what, .limit = HALE_MAX(limit, (size_t)100)};
	size_t before = g->n;
	json_t *answer = NULL;

	for (int page = 0; page < PAGES_MAX && g->n - before < limit; page++) {
		struct err err = {0};
		json_t *next = NULL, *row;
		size_t i;

		if (read_rows(past_history(p), &q, &next, &err) < 0) {
			json_decref(answer);
			return cli_refuse(cli, CLI_FAILED, "%s", err.text);
		}
		json_array_foreach (field_array(next, "rows"), i, row) {
			gather(g, what, topic, row);
		}
		json_decref(answer); /* the cursor of the page before was read from it */
		answer = next;
		q.cursor = field_text(answer, "cursor");
		if (q.cursor == NULL)
			break;
	}
	json_decref(answer);
	return 0;
}

static int gather_all(struct cli *cli, struct past *p, const char *topic, size_t limit,
		      struct gathered *g)
{
	int code = 0;

	if (topic == NULL || str_eq(topic, TOPIC_HEALTH))
		code = gather_kind(cli, p, READ_TRANSITIONS, topic, limit, g);
	if (code == 0 && (topic == NULL || str_eq(topic, TOPIC_PROCESS)))
		code = gather_kind(cli, p, READ_PROCESSES, topic, limit, g);
	if (code == 0 && !str_eq(topic, TOPIC_HEALTH) && !str_eq(topic, TOPIC_PROCESS))
		code = gather_kind(cli, p, READ_EVENTS, topic, limit, g);
	return code;
}

static int print_past(struct cli *cli, struct past *p, const char *topic, size_t limit)
{
	struct gathered g = {0};
	int code = gather_all(cli, p, topic, limit, &g);

	if (g.n > 0)
		qsort(g.v, g.n, sizeof(*g.v), newest_first);
	for (size_t i = HALE_MIN(g.n, limit); code == 0 && i-- > 0;)
		print_event(cli, &g.v[i].event, g.v[i].row);
	(void)fflush(cli->out);
	for (size_t i = 0; i < g.n; i++) {
		event_done(&g.v[i].event);
		json_decref(g.v[i].row);
	}
	free(g.v);
	return code;
}

/* ---- present ---- */

struct follow {
	struct cli *cli;
	const char *topic;
	uv_loop_t loop;
	struct feed *feed;
	uv_signal_t signals[2];
	bool is_stopping;
};

static void stop(struct follow *f)
{
	if (f->is_stopping)
		return;
	f->is_stopping = true;
	feed_close(f->feed, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(f->signals); i++)
		uv_close((uv_handle_t *)&f->signals[i], NULL);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	stop(handle->data);
}

static void on_line(void *ctx, const char *topic, const char *epoch, uint64_t seq,
		    const json_t *object)
{
	struct follow *f = ctx;
	json_t *line;
	struct event e;

	(void)epoch;
	(void)seq;
	if ((f->topic != NULL && !str_eq(topic, f->topic)) || !event_of_line(topic, object, &e))
		return;
	line = json_copy((json_t *)(uintptr_t)object);
	print_event(f->cli, &e, line);
	json_decref(line);
	event_done(&e);
	(void)fflush(f->cli->out);
	if (ferror(f->cli->out) != 0)
		stop(f);
}

/* haled no longer has what came between: the page of status says how things stand. */
static void on_snapshot(void *ctx, const json_t *snapshot)
{
	struct follow *f = ctx;

	(void)snapshot;
	(void)fprintf(f->cli->err, "hale: events may be missing here (see: hale status)\n");
}

static int follow(struct cli *cli, const char *topic, const struct feed_cursor *cursor)
{
	static const struct feed_ops ops = {.on_line = on_line, .on_snapshot = on_snapshot};
	static const int signums[] = {SIGINT, SIGTERM};
	struct follow f = {.cli = cli, .topic = topic};
	enum feed_start start = cursor->epoch[0] != '\0' ? FEED_FROM_CURSOR : FEED_FROM_NOW;
	struct err err = {0};

	HALE_ASSERT(uv_loop_init(&f.loop) == 0);
	if (feed_open(&f.loop,
		      &(struct feed_plan){.run_dir = cli->run_dir,
					  .name = "hale",
					  .start = start,
					  .cursor = cursor},
		      &ops, &f, &f.feed, &err) < 0) {
		(void)uv_loop_close(&f.loop);
		return cli_refuse(cli, CLI_FAILED, "%s", err.text);
	}
	for (size_t i = 0; i < ARRAY_LEN(signums); i++) {
		(void)uv_signal_init(&f.loop, &f.signals[i]);
		f.signals[i].data = &f;
		(void)uv_signal_start(&f.signals[i], on_signal, signums[i]);
	}
	(void)uv_run(&f.loop, UV_RUN_DEFAULT);
	HALE_ASSERT(uv_loop_close(&f.loop) == 0);
	return CLI_DONE;
}

/* ---- the verb ---- */

/* How far this node's lines are stored; epoch "" if that cannot be told. */
static struct feed_cursor stored_until(struct cli *cli, struct past *past)
{
	struct feed_cursor cursor = {0};
	json_t *status = NULL;
	struct err err = {0};
	int rc = cli_try(cli, "haled", "status", json_pack("{s:b}", "brief", true), CLI_TIMEOUT_MS,
			 &status, NULL, &err);

	if (rc == 0)
		rc = read_cursor(past_history(past), field_text(status, "node"), cursor.epoch,
				 sizeof(cursor.epoch), &cursor.seq, &err);
	json_decref(status);
	return rc == 0 ? cursor : (struct feed_cursor){0};
}

int verb_events(struct cli *cli, const struct args *args)
{
	size_t limit = (size_t)args_number(args, "lines", DEFAULT_LINES);
	const char *topic = args_text(args, "topic");
	bool is_following = args_is(args, "follow");
	struct feed_cursor cursor = {0};
	struct past *past = NULL;
	int code;

	if (topic != NULL && topic_check(cli, topic) != 0)
		return CLI_USAGE;
	code = past_open(cli, is_following, &past);
	if (code == CLI_NO_HALE || (code != 0 && !is_following))
		return code;
	code = 0;
	/* Before the rows: a row written in between is then told twice rather than never. */
	if (past != NULL && is_following)
		cursor = stored_until(cli, past);
	if (past != NULL && limit > 0)
		code = print_past(cli, past, topic, limit);
	past_close(past);
	return code == 0 && is_following ? follow(cli, topic, &cursor) : code;
}
