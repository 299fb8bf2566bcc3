/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_private.h"

#include <errno.h>

#include "base/mem.h"
#include "store/metric_text.h"

struct db_value sqlite_text(struct row_text t)
{
	if (t.text == NULL)
		return DB_V_NULL;
	return (struct db_value){.type = DB_TEXT, .text = t.text, .len = t.len};
}

static struct db_value int_or_null(int64_t n)
{
	return n >= 0 ? DB_V_INT(n) : DB_V_NULL;
}

#define SEQ(b) DB_V_INT((int64_t)(b)->line->seq)

/* --- results --- */

static void touch_bucket(struct sqlite_batch *b, int64_t at_ms)
{
	int64_t start = at_ms - at_ms % BUCKET_MS;

	for (size_t i = b->buckets_n; i-- > 0;)
		if (b->buckets[i] == start)
			return;
	if (b->buckets_n == b->buckets_cap) {
		b->buckets_cap = b->buckets_cap == 0 ? 16 : 2 * b->buckets_cap;
		b->buckets = mem_grow(b->buckets, b->buckets_cap, sizeof(*b->buckets));
	}
	b->buckets[b->buckets_n++] = start;
}

/* The component and the set of names, found once for each shape. */
static int find_memo(struct sqlite_batch *b, const struct row_result *row, struct memo *m)
{
	struct memo *kept = &b->memos[row->shape % MEMO_SLOTS];
	int rc;

	if (row->shape != 0 && kept->shape == row->shape &&
	    kept->generation == b->known.generation && kept->entry->id != 0) {
		*m = *kept;
		known_touch(&b->known, m->entry);
		return 0;
	}
	*m = (struct memo){.shape = row->shape, .generation = b->known.generation};
	rc = sqlite_component_of(b, &row->component, &m->entry);
	if (rc == 0 && row->metric_names.text != NULL)
		rc = sqlite_metric_set_of(b, m->entry, row->metric_names, &m->metric_set);
	if (rc == 0)
		*kept = *m;
	return rc;
}

int sqlite_results_flush(struct sqlite_batch *b)
{
	size_t n = b->results_n;
	int rc = 0;

	/* Only now does the buffer stay where it is. */
	for (size_t i = 0; i < n * RESULT_COLUMNS; i++)
		if (b->results[i].type == DB_TEXT)
			b->results[i].text = b->texts.data + b->results[i].integer;
	b->results_n = 0;
	if (n == RESULTS_AT_ONCE)
		rc = sqlite_run(b, SQL_RESULTS, b->results, ARRAY_LEN(b->results));
	else
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = sqlite_run(b, SQL_RESULT, b->results + i * RESULT_COLUMNS,
					RESULT_COLUMNS);
	str_clear(&b->texts);
	return rc;
}

/* The line and the reader go on to other rows: a copy, told by its place. */
static struct db_value keep_text(struct sqlite_batch *b, struct row_text t)
{
	struct db_value v = {.type = DB_TEXT, .integer = (int64_t)b->texts.len, .len = t.len};

	if (t.text == NULL)
		return DB_V_NULL;
	str_addn(&b->texts, t.text, t.len);
	return v;
}

static struct db_value keep_metrics(struct sqlite_batch *b, const struct row_result *row,
				    const struct memo *m)
{
	struct db_value v;

	if (m->metric_set != 0 || row->metric_names.text == NULL)
		return keep_text(b, row->metrics);
	v = (struct db_value){.type = DB_TEXT, .integer = (int64_t)b->texts.len};
	(void)metric_text_join(row->metric_names.text, row->metric_names.len, row->metrics.text,
			       row->metrics.len, &b->texts);
	v.len = b->texts.len - (size_t)v.integer;
	return v;
}

static int put_result(struct sqlite_batch *b, const struct row_result *row, const struct memo *m)
{
	struct known_news news = known_tell(m->entry, row);
	struct db_value *v = b->results + b->results_n * RESULT_COLUMNS;

	v[0] = DB_V_INT(row->at_ms);
	v[1] = DB_V_INT(b->ref->id);
	v[2] = SEQ(b);
	v[3] = DB_V_INT(m->entry->id);
	v[4] = DB_V_INT(row->status);
	v[5] = DB_V_INT(row->outcome);
	v[6] = keep_text(b, row->reason);
	v[7] = news.message ? keep_text(b, row->message) : DB_V_NULL;
	v[8] = int_or_null(row->took_us);
	v[9] = keep_metrics(b, row, m);
	v[10] = news.details ? keep_text(b, row->details) : DB_V_NULL;
	v[11] = m->metric_set != 0 ? DB_V_INT(m->metric_set) : DB_V_NULL;
	b->results_n++;
	return b->results_n == RESULTS_AT_ONCE ? sqlite_results_flush(b) : 0;
}

