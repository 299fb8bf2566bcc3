/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/frame.h"
#include "model/health_line.h"
#include "model/reason.h"
#include "rows_private.h"
#include "shape.h"
#include "store/metric_text.h"

/* Texts with escapes are decoded into a buffer of their own. */
enum { IN_NODE, IN_NAME, IN_KIND, IN_LABEL, IN_REASON, IN_MESSAGE, IN_ERROR, IN_MAX };

struct rows_reader {
	struct str text[IN_MAX];
	struct str metric_names, metrics, details;
	struct shapes *shapes;
};

struct rows_reader *rows_reader_new(void)
{
	struct rows_reader *r = mem_alloc(sizeof(*r));

	r->shapes = shapes_new();
	return r;
}

void rows_reader_free(struct rows_reader *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(r->text); i++)
		str_done(&r->text[i]);
	str_done(&r->metric_names);
	str_done(&r->metrics);
	str_done(&r->details);
	shapes_free(r->shapes);
	free(r);
}

void rows_keep_object(struct str *out, const char *text, size_t len)
{
	struct jtext whole;

	if (len <= strlen("{}"))
		return;
	/* Nor one so deep that SQLite would not take it for JSON, which ends whole queries. */
	if (len <= ROW_DETAILS_MAX && jtext_check(text, len, &whole))
		str_addn(out, text, len);
	else
		str_addf(out, "{\"truncated\":true,\"bytes\":%zu}", len);
}

/* --- a routine line of health, as text --- */

/* The members of a component object that rows are made of. */
struct routine {
	struct jtext kind, label, status, outcome, reason, message, took_ms, metrics, details;
	struct jtext since, last_check, last_success, failures, errors, last_error, attempts;
};

static const struct {
	const char *name;
	size_t offset;
} members[] = {
#define MEMBER(name, field)                                                                        \
	{                                                                                          \
		name, offsetof(struct routine, field)                                              \
	}
	MEMBER("kind", kind),
	MEMBER("label", label),
	MEMBER("status", status),
	MEMBER("since", since),
	MEMBER("message", message),
	MEMBER("reason", reason),
	MEMBER("outcome", outcome),
	MEMBER("took_ms", took_ms),
	MEMBER("consecutive_failures", failures),
	MEMBER("error_count", errors),
	MEMBER("last_error", last_error),
	MEMBER("recovery_attempts", attempts),
	MEMBER("last_check", last_check),
	MEMBER("last_success", last_success),
	MEMBER("metrics", metrics),
	MEMBER("details", details),
#undef MEMBER
};

static void find_members(struct jtext state, struct routine *f)
{
	struct jtext name, value;

	for (size_t at = 0; jtext_next(state, &at, &name, &value);)
		for (size_t i = 0; i < ARRAY_LEN(members); i++)
			if (jtext_is(name, members[i].name)) {
				*(struct jtext *)((char *)f + members[i].offset) = value;
				break;
			}
}

/* Nearly no text has escapes: it is borrowed from the line. */
static struct row_text text_in(struct rows_reader *r, int where, struct jtext v)
{
	struct str *buf = &r->text[where];

	if (!jtext_is_string(v))
		return ROW_NO_TEXT;
	if (memchr(v.text, '\\', v.len) == NULL)
		return (struct row_text){v.text + 1, v.len - 2};
	str_clear(buf);
	str_reserve(buf, v.len + 1);
	if (!jtext_string(v, buf->data, v.len + 1))
		return ROW_NO_TEXT;
	return row_text_of(buf->data);
}

static struct row_text object_in(struct str *buf, struct jtext v)
{
	str_clear(buf);
	if (!jtext_is_object(v))
		return ROW_NO_TEXT;
	rows_keep_object(buf, v.text, v.len);
	return buf->len > 0 ? (struct row_text){buf->data, buf->len} : ROW_NO_TEXT;
}

static int64_t time_in(struct jtext v)
{
	char text[CLOCK_TEXT_MAX];
	int64_t ms;

	return jtext_string(v, text, sizeof(text)) && clock_parse(text, &ms) == 0 ? ms : -1;
}

static int64_t us_in(struct jtext v)
{
	double ms;

	if (!jtext_number(v, &ms) || ms < 0 || ms > (double)(INT64_MAX / 2000))
		return -1;
	return llround(ms * 1000.0);
}

static int64_t count_in(struct jtext v)
{
	double n;

	return jtext_number(v, &n) && n >= 0 && n < (double)(INT64_MAX / 2) ? (int64_t)n : 0;
}

static int status_in(struct jtext v)
{
	for (int s = 0; s < STATUS_MAX; s++)
		if (jtext_eq(v, status_name((enum status)s)))
			return s;
	return -1;
}

