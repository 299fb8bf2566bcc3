/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "postgres_batch.h"

static struct row_text text_of(const char *text)
{
	return (struct row_text){text, strlen(text)};
}

/* Room for one more in a list of pointers. */
#define GROW(list, n, cap)                                                                         \
	do {                                                                                       \
		if ((n) == (cap)) {                                                                \
			(cap) = (cap) == 0 ? 16 : 2 * (cap);                                       \
			(list) = mem_grow((list), (cap), sizeof(*(list)));                         \
		}                                                                                  \
	} while (0)

/* --- epochs --- */

static struct epoch_ref *find_epoch(const struct postgres_batch *b, struct row_text node)
{
	for (size_t i = b->epochs_n; i-- > 0;) {
		struct epoch_ref *e = b->epochs[i];

		if (strcmp(e->epoch, b->line->epoch) == 0 &&
		    strncmp(e->node, node.text, node.len) == 0 && e->node[node.len] == '\0')
			return e;
	}
	return NULL;
}

static struct epoch_ref *make_epoch(struct postgres_batch *b, struct row_text node)
{
	struct epoch_ref *e = mem_alloc(sizeof(*e));

	*e = (struct epoch_ref){.first_ms = -1, .last_ms = -1};
	(void)snprintf(e->node, sizeof(e->node), "%.*s", (int)node.len, node.text);
	(void)snprintf(e->epoch, sizeof(e->epoch), "%s", b->line->epoch);
	GROW(b->epochs, b->epochs_n, b->epochs_cap);
	b->epochs[b->epochs_n++] = e;
	return e;
}

static void ask_epoch(struct postgres_batch *b, struct epoch_ref *e)
{
	if (e->is_asked)
		return;
	e->is_asked = true;
	for (enum postgres_table table = TABLE_NEW_EPOCHS; table <= TABLE_EPOCHS_FOUND; table++) {
		postgres_put_text(&b->tables, table, text_of(e->node));
		postgres_put_text(&b->tables, table, text_of(e->epoch));
	}
	GROW(b->asked.epochs, b->asked.epochs_n, b->asked.epochs_cap);
	b->asked.epochs[b->asked.epochs_n++] = e;
}

int postgres_epoch_of(struct postgres_batch *b, struct row_text node, int64_t at_ms)
{
	struct epoch_ref *e;

	b->line_ms = HALE_MAX(b->line_ms, at_ms);
	if (b->ref != NULL)
		return 0;
	if (b->line->seq > INT64_MAX || b->line->epoch[0] == '\0' ||
	    strlen(b->line->epoch) >= sizeof(e->epoch))
		return ROWS_NOT_UNDERSTOOD;
	e = find_epoch(b, node);
	if (e == NULL)
		e = make_epoch(b, node);
	if (e->id == 0)
		ask_epoch(b, e);
	else if ((int64_t)b->line->seq <= e->last_seq)
		return LINE_REPEATED;
	b->ref = e;
	return 0;
}

static void on_epoch(void *ctx, const struct db_row *row)
{
	struct postgres_batch *b = ctx;
	struct epoch_ref *e = b->asked.epochs[row->values[0].integer];

	e->id = row->values[1].integer;
	e->stored_seq = e->last_seq = row->values[2].integer;
}

void postgres_batch_forget_epochs(struct postgres_batch *b)
{
	for (size_t i = 0; i < b->epochs_n; i++)
		free(b->epochs[i]);
	b->epochs_n = 0;
}

/* --- components --- */

static uint64_t hash_of(uint64_t h, struct row_text t)
{
	return hash_number(hash_add(h, t.text != NULL ? t.text : "", t.len), t.len);
}

static void ask_component(struct postgres_batch *b, const struct row_component *c,
			  struct known_entry *e)
{
	if (e->is_new) /* asked for already */
		return;
	e->is_new = true;
	for (enum postgres_table t = TABLE_NEW_COMPONENTS; t <= TABLE_COMPONENTS_FOUND; t++) {
		postgres_put_text(&b->tables, t, c->node);
		postgres_put_text(&b->tables, t, c->name);
	}
	GROW(b->asked.components, b->asked.components_n, b->asked.components_cap);
	b->asked.components[b->asked.components_n++] = e;
}

/* Kind and label, which a reload may change. Those of the whole are none. */
static void tell_about(struct postgres_batch *b, const struct row_component *c,
		       struct known_entry *e)
{
	uint64_t about = hash_of(hash_of(HASH_START, c->kind), c->label) | 1;

	if (c->kind.text == NULL || about == e->about)
		return;
	e->about = about;
	postgres_put_int(&b->tables, TABLE_ABOUT, e->id);
	postgres_put_text(&b->tables, TABLE_ABOUT, c->kind);
	postgres_put_text(&b->tables, TABLE_ABOUT, c->label);
}

