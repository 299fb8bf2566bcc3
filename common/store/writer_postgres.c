/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "db/pgpipe.h"
#include "postgres_batch.h"
#include "store_postgres.h"
#include "store_private.h"
#include "writer_private.h"

/* Names are asked for once, and once more if somebody else moved on; what then still is not there
 * will not be. */
#define ATTEMPTS_MAX     4
/* For the last states, when a program wants to end. */
#define CLOSE_TIMEOUT_MS 500

struct postgres_writer {
	struct writer w;
	struct pg_pipe *pipe; /* NULL before the first call */
	struct postgres_batch *batch;
	struct pg_step steps[TABLE_MAX];

	/* Of connecting. */
	char lock_class[24], lock_key[24], backend[24];
	int former_backend; /* that held the lock; 0 none */
	struct pg_param lock_params[2], former_params[3], node_param;
	int64_t schema_version;
	size_t lock_step;

	/* Of writing: lines [at, at + chunk) are in hand. */
	size_t at, chunk, attempts;
	size_t skipped, repeated;
};

static void write_chunk(struct postgres_writer *p);

static struct postgres_writer *postgres_of(struct writer *w)
{
	return (struct postgres_writer *)w;
}

static void fail(struct postgres_writer *p, int rc, const struct err *err)
{
	p->w.err = *err;
	writer_call_done(&p->w, rc);
}

/* --- connecting --- */

static void on_version(void *ctx, const struct db_row *row)
{
	((struct postgres_writer *)ctx)->schema_version = row->values[0].integer;
}

static void on_cursor(void *ctx, const struct db_row *row)
{
	struct writer *w = ctx;

	(void)snprintf(w->epoch, sizeof(w->epoch), "%s", row->values[0].text);
	w->seq = (uint64_t)row->values[1].integer;
}

static void on_set(void *ctx, const struct db_row *row)
{
	struct postgres_writer *p = ctx;

	postgres_batch_know_set(p->batch, row->values[1].text, row->values[0].integer);
}

static void connected(struct postgres_writer *p)
{
	if (p->w.call == WRITER_OPENING)
		writer_call_done(&p->w, 0);
	else
		write_chunk(p);
}

static void on_set_up(void *ctx, const struct pg_pipe_done *done)
{
	struct postgres_writer *p = ctx;
	int64_t newest = store_newest_version(DB_POSTGRES);
	struct err err;

	if (done->rc == -EBUSY && done->step == p->lock_step) {
		(void)err_set(&err, -EBUSY,
			      "%s: another recorder stores lines of node %s here; stop it, or give "
			      "this one another instance.node",
			      pg_pipe_name(p->pipe), p->w.node);
		fail(p, -EBUSY, &err);
	} else if (done->rc < 0) {
		fail(p, done->rc, done->err);
	} else if (p->schema_version != newest) {
		(void)err_set(&err, -EINVAL,
			      "%s: the store has schema version %lld, this hale wants %lld",
			      pg_pipe_name(p->pipe), (long long)p->schema_version,
			      (long long)newest);
		fail(p, -EINVAL, &err);
	} else {
		p->former_backend = pg_pipe_backend(p->pipe);
		connected(p);
		return;
	}
}

static struct pg_param param_of(const char *text)
{
	return (struct pg_param){.data = text, .len = strlen(text), .is_text = true};
}

/* A connection of ours that broke may live on at the server, with its lock and perhaps with a
 * transaction that is still to be committed: it is ended first. Only then it is known where the
 * store stands. */
