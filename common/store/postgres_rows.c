/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "postgres_batch.h"
#include "store/metric_text.h"

#define NO_TEXT ((struct row_text){NULL, 0})
#define SEQ(b)  ((int64_t)(b)->line->seq)

/* --- results --- */

static void touch_bucket(struct postgres_batch *b, int64_t at_ms)
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
	postgres_put_time(&b->tables, TABLE_PENDING, start);
}

/* The component and the set of names, found once for each shape. */
static void find_memo(struct postgres_batch *b, const struct row_result *row, struct memo *m)
{
	struct memo *kept = &b->memos[row->shape % MEMO_SLOTS];

	if (row->shape != 0 && kept->shape == row->shape &&
	    kept->generation == b->known.generation && kept->entry->id != 0 &&
	    (kept->metric_set != 0 || row->metric_names.text == NULL)) {
		*m = *kept;
		known_touch(&b->known, m->entry);
		return;
	}
	*m = (struct memo){.shape = row->shape, .generation = b->known.generation};
	m->entry = postgres_component_of(b, &row->component);
	if (row->metric_names.text != NULL)
		m->metric_set = postgres_metric_set_of(b, m->entry, row->metric_names);
	*kept = *m;
}

/* Without a set the metrics are one object again. */
static struct row_text metrics_of(struct postgres_batch *b, const struct row_result *row,
				  int64_t metric_set)
{
	if (metric_set != 0 || row->metric_names.text == NULL)
		return row->metrics;
	str_clear(&b->object);
	(void)metric_text_join(row->metric_names.text, row->metric_names.len, row->metrics.text,
			       row->metrics.len, &b->object);
	return (struct row_text){str_text(&b->object), b->object.len};
}

static int on_result(void *ctx, const struct row_result *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;
	struct known_news news;
	struct memo m;
	int rc = postgres_epoch_of(b, row->component.node, row->at_ms);

	if (rc != 0)
		return rc;
	find_memo(b, row, &m);
	news = known_tell(m.entry, row);
	postgres_put_time(t, TABLE_RESULTS, row->at_ms);
	postgres_put_int(t, TABLE_RESULTS, SEQ(b));
	postgres_put_int_or_null(t, TABLE_RESULTS, row->took_us);
	postgres_put_int(t, TABLE_RESULTS, m.entry->id);
	postgres_put_int(t, TABLE_RESULTS, b->ref->id);
	postgres_put_int(t, TABLE_RESULTS, row->status);
	postgres_put_int(t, TABLE_RESULTS, row->outcome);
	postgres_put_int_or_null(t, TABLE_RESULTS, m.metric_set != 0 ? m.metric_set : -1);
	postgres_put_text(t, TABLE_RESULTS, row->reason);
	postgres_put_text(t, TABLE_RESULTS, news.message ? row->message : NO_TEXT);
	postgres_put_text(t, TABLE_RESULTS, metrics_of(b, row, m.metric_set));
	postgres_put_text(t, TABLE_RESULTS, news.details ? row->details : NO_TEXT);
	touch_bucket(b, row->at_ms);
	known_note(&b->known, m.entry, row, b->line);
	return 0;
}

/* --- transitions --- */

static void put_transition(struct postgres_batch *b, enum postgres_table table,
			   const struct row_transition *row, int64_t component_id)
{
	struct postgres_tables *t = &b->tables;

	postgres_put_time(t, table, row->at_ms);
	postgres_put_int(t, table, SEQ(b));
	postgres_put_int(t, table, b->ref->id);
	postgres_put_int(t, table, component_id);
	postgres_put_int_or_null(t, table, row->from_status);
	postgres_put_int(t, table, row->to_status);
	postgres_put_text(t, table, row->reason);
	postgres_put_text(t, table, row->message);
}

/* Which of the two statements is taken is known at the end of the batch. */
static int put_both(struct postgres_batch *b, const struct row_transition *row, int64_t at_ms,
		    bool is_standing)
{
	struct known_entry *e;
	int rc = postgres_epoch_of(b, row->component.node, at_ms);

	if (rc != 0)
		return rc;
	e = postgres_component_of(b, &row->component);
	if (!is_standing)
		put_transition(b, TABLE_TRANSITIONS, row, e->id);
	put_transition(b, TABLE_STANDING, row, e->id);
	postgres_put_int(&b->tables, TABLE_STANDING, is_standing);
	b->has_standing |= is_standing;
	return 0;
}

