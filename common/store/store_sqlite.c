/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "sqlite_whole.h"
#include "store_private.h"

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

/* What can be helped is said with how. */
static int advise(int rc, const char *path, struct err *err)
{
	struct err why = *err;

	if (rc == -EMEDIUMTYPE)
		return err_set(err, rc,
			       "%s: is no SQLite database; move it away, or name another file in "
			       "store.sqlite.path",
			       path);
	if (rc == -EACCES)
		return err_set(err, rc,
			       "%s; let the user that hale runs as write there, or name another "
			       "file in store.sqlite.path",
			       why.text);
	return rc;
}

static int open_keeper(const struct store_options *o, struct store *h, struct err *err)
{
	int rc = open_db(o, true, &h->db, err);

	/* Ours before anything is changed in the file. */
	if (rc == 0)
		rc = sqlite_whole_check(h->db, h->path, err);
	if (rc == 0)
		rc = store_migrate(h->db, h->path, err);
	if (rc == 0)
		rc = db_script(h->db, writer_pragmas, err);
	return rc == 0 ? sqlite_whole_begin(h->db, err) : rc;
}

/* What is broken is set aside, and nothing of it is lost that can still be read. */
static int begin_anew(const struct store_options *o, struct store *h, struct err *err)
{
	struct err why = *err;
	int rc;

	db_close(TAKE_PTR(h->db));
	rc = sqlite_whole_set_aside(h->path, &h->notice, &why, err);
	return rc == 0 ? open_keeper(o, h, err) : rc;
}

int store_sqlite_open(const struct store_options *o, struct store *h, struct err *err)
{
	struct err none;
	int rc;

	err = err != NULL ? err : &none;
	if (o->sqlite.path == NULL)
		return err_set(err, -EINVAL, "store.sqlite.path: not set");
	h->path = mem_dup(o->sqlite.path);
	if (!h->is_writer) {
		rc = open_db(o, false, &h->db, err);
		if (rc == 0)
			rc = store_check_version(h->db, h->path, err);
	} else {
		rc = open_keeper(o, h, err);
		if (rc == -EUCLEAN && sqlite_whole_is_ours(h->path))
			rc = begin_anew(o, h, err);
	}
	return advise(rc, h->path, err);
}