static void set_up(struct postgres_writer *p)
{
	struct pg_step *s = p->steps;
	size_t n = 0;

	(void)snprintf(p->backend, sizeof(p->backend), "%d", p->former_backend);
	p->lock_params[0] = p->former_params[0] = param_of(p->lock_class);
	p->lock_params[1] = p->former_params[1] = param_of(p->lock_key);
	p->former_params[2] = param_of(p->backend);
	p->node_param = param_of(p->w.node);
	p->schema_version = 0;
	s[n++] = (struct pg_step){
		.sql = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l"
		       " WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM "
		       "pg_database"
		       " WHERE datname = current_database()) AND l.classid = $1::int::oid"
		       " AND l.objid = $2::int::oid AND l.pid = $3::int AND l.granted",
		.params = p->former_params,
		.n = 3};
	s[n++] = (struct pg_step){.sql = "SELECT set_config('lock_timeout', '2s', true)"};
	p->lock_step = n;
	s[n++] = (struct pg_step){.sql = "SELECT pg_advisory_lock($1::int, $2::int)",
				  .params = p->lock_params,
				  .n = 2};
	s[n++] = (struct pg_step){.sql = "SELECT coalesce(max(version), 0) FROM schema_migrations",
				  .on_row = on_version};
	s[n++] = (struct pg_step){.sql = "SELECT epoch, seq FROM cursors WHERE node = $1::text",
				  .params = &p->node_param,
				  .n = 1,
				  .on_row = on_cursor};
	/* Those in use. To know them is not to look them up (keep_sweep.c). */
	s[n++] = (struct pg_step){.sql = "SELECT id, names FROM metric_sets"
					 " WHERE used_at > now() - interval '1 day'",
				  .on_row = on_set};
	pg_pipe_run(p->pipe, s, n, on_set_up, p);
}

static void on_connected(void *ctx, const struct pg_pipe_done *done)
{
	struct postgres_writer *p = ctx;

	if (done->rc < 0) {
		fail(p, done->rc, done->err);
		return;
	}
	postgres_batch_forget(p->batch);
	set_up(p);
}

static void make_pipe(struct postgres_writer *p)
{
	const struct store_options *o = p->w.options;
	HALE_CLEANUP(cleanup_free) char *conninfo = NULL;
	HALE_CLEANUP(str_done) struct str session = {0};
	uint64_t key = hash_text(hash_text(HASH_START, postgres_schema(o)), p->w.node);

	/* What is wrong with it is told by opening. */
	(void)postgres_conninfo(o, "hale-writer", &conninfo, NULL);
	postgres_session(o, &session);
	p->pipe = pg_pipe_new(p->w.loop,
			      &(struct pg_pipe_options){
				      .conninfo = conninfo != NULL ? conninfo : o->postgres.dsn,
				      .session = str_text(&session),
				      .connect_timeout_ms = postgres_connect_timeout_ms(o),
				      .statement_timeout_ms = postgres_statement_timeout_ms(o)});
	p->batch = postgres_batch_new(p->w.node);
	(void)snprintf(p->lock_class, sizeof(p->lock_class), "%d", POSTGRES_LOCK);
	(void)snprintf(p->lock_key, sizeof(p->lock_key), "%d", (int)(key & INT32_MAX));
}

static void postgres_open(struct writer *w)
{
	struct postgres_writer *p = postgres_of(w);

	if (p->pipe == NULL)
		make_pipe(p);
	pg_pipe_open(p->pipe, on_connected, p);
}

/* --- writing --- */

/* A value that the database does not take, whatever it is, must not keep all others out. */
static bool is_about_data(const char *state)
{
	return strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
	       strncmp(state, "54", 2) == 0;
}

/* The step that makes sure where the store stands is the first. */
static bool is_moved(const struct postgres_writer *p, const struct pg_pipe_done *done)
{
	return strcmp(done->state, "22012") == 0 && done->step == 0 &&
	       p->batch->tables.set[TABLE_EPOCHS].rows > 0;
}

static void chunk_done(struct postgres_writer *p)
{
	p->at += p->chunk;
	p->chunk = HALE_MIN(2 * p->chunk, p->w.n - p->at);
	p->attempts = 0;
	if (p->at < p->w.n)
		write_chunk(p);
	else
		writer_call_done(&p->w, 0);
}

/* Of data, the half is tried, down to the one line that is to blame. */
static void chunk_failed(struct postgres_writer *p, const struct pg_pipe_done *done)
{
	if (!is_about_data(done->state)) {
		fail(p, done->rc, done->err);
	} else if (p->chunk > 1) {
		p->chunk /= 2;
		p->attempts = 0;
		write_chunk(p);
	} else {
		p->w.skipped++;
		chunk_done(p);
	}
}

