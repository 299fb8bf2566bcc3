/* SPDX-License-Identifier: Apache-2.0 */
#include "store/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "import_row.h"
#include "known.h"
#include "statement.h"
#include "store/rows.h"
#include "store_private.h"

/* Rows of one statement: with PostgreSQL each statement is a way to the server and back. */
#define GROUP          16
#define BUCKET_MS      INT64_C(300000) /* of rollups of 5 minutes */
/* Results further apart are looked for apart: what else is stored in between is not read. */
#define LOOK_UP_GAP_MS INT64_C(60000)

/* One start of haled, as far as a row of it must know it. */
struct epoch {
	int64_t id, last_seq;
	bool is_live;
};

struct importer {
	struct db *db;
	const struct import_live *live;
	struct import_row *rows;
	size_t n;
	struct map epochs;     /* "node\nepoch" -> struct epoch */
	struct map components; /* "node\nname" -> id */
	struct map sets, metrics;
	uint64_t imported[TRANSFER_WHAT_MAX];
	uint64_t present, ahead;
	json_t *bad;
	struct err *err;
};

static void tell_bad(struct importer *im, size_t index, const char *why)
{
	(void)json_array_append_new(
		im->bad, json_pack("{s:I, s:s}", "row", (json_int_t)index, "error", why));
}

/* ---- numbers of names ---- */

static bool on_epoch(void *ctx, const struct db_row *row)
{
	struct epoch *e = ctx;

	e->id = row->values[0].integer;
	e->last_seq = row->values[1].integer;
	e->is_live = row->values[2].integer != 0;
	return false;
}

static int find_epoch(struct importer *im, const struct import_row *row, struct epoch *e)
{
	struct db_value args[] = {db_v_text(row->node), db_v_text(row->epoch)};

	*e = (struct epoch){0};
	return db_query(im->db,
			"SELECT e.id, e.last_seq, (SELECT count(*) FROM cursors c"
			" WHERE c.node = e.node AND c.epoch = e.epoch)"
			" FROM epochs e WHERE e.node = $1 AND e.epoch = $2",
			args, ARRAY_LEN(args), on_epoch, e, im->err);
}

/* Nobody says when it was watched: at least while this happened. */
static int make_epoch(struct importer *im, const struct import_row *row, struct epoch *e)
{
	struct db_value args[] = {db_v_text(row->node), db_v_text(row->epoch),
				  DB_V_INT(row->at_ms)};
	int rc = statement_run(im->db,
			       "INSERT INTO epochs (node, epoch, last_seq, first_at, last_at)"
			       " VALUES ($1, $2, 0, @at{$3}, @at{$3}) ON CONFLICT DO NOTHING",
			       args, ARRAY_LEN(args), NULL, im->err);

	return rc == 0 ? find_epoch(im, row, e) : rc;
}

static bool is_followed(const struct importer *im, const struct import_row *row)
{
	return im->live->epoch[0] != '\0' && str_eq(im->live->node, row->node) &&
	       str_eq(im->live->epoch, row->epoch);
}

static int epoch_of(struct importer *im, const struct import_row *row, struct epoch **e_r)
{
	char key[2 * ROW_NAME_MAX + 2];
	struct epoch *e;
	int rc;

	(void)snprintf(key, sizeof(key), "%s\n%s", row->node, row->epoch);
	*e_r = map_get(&im->epochs, key);
	if (*e_r != NULL)
		return 0;
	e = mem_alloc(sizeof(*e));
	rc = find_epoch(im, row, e);
	if (rc == 0 && e->id == 0)
		rc = make_epoch(im, row, e);
	if (rc != 0) {
		free(e);
		return rc;
	}
	e->is_live = e->is_live || is_followed(im, row);
	(void)map_put(&im->epochs, key, e);
	*e_r = e;
	return 0;
}

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

/* How a kind of names is numbered; `use` (may be NULL) notes that it is used. */
struct naming {
	const char *use, *insert, *select;
	size_t keys; /* arguments of select */
};

