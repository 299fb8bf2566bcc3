/* SPDX-License-Identifier: Apache-2.0 */
#include "past_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "../db/pg_server.h"
#include "store/series_plan.h"
#include "store/sketch.h"
#include "store/statement.h"

static struct pg_server server;
/* Of rows that need one and whose test does not care. */
static int64_t next_seq;

int past_group_setup(void **state)
{
	(void)state;
	pg_server_start(&server);
	return 0;
}

int past_group_teardown(void **state)
{
	(void)state;
	pg_server_stop(&server);
	return 0;
}

void past_must(struct past *p, int rc)
{
	if (rc != 0)
		fail_msg("%s (%d)", p->err.text, rc);
}

static void open_all(struct past *p, const struct db_target *target)
{
	struct store *keeper = NULL;

	past_must(p, store_open(&p->options, STORE_KEEPER, &keeper, &p->err));
	store_close(keeper);
	past_must(p, db_open(target, &p->db, &p->err));
	past_must(p, store_open(&p->options, STORE_READER, &p->s, &p->err));
}

int past_sqlite_setup(void **state)
{
	struct past *p = mem_alloc(sizeof(*p));
	struct db_target target = {.engine = DB_SQLITE, .where = p->path};

	*state = p;
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/hale-past-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->path, sizeof(p->path), "%s/history.db", p->dir);
	p->options.sqlite.path = p->path;
	open_all(p, &target);
	past_must(p, db_script(p->db, "PRAGMA synchronous = OFF", &p->err));
	return 0;
}

int past_postgres_setup(void **state)
{
	struct past *p = mem_alloc(sizeof(*p));
	HALE_CLEANUP(cleanup_free)
	char *conninfo = mem_printf("%s options='-c search_path=hale'", server.conninfo);
	struct db_target target = {.engine = DB_POSTGRES, .where = conninfo};

	*state = p;
	p->options.postgres.dsn = server.conninfo;
	open_all(p, &target);
	return 0;
}

static void remove_files(struct past *p)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[112];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", p->path, suffixes[i]);
		(void)unlink(path);
	}
	(void)rmdir(p->dir);
}

int past_teardown(void **state)
{
	struct past *p = *state;

	store_close(p->s);
	if (p->options.postgres.dsn != NULL)
		past_must(p, db_script(p->db, "DROP SCHEMA hale CASCADE", &p->err));
	db_close(p->db);
	if (p->options.sqlite.path != NULL)
		remove_files(p);
	free(p);
	return 0;
}

/* --- rows --- */

void past_run(struct past *p, const char *sql, const struct db_value *args, size_t n)
{
	past_must(p, statement_run(p->db, sql, args, n, NULL, &p->err));
}

void past_component(struct past *p, int64_t id, const char *node, const char *name)
{
	struct db_value args[] = {DB_V_INT(id), db_v_text(node), db_v_text(name)};

	past_run(p, "INSERT INTO components (id, node, name) VALUES ($1, $2, $3)", args, 3);
}

void past_epoch(struct past *p, int64_t id, const char *node, int64_t first_ms, int64_t last_ms)
{
	char epoch[24];
	struct db_value args[] = {DB_V_INT(id), db_v_text(node), db_v_text(epoch),
				  DB_V_INT(first_ms), DB_V_INT(last_ms)};

	(void)snprintf(epoch, sizeof(epoch), "e%lld", (long long)id);
	args[2] = db_v_text(epoch);
	past_run(p,
		 "INSERT INTO epochs (id, node, epoch, last_seq, first_at, last_at)"
		 " VALUES ($1, $2, $3, 0, @at{$4}, @at{$5})",
		 args, ARRAY_LEN(args));
}

void past_transition(struct past *p, int64_t component_id, int64_t at_ms, int status)
{
	struct db_value args[] = {DB_V_INT(at_ms), DB_V_INT(++next_seq), DB_V_INT(component_id),
				  DB_V_INT(status)};

	past_run(p,
		 "INSERT INTO transitions (at, epoch_id, seq, component_id, to_status)"
		 " VALUES (@at{$1}, 1, $2, $3, $4)",
		 args, ARRAY_LEN(args));
}

void past_event(struct past *p, int64_t epoch_id, int64_t at_ms, const char *kind)
{
	struct db_value args[] = {DB_V_INT(at_ms), DB_V_INT(epoch_id), DB_V_INT(++next_seq),
				  db_v_text(kind)};

	past_run(p,
		 "INSERT INTO events (at, epoch_id, seq, topic, kind, severity)"
		 " VALUES (@at{$1}, $2, $3, 'event', $4, 'info')",
		 args, ARRAY_LEN(args));
}

void past_metric(struct past *p, int64_t id, const char *name)
{
	struct db_value args[] = {DB_V_INT(id), db_v_text(name)};

	past_run(p, "INSERT INTO metrics (id, name) VALUES ($1, $2)", args, 2);
}

void past_result(struct past *p, int64_t component_id, int64_t at_ms, int64_t took_us, int64_t set,
		 const char *metrics)
{
	struct db_value args[] = {DB_V_INT(at_ms),
				  DB_V_INT(++next_seq),
				  DB_V_INT(component_id),
				  took_us >= 0 ? DB_V_INT(took_us) : DB_V_NULL,
				  set > 0 ? DB_V_INT(set) : DB_V_NULL,
				  db_v_text(metrics)};

	past_run(p,
		 "INSERT INTO results (at, epoch_id, seq, component_id, status, outcome, took_us,"
		 " metric_set, metrics) VALUES (@at{$1}, 1, $2, $3, 0, 0, $4, $5, $6)",
		 args, ARRAY_LEN(args));
}

static int64_t level_ms(const char *level)
{
	for (enum series_source s = SERIES_5M; s < SERIES_SOURCE_MAX; s++)
		if (strcmp(series_source_name(s), level) == 0)
			return series_source_ms(s);
	fail_msg("no such level: %s", level);
	return 1;
}

void past_rollup(struct past *p, const char *level, int64_t metric_id, int64_t component_id,
		 int64_t at_ms, const double *values, size_t n)
{
	HALE_CLEANUP(str_done) struct str text = {0}, sql = {0};
	int64_t per_day = PAST_DAY / level_ms(level), bucket = at_ms / level_ms(level);
	double sum = 0, min = values[0], max = values[0];
	struct sketch sketch = {0};

	for (size_t i = 0; i < n; i++) {
		sum += values[i];
		min = fmin(min, values[i]);
		max = fmax(max, values[i]);
		sketch_add(&sketch, values[i], 1);
	}
	sketch_write(&sketch, &text);
	str_addf(&sql,
		 "INSERT INTO metric_rollups_%s (day, slot, metric_id, component_id, count, sum, "
		 "min,"
		 " max, p95, sketch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		 level);
	past_run(p, str_text(&sql),
		 (struct db_value[]){DB_V_INT(bucket / per_day), DB_V_INT(bucket % per_day),
				     DB_V_INT(metric_id), DB_V_INT(component_id),
				     DB_V_INT((int64_t)n), DB_V_REAL(sum), DB_V_REAL(min),
				     DB_V_REAL(max),
				     DB_V_REAL(fmin(sketch_quantile(&sketch, 0.95), max)),
				     db_v_text(str_text(&text))},
		 10);
	sketch_done(&sketch);
}
