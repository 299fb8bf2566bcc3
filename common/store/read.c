/* SPDX-License-Identifier: Apache-2.0 */
#include "store/read.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "dialect.h"
#include "read_key.h"
#include "read_shape.h"
#include "read_window.h"
#include "statement.h"
#include "store_private.h"

/* The three columns of the key and the node come first in every statement. */
#define KEY_COLUMNS   3
#define FIRST_COLUMNS (KEY_COLUMNS + 1)
/* Range, key, name, node, limit. */
#define ARGS_MAX      8

int read_what_of(const char *name)
{
	for (int what = 0; what < READ_WHAT_MAX; what++)
		if (strcmp(read_shapes[what].name, name) == 0)
			return what;
	return -1;
}

const char *read_what_name(enum read_what what)
{
	HALE_ASSERT(what < READ_WHAT_MAX);
	return read_shapes[what].name;
}

/* --- statements --- */

struct query {
	struct str sql;
	struct db_value args[ARGS_MAX];
	size_t n;
};

/* Each ? in text is the value. */
static void add(struct query *q, const char *text, struct db_value value)
{
	HALE_ASSERT(q->n < ARGS_MAX);
	q->args[q->n++] = value;
	for (; *text != '\0'; text++) {
		if (*text == '?')
			str_addf(&q->sql, "$%zu", q->n);
		else
			str_addc(&q->sql, *text);
	}
}

/* --- the walk through a range --- */

struct walk {
	struct store *s;
	const struct read_query *q;
	const struct read_shape *shape;
	/* What is left of it: [from, to), and there only what lies beyond the key. */
	int64_t from, to;
	bool has_key;
	struct read_key key;
	/* Without a newest row's time in `to`, the first window begins here. */
	int64_t newest;
	int64_t window_ms;
	bool is_over;
};

/* One statement's rows. */
struct page {
	struct walk *walk;
	json_t *rows; /* appended to */
	size_t limit; /* of these, not counting what was there before */
	size_t n;
	bool has_more;
	struct err *err;
};

static char letter_of(const struct walk *w)
{
	return w->q->is_oldest_first ? (char)toupper(w->shape->letter) : w->shape->letter;
}

static bool is_filtered(const struct walk *w)
{
	return w->q->name != NULL || w->q->node != NULL;
}

static void keep_key(struct walk *w, const struct db_value *v)
{
	w->has_key = true;
	w->key.at = v[0].integer;
	w->key.a = v[1].integer;
	w->key.b = v[2].integer;
	if (w->shape->has_text_key)
		(void)snprintf(w->key.id, sizeof(w->key.id), "%s",
			       v[1].type == DB_TEXT ? v[1].text : "");
}

static json_t *value_json(const struct db_value *v)
{
	return v->type == DB_TEXT  ? json_stringn_nocheck(v->text, v->len)
	       : v->type == DB_INT ? json_integer(v->integer)
				   : json_null();
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct page *p = ctx;
	const struct db_value *v = row->values;
	char text[CLOCK_TEXT_MAX];
	json_t *out;

	if (p->n == p->limit) {
		p->has_more = true;
		return false;
	}
	p->n++;
	keep_key(p->walk, v);
	out = json_object();
	(void)json_object_set_new_nocheck(out, "at",
					  json_string_nocheck(clock_format(v[0].integer, text)));
	(void)json_object_set_new_nocheck(out, "node", value_json(&v[KEY_COLUMNS]));
	p->walk->shape->encode(out, v + FIRST_COLUMNS);
	if (p->walk->q->has_origin && p->walk->shape->origin != NULL) {
		v += row->columns - 2;
		(void)json_object_set_new_nocheck(out, "epoch", value_json(&v[0]));
		(void)json_object_set_new_nocheck(out, "seq", value_json(&v[1]));
	}
	(void)json_array_append_new(p->rows, out);
	return true;
}

static void add_columns(struct query *q, const struct walk *w)
{
	const struct read_shape *s = w->shape;

	str_addf(&q->sql, "SELECT @ms{%s}, %s, %s, %s, %s", s->at, s->key[0],
		 s->key[1] != NULL ? s->key[1] : "0", s->node, s->columns);
	if (w->q->has_origin && s->origin != NULL)
		str_addf(&q->sql, ", %s", s->origin);
	str_addf(&q->sql, " FROM %s", s->from);
}

