/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include <math.h>

#include "base/str.h"

/* Rows of one INSERT: beyond it nothing gets faster. */
#define INSERT_ROWS 32
#define COLUMNS     10

static struct db_value day_of(int64_t at_ms)
{
	return DB_V_INT(keep_floor(at_ms, DAY_MS) / DAY_MS);
}

static struct db_value slot_of(int64_t at_ms, int64_t bucket_ms)
{
	return DB_V_INT((at_ms - keep_floor(at_ms, DAY_MS)) / bucket_ms);
}

/* --- read --- */

struct parts {
	struct rollup *part;
	keep_part_fn on_part;
	void *ctx;
};

static double number(const struct db_value *v)
{
	return v->type == DB_INT ? (double)v->integer : v->real;
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct parts *p = ctx;
	const struct db_value *v = row->values;
	struct rollup *part = p->part;

	part->metric = v[0].integer;
	part->component = v[1].integer;
	part->count = (uint64_t)v[2].integer;
	part->sum = number(&v[3]);
	part->min = number(&v[4]);
	part->max = number(&v[5]);
	/* Without its histogram the middle is the best guess. */
	if (v[6].type != DB_TEXT || !sketch_read(v[6].text, v[6].len, &part->sketch) ||
	    part->sketch.n == 0)
		sketch_add(&part->sketch, part->min / 2 + part->max / 2, part->count);
	p->on_part(p->ctx, part, row->columns > 7 ? v[7].text : NULL);
	return true;
}

int keep_rows_read(struct store *s, const char *table, int64_t at_ms, int64_t bucket_ms,
		   bool with_names, keep_part_fn on_part, void *ctx, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct db_value args[] = {day_of(at_ms), slot_of(at_ms, bucket_ms)};
	struct parts parts = {.part = &keep_of(s)->part, .on_part = on_part, .ctx = ctx};

	str_addf(&sql,
		 "SELECT r.metric_id, r.component_id, r.count, r.sum, r.min, r.max, r.sketch%s"
		 " FROM %s r%s WHERE r.day = $1 AND r.slot = $2 ORDER BY r.metric_id, "
		 "r.component_id",
		 with_names ? ", m.name" : "", table,
		 with_names ? " JOIN metrics m ON m.id = r.metric_id" : "");
	return db_query(s->db, str_text(&sql), args, ARRAY_LEN(args), on_row, &parts, err);
}

/* --- write --- */

static void write_insert(struct str *sql, const char *table, size_t rows)
{
	str_addf(sql,
		 "INSERT INTO %s"
		 " (day, slot, metric_id, component_id, count, sum, min, max, p95, sketch) VALUES ",
		 table);
	for (size_t i = 0; i < rows * COLUMNS; i++)
		str_addf(sql, "%s$%zu%s",
			 i % COLUMNS > 0 ? ", "
			 : i > 0         ? ", ("
					 : "(",
			 i + 1, i % COLUMNS == COLUMNS - 1 ? ")" : "");
	str_add(sql, " ON CONFLICT (day, slot, metric_id, component_id) DO UPDATE SET"
		     " count = excluded.count, sum = excluded.sum, min = excluded.min,"
		     " max = excluded.max, p95 = excluded.p95, sketch = excluded.sketch");
}

static int insert(struct store *s, int level, int64_t at_ms, const struct rollup *v, size_t n,
		  struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	HALE_CLEANUP(str_done) struct str sketches = {0};
	struct db_value args[INSERT_ROWS * COLUMNS];
	size_t ends[INSERT_ROWS];

	for (size_t i = 0; i < n; i++) {
		sketch_write(&v[i].sketch, &sketches);
		ends[i] = sketches.len;
	}
	for (size_t i = 0; i < n; i++) {
		const struct db_value row[COLUMNS] = {
			day_of(at_ms),
			slot_of(at_ms, keep_levels[level].bucket_ms),
			DB_V_INT(v[i].metric),
			DB_V_INT(v[i].component),
			DB_V_INT((int64_t)v[i].count),
			DB_V_REAL(v[i].sum),
			DB_V_REAL(v[i].min),
			DB_V_REAL(v[i].max),
			DB_V_REAL(rollup_quantile(&v[i], 0.95)),
			{.type = DB_TEXT,
			 .text = sketches.data + (i > 0 ? ends[i - 1] : 0),
			 .len = ends[i] - (i > 0 ? ends[i - 1] : 0)},
		};

		for (size_t j = 0; j < COLUMNS; j++)
			args[i * COLUMNS + j] = row[j];
	}
	write_insert(&sql, keep_levels[level].table, n);
	return db_run(s->db, str_text(&sql), args, n * COLUMNS, NULL, err);
}

/* Two texts of statements only, which the connection keeps. */
int keep_rows_write(struct store *s, int level, int64_t at_ms, const struct rollup *v, size_t n,
		    struct err *err)
{
	int rc = 0;

	for (size_t i = 0, step; i < n && rc == 0; i += step) {
		step = n - i >= INSERT_ROWS ? INSERT_ROWS : 1;
		rc = insert(s, level, at_ms, v + i, step, err);
	}
	return rc;
}