static int on_result(void *ctx, const struct row_result *row)
{
	struct sqlite_batch *b = ctx;
	struct memo m;
	int rc = sqlite_epoch_of(b, row->component.node, row->at_ms);

	if (rc == 0)
		rc = find_memo(b, row, &m);
	if (rc == 0)
		rc = put_result(b, row, &m);
	if (rc != 0)
		return rc;
	touch_bucket(b, row->at_ms);
	known_note(&b->known, m.entry, row, b->line);
	return 0;
}

/* --- transitions --- */

static int put_transition(struct sqlite_batch *b, const struct row_transition *row, int from,
			  int64_t component_id)
{
	const struct db_value args[] = {
		DB_V_INT(row->at_ms),     DB_V_INT(b->ref->id),      SEQ(b),
		DB_V_INT(component_id),   int_or_null(from),         DB_V_INT(row->to_status),
		sqlite_text(row->reason), sqlite_text(row->message),
	};

	return sqlite_run(b, SQL_TRANSITION, args, ARRAY_LEN(args));
}

static int on_transition(void *ctx, const struct row_transition *row)
{
	struct sqlite_batch *b = ctx;
	struct known_entry *e = NULL;
	int rc = sqlite_epoch_of(b, row->component.node, row->at_ms);

	if (rc == 0)
		rc = sqlite_component_of(b, &row->component, &e);
	return rc == 0 ? put_transition(b, row, row->from_status, e->id) : rc;
}

static int on_standing(void *ctx, const struct row_transition *row)
{
	struct sqlite_batch *b = ctx;
	struct known_entry *e = NULL;
	int64_t known = -1;
	struct db_value arg;
	int rc = sqlite_epoch_of(b, row->component.node, -1);

	if (rc == 0)
		rc = sqlite_component_of(b, &row->component, &e);
	if (rc != 0)
		return rc;
	arg = DB_V_INT(e->id);
	rc = sqlite_number(b,
			   "SELECT to_status FROM transitions WHERE component_id = $1"
			   " ORDER BY at DESC, id DESC LIMIT 1",
			   &arg, 1, &known);
	if (rc != 0 || known == row->to_status)
		return rc;
	return put_transition(b, row, (int)known, e->id);
}

/* --- states --- */

static int put_state(struct sqlite_batch *b, const struct row_state *row, struct known_entry *e)
{
	const struct db_value args[] = {
		DB_V_INT(e->id),
		DB_V_INT(row->at_ms),
		DB_V_INT(row->status),
		int_or_null(row->since_ms),
		int_or_null(row->last_check_ms),
		int_or_null(row->last_success_ms),
		DB_V_INT(row->consecutive_failures),
		DB_V_INT(row->error_count),
		sqlite_text(row->reason),
		sqlite_text(row->message),
		sqlite_text(row->last_error),
		int_or_null(row->took_us),
		sqlite_text(row->metrics),
		sqlite_text(row->details),
		DB_V_INT(row->recovery_attempts),
	};
	int rc = sqlite_run(b, SQL_STATE, args, ARRAY_LEN(args));

	if (rc == 0)
		known_stored(&b->known, e, row->status);
	return rc;
}

static int remove_state(struct sqlite_batch *b, struct known_entry *e)
{
	const struct db_value arg = DB_V_INT(e->id);
	int rc = sqlite_run(b, SQL_STATE_REMOVE, &arg, 1);

	if (rc == 0)
		known_stored(&b->known, e, -1);
	return rc;
}

static int on_state(void *ctx, const struct row_state *row)
{
	struct sqlite_batch *b = ctx;
	struct known_entry *e = NULL;
	int rc = sqlite_epoch_of(b, row->component.node, row->at_ms);

	if (rc == 0)
		rc = sqlite_component_of(b, &row->component, &e);
	if (rc != 0)
		return rc;
	return row->is_removed ? remove_state(b, e) : put_state(b, row, e);
}

static int on_vanished(void *ctx, const struct row_transition *row)
{
	struct sqlite_batch *b = ctx;
	int rc = sqlite_epoch_of(b, row->component.node, -1);

	if (rc != 0)
		return rc;
	const struct db_value args[] = {
		sqlite_text(row->component.node),
		DB_V_INT(row->at_ms),
		DB_V_INT(b->ref->id),
		SEQ(b),
		DB_V_INT(row->to_status),
		sqlite_text(row->message),
	};

	known_vanished(&b->known);
	rc = sqlite_run(b, SQL_VANISHED, args, ARRAY_LEN(args));
	return rc == 0 ? sqlite_run(b, SQL_VANISHED_REMOVE, args, 2) : rc;
}