static int on_transition(void *ctx, const struct row_transition *row)
{
	return put_both(ctx, row, row->at_ms, false);
}

static int on_standing(void *ctx, const struct row_transition *row)
{
	return put_both(ctx, row, -1, true);
}

/* --- states --- */

void postgres_put_state(struct postgres_batch *b, const struct row_state *row,
			struct known_entry *e)
{
	struct postgres_tables *t = &b->tables;

	postgres_put_int(t, TABLE_STATES, e->id);
	postgres_put_int(t, TABLE_STATES, row->is_removed);
	postgres_put_time(t, TABLE_STATES, row->at_ms);
	postgres_put_int(t, TABLE_STATES, row->status);
	postgres_put_time_or_null(t, TABLE_STATES, row->since_ms);
	postgres_put_time_or_null(t, TABLE_STATES, row->last_check_ms);
	postgres_put_time_or_null(t, TABLE_STATES, row->last_success_ms);
	postgres_put_int(t, TABLE_STATES, row->consecutive_failures);
	postgres_put_int(t, TABLE_STATES, row->error_count);
	postgres_put_int(t, TABLE_STATES, row->recovery_attempts);
	postgres_put_int_or_null(t, TABLE_STATES, row->took_us);
	postgres_put_text(t, TABLE_STATES, row->reason);
	postgres_put_text(t, TABLE_STATES, row->message);
	postgres_put_text(t, TABLE_STATES, row->last_error);
	postgres_put_text(t, TABLE_STATES, row->metrics);
	postgres_put_text(t, TABLE_STATES, row->details);
	known_stored(&b->known, e, row->is_removed ? -1 : row->status);
}

static int on_state(void *ctx, const struct row_state *row)
{
	struct postgres_batch *b = ctx;
	int rc = postgres_epoch_of(b, row->component.node, row->at_ms);

	if (rc == 0)
		postgres_put_state(b, row, postgres_component_of(b, &row->component));
	return rc;
}

static int on_vanished(void *ctx, const struct row_transition *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;
	int rc = postgres_epoch_of(b, row->component.node, -1);

	if (rc != 0)
		return rc;
	known_vanished(&b->known);
	postgres_put_text(t, TABLE_VANISHED, row->component.node);
	postgres_put_time(t, TABLE_VANISHED, row->at_ms);
	postgres_put_int(t, TABLE_VANISHED, SEQ(b));
	postgres_put_int(t, TABLE_VANISHED, b->ref->id);
	postgres_put_int(t, TABLE_VANISHED, row->to_status);
	postgres_put_text(t, TABLE_VANISHED, row->message);
	return 0;
}

/* --- the rest --- */

static int on_process(void *ctx, const struct row_process *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;
	int rc = postgres_epoch_of(b, row->node, row->at_ms);

	if (rc != 0)
		return rc;
	postgres_put_time(t, TABLE_PROCESSES, row->at_ms);
	postgres_put_int(t, TABLE_PROCESSES, SEQ(b));
	postgres_put_int_or_null(t, TABLE_PROCESSES, row->pid);
	postgres_put_int_or_null(t, TABLE_PROCESSES, row->generation);
	postgres_put_int_or_null(t, TABLE_PROCESSES, row->restarts);
	postgres_put_int(t, TABLE_PROCESSES, b->ref->id);
	postgres_put_text(t, TABLE_PROCESSES, row->process);
	postgres_put_text(t, TABLE_PROCESSES, row->event);
	postgres_put_text(t, TABLE_PROCESSES, row->state);
	postgres_put_text(t, TABLE_PROCESSES, row->status_text);
	postgres_put_text(t, TABLE_PROCESSES, row->last_exit);
	return 0;
}

static int on_event(void *ctx, const struct row_event *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;
	int rc = postgres_epoch_of(b, row->node, row->at_ms);

	if (rc != 0)
		return rc;
	postgres_put_time(t, TABLE_EVENTS, row->at_ms);
	postgres_put_int(t, TABLE_EVENTS, SEQ(b));
	postgres_put_int(t, TABLE_EVENTS, b->ref->id);
	postgres_put_text(t, TABLE_EVENTS, row->topic);
	postgres_put_text(t, TABLE_EVENTS, row->kind);
	postgres_put_text(t, TABLE_EVENTS, row->severity);
	postgres_put_text(t, TABLE_EVENTS, row->subject);
	postgres_put_text(t, TABLE_EVENTS, row->message);
	postgres_put_text(t, TABLE_EVENTS, row->details);
	return 0;
}