/* The range bounds the time on both sides, so that a page begins with a look-up and not with a scan
 * of all pages before it; the key's tuple then cuts exactly. */
static void add_key(struct query *q, const struct walk *w)
{
	const struct read_shape *s = w->shape;

	str_addf(&q->sql, " AND (%s, %s%s%s) %c ", s->at, s->key[0], s->key[1] != NULL ? ", " : "",
		 s->key[1] != NULL ? s->key[1] : "", w->q->is_oldest_first ? '>' : '<');
	add(q, "(@at{?}, ", DB_V_INT(w->key.at));
	add(q, "?", s->has_text_key ? db_v_text(w->key.id) : DB_V_INT(w->key.a));
	if (s->key[1] != NULL)
		add(q, ", ?", DB_V_INT(w->key.b));
	str_addc(&q->sql, ')');
}

static void add_order(struct query *q, const struct walk *w)
{
	const struct read_shape *s = w->shape;
	const char *direction = w->q->is_oldest_first ? "ASC" : "DESC";

	str_addf(&q->sql, " ORDER BY %s %s, %s %s", s->at, direction, s->key[0], direction);
	if (s->key[1] != NULL)
		str_addf(&q->sql, ", %s %s", s->key[1], direction);
}

static void add_filters(struct query *q, const struct walk *w)
{
	if (w->q->name != NULL) {
		str_add(&q->sql, " AND ");
		add(q, w->shape->by_name, db_v_text(w->q->name));
	}
	if (w->q->node != NULL) {
		str_add(&q->sql, " AND ");
		add(q, w->shape->by_node, db_v_text(w->q->node));
	}
}

static void add_range(struct query *q, const struct walk *w, int64_t from, int64_t to)
{
	str_addf(&q->sql, " WHERE %s", w->shape->at);
	add(q, " >= @at{?}", DB_V_INT(from));
	str_addf(&q->sql, " AND %s", w->shape->at);
	add(q, " < @at{?}", DB_V_INT(to));
}

static int read_page(struct page *p, int64_t from, int64_t to)
{
	struct walk *w = p->walk;
	struct query q = {0};
	int rc;

	add_columns(&q, w);
	add_range(&q, w, from, to);
	if (w->has_key)
		add_key(&q, w);
	add_filters(&q, w);
	add_order(&q, w);
	add(&q, " LIMIT ?", DB_V_INT((int64_t)p->limit + 1));
	rc = statement_query(w->s->db, str_text(&q.sql), q.args, q.n, on_row, p, p->err);
	str_done(&q.sql);
	return rc;
}

/* --- windows --- */

/* Is there anything in [from, to), whatever the filter says? */
static int has_rows(struct walk *w, int64_t from, int64_t to, bool *has_r, struct err *err)
{
	struct query q = {0};
	int64_t n = 0;
	int rc;

	str_addf(&q.sql, "SELECT 1 FROM %s", w->shape->from);
	add_range(&q, w, from, to);
	str_add(&q.sql, " LIMIT 1");
	rc = statement_query(w->s->db, str_text(&q.sql), q.args, q.n, store_read_int, &n, err);
	str_done(&q.sql);
	*has_r = n != 0;
	return rc;
}

/* The part of what is left that is `ms` long and next. */
static int has_rows_ahead(struct walk *w, int64_t ms, bool *has_r, struct err *err)
{
	return w->q->is_oldest_first ? has_rows(w, w->from, w->from + ms, has_r, err)
				     : has_rows(w, w->to - ms, w->to, has_r, err);
}

static void pass_over(struct walk *w, int64_t ms)
{
	w->has_key = false;
	if (w->q->is_oldest_first)
		w->from += ms;
	else
		w->to -= ms;
	w->is_over = w->from >= w->to;
}