static void on_written(void *ctx, const struct pg_pipe_done *done)
{
	struct postgres_writer *p = ctx;

	if (done->rc == 0) {
		postgres_batch_commit(p->batch);
		p->w.skipped += p->skipped;
		p->w.repeated += p->repeated;
		chunk_done(p);
		return;
	}
	postgres_batch_rollback(p->batch);
	if (is_moved(p, done)) {
		postgres_batch_forget_epochs(p->batch);
		write_chunk(p);
	} else {
		chunk_failed(p, done);
	}
}

static void on_asked(void *ctx, const struct pg_pipe_done *done)
{
	struct postgres_writer *p = ctx;

	if (done->rc == 0)
		postgres_batch_asked(p->batch);
	/* It is read again from its beginning. */
	postgres_batch_rollback(p->batch);
	if (done->rc == 0)
		write_chunk(p);
	else
		chunk_failed(p, done);
}

static void write_chunk(struct postgres_writer *p)
{
	struct err err;

	if (++p->attempts > ATTEMPTS_MAX) {
		(void)err_set(&err, -EIO, "%s: somebody else changes what is being written",
			      pg_pipe_name(p->pipe));
		/* Perhaps from within the call: the connection ends it later. */
		p->attempts = 0;
		fail(p, -EIO, &err);
		return;
	}
	if (!postgres_batch_read(p->batch, p->w.lines + p->at, p->chunk, clock_mono_ms(),
				 &p->skipped, &p->repeated))
		pg_pipe_run(p->pipe, p->steps, postgres_batch_asking(p->batch, p->steps), on_asked,
			    p);
	else
		pg_pipe_run(p->pipe, p->steps, postgres_batch_steps(p->batch, p->steps), on_written,
			    p);
}

static void postgres_write(struct writer *w)
{
	struct postgres_writer *p = postgres_of(w);

	p->at = p->attempts = 0;
	p->chunk = w->n;
	if (p->batch != NULL)
		postgres_batch_age(p->batch, clock_wall_ms());
	if (p->pipe == NULL || !pg_pipe_is_open(p->pipe))
		postgres_open(w);
	else
		write_chunk(p);
}

static void postgres_interrupt(struct writer *w)
{
	pg_pipe_interrupt(postgres_of(w)->pipe);
}

/* --- the end --- */

static void on_pipe_closed(void *ctx)
{
	struct postgres_writer *p = ctx;

	writer_closed(&p->w);
}

static void close_pipe(struct postgres_writer *p)
{
	pg_pipe_close(p->pipe, on_pipe_closed, p);
}

static void on_flushed(void *ctx, const struct pg_pipe_done *done)
{
	(void)done; /* states that are not stored come again with the next line of each component */
	close_pipe(ctx);
}

static void postgres_close(struct writer *w)
{
	struct postgres_writer *p = postgres_of(w);

	if (p->pipe == NULL)
		make_pipe(p);
	if (!pg_pipe_is_open(p->pipe) || !postgres_batch_read_states(p->batch)) {
		close_pipe(p);
		return;
	}
	pg_pipe_set_timeout(p->pipe, CLOSE_TIMEOUT_MS);
	pg_pipe_run(p->pipe, p->steps, postgres_batch_steps(p->batch, p->steps), on_flushed, p);
}

static void postgres_free(struct writer *w)
{
	struct postgres_writer *p = postgres_of(w);

	postgres_batch_free(p->batch);
	free(p);
}

static const struct writer_ops ops = {
	.open = postgres_open,
	.write = postgres_write,
	.interrupt = postgres_interrupt,
	.close = postgres_close,
	.free = postgres_free,
};

struct writer *writer_postgres_new(void)
{
	struct postgres_writer *p = mem_alloc(sizeof(*p));

	p->w.ops = &ops;
	return &p->w;
}
