/* SPDX-License-Identifier: Apache-2.0 */
/* hale events: what happened, from the store, and with -f what happens, from the bus
 *
 * With -f the store's own cursor is where the bus is taken up, so that nothing between the last row
 * written and now is missing.
 */
#include "verbs.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "bus/feed.h"
#include "event_view.h"
#include "field.h"
#include "model/frame.h"
#include "past.h"
#include "period.h"
#include "topic.h"

#define DEFAULT_LINES 20
/* Of a time that was named: all there is to look at. */
#define PERIOD_LINES  10000
#define PAGE_ROWS     1000
/* Rows of one kind that are looked through for what was asked for: some seconds. */
#define PAGES_MAX     200

/* ---- which of them ---- */

struct wish {
	const char *topic, *name, *kind; /* NULL: any; name may be a glob */
	int severity;                    /* at least: 0 info, 1 warning, 2 critical */
	struct period period;
	size_t limit;
};

static int severity_of(enum tone tone)
{
	if (tone == TONE_WARN)
		return 1;
	return tone == TONE_BAD || tone == TONE_WORST ? 2 : 0;
}

static bool is_wanted(const struct wish *w, const struct event *e)
{
	return (w->topic == NULL || str_eq(w->topic, e->topic)) &&
	       (w->name == NULL || fnmatch(w->name, e->subject, 0) == 0) &&
	       (w->kind == NULL || str_eq(w->kind, e->kind)) && severity_of(e->tone) >= w->severity;
}

static bool is_glob(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

static int read_severity(const char *name, int *severity_r, struct err *err)
{
	static const char *const names[] = {"info", "warning", "critical"};

	for (size_t i = 0; name != NULL && i < ARRAY_LEN(names); i++) {
		if (str_eq(names[i], name)) {
			*severity_r = (int)i;
			return 0;
		}
	}
	*severity_r = 0;
	return name == NULL ? 0
			    : err_set(err, -1,
				      "--severity: '%s' is none of info, warning, critical", name);
}

static int read_wish(struct cli *cli, const struct args *args, struct wish *w)
{
	bool has_period = args_is(args, "since") || args_is(args, "from") || args_is(args, "to");
	struct err err = {0};

	*w = (struct wish){.topic = args_text(args, "topic"),
			   .name = args_text(args, "component"),
			   .kind = args_text(args, "kind"),
			   .limit = (size_t)args_number(args, "lines",
							has_period ? PERIOD_LINES : DEFAULT_LINES)};
	if (w->topic != NULL && topic_check(cli, w->topic) != 0)
		return CLI_USAGE;
	if (period_of(args, cli_now(cli), 0, &w->period, &err) < 0 ||
	    read_severity(args_text(args, "severity"), &w->severity, &err) < 0)
		return cli_refuse(cli, CLI_USAGE, "%s", err.text);
	if (args_is(args, "to") && args_is(args, "follow"))
		return cli_refuse(cli, CLI_USAGE, "--to and --follow exclude each other");
	return 0;
}

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
	bool has_more; /* older ones that are wanted too, perhaps */
};

