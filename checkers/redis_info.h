/* SPDX-License-Identifier: Apache-2.0 */
/* redis_info - what a Redis server says of itself (INFO), as metrics and a few texts
 *
 * Pure. INFO is lines "name:value" under "# Section"; what is not there gives no metric, so that
 * old servers, relatives (KeyDB, Valkey, Dragonfly) and restricted ones are read as far as they go.
 * See also:  redis.io, "INFO"
 */
#ifndef HALE_CHECKERS_REDIS_INFO_H
#define HALE_CHECKERS_REDIS_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDIS_TEXT_MAX 64

struct redis_info {
	char version[REDIS_TEXT_MAX];
	char role[REDIS_TEXT_MAX]; /* "master" or "replica"; "" if not said */
	char master[REDIS_TEXT_MAX + 8];
	char link[REDIS_TEXT_MAX]; /* of a replica: "up", "down" */
	double link_down_seconds;  /* -1: not said */
	bool is_loading;
	double loaded_percent; /* -1: not said */
	double loading_eta_seconds;
};

typedef void (*redis_metric_fn)(void *ctx, const char *name, double value);

/* Calls on_metric for each metric that can be told. db: whose keys are counted. */
void redis_info_parse(const char *text, size_t len, int64_t db, int64_t now_ms,
		      redis_metric_fn on_metric, void *ctx, struct redis_info *info_r);

#endif
