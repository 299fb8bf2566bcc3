/* SPDX-License-Identifier: Apache-2.0 */
/* One statement and its first row, as a script of one. */
#include "db/pgasync.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct query {
	pg_done_fn on_done;
	void *ctx;
	char *sql; /* NULL once it was asked for */
	char *asked;
	struct pg_result result;
	/* What result.first points to. */
	size_t columns;
	char **names;
	struct db_value *values;
};

static void query_free(struct query *q)
{
	for (size_t i = 0; i < q->columns; i++) {
		free(q->names[i]);
		free((char *)(uintptr_t)q->values[i].text);
	}
	free(q->names);
	free(q->values);
	free(q->sql);
	free(q->asked);
	free(q);
}

static const char *on_next(void *ctx)
{
	struct query *q = ctx;

	if (q->sql != NULL)
		q->asked = TAKE_PTR(q->sql);
	else
		return NULL;
	return q->asked;
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct query *q = ctx;

	if (q->values != NULL)
		return true;
	q->columns = row->columns;
	q->names = mem_array(row->columns + 1, sizeof(*q->names));
	q->values = mem_array(row->columns + 1, sizeof(*q->values));
	for (size_t i = 0; i < row->columns; i++) {
		q->names[i] = mem_dup(row->names[i]);
		q->values[i] = row->values[i];
		if (row->values[i].text != NULL)
			q->values[i].text = mem_dupn(row->values[i].text, row->values[i].len);
	}
	q->result.first = (struct db_row){
		.columns = q->columns, .names = (const char *const *)q->names, .values = q->values};
	return true;
}

static void on_answer(void *ctx, const struct pg_answer *a)
{
	struct query *q = ctx;

	q->result.reason = a->reason;
	q->result.query_ms = a->query_ms;
	q->result.rows = a->rows;
	(void)snprintf(q->result.error, sizeof(q->result.error), "%s", a->error);
}

static void on_end(void *ctx, enum reason reason, const char *error, double connect_ms)
{
	struct query *q = ctx;

	q->result.connect_ms = connect_ms;
	if (reason != REASON_OK) {
		q->result.reason = reason;
		(void)snprintf(q->result.error, sizeof(q->result.error), "%s", error);
	}
	q->on_done(q->ctx, &q->result);
	query_free(q);
}

struct pg_call *pg_query_start(uv_loop_t *loop, const char *conninfo, const char *sql,
			       int64_t timeout_ms, pg_done_fn on_done, void *ctx)
{
	static const struct pg_script script = {
		.next = on_next, .on_row = on_row, .on_answer = on_answer, .on_end = on_end};
	struct query *q = mem_alloc(sizeof(*q));

	q->on_done = on_done;
	q->ctx = ctx;
	q->sql = mem_dup(sql);
	q->result.reason = REASON_OK;
	return pg_script_start(loop, conninfo, &script, timeout_ms, q);
}

void pg_query_cancel(struct pg_call *call)
{
	pg_script_cancel(call);
}
