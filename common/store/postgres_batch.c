/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct postgres_batch *postgres_batch_new(const char *node)
{
	struct postgres_batch *b = mem_alloc(sizeof(*b));

	b->node = mem_dup(node);
	b->reader = rows_reader_new();
	postgres_tables_init(&b->tables);
	return b;
}

void postgres_batch_free(struct postgres_batch *b)
{
	if (b == NULL)
		return;
	postgres_names_done(b);
	postgres_tables_done(&b->tables);
	known_done(&b->known);
	rows_reader_free(b->reader);
	str_done(&b->object);
	free(b->buckets);
	free(b->node);
	free(b);
}

void postgres_batch_forget(struct postgres_batch *b)
{
	known_done(&b->known);
	map_done(&b->metric_sets);
	b->metric_sets = (struct map){0};
	b->is_sets_full = false;
	memset(b->memos, 0, sizeof(b->memos));
	postgres_names_begin(b);
	postgres_batch_forget_epochs(b);
}

void postgres_batch_age(struct postgres_batch *b, int64_t wall_ms)
{
	if (known_is_old(&b->known, wall_ms))
		postgres_batch_forget(b);
}

/* --- reading --- */

static void begin(struct postgres_batch *b)
{
	postgres_tables_clear(&b->tables);
	postgres_names_begin(b);
	b->buckets_n = 0;
	b->has_standing = false;
}

static int read_line(struct postgres_batch *b, const struct store_line *line)
{
	int rc;

	b->line = line;
	b->ref = NULL;
	b->line_ms = -1;
	rc = rows_read(b->reader, line, &postgres_rows, b);
	if (rc != 0 || b->ref == NULL)
		return rc;
	b->ref->last_seq = (int64_t)line->seq;
	b->ref->is_changed = true;
	if (b->line_ms < 0)
		return 0;
	if (b->ref->first_ms < 0 || b->line_ms < b->ref->first_ms)
		b->ref->first_ms = b->line_ms;
	b->ref->last_ms = HALE_MAX(b->ref->last_ms, b->line_ms);
	return 0;
}

static bool read_states(struct postgres_batch *b, bool is_all)
{
	struct known_entry *e;
	struct store_line line;
	struct row_state state;
	bool has_any = false;

	for (size_t at = 0; (e = known_due(&b->known, &at, is_all, &line)) != NULL;) {
		if (e->id == 0 || !rows_read_state(b->reader, &line, &state))
			continue;
		postgres_put_state(b, &state, e);
		has_any = true;
	}
	return has_any;
}

static void put_epochs(struct postgres_batch *b)
{
	struct postgres_tables *t = &b->tables;

	for (size_t i = 0; i < b->epochs_n; i++) {
		const struct epoch_ref *e = b->epochs[i];

		if (!e->is_changed)
			continue;
		postgres_put_int(t, TABLE_EPOCHS, e->id);
		postgres_put_int(t, TABLE_EPOCHS, e->stored_seq);
		postgres_put_int(t, TABLE_EPOCHS, e->last_seq);
		postgres_put_time_or_null(t, TABLE_EPOCHS, e->first_ms);
		postgres_put_time_or_null(t, TABLE_EPOCHS, e->last_ms);
	}
}

static void put_cursor(struct postgres_batch *b, const struct store_line *last)
{
	struct postgres_tables *t = &b->tables;

	postgres_put_text(t, TABLE_CURSOR, (struct row_text){b->node, strlen(b->node)});
	postgres_put_text(t, TABLE_CURSOR, (struct row_text){last->epoch, strlen(last->epoch)});
	postgres_put_int(t, TABLE_CURSOR, (int64_t)HALE_MIN(last->seq, INT64_MAX));
}

static bool is_asking(const struct postgres_batch *b)
{
	return b->asked.epochs_n + b->asked.components_n + b->asked.sets_n > 0;
}

bool postgres_batch_read(struct postgres_batch *b, const struct store_line *lines, size_t n,
			 int64_t now_ms, size_t *skipped_r, size_t *repeated_r)
{
	size_t skipped = 0, repeated = 0;

	begin(b);
	b->known.now_ms = now_ms;
	for (size_t i = 0; i < n; i++) {
		int rc = read_line(b, &lines[i]);

		skipped += rc == ROWS_NOT_UNDERSTOOD;
		repeated += rc == LINE_REPEATED;
	}
	if (is_asking(b))
		return false;
	(void)read_states(b, false);
	put_epochs(b);
	put_cursor(b, &lines[n - 1]);
	*skipped_r = skipped;
	*repeated_r = repeated;
	return true;
}

bool postgres_batch_read_states(struct postgres_batch *b)
{
	begin(b);
	return read_states(b, true);
}

/* --- statements --- */

size_t postgres_batch_steps(struct postgres_batch *b, struct pg_step *steps)
{
	size_t n = 0;

	for (enum postgres_table t = TABLE_EPOCHS; t < TABLE_MAX; t++) {
		bool is_other = t == (b->has_standing ? TABLE_TRANSITIONS : TABLE_STANDING);

		if (b->tables.set[t].rows > 0 && !is_other)
			steps[n++] = postgres_step(&b->tables, t);
	}
	return n;
}

/* --- the end --- */

void postgres_batch_commit(struct postgres_batch *b)
{
	known_commit(&b->known);
	for (size_t i = 0; i < b->epochs_n; i++)
		b->epochs[i]->stored_seq = b->epochs[i]->last_seq;
}

void postgres_batch_rollback(struct postgres_batch *b)
{
	known_rollback(&b->known);
}