/* Where nothing is stored for a long time, that is found by halves and not window by window. */
static int leap(struct walk *w, struct err *err)
{
	int64_t none_ms = 0, some_ms = w->to - w->from, middle_ms;
	bool has = false;
	int rc = has_rows_ahead(w, HALE_MIN(w->window_ms, some_ms), &has, err);

	if (rc != 0 || has)
		return rc;
	rc = has_rows_ahead(w, some_ms, &has, err);
	if (rc == 0 && !has)
		pass_over(w, some_ms);
	if (rc != 0 || !has)
		return rc;
	while (rc == 0 && some_ms - none_ms > READ_WINDOW_FIRST_MS) {
		middle_ms = none_ms + (some_ms - none_ms) / 2;
		rc = has_rows_ahead(w, middle_ms, &has, err);
		if (has)
			some_ms = middle_ms;
		else
			none_ms = middle_ms;
	}
	if (rc == 0) {
		pass_over(w, none_ms);
		w->window_ms = READ_WINDOW_FIRST_MS;
	}
	return rc;
}

/* The next window of what is left. The first one reaches from the newest row to the open end. */
static void window_get(const struct walk *w, int64_t *from_r, int64_t *to_r)
{
	*from_r = w->from;
	*to_r = w->to;
	if (!w->shape->is_windowed)
		return;
	if (w->q->is_oldest_first)
		*to_r = HALE_MIN(w->from + w->window_ms, w->to);
	else
		*from_r = HALE_MAX(HALE_MIN(w->to, w->newest + 1) - w->window_ms, w->from);
}

/* The page ended within the window: it begins at the key from now on. */
static void stop_within(struct walk *w, int64_t from, int64_t to, size_t limit)
{
	int64_t span_ms = w->q->is_oldest_first ? w->key.at - from : to - w->key.at;

	if (w->q->is_oldest_first)
		w->from = w->key.at;
	else
		w->to = w->key.at + 1;
	w->window_ms = read_window_next(w->window_ms, limit, limit, span_ms + 1, is_filtered(w));
}

/* Reads one window, or what of it fits into the page. */
static int walk_on(struct page *p)
{
	struct walk *w = p->walk;
	int64_t from, to;
	int rc;

	window_get(w, &from, &to);
	p->n = 0;
	p->has_more = false;
	rc = read_page(p, from, to);
	if (rc != 0)
		return rc;
	if (p->has_more) {
		/* A page without room for one row only asked whether there is one. */
		if (p->n > 0)
			stop_within(w, from, to, p->limit);
		return 0;
	}
	pass_over(w, w->q->is_oldest_first ? to - w->from : w->to - from);
	if (w->is_over)
		return 0;
	w->window_ms = read_window_next(w->window_ms, p->n, p->limit, to - from, is_filtered(w));
	return p->n == 0 ? leap(w, p->err) : 0;
}

static int newest_get(struct walk *w, struct err *err)
{
	w->newest = 0;
	return statement_query(w->s->db, "SELECT @ms{max(last_at)} FROM epochs", NULL, 0,
			       store_read_int, &w->newest, err);
}

/* A name that was never heard of is not looked for in all there is. */
static int check_name(struct walk *w, struct err *err)
{
	struct db_value name = db_v_text(w->q->name);
	int64_t n = 0;
	int rc = statement_query(w->s->db, "SELECT 1 FROM components WHERE name = $1 LIMIT 1",
				 &name, 1, store_read_int, &n, err);

	if (rc == 0 && n == 0)
		w->is_over = true;
	return rc;
}

static int walk_begin(struct walk *w, struct store *s, const struct read_query *q, struct err *err)
{
	int rc = 0;

	HALE_ASSERT(q->what < READ_WHAT_MAX);
	*w = (struct walk){.s = s,
			   .q = q,
			   .shape = &read_shapes[q->what],
			   .from = HALE_MAX(q->from_ms, 0),
			   .to = q->to_ms > 0 ? HALE_MIN(q->to_ms, DIALECT_TIME_MAX)
					      : DIALECT_TIME_MAX,
			   .newest = DIALECT_TIME_MAX,
			   .window_ms = READ_WINDOW_FIRST_MS};
	if (q->cursor != NULL)
		rc = read_key_parse(q->cursor, letter_of(w), w->shape->has_text_key, &w->key, err);
	if (rc != 0)
		return rc;
	w->has_key = q->cursor != NULL;
	if (w->has_key && q->is_oldest_first)
		w->from = HALE_MAX(w->from, w->key.at);
	else if (w->has_key)
		w->to = HALE_MIN(w->to, w->key.at + 1);
	w->is_over = w->from >= w->to;
	if (w->shape->is_windowed && q->name != NULL)
		rc = check_name(w, err);
	if (rc == 0 && w->shape->is_windowed && !q->is_oldest_first)
		rc = newest_get(w, err);
	return rc;
}

