/* SPDX-License-Identifier: Apache-2.0 */
/* pg - what db_postgres and pgasync share about libpq (private to this layer)
 *
 * A conninfo is taken apart once; its secrets are remembered only to be blanked in every text that
 * leaves this layer.
 *
 * Loop: no callbacks; struct pg_target belongs to one thread at a time.
 */
#ifndef HALE_DB_PG_H
#define HALE_DB_PG_H

#include "db/db.h"
#include "model/reason.h"
#include "pq.h"

#include <stdint.h>

/* Keywords libpq 15 knows: 45; plus our own. */
#define PG_PARAMS_MAX  64
/* Cancels under way in this process. Each is a thread that may hang with its server; beyond this
 * the server's own statement_timeout must do. */
#define PG_CANCELS_MAX 8

/* Types by OID, as pg_type.h fixes them for ever. */
enum {
	PG_INT8 = 20,
	PG_INT2 = 21,
	PG_INT4 = 23,
	PG_OID = 26,
	PG_FLOAT4 = 700,
	PG_FLOAT8 = 701,
	PG_NUMERIC = 1700
};

struct pg_target {
	PQconninfoOption *options; /* as parsed */
	char *name;                /* "postgresql host:port/dbname", for texts */
};

/* Parameters for PQconnectStartParams; the texts are borrowed. */
struct pg_params {
	const char *keys[PG_PARAMS_MAX + 1];
	const char *values[PG_PARAMS_MAX + 1];
	size_t n;
};

/* -EINVAL if it is no conninfo; the text does not repeat it, for it may hold a password. -ENOSYS if
 * libpq is not installed (pq.h): whoever has a target may call it. */
int pg_target_parse(const char *conninfo, struct pg_target *t, struct err *err);
void pg_target_done(struct pg_target *t);
const char *pg_target_get(const struct pg_target *t, const char *key); /* NULL if not given */

/* What was given, plus what hale wants by default (client_encoding, application_name). */
void pg_params_init(struct pg_params *p, const struct pg_target *t);
/* Replaces or adds. */
void pg_params_set(struct pg_params *p, const char *key, const char *value);

/* One line: newlines become "; ", secrets "***"; indents, trailing space and libpq's question
 * whether the server is running go. */
void pg_clean(const struct pg_target *t, const char *text, char *out, size_t size);
/* The SQLSTATE of a refused login: libpq keeps it only in the verbose text. Writes the text without
 * the code. code_r is "" if the server said nothing. */
void pg_connect_error(const struct pg_target *t, const PGconn *conn, char code_r[6], char *out,
		      size_t size);
/* Why no connection came about. */
enum reason pg_connect_reason(const char *code, const char *text);
/* Negative errno as db.h defines it; code may be NULL (the connection itself failed). */
int pg_errno(const char *code);

/* One value of a result in text format, borrowed from it. */
struct db_value pg_value(const PGresult *result, int row, int column, bool is_numeric_real);

/* Asks the server to stop what conn is running, without waiting: PQcancel() blocks until the
 * server answers, and one that hangs never does. */
void pg_cancel_detached(PGconn *conn);

#endif
