/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/jtext.h"
#include "base/mem.h"
#include "store/metric_text.h"
#include "store/rows.h"

/* Sets read at once at the beginning. */
#define SETS_FIRST 1000

static int64_t add_name(struct keep_names *k, const char *name, int64_t id)
{
	if (k->n == k->cap) {
		k->cap = k->cap > 0 ? 2 * k->cap : 64;
		k->names = mem_grow(k->names, k->cap, sizeof(*k->names));
		k->ids = mem_grow(k->ids, k->cap, sizeof(*k->ids));
	}
	k->names[k->n] = mem_dup(name);
	k->ids[k->n] = id;
	if (name != NULL)
		(void)map_put(&k->places, name, (void *)(uintptr_t)(k->n + 1));
	return (int64_t)k->n++;
}

static void clear_sets(struct keep_names *k)
{
	for (size_t i = 0; i < k->sets_n; i++)
		free((int64_t *)k->sets[i].metrics);
	k->sets_n = k->last = 0;
}

void keep_names_clear(struct keep_names *k)
{
	clear_sets(k);
	for (size_t i = 0; i < k->n; i++)
		free(k->names[i]);
	free(k->names);
	free(k->ids);
	free(k->sets);
	free(k->wanted);
	map_done(&k->places);
	*k = (struct keep_names){0};
}

/* --- metrics --- */

static bool on_metric(void *ctx, const struct db_row *row)
{
	struct keep_names *k = ctx;
	uintptr_t place = (uintptr_t)map_get(&k->places, row->values[1].text);

	if (place > 0)
		k->ids[place - 1] = row->values[0].integer;
	else
		(void)add_name(k, row->values[1].text, row->values[0].integer);
	return true;
}

int64_t keep_names_place(struct keep_names *k, const char *name)
{
	uintptr_t place = (uintptr_t)map_get(&k->places, name);

	if (place > 0)
		return (int64_t)place - 1;
	if (k->n >= KEEP_METRICS_MAX || name[0] == '\0' || strlen(name) > ROW_NAME_MAX)
		return KEEP_PLACE_NONE;
	return add_name(k, name, 0);
}

static bool on_id(void *ctx, const struct db_row *row)
{
	*(int64_t *)ctx = row->values[0].integer;
	return false;
}

static int resolve_one(struct keep_names *k, struct db *db, size_t place, struct err *err)
{
	struct db_value name = db_v_text(k->names[place]);
	int rc = db_run(db, "INSERT INTO metrics (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
			&name, 1, NULL, err);

	if (rc == 0)
		rc = db_query(db, "SELECT id FROM metrics WHERE name = $1", &name, 1, on_id,
			      &k->ids[place], err);
	return rc;
}