struct known_entry *postgres_component_of(struct postgres_batch *b, const struct row_component *c)
{
	struct known_entry *e = known_get(&b->known, c->node, c->name);

	known_touch(&b->known, e);
	if (e->id == 0)
		ask_component(b, c, e);
	else
		tell_about(b, c, e);
	return e;
}

static void on_component(void *ctx, const struct db_row *row)
{
	struct postgres_batch *b = ctx;

	b->asked.components[row->values[0].integer]->id = row->values[1].integer;
}

/* --- metric sets --- */

void postgres_batch_know_set(struct postgres_batch *b, const char *names, int64_t id)
{
	(void)map_put(&b->metric_sets, names, (void *)(intptr_t)id);
}

static void ask_set(struct postgres_batch *b, struct known_entry *e, struct row_text names)
{
	if (map_get(&b->asked.sets_seen, names.text) != NULL || e->sets >= KNOWN_SETS_MAX)
		return;
	e->sets++;
	(void)map_put(&b->asked.sets_seen, names.text, b);
	postgres_put_text(&b->tables, TABLE_NEW_SETS, names);
	postgres_put_int(&b->tables, TABLE_NEW_SETS, METRIC_SETS_MAX);
	postgres_put_text(&b->tables, TABLE_SETS_FOUND, names);
	GROW(b->asked.sets, b->asked.sets_n, b->asked.sets_cap);
	GROW(b->asked.askers, b->asked.sets_n, b->asked.askers_cap);
	b->asked.askers[b->asked.sets_n] = e;
	b->asked.sets[b->asked.sets_n++] = mem_dup(names.text);
}

int64_t postgres_metric_set_of(struct postgres_batch *b, struct known_entry *e,
			       struct row_text names)
{
	int64_t id = (int64_t)(intptr_t)map_get(&b->metric_sets, names.text);

	if (id == 0 && !b->is_sets_full)
		ask_set(b, e, names);
	return id;
}

static void on_set(void *ctx, const struct db_row *row)
{
	struct postgres_batch *b = ctx;

	postgres_batch_know_set(b, b->asked.sets[row->values[0].integer], row->values[1].integer);
}

/* --- asking --- */

static size_t ask(struct postgres_batch *b, enum postgres_table insert, enum postgres_table find,
		  void (*on_row)(void *ctx, const struct db_row *row), struct pg_step *steps)
{
	if (b->tables.set[insert].rows == 0)
		return 0;
	steps[0] = postgres_step(&b->tables, insert);
	steps[1] = postgres_step(&b->tables, find);
	steps[1].on_row = on_row;
	steps[1].ctx = b;
	return 2;
}

size_t postgres_batch_asking(struct postgres_batch *b, struct pg_step *steps)
{
	size_t n = ask(b, TABLE_NEW_EPOCHS, TABLE_EPOCHS_FOUND, on_epoch, steps);

	n += ask(b, TABLE_NEW_COMPONENTS, TABLE_COMPONENTS_FOUND, on_component, steps + n);
	n += ask(b, TABLE_NEW_SETS, TABLE_SETS_FOUND, on_set, steps + n);
	return n;
}

void postgres_batch_asked(struct postgres_batch *b)
{
	for (size_t i = 0; i < b->asked.sets_n; i++) {
		if (map_get(&b->metric_sets, b->asked.sets[i]) == NULL)
			b->is_sets_full = true;
		b->asked.askers[i]->sets_before = b->asked.askers[i]->sets;
	}
	/* The numbers are committed: a batch that fails does not take them along. */
	for (size_t i = 0; i < b->asked.components_n; i++)
		b->asked.components[i]->is_new = false;
}

void postgres_names_begin(struct postgres_batch *b)
{
	struct postgres_asked *a = &b->asked;

	for (size_t i = 0; i < a->sets_n; i++)
		free(a->sets[i]);
	map_done(&a->sets_seen);
	a->sets_seen = (struct map){0};
	a->epochs_n = a->components_n = a->sets_n = 0;
	if (b->epochs_n > EPOCHS_KEPT)
		postgres_batch_forget_epochs(b);
	for (size_t i = 0; i < b->epochs_n; i++) {
		struct epoch_ref *e = b->epochs[i];

		e->last_seq = e->stored_seq;
		e->first_ms = e->last_ms = -1;
		e->is_changed = e->is_asked = false;
	}
}

void postgres_names_done(struct postgres_batch *b)
{
	postgres_names_begin(b);
	postgres_batch_forget_epochs(b);
	free(b->epochs);
	free(b->asked.epochs);
	free(b->asked.components);
	free(b->asked.sets);
	free(b->asked.askers);
	map_done(&b->metric_sets);
}
