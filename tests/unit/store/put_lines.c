/* SPDX-License-Identifier: Apache-2.0 */
#include "put_lines.h"

#include "store/writer.h"

struct putting {
	int rc;
	size_t skipped;
	struct err *err;
};

static void on_done(void *ctx, const struct writer_done *done)
{
	struct putting *p = ctx;

	p->rc = done->rc;
	p->skipped = done->skipped;
	if (done->rc != 0)
		*p->err = *done->err;
}

int put_lines(const struct store_options *o, const struct store_line *lines, size_t n,
	      struct err *err)
{
	struct putting p = {.err = err};
	struct store *keeper = NULL;
	struct writer *w;
	uv_loop_t loop;
	int rc = store_open(o, STORE_KEEPER, &keeper, err);

	if (rc != 0)
		return rc;
	(void)uv_loop_init(&loop);
	w = writer_new(&loop, o, "web1");
	writer_write(w, lines, n, on_done, &p);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	writer_close(w, NULL, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	HALE_ASSERT(uv_loop_close(&loop) == 0);
	store_close(keeper);
	return p.rc != 0 ? p.rc : (int)p.skipped;
}