int keep_names_resolve(struct keep_names *k, struct db *db, struct err *err)
{
	for (; k->resolved < k->n; k->resolved++) {
		int rc = 0;

		if (k->resolved != KEEP_PLACE_NONE && k->ids[k->resolved] == 0)
			rc = resolve_one(k, db, k->resolved, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* --- sets --- */

static size_t position_of(const struct keep_names *k, int64_t id)
{
	size_t low = 0, high = k->sets_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (k->sets[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void want(struct keep_names *k, int64_t id)
{
	for (size_t i = 0; i < k->wanted_n; i++)
		if (k->wanted[i] == id)
			return;
	if (k->wanted_n == k->wanted_cap) {
		k->wanted_cap = k->wanted_cap > 0 ? 2 * k->wanted_cap : 16;
		k->wanted = mem_grow(k->wanted, k->wanted_cap, sizeof(*k->wanted));
	}
	k->wanted[k->wanted_n++] = id;
}

const struct rollups_list *keep_names_set(struct keep_names *k, int64_t id)
{
	static const int64_t took = KEEP_PLACE_TOOK;
	static const struct rollups_list none = {.id = 0, .metrics = &took, .n = 1};
	size_t at;

	if (id == 0)
		return &none;
	if (k->last < k->sets_n && k->sets[k->last].id == id)
		return &k->sets[k->last];
	at = position_of(k, id);
	if (at == k->sets_n || k->sets[at].id != id) {
		want(k, id);
		return NULL;
	}
	k->last = at;
	return &k->sets[at];
}

static void add_set(struct keep_names *k, int64_t id, const int64_t *metrics, size_t n)
{
	size_t at = position_of(k, id);
	int64_t *copy = mem_array(n, sizeof(*copy));

	memcpy(copy, metrics, n * sizeof(*copy));
	if (k->sets_n == k->sets_cap) {
		k->sets_cap = k->sets_cap > 0 ? 2 * k->sets_cap : 16;
		k->sets = mem_grow(k->sets, k->sets_cap, sizeof(*k->sets));
	}
	memmove(&k->sets[at + 1], &k->sets[at], (k->sets_n - at) * sizeof(*k->sets));
	k->sets[at] = (struct rollups_list){.id = id, .metrics = copy, .n = n};
	k->sets_n++;
}

struct set_reader {
	struct keep_names *k;
	int64_t id;
	bool is_found;
};

static bool has_place(const int64_t *metrics, size_t n, int64_t place)
{
	for (size_t i = 0; i < n; i++)
		if (metrics[i] == place)
			return true;
	return false;
}

/* ["a","b"]. Of a name that comes twice the first one counts. */
static bool on_set(void *ctx, const struct db_row *row)
{
	struct set_reader *reader = ctx;
	const struct db_value *names = &row->values[0];
	int64_t metrics[METRIC_TEXT_MAX + 1] = {KEEP_PLACE_TOOK};
	char buf[ROW_NAME_MAX + 1];
	struct jtext name;
	size_t n = 1;

	for (size_t at = 0; n < ARRAY_LEN(metrics) && names->type == DB_TEXT &&
			    metric_text_next_name(names->text, names->len, &at, &name);
	     n++) {
		int64_t place = KEEP_PLACE_NONE;

		if (jtext_string(name, buf, sizeof(buf)))
			place = keep_names_place(reader->k, buf);
		metrics[n] = has_place(metrics, n, place) ? KEEP_PLACE_NONE : place;
	}
	add_set(reader->k, reader->id, metrics, n);
	reader->is_found = true;
	return false;
}

int keep_names_load(struct keep_names *k, struct db *db, struct err *err)
{
	static const int64_t took = KEEP_PLACE_TOOK;

	for (; k->wanted_n > 0; k->wanted_n--) {
		struct set_reader reader = {.k = k, .id = k->wanted[k->wanted_n - 1]};
		struct db_value id = DB_V_INT(reader.id);
		int rc = db_query(db, "SELECT names FROM metric_sets WHERE id = $1", &id, 1, on_set,
				  &reader, err);

		if (rc != 0)
			return rc;
		if (!reader.is_found)
			add_set(k, reader.id, &took, 1);
	}
	return 0;
}

static bool on_set_id(void *ctx, const struct db_row *row)
{
	want(ctx, row->values[0].integer);
	return true;
}

/* The newest sets are those in use, as a rule; others are read when they are met. */
static int read_all(struct keep_names *k, struct db *db, struct err *err)
{
	struct db_value limit = DB_V_INT(SETS_FIRST);
	int rc = db_query(db, "SELECT id, name FROM metrics ORDER BY id", NULL, 0, on_metric, k,
			  err);

	if (rc == 0)
		rc = db_query(db, "SELECT id FROM metric_sets ORDER BY id DESC LIMIT $1", &limit, 1,
			      on_set_id, k, err);
	return rc == 0 ? keep_names_load(k, db, err) : rc;
}

int keep_names_begin(struct keep_names *k, struct db *db, struct err *err)
{
	int rc;

	if (k->sets_n > KEEP_SETS_MAX)
		clear_sets(k);
	if (k->is_loaded)
		return 0;
	keep_names_clear(k);
	(void)add_name(k, "took_ms", 0);
	(void)add_name(k, NULL, 0);
	rc = read_all(k, db, err);
	k->is_loaded = rc == 0;
	return rc;
}