int sqlite_state_of_line(struct sqlite_batch *b, struct known_entry *e,
			 const struct store_line *line)
{
	struct row_state state;

	if (!rows_read_state(b->reader, line, &state))
		return 0;
	return put_state(b, &state, e);
}

/* --- the rest --- */

static int on_process(void *ctx, const struct row_process *row)
{
	struct sqlite_batch *b = ctx;
	int rc = sqlite_epoch_of(b, row->node, row->at_ms);

	if (rc != 0)
		return rc;
	const struct db_value args[] = {
		DB_V_INT(row->at_ms),
		DB_V_INT(b->ref->id),
		SEQ(b),
		sqlite_text(row->process),
		sqlite_text(row->event),
		sqlite_text(row->state),
		int_or_null(row->pid),
		int_or_null(row->generation),
		int_or_null(row->restarts),
		sqlite_text(row->status_text),
		sqlite_text(row->last_exit),
	};

	return sqlite_run(b, SQL_PROCESS, args, ARRAY_LEN(args));
}

static int on_event(void *ctx, const struct row_event *row)
{
	struct sqlite_batch *b = ctx;
	int rc = sqlite_epoch_of(b, row->node, row->at_ms);

	if (rc != 0)
		return rc;
	const struct db_value args[] = {
		DB_V_INT(row->at_ms),      DB_V_INT(b->ref->id),      SEQ(b),
		sqlite_text(row->topic),   sqlite_text(row->kind),    sqlite_text(row->severity),
		sqlite_text(row->subject), sqlite_text(row->message), sqlite_text(row->details),
	};

	return sqlite_run(b, SQL_EVENT, args, ARRAY_LEN(args));
}

static int on_alert(void *ctx, const struct row_alert *row)
{
	struct sqlite_batch *b = ctx;
	int rc = sqlite_epoch_of(b, row->node, row->at_ms);
	const struct db_value args[] = {
		sqlite_text(row->id),          sqlite_text(row->node),     sqlite_text(row->key),
		sqlite_text(row->rule),        sqlite_text(row->severity), sqlite_text(row->state),
		sqlite_text(row->component),   sqlite_text(row->message),  DB_V_INT(row->opened_ms),
		int_or_null(row->resolved_ms), DB_V_INT(row->count),       DB_V_INT(row->at_ms),
	};

	return rc != 0 ? rc : sqlite_run(b, SQL_ALERT, args, ARRAY_LEN(args));
}

/* Comes with its alert, so the epoch is known. */
static int on_delivery(void *ctx, const struct row_delivery *row)
{
	struct sqlite_batch *b = ctx;
	const struct db_value args[] = {
		sqlite_text(row->id),    sqlite_text(row->alert_id), sqlite_text(row->channel),
		sqlite_text(row->state), DB_V_INT(row->attempt),     sqlite_text(row->error),
		DB_V_INT(row->at_ms),
	};

	return sqlite_run(b, SQL_DELIVERY, args, ARRAY_LEN(args));
}

static int on_run(void *ctx, const struct row_run *row)
{
	struct sqlite_batch *b = ctx;
	int rc = sqlite_epoch_of(b, row->node, row->ended_ms);
	const struct db_value args[] = {
		sqlite_text(row->run),     sqlite_text(row->node),    sqlite_text(row->job),
		DB_V_INT(row->started_ms), DB_V_INT(row->ended_ms),   sqlite_text(row->trigger),
		DB_V_INT(row->is_dry),     sqlite_text(row->outcome), DB_V_INT(row->inserted),
		DB_V_INT(row->updated),    DB_V_INT(row->closed),     DB_V_INT(row->skipped),
		sqlite_text(row->errors),  int_or_null(row->took_us),
	};

	return rc != 0 ? rc : sqlite_run(b, SQL_RUN, args, ARRAY_LEN(args));
}

static int on_recovery(void *ctx, const struct row_recovery *row)
{
	struct sqlite_batch *b = ctx;
	int rc = sqlite_epoch_of(b, row->node, row->at_ms);

	if (rc != 0)
		return rc;
	const struct db_value args[] = {
		DB_V_INT(row->at_ms),        DB_V_INT(b->ref->id),      SEQ(b),
		sqlite_text(row->component), sqlite_text(row->action),  sqlite_text(row->trigger),
		sqlite_text(row->outcome),   sqlite_text(row->message), int_or_null(row->took_us),
	};

	return sqlite_run(b, SQL_RECOVERY, args, ARRAY_LEN(args));
}

const struct row_sink sqlite_rows = {
	.result = on_result,
	.transition = on_transition,
	.state = on_state,
	.process = on_process,
	.event = on_event,
	.alert = on_alert,
	.delivery = on_delivery,
	.run = on_run,
	.recovery = on_recovery,
	.standing = on_standing,
	.vanished = on_vanished,
};
