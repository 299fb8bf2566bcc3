/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store_private.h"

int sqlite_number(struct sqlite_batch *b, const char *sql, const struct db_value *args, size_t n,
		  int64_t *number_r)
{
	return db_query(b->db, sql, args, n, store_read_int, number_r, b->err);
}

/* --- epochs --- */

static bool is_ref(const struct epoch_ref *e, const struct sqlite_batch *b, struct row_text node)
{
	return strcmp(e->epoch, b->line->epoch) == 0 &&
	       strncmp(e->node, node.text, node.len) == 0 && e->node[node.len] == '\0';
}

struct epoch_row {
	int64_t id, last_seq;
};

static bool on_epoch(void *ctx, const struct db_row *row)
{
	struct epoch_row *e = ctx;

	e->id = row->values[0].integer;
	e->last_seq = row->values[1].integer;
	return false;
}

static int load_epoch(struct sqlite_batch *b, struct epoch_ref *ref)
{
	static const char select[] =
		"SELECT id, last_seq FROM epochs WHERE node = $1 AND epoch = $2";
	const struct db_value args[] = {db_v_text(ref->node), db_v_text(ref->epoch)};
	struct epoch_row row = {0};
	int rc = db_query(b->db, select, args, ARRAY_LEN(args), on_epoch, &row, b->err);

	if (rc == 0 && row.id == 0) {
		rc = db_run(b->db, "INSERT INTO epochs (node, epoch, last_seq) VALUES ($1, $2, -1)",
			    args, ARRAY_LEN(args), NULL, b->err);
		if (rc == 0)
			rc = db_query(b->db, select, args, ARRAY_LEN(args), on_epoch, &row, b->err);
	}
	ref->id = row.id;
	ref->last_seq = row.last_seq;
	return rc;
}

static int find_epoch(struct sqlite_batch *b, struct row_text node)
{
	struct epoch_ref *ref;
	int rc;

	if (strlen(b->line->epoch) >= sizeof(ref->epoch) || b->line->epoch[0] == '\0')
		return ROWS_NOT_UNDERSTOOD;
	for (size_t i = b->epochs_n; i-- > 0;)
		if (is_ref(&b->epochs[i], b, node)) {
			b->ref = &b->epochs[i];
			return 0;
		}
	if (b->epochs_n == b->epochs_cap) {
		b->epochs_cap = b->epochs_cap == 0 ? 4 : 2 * b->epochs_cap;
		b->epochs = mem_grow(b->epochs, b->epochs_cap, sizeof(*b->epochs));
	}
	ref = &b->epochs[b->epochs_n];
	*ref = (struct epoch_ref){.first_ms = -1, .last_ms = -1};
	(void)snprintf(ref->node, sizeof(ref->node), "%.*s", (int)node.len, node.text);
	(void)snprintf(ref->epoch, sizeof(ref->epoch), "%s", b->line->epoch);
	rc = load_epoch(b, ref);
	if (rc != 0)
		return rc;
	b->epochs_n++;
	b->ref = ref;
	return 0;
}

int sqlite_epoch_of(struct sqlite_batch *b, struct row_text node, int64_t at_ms)
{
	int rc;

	b->line_ms = HALE_MAX(b->line_ms, at_ms);
	if (b->ref != NULL)
		return 0;
	if (b->line->seq > INT64_MAX)
		return ROWS_NOT_UNDERSTOOD;
	rc = find_epoch(b, node);
	if (rc == 0 && (int64_t)b->line->seq <= b->ref->last_seq)
		rc = LINE_REPEATED;
	return rc;
}

/* --- components --- */

static uint64_t hash_of(uint64_t h, struct row_text t)
{
	return hash_number(hash_add(h, t.text != NULL ? t.text : "", t.len), t.len);
}

/* Kind and label, which a reload may change. Those of the whole are none. */
static int tell_about(struct sqlite_batch *b, const struct row_component *c, struct known_entry *e)
{
	uint64_t about = hash_of(hash_of(HASH_START, c->kind), c->label) | 1;
	const struct db_value args[] = {DB_V_INT(e->id), sqlite_text(c->kind),
					sqlite_text(c->label)};

	if (c->kind.text == NULL || about == e->about)
		return 0;
	e->about = about;
	return sqlite_run(b, SQL_ABOUT, args, ARRAY_LEN(args));
}

/* If the transaction is rolled back, so is that it was looked up. */
static int find_component(struct sqlite_batch *b, const struct db_value *args, size_t n,
			  struct known_entry *e)
{
	int64_t id = 0;
	int rc = db_run(b->db,
			"INSERT INTO components (node, name, used_at) VALUES ($1, $2, $3)"
			" ON CONFLICT (node, name) DO UPDATE SET used_at = excluded.used_at",
			args, n, NULL, b->err);

	if (rc == 0)
		rc = sqlite_number(b, "SELECT id FROM components WHERE node = $1 AND name = $2",
				   args, 2, &id);
	if (rc == 0) {
		e->id = id;
		e->is_new = true;
	}
	return rc;
}

int sqlite_component_of(struct sqlite_batch *b, const struct row_component *c,
			struct known_entry **e_r)
{
	struct known_entry *e = known_get(&b->known, c->node, c->name);
	const struct db_value args[] = {sqlite_text(c->node), sqlite_text(c->name),
					DB_V_INT(b->wall_ms)};
	int rc = 0;

	known_touch(&b->known, e);
	if (e->id == 0)
		rc = find_component(b, args, ARRAY_LEN(args), e);
	if (rc == 0)
		rc = tell_about(b, c, e);
	if (rc == 0)
		*e_r = e;
	return rc;
}

/* --- metric sets --- */

/* Unchanged: there is none, and too many to make one. */
static int find_set(struct sqlite_batch *b, struct row_text names, int64_t *id_r)
{
	const struct db_value args[] = {sqlite_text(names), DB_V_INT(b->wall_ms),
					DB_V_INT(METRIC_SETS_MAX)};
	int64_t changed = 0;
	int rc = db_run(b->db, "UPDATE metric_sets SET used_at = $2 WHERE names = $1", args, 2,
			&changed, b->err);

	if (rc == 0 && changed == 0)
		rc = db_run(b->db,
			    "INSERT INTO metric_sets (names, used_at) SELECT $1, $2"
			    " WHERE (SELECT count(*) FROM metric_sets) < $3",
			    args, ARRAY_LEN(args), NULL, b->err);
	if (rc == 0)
		rc = sqlite_number(b, "SELECT id FROM metric_sets WHERE names = $1", args, 1, id_r);
	return rc;
}

int sqlite_metric_set_of(struct sqlite_batch *b, struct known_entry *e, struct row_text names,
			 int64_t *id_r)
{
	int64_t id = (int64_t)(intptr_t)map_get(&b->metric_sets, names.text);
	int rc = 0;

	if (id == 0 && e->sets < KNOWN_SETS_MAX) {
		e->sets++;
		rc = find_set(b, names, &id);
	}
	if (rc == 0 && id != 0)
		(void)map_put(&b->metric_sets, names.text, (void *)(intptr_t)id);
	if (rc == 0)
		*id_r = id;
	return rc;
}
