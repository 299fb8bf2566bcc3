/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../db/pg_server.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "store/statement.h"

/* Steps that any test needs; more are an endless loop. */
#define STEPS_MAX 1000000

void rig_must(struct rig *r, int rc)
{
	if (rc != 0)
		fail_msg("%s (%d)", r->err.text, rc);
}

static struct pg_server server;

int rig_group_setup(void **state)
{
	(void)state;
	pg_server_start(&server);
	return 0;
}

int rig_group_teardown(void **state)
{
	(void)state;
	pg_server_stop(&server);
	return 0;
}

static void open_sqlite(struct rig *r)
{
	struct db_target target = {.engine = DB_SQLITE, .where = r->path};

	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/hale-keep-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(r->path, sizeof(r->path), "%s/history.db", r->dir);
	r->options.sqlite.path = r->path;
	rig_must(r, store_open(&r->options, STORE_KEEPER, &r->store, &r->err));
	rig_must(r, db_open(&target, &r->hand, &r->err));
	rig_must(r, db_script(r->hand, "PRAGMA synchronous = OFF", &r->err));
}

/* Several may be open at once: each has a schema of its own. */
static void open_postgres(struct rig *r)
{
	HALE_CLEANUP(cleanup_free) char *conninfo = NULL;
	struct db_target target = {.engine = DB_POSTGRES};

	(void)snprintf(r->schema, sizeof(r->schema), "rig%u", rnd_u32() % 1000000);
	conninfo = mem_printf("%s options='-c search_path=%s'", server.conninfo, r->schema);
	r->options.postgres.dsn = server.conninfo;
	r->options.postgres.schema = r->schema;
	rig_must(r, store_open(&r->options, STORE_KEEPER, &r->store, &r->err));
	target.where = conninfo;
	rig_must(r, db_open(&target, &r->hand, &r->err));
}

struct rig *rig_open(enum db_engine engine)
{
	struct rig *r = mem_alloc(sizeof(*r));

	r->engine = engine;
	if (engine == DB_SQLITE)
		open_sqlite(r);
	else
		open_postgres(r);
	return r;
}

static void remove_files(struct rig *r)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s%s", r->path, suffixes[i]);
		(void)unlink(path);
	}
	(void)rmdir(r->dir);
}

void rig_close(struct rig *r)
{
	store_close(r->store);
	if (r->engine == DB_POSTGRES) {
		HALE_CLEANUP(cleanup_free)
		char *sql = mem_printf("DROP SCHEMA %s CASCADE", r->schema);

		rig_must(r, db_script(r->hand, sql, &r->err));
	}
	db_close(r->hand);
	if (r->engine == DB_SQLITE)
		remove_files(r);
	free(r);
}

void rig_args(struct rig *r, const char *sql, const struct db_value *args, size_t n)
{
	rig_must(r, statement_run(r->hand, sql, args, n, NULL, &r->err));
}

void rig_run(struct rig *r, const char *sql)
{
	rig_args(r, sql, NULL, 0);
}

static bool on_int(void *ctx, const struct db_row *row)
{
	*(int64_t *)ctx = row->values[0].integer;
	return false;
}

int64_t rig_int_of(struct rig *r, const char *sql, const struct db_value *args, size_t n)
{
	int64_t value = -1;

	rig_must(r, statement_query(r->hand, sql, args, n, on_int, &value, &r->err));
	return value;
}

int64_t rig_int(struct rig *r, const char *sql)
{
	return rig_int_of(r, sql, NULL, 0);
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
		struct db_value args[2] = {DB_V_INT(i)};

		(void)snprintf(name, sizeof(name), "c%d", i);
		args[1] = db_v_text(name);
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

void rig_seen(struct rig *r, int64_t from_ms, int64_t to_ms)
{
	struct db_value args[] = {DB_V_INT(from_ms), DB_V_INT(to_ms)};

	rig_args(r, "UPDATE epochs SET first_at = @at{$1}, last_at = @at{$2}", args, 2);
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
