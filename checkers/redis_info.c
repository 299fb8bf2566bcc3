/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_info.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define MS_PER_S 1000.0

/* What becomes a metric as it stands. */
static const struct {
	const char *field;
	const char *metric;
} plain[] = {
	{"used_memory", "used_memory_bytes"},
	{"used_memory_rss", "rss_bytes"},
	{"mem_fragmentation_ratio", "fragmentation_ratio"},
	{"connected_clients", "connected_clients"},
	{"blocked_clients", "blocked_clients"},
	{"rejected_connections", "rejected_connections"},
	{"evicted_keys", "evicted_keys"},
	{"expired_keys", "expired_keys"},
	{"instantaneous_ops_per_sec", "ops_per_second"},
	{"uptime_in_seconds", "uptime_seconds"},
	{"connected_slaves", "connected_replicas"},
	{"master_last_io_seconds_ago", "master_last_io_seconds"},
	{"rdb_changes_since_last_save", "changes_since_save"},
};

/* "ok" is 1, everything else 0. */
static const struct {
	const char *field;
	const char *metric;
	const char *good;
} flags[] = {
	{"rdb_last_bgsave_status", "rdb_last_save_ok", "ok"},
	{"aof_last_write_status", "aof_last_write_ok", "ok"},
	{"aof_last_bgrewrite_status", "aof_last_rewrite_ok", "ok"},
	{"master_link_status", "master_link_up", "up"},
};

/* Numbers that are wanted only together with others; NAN: not said. */
struct wanted {
	double used, max, clients, clients_max, hits, misses, saved, offset, sync_left;
	double replica_offset_min, replica_lag_max;
	double keys;
};

static const struct {
	const char *field;
	size_t at;
} together[] = {
	{"used_memory", offsetof(struct wanted, used)},
	{"maxmemory", offsetof(struct wanted, max)},
	{"connected_clients", offsetof(struct wanted, clients)},
	{"maxclients", offsetof(struct wanted, clients_max)},
	{"keyspace_hits", offsetof(struct wanted, hits)},
	{"keyspace_misses", offsetof(struct wanted, misses)},
	{"rdb_last_save_time", offsetof(struct wanted, saved)},
	{"master_repl_offset", offsetof(struct wanted, offset)},
	{"master_sync_left_bytes", offsetof(struct wanted, sync_left)},
};

struct reading {
	struct wanted wanted;
	struct redis_info *info;
	const char *db; /* "db0" */
	redis_metric_fn on_metric;
	void *ctx;
};

static bool number_of(const char *text, double *number_r)
{
	char *end = NULL;
	double number;

	if (*text == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
		return false;
	number = strtod(text, &end);
	if (*end != '\0' || !isfinite(number))
		return false;
	*number_r = number;
	return true;
}

/* "ip=10.0.0.1,port=6379,state=online,offset=14,lag=1": the number of one name. */
static double member(const char *list, const char *name)
{
	size_t len = strlen(name);
	char value[32];
	double number;

	for (const char *at = list; at != NULL; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, len) != 0 || at[len] != '=')
			continue;
		at += len + 1;
		(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, ","), at);
		return number_of(value, &number) ? number : NAN;
	}
	return NAN;
}

static void take_replica(struct wanted *w, const char *value)
{
	double offset = member(value, "offset");
	double lag = member(value, "lag");

	/* One that is still being sent the whole has an offset of 0 and is as far behind as can be,
	 * which fmin and fmax keep right: a NAN gives way to any number. */
	w->replica_offset_min = fmin(w->replica_offset_min, offset);
	w->replica_lag_max = fmax(w->replica_lag_max, lag);
}

static void copy(char *to, size_t size, const char *text)
{
	(void)str_clean(to, size, text);
}