static int on_alert(void *ctx, const struct row_alert *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;
	int rc = postgres_epoch_of(b, row->node, row->at_ms);

	if (rc != 0)
		return rc;
	postgres_put_time(t, TABLE_ALERTS, row->opened_ms);
	postgres_put_time_or_null(t, TABLE_ALERTS, row->resolved_ms);
	postgres_put_time(t, TABLE_ALERTS, row->at_ms);
	postgres_put_int(t, TABLE_ALERTS, row->count);
	postgres_put_text(t, TABLE_ALERTS, row->id);
	postgres_put_text(t, TABLE_ALERTS, row->node);
	postgres_put_text(t, TABLE_ALERTS, row->key);
	postgres_put_text(t, TABLE_ALERTS, row->rule);
	postgres_put_text(t, TABLE_ALERTS, row->severity);
	postgres_put_text(t, TABLE_ALERTS, row->state);
	postgres_put_text(t, TABLE_ALERTS, row->component);
	postgres_put_text(t, TABLE_ALERTS, row->message);
	return 0;
}

/* Comes with its alert, so the epoch is known. */
static int on_delivery(void *ctx, const struct row_delivery *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;

	postgres_put_time(t, TABLE_DELIVERIES, row->at_ms);
	postgres_put_int(t, TABLE_DELIVERIES, row->attempt);
	postgres_put_text(t, TABLE_DELIVERIES, row->id);
	postgres_put_text(t, TABLE_DELIVERIES, row->alert_id);
	postgres_put_text(t, TABLE_DELIVERIES, row->channel);
	postgres_put_text(t, TABLE_DELIVERIES, row->state);
	postgres_put_text(t, TABLE_DELIVERIES, row->error);
	return 0;
}

static int on_run(void *ctx, const struct row_run *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;
	int rc = postgres_epoch_of(b, row->node, row->ended_ms);

	if (rc != 0)
		return rc;
	postgres_put_time_or_null(t, TABLE_RUNS, row->started_ms);
	postgres_put_time(t, TABLE_RUNS, row->ended_ms);
	postgres_put_int(t, TABLE_RUNS, row->inserted);
	postgres_put_int(t, TABLE_RUNS, row->updated);
	postgres_put_int(t, TABLE_RUNS, row->closed);
	postgres_put_int(t, TABLE_RUNS, row->skipped);
	postgres_put_int_or_null(t, TABLE_RUNS, row->took_us);
	postgres_put_int(t, TABLE_RUNS, row->is_dry);
	postgres_put_text(t, TABLE_RUNS, row->run);
	postgres_put_text(t, TABLE_RUNS, row->node);
	postgres_put_text(t, TABLE_RUNS, row->job);
	postgres_put_text(t, TABLE_RUNS, row->trigger);
	postgres_put_text(t, TABLE_RUNS, row->outcome);
	postgres_put_text(t, TABLE_RUNS, row->errors);
	return 0;
}

static int on_recovery(void *ctx, const struct row_recovery *row)
{
	struct postgres_batch *b = ctx;
	struct postgres_tables *t = &b->tables;
	int rc = postgres_epoch_of(b, row->node, row->at_ms);

	if (rc != 0)
		return rc;
	postgres_put_time(t, TABLE_RECOVERIES, row->at_ms);
	postgres_put_int(t, TABLE_RECOVERIES, SEQ(b));
	postgres_put_int_or_null(t, TABLE_RECOVERIES, row->took_us);
	postgres_put_int(t, TABLE_RECOVERIES, b->ref->id);
	postgres_put_text(t, TABLE_RECOVERIES, row->component);
	postgres_put_text(t, TABLE_RECOVERIES, row->action);
	postgres_put_text(t, TABLE_RECOVERIES, row->trigger);
	postgres_put_text(t, TABLE_RECOVERIES, row->outcome);
	postgres_put_text(t, TABLE_RECOVERIES, row->message);
	return 0;
}

const struct row_sink postgres_rows = {
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
