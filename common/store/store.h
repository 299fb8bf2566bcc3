/* SPDX-License-Identifier: Apache-2.0 */
/* store - what hale remembers, in SQLite or PostgreSQL
 *
 * The recorder writes (writer.h, on its loop) and keeps (keep.h: schema, rollups, retention); web
 * and command line read (read.h, series.h, uptime.h). The tables are those of etc/sql, the same in
 * both databases (docs/store.md); statements are written once, for both (dialect.h).
 *
 * Everything on a struct store blocks: worker threads or a program of one command. One thread at a
 * time; only store_interrupt may come from another.
 *
 * Errors: negative errno as db.h has them, with a text that says where and what to do.
 */
#ifndef HALE_STORE_STORE_H
#define HALE_STORE_STORE_H

#include "base/err.h"
#include "conf/option.h"

#include <stdbool.h>
#include <stdint.h>

/* The `store:` section. Neither sqlite nor postgres: SQLite in the state directory. Both: refused.
 */
struct store_options {
	struct {
		char *path; /* default: <state-dir>/history.db, filled in by haled */
	} sqlite;
	struct {
		char *dsn;    /* conninfo or postgresql:// URI; secret. NULL: the store is SQLite */
		char *schema; /* default hale */
		char *passfile; /* NULL: what dsn says */
		struct {
			char *mode; /* NULL: what dsn says; verify-full if there is a ca_file */
			char *ca_file, *cert_file, *key_file;
		} tls;
		int64_t connect_timeout_ms, statement_timeout_ms; /* default 5s, 15s */
		char *synchronous_commit;                         /* NULL: as the server does */
	} postgres;
	struct {
		char *path;    /* default: <state-dir>/spool, filled in by haled */
		int64_t bytes; /* default 256 MB */
	} spool;
	struct {
		int64_t results_ms;     /* raw results, default 7d1h (C-14) */
		int64_t rollups_5m_ms;  /* default 90d */
		int64_t rollups_1h_ms;  /* default 400d */
		int64_t rollups_1d_ms;  /* default 400d */
		int64_t transitions_ms; /* default 400d; the last of each component stays */
		int64_t alerts_ms;      /* alerts, deliveries, runs: default 400d */
		int64_t events_ms;      /* events, process events, recovery: default 400d */
	} retention;
	int64_t purge_every_ms; /* default 1h */
};
extern const struct conf_item store_items[];
/* What the table of options cannot see: both databases, a DSN that is none. `path` is a JSON
 * pointer into the section, "" for all of it. */
typedef void (*store_problem_fn)(void *ctx, const char *path, const char *message);
void store_options_check(const struct store_options *o, store_problem_fn problem, void *ctx);

enum store_role {
	STORE_READER, /* -ENOENT if there is no store yet; never changes anything */
	STORE_KEEPER, /* makes it, brings its schema up to date, checks that it is whole */
};

struct store;

int store_open(const struct store_options *o, enum store_role role, struct store **s_r,
	       struct err *err);
void store_close(struct store *s);     /* NULL is fine */
void store_interrupt(struct store *s); /* from any thread */
/* The connection broke, or the file did, or was deleted or replaced: close and open again. */
bool store_is_broken(const struct store *s);
/* "sqlite" or "postgresql". */
const char *store_backend(const struct store_options *o);
/* Where it is, for people: a path, or host and database; never a secret. Borrowed. */
const char *store_where(const struct store *s);
/* What opening as a keeper had to do that somebody must know: a broken file was set aside. NULL:
 * nothing. Borrowed. */
const char *store_notice(const struct store *s);

#endif