/* The number of a name, made if need be. Values of the map: id. */
static int id_of(struct importer *im, struct map *known, const char *key,
		 const struct naming *naming, const struct db_value *args, size_t n, int64_t *id_r)
{
	int64_t id = (int64_t)(intptr_t)map_get(known, key), used = 0;
	int rc = 0;

	if (id != 0) {
		*id_r = id;
		return 0;
	}
	if (naming->use != NULL)
		rc = statement_run(im->db, naming->use, args, n, &used, im->err);
	if (rc == 0 && used == 0)
		rc = statement_run(im->db, naming->insert, args, n, NULL, im->err);
	if (rc == 0)
		rc = db_query(im->db, naming->select, args, naming->keys, store_read_int, &id,
			      im->err);
	if (rc != 0)
		return rc;
	if (id != 0)
		(void)map_put(known, key, (void *)(intptr_t)id);
	*id_r = id;
	return 0;
}

static int component_of(struct importer *im, const struct import_row *row, int64_t *id_r)
{
	static const struct naming naming = {
		.use = "UPDATE components SET used_at = @at{$3} WHERE node = $1 AND name = $2",
		.insert = "INSERT INTO components (node, name, used_at) VALUES ($1, $2, @at{$3})"
			  " ON CONFLICT DO NOTHING",
		.select = "SELECT id FROM components WHERE node = $1 AND name = $2",
		.keys = 2};
	struct db_value args[] = {db_v_text(row->node), db_v_text(row->component),
				  DB_V_INT(clock_wall_ms())};
	char key[2 * ROW_NAME_MAX + 2];

	(void)snprintf(key, sizeof(key), "%s\n%s", row->node, row->component);
	return id_of(im, &im->components, key, &naming, args, ARRAY_LEN(args), id_r);
}

static int metric_of(struct importer *im, const struct import_row *row, int64_t *id_r)
{
	static const struct naming naming = {
		.insert = "INSERT INTO metrics (name) VALUES ($1) ON CONFLICT DO NOTHING",
		.select = "SELECT id FROM metrics WHERE name = $1",
		.keys = 1};
	struct db_value arg = db_v_text(row->metric);

	return id_of(im, &im->metrics, row->metric, &naming, &arg, 1, id_r);
}

/* If there are too many of them, the row keeps its metrics as an object. */
static int metric_set_of(struct importer *im, struct import_row *row, struct db_value *v)
{
	static const struct naming naming = {
		.use = "UPDATE metric_sets SET used_at = @at{$2} WHERE names = $1",
		.insert = "INSERT INTO metric_sets (names, used_at) SELECT $1, @at{$2}"
			  " WHERE (SELECT count(*) FROM metric_sets) < " TEXT_OF(
				  METRIC_SETS_MAX) " ON CONFLICT DO NOTHING",
		.select = "SELECT id FROM metric_sets WHERE names = $1",
		.keys = 1};
	struct db_value args[] = {db_v_text(str_text(&row->metric_names)),
				  DB_V_INT(clock_wall_ms())};
	int64_t id = 0;
	int rc;

	if (row->metric_names.len == 0)
		return 0;
	rc = id_of(im, &im->sets, str_text(&row->metric_names), &naming, args, ARRAY_LEN(args),
		   &id);
	if (rc == 0 && id != 0)
		*v = DB_V_INT(id);
	else if (rc == 0)
		import_row_join_metrics(row);
	return rc;
}

/* *is_wanted_r: false if the bus will bring it. */
static int number_names(struct importer *im, struct import_row *row, bool *is_wanted_r)
{
	struct epoch *e = NULL;
	int64_t id = 0;
	int rc = 0;

	*is_wanted_r = true;
	for (size_t i = 0; i < row->kind->n && rc == 0 && *is_wanted_r; i++) {
		switch (row->kind->columns[i].type) {
		case IMPORT_EPOCH:
			rc = epoch_of(im, row, &e);
			if (rc != 0)
				break;
			*is_wanted_r = !e->is_live || row->seq <= e->last_seq;
			row->epoch_id = e->id;
			row->v[i] = DB_V_INT(e->id);
			break;
		case IMPORT_COMPONENT:
			rc = component_of(im, row, &id);
			row->v[i] = DB_V_INT(id);
			break;
		case IMPORT_METRIC:
			rc = metric_of(im, row, &id);
			row->v[i] = DB_V_INT(id);
			break;
		case IMPORT_METRIC_SET:
			rc = metric_set_of(im, row, &row->v[i]);
			break;
		default:
			break;
		}
	}
	return rc;
}

