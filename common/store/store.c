/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sqlite_whole.h"
#include "store_private.h"

const char *store_backend(const struct store_options *o)
{
	return o->postgres.dsn == NULL ? "sqlite" : "postgresql";
}

const char *store_where(const struct store *h)
{
	return h->path;
}

const char *store_notice(const struct store *h)
{
	return h->notice;
}

int store_open(const struct store_options *o, enum store_role role, struct store **h_r,
	       struct err *err)
{
	struct store *h = mem_alloc(sizeof(*h));
	int rc;

	h->is_writer = role == STORE_KEEPER;
	if (o->postgres.dsn != NULL)
		rc = store_postgres_open(o, h, err);
	else
		rc = store_sqlite_open(o, h, err);
	if (rc != 0) {
		store_close(h);
		return rc;
	}
	*h_r = h;
	return 0;
}

void store_close(struct store *h)
{
	if (h == NULL)
		return;
	if (h->db != NULL && h->is_writer && db_engine_of(h->db) == DB_SQLITE)
		sqlite_whole_end(h->db);
	keep_free(h->keep);
	db_close(h->db);
	free(h->path);
	free(h->notice);
	free(h);
}

void store_interrupt(struct store *h)
{
	db_interrupt(h->db);
}

bool store_is_broken(const struct store *h)
{
	return db_is_broken(h->db);
}