static void gather(struct gathered *g, enum read_what what, const struct wish *w, json_t *row)
{
	struct event e;

	if (!event_of_row(what, row, &e))
		return;
	if (!is_wanted(w, &e)) {
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

/* One kind of row, page by page, until `limit` are found. */
static int gather_kind(struct cli *cli, struct past *p, enum read_what what, const struct wish *w,
		       struct gathered *g)
{
	struct read_query q = {
		.what = what,
		.name = w->name != NULL && !is_glob(w->name) ? w->name : NULL,
		.from_ms = w->period.from_ms,
		.to_ms = w->period.to_ms,
		.limit = HALE_MIN(HALE_MAX(w->limit, (size_t)100), (size_t)PAGE_ROWS)};
	size_t before = g->n;
	json_t *answer = NULL;

	for (int page = 0; page < PAGES_MAX && g->n - before <= w->limit; page++) {
		struct err err = {0};
		json_t *next = NULL, *row;
		size_t i;

		if (read_rows(past_history(p), &q, &next, &err) < 0) {
			json_decref(answer);
			return cli_refuse(cli, CLI_FAILED, "%s", err.text);
		}
		json_array_foreach (field_array(next, "rows"), i, row) {
			gather(g, what, w, row);
		}
		json_decref(answer); /* the cursor of the page before was read from it */
		answer = next;
		q.cursor = field_text(answer, "cursor");
		if (q.cursor == NULL)
			break;
	}
	g->has_more = g->has_more || q.cursor != NULL;
	json_decref(answer);
	return 0;
}

static int gather_all(struct cli *cli, struct past *p, const struct wish *w, struct gathered *g)
{
	const char *topic = w->topic;
	int code = 0;

	if (topic == NULL || str_eq(topic, TOPIC_HEALTH))
		code = gather_kind(cli, p, READ_TRANSITIONS, w, g);
	if (code == 0 && (topic == NULL || str_eq(topic, TOPIC_PROCESS)))
		code = gather_kind(cli, p, READ_PROCESSES, w, g);
	if (code == 0 && !str_eq(topic, TOPIC_HEALTH) && !str_eq(topic, TOPIC_PROCESS))
		code = gather_kind(cli, p, READ_EVENTS, w, g);
	return code;
}

/* Who named a time wants all of it. */
static void tell_truncated(struct cli *cli, const struct wish *w, const struct gathered *g)
{
	bool has_period = w->period.from_ms != 0 || w->period.to_ms != 0;

	if (g->n > w->limit && has_period)
		(void)fprintf(cli->err,
			      "hale: these are the newest %zu; more of them with -n, or a shorter "
			      "time\n",
			      w->limit);
	else if (g->n < w->limit && g->has_more)
		(void)fprintf(cli->err,
			      "hale: older ones were not looked for; name a time with --from and "
			      "--to\n");
}

static int print_past(struct cli *cli, struct past *p, const struct wish *w)
{
	struct gathered g = {0};
	int code = gather_all(cli, p, w, &g);

	if (g.n > 0)
		qsort(g.v, g.n, sizeof(*g.v), newest_first);
	for (size_t i = HALE_MIN(g.n, w->limit); code == 0 && i-- > 0;)
		print_event(cli, &g.v[i].event, g.v[i].row);
	(void)fflush(cli->out);
	if (code == 0)
		tell_truncated(cli, w, &g);
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
	const struct wish *wish;
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
	if (!event_of_line(topic, object, &e))
		return;
	if (is_wanted(f->wish, &e)) {
		line = json_copy((json_t *)(uintptr_t)object);
		print_event(f->cli, &e, line);
		json_decref(line);
	}
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

static int follow(struct cli *cli, const struct wish *wish, const struct feed_cursor *cursor)
{
	static const struct feed_ops ops = {.on_line = on_line, .on_snapshot = on_snapshot};
	static const int signums[] = {SIGINT, SIGTERM};
	struct follow f = {.cli = cli, .wish = wish};
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

/* Where the store ends. Without one, or without its node, the bus is taken up from now on. */
static void read_end(struct cli *cli, struct past *past, struct feed_cursor *cursor)
{
	json_t *status = NULL;
	struct err err;
	const char *node;

	*cursor = (struct feed_cursor){0};
	if (cli_try(cli, "haled", "status", json_pack("{s:b}", "brief", 1), CLI_TIMEOUT_MS, &status,
		    NULL, &err) != 0)
		return;
	node = field_text(status, "node");
	if (node == NULL || read_cursor(past_history(past), node, cursor->epoch,
					sizeof(cursor->epoch), &cursor->seq, &err) < 0)
		*cursor = (struct feed_cursor){0};
	json_decref(status);
}

int verb_events(struct cli *cli, const struct args *args)
{
	bool is_following = args_is(args, "follow");
	struct feed_cursor cursor = {0};
	struct past *past = NULL;
	struct wish wish;
	int code = read_wish(cli, args, &wish);

	if (code != 0)
		return code;
	code = past_open(cli, is_following, &past);
	if (code == CLI_NO_HALE || (code != 0 && !is_following))
		return code;
	code = 0;
	/* Before the rows: a row written in between is then told twice rather than never. */
	if (past != NULL && is_following)
		read_end(cli, past, &cursor);
	if (past != NULL && wish.limit > 0)
		code = print_past(cli, past, &wish);
	past_close(past);
	return code == 0 && is_following ? follow(cli, &wish, &cursor) : code;
}
