/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/statement.h"

/* Steps that any test needs; more are an endless loop. */
#define STEPS_MAX 1000000

void rig_must(struct rig *r, int rc)
{
	if (rc != 0)
		fail_msg("%s (%d)", r->err.text, rc);
}

struct rig *rig_open(enum db_engine engine)
{
	struct rig *r = mem_alloc(sizeof(*r));
	struct db_target target = {.engine = engine};

	r->engine = engine;
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/hale-keep-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(r->path, sizeof(r->path), "%s/history.db", r->dir);
	r->options.sqlite.path = r->path;
	rig_must(r, store_open(&r->options, STORE_KEEPER, &r->store, &r->err));
	target.where = r->path;
	rig_must(r, db_open(&target, &r->hand, &r->err));
	return r;
}

void rig_close(struct rig *r)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	store_close(r->store);
	db_close(r->hand);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s%s", r->path, suffixes[i]);
		(void)unlink(path);
	}
	(void)rmdir(r->dir);
	free(r);
}

void rig_run(struct rig *r, const char *sql)
{
	rig_must(r, statement_run(r->hand, sql, NULL, 0, NULL, &r->err));
}

static bool on_int(void *ctx, const struct db_row *row)
{
	*(int64_t *)ctx = row->values[0].integer;
	return false;
}

int64_t rig_int(struct rig *r, const char *sql)
{
	int64_t n = -1;

	rig_must(r, statement_query(r->hand, sql, NULL, 0, on_int, &n, &r->err));
	return n;
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct str *out = ctx;

	for (size_t i = 0; i < row->columns; i++) {
		const struct db_value *v = &row->values[i];

		if (v->type == DB_INT)
			str_addf(out, "%lld", (long long)v->integer);
		else if (v->type == DB_REAL)
			str_addf(out, "%a", v->real);
		else if (v->type == DB_TEXT)
			str_addn(out, v->text, v->len);
		str_addc(out, i + 1 < row->columns ? ' ' : '\n');
	}
	return true;
}

void rig_dump(struct rig *r, const char *sql, struct str *out)
{
	rig_must(r, statement_query(r->hand, sql, NULL, 0, on_row, out, &r->err));
}

void rig_components(struct rig *r, int n)
{
	for (int i = 1; i <= n; i++) {
		char name[16];
		struct db_value args[] = {DB_V_INT(i), db_v_text(name)};

		(void)snprintf(name, sizeof(name), "c%d", i);
		rig_must(r, db_run(r->hand,
				   "INSERT INTO components (id, node, name)"
				   " VALUES ($1, 'web1', $2)",
				   args, 2, NULL, &r->err));
		rig_must(r, db_run(r->hand,
				   "INSERT INTO epochs (id, node, epoch, last_seq)"
				   " VALUES ($1, 'web1', $2, 0)",
				   args, 2, NULL, &r->err));
	}
}

void rig_set(struct rig *r, int64_t id, const char *names)
{
	struct db_value args[] = {DB_V_INT(id), db_v_text(names)};

	rig_must(r, db_run(r->hand, "INSERT INTO metric_sets (id, names) VALUES ($1, $2)", args, 2,
			   NULL, &r->err));
}

void rig_put(struct rig *r, const struct rig_result *row)
{
	struct db_value args[] = {
		DB_V_INT(row->at_ms),
		DB_V_INT(row->epoch),
		DB_V_INT(row->seq),
		DB_V_INT(row->component),
		row->took_us >= 0 ? DB_V_INT(row->took_us) : DB_V_NULL,
		row->set > 0 ? DB_V_INT(row->set) : DB_V_NULL,
		db_v_text(row->metrics),
	};

	rig_must(r, statement_run(r->hand,
				  "INSERT INTO results (at, epoch_id, seq, component_id, status,"
				  " outcome, took_us, metric_set, metrics)"
				  " VALUES (@at{$1}, $2, $3, $4, 0, 0, $5, $6, $7)",
				  args, ARRAY_LEN(args), NULL, &r->err));
}

void rig_touch(struct rig *r, int64_t at_ms)
{
	struct db_value start = DB_V_INT(at_ms - at_ms % (5 * MINUTE));

	rig_must(r, statement_run(r->hand,
				  "INSERT INTO rollup_pending (level, start) VALUES (0, @at{$1})"
				  " ON CONFLICT (level, start)"
				  " DO UPDATE SET touched = rollup_pending.touched + 1",
				  &start, 1, NULL, &r->err));
}

size_t rig_roll_up(struct rig *r, int64_t now_ms)
{
	bool more = true;
	size_t steps = 0;

	for (; more; steps++) {
		assert_in_range(steps, 0, STEPS_MAX);
		rig_must(r, keep_roll_up(r->store, now_ms, &more, &r->err));
	}
	return steps - 1;
}

size_t rig_purge(struct rig *r, int64_t now_ms, struct keep_purged *purged)
{
	struct keep_purged own = {0};
	bool more = true;
	size_t steps = 0;

	for (; more; steps++) {
		assert_in_range(steps, 0, STEPS_MAX);
		rig_must(r, keep_purge(r->store, &r->options, now_ms,
				       purged != NULL ? purged : &own, &more, &r->err));
	}
	return steps - 1;
}