/* --- one answer --- */

/* Also where the answer ends between two rows: no row has an epoch or an id below these. */
static const char *cursor_of(const struct walk *w, char buf[READ_KEY_MAX])
{
	struct read_key edge = {.at = w->q->is_oldest_first ? w->from : w->to};

	return read_key_format(w->has_key ? &w->key : &edge, letter_of(w), w->shape->has_text_key,
			       buf);
}

static json_t *answer(const struct walk *w, json_t *rows, bool has_more)
{
	char buf[READ_KEY_MAX];
	json_t *out = json_object();

	(void)json_object_set_new(out, "rows", rows);
	(void)json_object_set_new(out, "truncated", json_boolean(has_more));
	(void)json_object_set_new(out, "cursor",
				  has_more ? json_string(cursor_of(w, buf)) : json_null());
	return out;
}

int read_rows(struct store *s, const struct read_query *q, json_t **out_r, struct err *err)
{
	const size_t limit = HALE_MIN(q->limit > 0 ? q->limit : READ_ROWS_DEFAULT, READ_ROWS_MAX);
	const int64_t deadline_ms = clock_mono_ms() + READ_PATIENCE_MS;
	struct walk w;
	struct page p = {.walk = &w, .err = err};
	int rc = walk_begin(&w, s, q, err);

	if (rc != 0)
		return rc;
	p.rows = json_array();
	while (rc == 0 && !w.is_over && !p.has_more && clock_mono_ms() < deadline_ms) {
		p.limit = limit - json_array_size(p.rows);
		rc = walk_on(&p);
	}
	if (rc == 0)
		*out_r = answer(&w, TAKE_PTR(p.rows), !w.is_over);
	json_decref(p.rows);
	return rc;
}

/* --- all of them --- */

static bool give(json_t *rows, size_t *left, read_row_fn on_row_given, void *ctx)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		if (!on_row_given(ctx, row))
			return false;
		if (*left > 0 && --*left == 0)
			return false;
	}
	(void)json_array_clear(rows);
	return true;
}

int read_each(struct store *s, const struct read_query *q, read_row_fn on_row_given, void *ctx,
	      struct err *err)
{
	size_t left = q->limit;
	struct walk w;
	struct page p = {.walk = &w, .err = err, .limit = READ_PAGE_ROWS};
	int rc = walk_begin(&w, s, q, err);

	if (rc != 0)
		return rc;
	p.rows = json_array();
	while (rc == 0 && !w.is_over) {
		rc = walk_on(&p);
		if (rc == 0 && !give(p.rows, &left, on_row_given, ctx))
			break;
	}
	json_decref(p.rows);
	return rc;
}

/* --- where the store stands --- */

struct cursor_reader {
	char *epoch;
	size_t epoch_size;
	uint64_t seq;
};

static bool on_cursor(void *ctx, const struct db_row *row)
{
	struct cursor_reader *c = ctx;

	(void)snprintf(c->epoch, c->epoch_size, "%s", row->values[0].text);
	c->seq = (uint64_t)row->values[1].integer;
	return false;
}

int read_cursor(struct store *s, const char *node, char *epoch, size_t epoch_size, uint64_t *seq_r,
		struct err *err)
{
	struct cursor_reader c = {.epoch = epoch, .epoch_size = epoch_size};
	struct db_value arg = db_v_text(node);
	int rc;

	epoch[0] = '\0';
	rc = statement_query(s->db, "SELECT epoch, seq FROM cursors WHERE node = $1", &arg, 1,
			     on_cursor, &c, err);
	if (rc == 0)
		*seq_r = c.seq;
	return rc;
}
