/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "writer_private.h"

struct writer *writer_new(uv_loop_t *loop, const struct store_options *o, const char *node)
{
	struct writer *w = o->postgres.dsn != NULL ? writer_postgres_new() : writer_sqlite_new();

	w->loop = loop;
	w->options = o;
	w->node = mem_dup(node);
	return w;
}

static void begin(struct writer *w, enum writer_call call, writer_done_fn on_done, void *ctx)
{
	HALE_ASSERT(w->call == WRITER_IDLE && !w->is_closing);
	w->call = call;
	w->on_done = on_done;
	w->ctx = ctx;
	w->err.text[0] = '\0';
	w->epoch[0] = '\0';
	w->seq = 0;
	w->skipped = w->repeated = 0;
}

void writer_open(struct writer *w, writer_done_fn on_done, void *ctx)
{
	begin(w, WRITER_OPENING, on_done, ctx);
	w->ops->open(w);
}

void writer_write(struct writer *w, const struct store_line *lines, size_t n,
		  writer_done_fn on_done, void *ctx)
{
	HALE_ASSERT(n > 0 && n <= WRITER_BATCH_MAX);
	begin(w, WRITER_WRITING, on_done, ctx);
	w->lines = lines;
	w->n = n;
	w->ops->write(w);
}

void writer_interrupt(struct writer *w)
{
	if (w->call != WRITER_IDLE)
		w->ops->interrupt(w);
}

void writer_close(struct writer *w, void (*on_closed)(void *ctx), void *ctx)
{
	HALE_ASSERT(!w->is_closing);
	w->is_closing = true;
	w->on_closed = on_closed;
	w->closed_ctx = ctx;
	if (w->call != WRITER_IDLE)
		w->ops->interrupt(w);
	else
		w->ops->close(w);
}

void writer_call_done(struct writer *w, int rc)
{
	struct writer_done done = {
		.rc = rc,
		.err = rc < 0 ? &w->err : NULL,
		.epoch = w->epoch,
		.seq = w->seq,
		.skipped = w->skipped,
		.repeated = w->repeated,
	};
	bool was_closing = w->is_closing;

	HALE_ASSERT(w->call != WRITER_IDLE);
	w->call = WRITER_IDLE;
	w->lines = NULL;
	w->n = 0;
	/* The caller may close us, or begin the next call, in here; if we were being closed before,
	 * it can do neither, and the closing goes on behind. */
	w->on_done(w->ctx, &done);
	if (was_closing)
		w->ops->close(w);
}

void writer_closed(struct writer *w)
{
	void (*on_closed)(void *ctx) = w->on_closed;
	void *ctx = w->closed_ctx;

	free(w->node);
	w->ops->free(w);
	if (on_closed != NULL)
		on_closed(ctx);
}
