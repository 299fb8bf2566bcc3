/* SPDX-License-Identifier: Apache-2.0 */
/* writer_private - what a backend behind writer.h provides (private to this layer)
 *
 * writer.c owns the call: it keeps what was asked, checks that there is one at a time, and tells
 * the caller how it ended. A backend embeds struct writer as its first member.
 *
 * Loop: all on the loop's thread. A backend that works elsewhere comes back before it tells.
 */
#ifndef HALE_STORE_WRITER_PRIVATE_H
#define HALE_STORE_WRITER_PRIVATE_H

#include "model/frame.h"
#include "store/writer.h"

enum writer_call { WRITER_IDLE, WRITER_OPENING, WRITER_WRITING };

struct writer_ops {
	/* Begin what was asked. Exactly one writer_call_done() follows, in a later turn. */
	void (*open)(struct writer *w);  /* fills w->epoch, w->seq */
	void (*write)(struct writer *w); /* w->lines; fills w->skipped, w->repeated; connects if
					    need be */
	/* The call in hand shall end soon, with -EINTR. Only while there is one. */
	void (*interrupt)(struct writer *w);
	/* No call is in hand. Ends with writer_closed(), in a later turn. */
	void (*close)(struct writer *w);
	void (*free)(struct writer *w);
};

struct writer {
	const struct writer_ops *ops;
	uv_loop_t *loop;
	const struct store_options *options;
	char *node;

	enum writer_call call; /* in hand */
	const struct store_line *lines;
	size_t n;
	writer_done_fn on_done;
	void *ctx;
	bool is_closing;
	void (*on_closed)(void *ctx);
	void *closed_ctx;

	/* What the call in hand tells; cleared when it begins. */
	struct err err;
	char epoch[FRAME_EPOCH_MAX];
	uint64_t seq;
	size_t skipped, repeated;
};

/* Zeroed but for ops and what the backend keeps of its own; writer_new() fills in the rest. */
struct writer *writer_sqlite_new(void);
struct writer *writer_postgres_new(void);

/* rc < 0: w->err says why. May free w. */
void writer_call_done(struct writer *w, int rc);
/* Frees w. */
void writer_closed(struct writer *w);

#endif