/* ---- results that are there already ---- */

static int by_key(const void *a, const void *b)
{
	const struct import_row *x = *(struct import_row *const *)a;
	const struct import_row *y = *(struct import_row *const *)b;

	if (x->epoch_id != y->epoch_id)
		return x->epoch_id < y->epoch_id ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

static int by_time(const void *a, const void *b)
{
	const struct import_row *x = *(struct import_row *const *)a;
	const struct import_row *y = *(struct import_row *const *)b;

	return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

struct keys { /* by_key */
	struct import_row **v;
	size_t n;
};

static bool on_stored(void *ctx, const struct db_row *row)
{
	struct keys *keys = ctx;
	struct import_row like = {.epoch_id = row->values[0].integer,
				  .seq = row->values[1].integer};
	struct import_row *key = &like;
	struct import_row **found = bsearch(&key, keys->v, keys->n, sizeof(*keys->v), by_key);

	if (found != NULL)
		(*found)->is_present = true;
	return true;
}

/* Rows of which the times are close together. PostgreSQL has no unique key on results; both read
 * the stretch of time, which the file's order makes a walk through the store. */
static int look_up(struct importer *im, const struct import_row *first,
		   const struct import_row *last, struct keys *keys)
{
	struct db_value args[] = {DB_V_INT(first->at_ms), DB_V_INT(last->at_ms)};

	return statement_query(im->db,
			       "SELECT r.epoch_id, r.seq FROM results r"
			       " WHERE r.at >= @at{$1} AND r.at <= @at{$2}",
			       args, ARRAY_LEN(args), on_stored, keys, im->err);
}

static void mark_repeated(struct keys *keys)
{
	for (size_t i = 1; i < keys->n; i++) {
		if (by_key(&keys->v[i - 1], &keys->v[i]) == 0)
			keys->v[i]->is_present = true;
	}
}

static int find_present(struct importer *im)
{
	struct import_row **times = mem_array(im->n + 1, sizeof(*times));
	struct keys keys = {.v = mem_array(im->n + 1, sizeof(*keys.v))};
	size_t first = 0;
	int rc = 0;

	for (size_t i = 0; i < im->n; i++) {
		if (im->rows[i].what == READ_RESULTS)
			times[keys.n++] = &im->rows[i];
	}
	if (keys.n > 0) {
		memcpy(keys.v, times, keys.n * sizeof(*keys.v));
		qsort(keys.v, keys.n, sizeof(*keys.v), by_key);
		qsort(times, keys.n, sizeof(*times), by_time);
	}
	for (size_t i = 1; i <= keys.n && rc == 0; i++) {
		if (i < keys.n && times[i]->at_ms - times[i - 1]->at_ms <= LOOK_UP_GAP_MS)
			continue;
		rc = look_up(im, times[first], times[i - 1], &keys);
		first = i;
	}
	mark_repeated(&keys);
	free(times);
	free(keys.v);
	return rc;
}

/* ---- rollups ---- */

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Before the rows, as the writer does; in one order, so that nobody waits in a circle. */
static int mark_pending(struct importer *im)
{
	int64_t *buckets = mem_array(im->n + 1, sizeof(*buckets));
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < im->n; i++) {
		if (im->rows[i].what == READ_RESULTS && !im->rows[i].is_present)
			buckets[n++] = im->rows[i].at_ms / BUCKET_MS * BUCKET_MS;
	}
	qsort(buckets, n, sizeof(*buckets), by_number);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct db_value arg = DB_V_INT(buckets[i]);

		if (i > 0 && buckets[i] == buckets[i - 1])
			continue;
		rc = statement_run(im->db,
				   "INSERT INTO rollup_pending (level, start) VALUES (0, @at{$1})"
				   " ON CONFLICT (level, start) DO UPDATE"
				   " SET touched = rollup_pending.touched + 1",
				   &arg, 1, NULL, im->err);
	}
	free(buckets);
	return rc;
}

