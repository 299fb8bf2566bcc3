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

static bool put_code(void *ctx, const struct db_row *row)
{
	(void)map_put(ctx, row->values[1].text, (void *)(intptr_t)(row->values[0].integer + 1));
	return true;
}

static int read_codes(struct store *h, struct err *err)
{
	int rc = db_query(h->db, "SELECT code, name FROM statuses", NULL, 0, put_code, &h->statuses,
			  err);

	if (rc == 0)
		rc = db_query(h->db, "SELECT code, name FROM outcomes", NULL, 0, put_code,
			      &h->outcomes, err);
	return rc;
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
	if (rc == 0 && h->is_writer)
		rc = read_codes(h, err);
	if (rc != 0) {
		store_close(h);
		return rc;
	}
	*h_r = h;
	return 0;
}

static void map_free_values(struct map *m)
{
	const char *key;
	void *value;

	for (size_t i = 0; map_each(m, &i, &key, &value);)
		free(value);
	map_done(m);
	*m = (struct map){0};
}

void store_forget(struct store *h)
{
	map_free_values(&h->components);
	map_done(&h->epochs);
	h->epochs = (struct map){0};
}

void store_close(struct store *h)
{
	if (h == NULL)
		return;
	if (h->db != NULL && h->is_writer && db_engine_of(h->db) == DB_SQLITE)
		sqlite_whole_end(h->db);
	keep_free(h->keep);
	store_forget(h);
	map_done(&h->statuses);
	map_done(&h->outcomes);
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

struct cursor_reader {
	char *epoch;
	size_t epoch_size;
	uint64_t seq;
};

static bool on_cursor(void *ctx, const struct db_row *row)
{
	struct cursor_reader *c = ctx;

	(void)snprintf(c->epoch, c->epoch_size, "%s", row->values[0].text);
	c->seq = (uint64_t)row->values[1].integer;
	return false;
}

int store_cursor(struct store *h, char *epoch, size_t epoch_size, uint64_t *seq_r, struct err *err)
{
	struct cursor_reader c = {.epoch = epoch, .epoch_size = epoch_size};
	int rc;

	epoch[0] = '\0';
	rc = db_query(h->db, "SELECT epoch, seq FROM cursors LIMIT 1", NULL, 0, on_cursor, &c, err);
	if (rc == 0)
		*seq_r = c.seq;
	return rc;
}

int store_cursor_put(struct store *h, const char *node, const char *epoch, uint64_t seq,
		     struct err *err)
{
	struct db_value args[] = {db_v_text(node), db_v_text(epoch), DB_V_INT((int64_t)seq)};

	return db_run(h->db,
		      "INSERT OR REPLACE INTO cursors (node, epoch, seq) VALUES ($1, $2, $3)", args,
		      ARRAY_LEN(args), NULL, err);
}
