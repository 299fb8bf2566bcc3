/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "store_private.h"

/* How long a reader's or writer's lock may be waited for. */
#define STORE_TIMEOUT_MS 5000

/* A pinned reader lets the WAL grow; after it has gone, the file shrinks to this again. The
 * checkpoint every 8 MB instead of 4 halves what is written twice. */
static const char writer_pragmas[] = "PRAGMA journal_mode = WAL;"
				     "PRAGMA synchronous = NORMAL;"
				     "PRAGMA wal_autocheckpoint = 2000;"
				     "PRAGMA journal_size_limit = 16777216;";

static int open_db(const struct store_options *o, bool is_writer, struct db **db_r, struct err *err)
{
	struct db_target target = {.engine = DB_SQLITE,
				   .where = o->sqlite.path,
				   .timeout_ms = STORE_TIMEOUT_MS,
				   .is_read_only = !is_writer,
				   .must_exist = !is_writer,
				   .keeps_wal = is_writer};
	HALE_CLEANUP(cleanup_free) char *dir = NULL;
	const char *slash = strrchr(o->sqlite.path, '/');
	int rc;

	if (is_writer && slash != NULL && slash != o->sqlite.path) {
		dir = mem_dupn(o->sqlite.path, (size_t)(slash - o->sqlite.path));
		rc = dir_make(dir, 0750, err);
		if (rc != 0)
			return rc;
	}
	rc = db_open(&target, db_r, err);
	if (rc == -ENOENT)
		return err_set(err, -ENOENT, "%s: there is no store yet", o->sqlite.path);
	return rc;
}

int store_sqlite_open(const struct store_options *o, struct store *h, struct err *err)
{
	int rc;

	if (o->sqlite.path == NULL)
		return err_set(err, -EINVAL, "store.sqlite.path: not set");
	h->path = mem_dup(o->sqlite.path);
	rc = open_db(o, h->is_writer, &h->db, err);
	if (rc != 0 || !h->is_writer)
		return rc != 0 ? rc : store_check_version(h->db, h->path, err);
	/* Ours before anything is changed in the file. */
	rc = store_migrate(h->db, h->path, err);
	return rc != 0 ? rc : db_script(h->db, writer_pragmas, err);
}
