/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sqlite_batch.h"
#include "sqlite_whole.h"
#include "store_private.h"
#include "writer_private.h"

/* How long a lock of somebody else is waited for before the lines go back to the caller. */
#define WRITE_TIMEOUT_MS 5000
/* The same for the last states, when a program wants to end. */
#define CLOSE_TIMEOUT_MS 1000

/* A pinned reader lets the WAL grow; after it has gone, the file shrinks to this again. The
 * checkpoint every 16 MB instead of 4 writes pages less often twice. */
static const char pragmas[] = "PRAGMA journal_mode = WAL;"
			      "PRAGMA synchronous = NORMAL;"
			      "PRAGMA wal_autocheckpoint = 4000;"
			      "PRAGMA journal_size_limit = 16777216;";

struct sqlite_writer {
	struct writer w;
	uv_work_t work;
	atomic_bool is_interrupted;
	uv_mutex_t lock; /* db, while somebody may interrupt it */

	/* The worker's, while it works. */
	struct db *db; /* NULL: not open */
	struct sqlite_batch *batch;
	int rc;
};

static struct sqlite_writer *sqlite_of(struct writer *w)
{
	return (struct sqlite_writer *)w;
}

/* --- in the worker --- */

static void disconnect(struct sqlite_writer *s)
{
	struct db *db;

	sqlite_batch_free(TAKE_PTR(s->batch));
	uv_mutex_lock(&s->lock);
	db = TAKE_PTR(s->db);
	uv_mutex_unlock(&s->lock);
	db_close(db);
}

static int prepare_db(struct db *db, const char *path, struct err *err)
{
	int rc = store_check_version(db, path, err);

	return rc != 0 ? rc : db_script(db, pragmas, err);
}

static int connect_db(struct sqlite_writer *s)
{
	const char *path = s->w.options->sqlite.path;
	const struct db_target target = {.engine = DB_SQLITE,
					 .where = path,
					 .timeout_ms = WRITE_TIMEOUT_MS,
					 .must_exist = true,
					 .keeps_wal = true};
	struct db *db = NULL;
	int rc;

	/* A file that was deleted, replaced or found broken is opened anew. */
	if (s->db != NULL && db_is_broken(s->db))
		disconnect(s);
	if (s->db != NULL)
		return 0;
	rc = db_open(&target, &db, &s->w.err);
	if (rc == 0)
		rc = prepare_db(db, path, &s->w.err);
	if (rc != 0) {
		db_close(db);
		return rc;
	}
	uv_mutex_lock(&s->lock);
	s->db = db;
	uv_mutex_unlock(&s->lock);
	s->batch = sqlite_batch_new(db, s->w.node, &s->is_interrupted);
	return 0;
}

static bool on_cursor(void *ctx, const struct db_row *row)
{
	struct writer *w = ctx;

	(void)snprintf(w->epoch, sizeof(w->epoch), "%s", row->values[0].text);
	w->seq = (uint64_t)row->values[1].integer;
	return false;
}

static int read_position(struct sqlite_writer *s)
{
	const struct db_value arg = db_v_text(s->w.node);

	return db_query(s->db, "SELECT epoch, seq FROM cursors WHERE node = $1", &arg, 1, on_cursor,
			&s->w, &s->w.err);
}

static void work_call(uv_work_t *work)
{
	struct sqlite_writer *s = work->data;
	struct writer *w = &s->w;

	s->rc = connect_db(s);
	if (s->rc != 0)
		return;
	if (w->call == WRITER_OPENING)
		s->rc = read_position(s);
	else
		s->rc = sqlite_batch_write(s->batch, w->lines, w->n, &w->skipped, &w->repeated,
					   &w->err);
	if (s->rc == -EUCLEAN)
		sqlite_whole_suspect(w->options->sqlite.path);
}

static void work_close(uv_work_t *work)
{
	struct sqlite_writer *s = work->data;
	struct err err;

	/* States that are not stored come again with the next line of each component. */
	if (s->db != NULL && !db_is_broken(s->db)) {
		db_set_timeout(s->db, CLOSE_TIMEOUT_MS);
		(void)sqlite_batch_flush(s->batch, &err);
	}
	disconnect(s);
}

/* --- on the loop --- */

static void after_call(uv_work_t *work, int status)
{
	struct sqlite_writer *s = work->data;

	(void)status; /* nobody cancels it */
	writer_call_done(&s->w, s->rc);
}

static void after_close(uv_work_t *work, int status)
{
	struct sqlite_writer *s = work->data;

	(void)status;
	writer_closed(&s->w);
}

static void begin(struct writer *w, uv_work_cb run, uv_after_work_cb after)
{
	struct sqlite_writer *s = sqlite_of(w);

	atomic_store(&s->is_interrupted, false);
	s->work.data = s;
	HALE_ASSERT(uv_queue_work(w->loop, &s->work, run, after) == 0);
}

static void sqlite_call(struct writer *w)
{
	begin(w, work_call, after_call);
}

static void sqlite_interrupt(struct writer *w)
{
	struct sqlite_writer *s = sqlite_of(w);

	atomic_store(&s->is_interrupted, true);
	uv_mutex_lock(&s->lock);
	if (s->db != NULL)
		db_interrupt(s->db);
	uv_mutex_unlock(&s->lock);
}

static void sqlite_close(struct writer *w)
{
	begin(w, work_close, after_close);
}

static void sqlite_free(struct writer *w)
{
	struct sqlite_writer *s = sqlite_of(w);

	uv_mutex_destroy(&s->lock);
	free(s);
}

static const struct writer_ops ops = {
	.open = sqlite_call,
	.write = sqlite_call,
	.interrupt = sqlite_interrupt,
	.close = sqlite_close,
	.free = sqlite_free,
};

struct writer *writer_sqlite_new(void)
{
	struct sqlite_writer *s = mem_alloc(sizeof(*s));

	s->w.ops = &ops;
	HALE_ASSERT(uv_mutex_init(&s->lock) == 0);
	return &s->w;
}