/* ---- rows ---- */

static void add_placeholder(struct str *sql, enum import_type type, size_t number)
{
	if (type == IMPORT_TIME)
		str_addf(sql, "@at{$%zu}", number);
	else if (type == IMPORT_JSON)
		str_addf(sql, "@jsonb{$%zu}", number);
	else
		str_addf(sql, "$%zu", number);
}

static void write_insert(const struct import_row *row, size_t rows, struct str *sql)
{
	const struct import_kind *kind = row->kind;

	str_addf(sql, "INSERT INTO %s (", row->table);
	for (size_t c = 0; c < kind->n; c++)
		str_addf(sql, "%s%s", c > 0 ? ", " : "", kind->columns[c].name);
	str_add(sql, ") VALUES ");
	for (size_t i = 0; i < rows; i++) {
		str_add(sql, i > 0 ? ", (" : "(");
		for (size_t c = 0; c < kind->n; c++) {
			str_add(sql, c > 0 ? ", " : "");
			add_placeholder(sql, kind->columns[c].type, i * kind->n + c + 1);
		}
		str_addc(sql, ')');
	}
	str_add(sql, " ON CONFLICT DO NOTHING");
}

/* `rows` of one table. */
static int insert(struct importer *im, struct import_row *const *rows, size_t n, int64_t *changed_r)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	size_t columns = rows[0]->kind->n;
	struct db_value args[GROUP * IMPORT_COLUMNS_MAX];

	write_insert(rows[0], n, &sql);
	for (size_t i = 0; i < n; i++)
		memcpy(&args[i * columns], rows[i]->v, columns * sizeof(*args));
	return statement_run(im->db, str_text(&sql), args, n * columns, changed_r, im->err);
}

static void count(struct importer *im, int what, size_t n, int64_t changed)
{
	im->imported[what] += (uint64_t)changed;
	im->present += n - (uint64_t)changed;
}

/* What the database does not want is one row's fault, not the piece's. */
static bool is_of_row(int rc)
{
	return rc == -EINVAL || rc == -EEXIST;
}

static int insert_singly(struct importer *im, struct import_row *const *rows, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct err why = {0};
		struct err *err = im->err;
		int64_t changed = 0;

		rc = db_savepoint(im->db, "row", err);
		if (rc != 0)
			return rc;
		im->err = &why;
		rc = insert(im, &rows[i], 1, &changed);
		im->err = err;
		if (rc == 0) {
			count(im, rows[i]->what, 1, changed);
			rc = db_release(im->db, "row", err);
		} else if (is_of_row(rc)) {
			tell_bad(im, rows[i]->index, why.text);
			rc = db_rollback_to(im->db, "row", err);
		} else {
			(void)err_set(err, rc, "%s", why.text);
		}
	}
	return rc;
}

static int insert_group(struct importer *im, struct import_row *const *rows, size_t n)
{
	int64_t changed = 0;
	int rc;

	/* Two sizes only, so that few statements are prepared. */
	if (n < GROUP)
		return insert_singly(im, rows, n);
	rc = db_savepoint(im->db, "piece", im->err);
	if (rc == 0)
		rc = insert(im, rows, n, &changed);
	if (is_of_row(rc)) {
		rc = db_rollback_to(im->db, "piece", im->err);
		return rc == 0 ? insert_singly(im, rows, n) : rc;
	}
	if (rc == 0)
		rc = db_release(im->db, "piece", im->err);
	if (rc == 0)
		count(im, rows[0]->what, n, changed);
	return rc;
}

static int insert_all(struct importer *im)
{
	struct import_row *group[GROUP];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < im->n && rc == 0; i++) {
		struct import_row *row = &im->rows[i];

		if (row->is_present) {
			im->present++;
			continue;
		}
		if (n > 0 && (n == GROUP || group[0]->table != row->table)) {
			rc = insert_group(im, group, n);
			n = 0;
		}
		group[n++] = row;
	}
	return rc == 0 && n > 0 ? insert_group(im, group, n) : rc;
}

/* ---- a piece ---- */

/* A start of haled that is known was watched at other times, too, if its rows came from elsewhere:
 * of a store that was lost and made anew while it went on. */