static int outcome_in(struct jtext v)
{
	for (int o = 0; o < OUTCOME_MAX; o++)
		if (jtext_eq(v, outcome_name((enum outcome)o)))
			return o;
	return -1;
}

static void split_metrics(struct rows_reader *r, struct jtext v, struct row_result *row)
{
	str_clear(&r->metric_names);
	str_clear(&r->metrics);
	if (metric_text_split(v, &r->metric_names, &r->metrics)) {
		row->metric_names = (struct row_text){r->metric_names.data, r->metric_names.len};
		row->metrics = (struct row_text){r->metrics.data, r->metrics.len};
	} else {
		row->metrics = object_in(&r->metrics, v);
	}
}

static struct row_component component_in(struct rows_reader *r, const struct health_line *l,
					 const struct routine *f)
{
	return (struct row_component){
		.node = text_in(r, IN_NODE, l->node),
		.name = text_in(r, IN_NAME, l->component),
		.kind = text_in(r, IN_KIND, f->kind),
		.label = text_in(r, IN_LABEL, f->label),
	};
}

/* False: read it as a tree, which says what it is. */
static bool read_routine(struct rows_reader *r, const struct store_line *line,
			 struct row_result *row_r)
{
	struct routine f = {0};
	struct health_line l;
	struct jtext whole;

	/* What goes into the store as JSON is JSON. */
	if (!health_line_is_routine(line->text, line->len, &l) ||
	    !jtext_check(line->text, line->len, &whole))
		return false;
	find_members(l.state, &f);
	*row_r = (struct row_result){
		.component = component_in(r, &l, &f),
		.at_ms = time_in(l.at),
		.status = status_in(f.status),
		.outcome = outcome_in(f.outcome),
		.reason = jtext_eq(f.reason, reason_code(REASON_OK))
				  ? ROW_NO_TEXT
				  : text_in(r, IN_REASON, f.reason),
		.message = text_in(r, IN_MESSAGE, f.message),
		.details = object_in(&r->details, f.details),
		.took_us = us_in(f.took_ms),
		.is_routine = true,
	};
	split_metrics(r, f.metrics, row_r);
	if (row_r->at_ms < 0 || row_r->status < 0 || row_r->outcome < 0 ||
	    !row_is_name(row_r->component.node) || !row_is_name(row_r->component.name))
		return false;
	shapes_keep(r->shapes, line,
		    &(struct shape_parts){.at = l.at,
					  .took_ms = f.took_ms,
					  .message = f.message,
					  .metrics = f.metrics,
					  .times = {f.last_check, f.last_success},
					  .counts = {f.failures, f.errors, f.attempts}},
		    row_r);
	return true;
}

bool rows_read_state(struct rows_reader *r, const struct store_line *line,
		     struct row_state *state_r)
{
	struct routine f = {0};
	struct health_line l;

	if (strcmp(line->topic, TOPIC_HEALTH) != 0 ||
	    !health_line_is_routine(line->text, line->len, &l))
		return false;
	find_members(l.state, &f);
	*state_r = (struct row_state){
		.component = component_in(r, &l, &f),
		.at_ms = time_in(l.at),
		.status = status_in(f.status),
		.since_ms = time_in(f.since),
		.last_check_ms = time_in(f.last_check),
		.last_success_ms = time_in(f.last_success),
		.consecutive_failures = count_in(f.failures),
		.error_count = count_in(f.errors),
		.recovery_attempts = count_in(f.attempts),
		.last_error = text_in(r, IN_ERROR, f.last_error),
		.reason = text_in(r, IN_REASON, f.reason),
		.message = text_in(r, IN_MESSAGE, f.message),
		.metrics = object_in(&r->metrics, f.metrics),
		.details = object_in(&r->details, f.details),
		.took_us = us_in(f.took_ms),
	};
	return state_r->status >= 0;
}

/* --- any line --- */

static int read_tree(const struct store_line *line, const struct row_sink *sink, void *ctx)
{
	struct rows_reading g = {.line = line, .sink = sink, .ctx = ctx};
	json_t *object = json_loadb(line->text, line->len, 0, NULL);
	int rc = ROWS_NOT_UNDERSTOOD;

	g.object = object;
	if (json_is_object(object))
		rc = rows_read_tree(&g);
	str_done(&g.metric_names);
	str_done(&g.metrics);
	str_done(&g.metric_object);
	str_done(&g.details);
	str_done(&g.other);
	json_decref(object);
	return rc;
}

int rows_read(struct rows_reader *r, const struct store_line *line, const struct row_sink *sink,
	      void *ctx)
{
	struct row_result row;

	if (strcmp(line->topic, TOPIC_HEALTH) == 0 &&
	    (shapes_match(r->shapes, line, &row) || read_routine(r, line, &row)))
		return sink->result(ctx, &row);
	return read_tree(line, sink, ctx);
}
