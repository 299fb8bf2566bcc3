/* SPDX-License-Identifier: Apache-2.0 */
/* past_fixture - a store in either database, with rows put into it one by one
 *
 * For what reads the store: a test says which rows there are, and runs once on SQLite and once on
 * PostgreSQL. The group's setup and teardown are past_group_setup, past_group_teardown.
 */
#ifndef HALE_TEST_STORE_PAST_FIXTURE_H
#define HALE_TEST_STORE_PAST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "db/db.h"
#include "store/store.h"

#define PAST_T0     INT64_C(1800000000000) /* 2027-01-15T08:00:00Z, a Friday */
#define PAST_MINUTE INT64_C(60000)
#define PAST_HOUR   (60 * PAST_MINUTE)
#define PAST_DAY    (24 * PAST_HOUR)

struct past {
	struct store_options options;
	struct store *s; /* for reading */
	struct db *db;   /* beside it, for writing */
	char dir[64], path[96];
	struct err err;
};

int past_group_setup(void **state);
int past_group_teardown(void **state);
int past_sqlite_setup(void **state);
int past_postgres_setup(void **state);
int past_teardown(void **state);

#define PAST_TESTS(test)                                                                           \
	{#test " (sqlite)", test, past_sqlite_setup, past_teardown, NULL},                         \
	{                                                                                          \
#test " (postgresql)", test, past_postgres_setup, past_teardown, NULL              \
	}

void past_must(struct past *p, int rc);
/* A statement of dialect.h. */
void past_run(struct past *p, const char *sql, const struct db_value *args, size_t n);

void past_component(struct past *p, int64_t id, const char *node, const char *name);
void past_epoch(struct past *p, int64_t id, const char *node, int64_t first_ms, int64_t last_ms);
void past_transition(struct past *p, int64_t component_id, int64_t at_ms, int status);
void past_event(struct past *p, int64_t epoch_id, int64_t at_ms, const char *kind);
void past_metric(struct past *p, int64_t id, const char *name);
/* took_us < 0, set 0, metrics NULL: none */
void past_result(struct past *p, int64_t component_id, int64_t at_ms, int64_t took_us, int64_t set,
		 const char *metrics);
/* level: "5m", "1h", "1d" */
void past_rollup(struct past *p, const char *level, int64_t metric_id, int64_t component_id,
		 int64_t at_ms, const double *values, size_t n);

#endif
