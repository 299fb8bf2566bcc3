/* SPDX-License-Identifier: Apache-2.0 */
/* keep_names - metrics and sets of them, by number, for whoever computes rollups (private to this
 * layer)
 *
 * A metric has two numbers: its place here, dense and good until keep_names_clear(), and its id in
 * the store, which it gets when a rollup of it is first written.
 */
#ifndef HALE_STORE_KEEP_NAMES_H
#define HALE_STORE_KEEP_NAMES_H

#include "base/map.h"
#include "db/db.h"
#include "rollups.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Metrics of one store. Somebody whose metrics have a time or an id in their name gets no rollups
 * of further ones, rather than a store that grows without end. */
#define KEEP_METRICS_MAX 50000
/* Sets that are remembered from bucket to bucket. */
#define KEEP_SETS_MAX    10000

enum {
	KEEP_PLACE_TOOK,  /* the metric took_ms */
	KEEP_PLACE_NONE,  /* whatever is not rolled up */
	KEEP_PLACE_FIRST, /* of all others */
};

struct keep_names {
	bool is_loaded;    /* all metrics of the store are there */
	struct map places; /* name -> place + 1 */
	char **names;      /* by place */
	int64_t *ids;      /* by place; 0: none */
	size_t n, cap;
	size_t resolved;           /* places below it have got their ids */
	struct rollups_list *sets; /* by ascending ids; each begins with took_ms */
	size_t sets_n, sets_cap;
	size_t last;     /* the one found last */
	int64_t *wanted; /* sets that keep_names_set() did not find */
	size_t wanted_n, wanted_cap;
};

void keep_names_clear(struct keep_names *k); /* zero-initialised is valid */
/* Before a bucket: reads the store's metrics if they are not there, forgets sets if they are many.
 */
int keep_names_begin(struct keep_names *k, struct db *db, struct err *err);

/* A new one if need be; KEEP_PLACE_NONE if there are too many or it is no name. */
int64_t keep_names_place(struct keep_names *k, const char *name);
/* NULL: not known here; it is wanted then. Set 0 is took_ms alone. */
const struct rollups_list *keep_names_set(struct keep_names *k, int64_t id);
/* Reads what is wanted. A set that the store does not have is as set 0. */
int keep_names_load(struct keep_names *k, struct db *db, struct err *err);
/* Gives every place its id, within the transaction that is open; if that is rolled back, clear. */
int keep_names_resolve(struct keep_names *k, struct db *db, struct err *err);

#endif