static void take_text(struct redis_info *info, const char *name, const char *value)
{
	double number;

	if (strcmp(name, "redis_version") == 0)
		copy(info->version, sizeof(info->version), value);
	else if (strcmp(name, "role") == 0)
		copy(info->role, sizeof(info->role),
		     strcmp(value, "slave") == 0 ? "replica" : value);
	else if (strcmp(name, "master_host") == 0)
		copy(info->master, REDIS_TEXT_MAX, value);
	else if (strcmp(name, "master_port") == 0 && *info->master != '\0')
		(void)snprintf(info->master + strlen(info->master), 8, ":%.6s", value);
	else if (strcmp(name, "master_link_status") == 0)
		copy(info->link, sizeof(info->link), value);
	else if (strcmp(name, "loading") == 0)
		info->is_loading = strcmp(value, "1") == 0;
	else if (!number_of(value, &number))
		return;
	else if (strcmp(name, "master_link_down_since_seconds") == 0)
		info->link_down_seconds = number;
	else if (strcmp(name, "loading_loaded_perc") == 0)
		info->loaded_percent = number;
	else if (strcmp(name, "loading_eta_seconds") == 0)
		info->loading_eta_seconds = number;
}

static bool is_replica(const char *name)
{
	const char *digits = name + 5;

	return str_starts(name, "slave") && *digits != '\0' &&
	       strspn(digits, "0123456789") == strlen(digits);
}

static void take(struct reading *r, const char *name, const char *value)
{
	double number;

	take_text(r->info, name, value);
	if (strcmp(name, r->db) == 0)
		r->wanted.keys = member(value, "keys");
	if (is_replica(name))
		take_replica(&r->wanted, value);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (strcmp(name, flags[i].field) == 0)
			r->on_metric(r->ctx, flags[i].metric,
				     strcmp(value, flags[i].good) == 0 ? 1 : 0);
	}
	if (!number_of(value, &number))
		return;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		/* A replica that never was in touch says -1. */
		if (strcmp(name, plain[i].field) == 0 && number >= 0)
			r->on_metric(r->ctx, plain[i].metric, number);
	}
	for (size_t i = 0; i < ARRAY_LEN(together); i++) {
		if (strcmp(name, together[i].field) == 0)
			*(double *)(void *)((char *)&r->wanted + together[i].at) = number;
	}
}

static void metric(struct reading *r, const char *name, double value)
{
	if (isfinite(value))
		r->on_metric(r->ctx, name, value);
}

static void combine(struct reading *r, int64_t now_ms)
{
	const struct wanted *w = &r->wanted;

	if (w->max > 0) { /* 0 is no limit */
		metric(r, "maxmemory_bytes", w->max);
		metric(r, "memory_percent", 100 * w->used / w->max);
	}
	if (w->clients_max > 0)
		metric(r, "clients_percent", 100 * w->clients / w->clients_max);
	if (w->hits + w->misses > 0)
		metric(r, "hit_percent", 100 * w->hits / (w->hits + w->misses));
	if (w->saved > 0)
		metric(r, "rdb_last_save_age_seconds", (double)now_ms / MS_PER_S - w->saved);
	/* A server with keys has a line for each database that has some. */
	metric(r, "keys", w->keys);
	metric(r, "replication_lag_seconds", w->replica_lag_max);
	if (!isnan(w->replica_offset_min)) /* the two are not read at one moment */
		metric(r, "replication_lag_bytes", HALE_MAX(0, w->offset - w->replica_offset_min));
	metric(r, "sync_left_bytes", w->sync_left);
}

void redis_info_parse(const char *text, size_t len, int64_t db, int64_t now_ms,
		      redis_metric_fn on_metric, void *ctx, struct redis_info *info_r)
{
	HALE_CLEANUP(str_done) struct str copied = {0};
	char db_name[24];
	struct reading r = {.info = info_r, .on_metric = on_metric, .ctx = ctx, .db = db_name};
	char *line, *rest;
	bool has_keyspace = false;

	for (size_t i = 0; i < sizeof(r.wanted) / sizeof(double); i++)
		((double *)&r.wanted)[i] = NAN;
	*info_r = (struct redis_info){.link_down_seconds = -1, .loaded_percent = -1};
	info_r->loading_eta_seconds = -1;
	(void)snprintf(db_name, sizeof(db_name), "db%lld", (long long)db);
	str_addn(&copied, text, len);
	rest = copied.data;
	while (rest != NULL && (line = strsep(&rest, "\r\n")) != NULL) {
		char *colon = strchr(line, ':');

		has_keyspace |= strcmp(line, "# Keyspace") == 0;
		if (colon == NULL || *line == '#')
			continue;
		*colon = '\0';
		take(&r, line, colon + 1);
	}
	/* A database without keys has no line at all. */
	if (has_keyspace && isnan(r.wanted.keys))
		r.wanted.keys = 0;
	combine(&r, now_ms);
}
