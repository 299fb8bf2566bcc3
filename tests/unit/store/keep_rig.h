/* SPDX-License-Identifier: Apache-2.0 */
/* keep_rig - a store, a hand that writes results as the recorder does, and eyes
 */
#ifndef HALE_TEST_STORE_KEEP_RIG_H
#define HALE_TEST_STORE_KEEP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "db/db.h"
#include "store/keep.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define T0     (INT64_C(20833) * DAY) /* 2027-01-15 */

struct rig {
	enum db_engine engine;
	char dir[64];
	char path[96];   /* SQLite */
	char schema[16]; /* PostgreSQL */
	struct store_options options;
	struct store *store;
	struct db *hand;
	struct err err;
};

struct rig_result {
	int64_t at_ms, epoch, seq, component, took_us; /* took_us -1: none */
	int64_t set;                                   /* 0: none */
	const char *metrics;                           /* NULL: none */
};

/* Of the group: the PostgreSQL that rigs are opened in. */
int rig_group_setup(void **state);
int rig_group_teardown(void **state);
struct rig *rig_open(enum db_engine engine);
void rig_close(struct rig *r);
void rig_must(struct rig *r, int rc);

void rig_run(struct rig *r, const char *sql); /* one statement, @-words and all */
void rig_args(struct rig *r, const char *sql, const struct db_value *args, size_t n);
int64_t rig_int(struct rig *r, const char *sql);
int64_t rig_int_of(struct rig *r, const char *sql, const struct db_value *args, size_t n);
/* All columns of all rows as text; doubles to the last bit. */
void rig_dump(struct rig *r, const char *sql, struct str *out);

/* Components 1 … n and epochs 1 … n. */
void rig_components(struct rig *r, int n);
void rig_set(struct rig *r, int64_t id, const char *names);
/* In the transaction that is open. */
void rig_put(struct rig *r, const struct rig_result *row);
/* As the recorder does with each batch. */
void rig_touch(struct rig *r, int64_t at_ms);
void rig_seen(struct rig *r, int64_t from_ms, int64_t to_ms);

/* Until nothing is left to do; returns steps. */
size_t rig_roll_up(struct rig *r, int64_t now_ms);
size_t rig_purge(struct rig *r, int64_t now_ms, struct keep_purged *purged);

#endif