static int widen_epoch(struct importer *im, const struct import_row *row)
{
	struct db_value args[4];

	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		args[i] = row->v[i];
	return statement_run(
		im->db,
		"UPDATE epochs SET"
		" first_at = @least{coalesce(first_at, @at{$3}), coalesce(@at{$3}, first_at)},"
		" last_at = @greatest{coalesce(last_at, @at{$4}), coalesce(@at{$4}, last_at)}"
		" WHERE node = $1 AND epoch = $2 AND (first_at IS NULL OR last_at IS NULL"
		" OR first_at > @at{$3} OR last_at < @at{$4})",
		args, ARRAY_LEN(args), NULL, im->err);
}

static int take_epoch(struct importer *im, struct import_row *row)
{
	uint64_t present = im->present;
	int rc = insert_singly(im, &row, 1);

	return rc == 0 && im->present > present ? widen_epoch(im, row) : rc;
}

/* Starts of haled at once: rows behind them need their numbers. */
static int take_row(struct importer *im, const json_t *object, size_t index)
{
	struct import_row *row = &im->rows[im->n];
	struct err why = {0};
	bool is_wanted = true;
	int rc;

	row->index = index;
	if (import_row_decode(object, row, &why) != 0) {
		tell_bad(im, index, why.text);
		import_row_done(row);
		*row = (struct import_row){0};
		return 0;
	}
	if (row->what == TRANSFER_EPOCHS)
		rc = take_epoch(im, row);
	else
		rc = number_names(im, row, &is_wanted);
	if (rc == 0 && !is_wanted)
		im->ahead++;
	if (rc == 0 && is_wanted && row->what != TRANSFER_EPOCHS) {
		im->n++;
		return 0;
	}
	import_row_done(row);
	*row = (struct import_row){0};
	return rc;
}

static int import_in_transaction(struct importer *im, const json_t *rows)
{
	json_t *row;
	size_t i;
	int rc = 0;

	json_array_foreach ((json_t *)(uintptr_t)rows, i, row) {
		rc = take_row(im, row, i);
		if (rc != 0)
			return rc;
	}
	rc = find_present(im);
	if (rc == 0)
		rc = mark_pending(im);
	return rc == 0 ? insert_all(im) : rc;
}

static json_t *answer_of(struct importer *im)
{
	json_t *imported = json_object();

	for (int what = 0; what < TRANSFER_WHAT_MAX; what++) {
		if (im->imported[what] > 0)
			(void)json_object_set_new(imported, transfer_what_name(what),
						  json_integer((json_int_t)im->imported[what]));
	}
	return json_pack("{s:o, s:I, s:I, s:O}", "imported", imported, "present",
			 (json_int_t)im->present, "ahead", (json_int_t)im->ahead, "bad", im->bad);
}

static void importer_done(struct importer *im)
{
	const char *key;
	void *epoch;

	for (size_t i = 0; map_each(&im->epochs, &i, &key, &epoch);)
		free(epoch);
	map_done(&im->epochs);
	map_done(&im->components);
	map_done(&im->sets);
	map_done(&im->metrics);
	for (size_t i = 0; i < im->n; i++)
		import_row_done(&im->rows[i]);
	free(im->rows);
	json_decref(im->bad);
}

int import_rows(struct store *s, const struct import_live *live, const json_t *rows,
		json_t **answer_r, struct err *err)
{
	struct importer im = {.db = s->db, .live = live, .bad = json_array(), .err = err};
	int rc;

	if (json_array_size(rows) > IMPORT_ROWS_MAX)
		rc = err_set(err, -EINVAL, "more than %d rows in one piece", IMPORT_ROWS_MAX);
	else
		rc = db_begin(s->db, err);
	if (rc == 0) {
		im.rows = mem_array(json_array_size(rows) + 1, sizeof(*im.rows));
		rc = import_in_transaction(&im, rows);
		if (rc == 0)
			rc = db_commit(s->db, err);
		if (rc != 0)
			db_rollback(s->db);
	}
	if (rc == 0)
		*answer_r = answer_of(&im);
	importer_done(&im);
	return rc;
}
