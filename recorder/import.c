/* SPDX-License-Identifier: Apache-2.0 */
#include "import.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/import.h"

/* One piece on its way. */
struct piece {
	struct command_request *rq;
	json_t *rows, *answer;
	const char *node;
	struct feed_cursor at;
};

static int work(struct store *s, void *ctx, struct err *err)
{
	struct piece *p = ctx;
	const struct import_live live = {.node = p->node, .epoch = p->at.epoch};

	return import_rows(s, &live, p->rows, &p->answer, err);
}

static void done(void *ctx, int rc, const char *error)
{
	struct piece *p = ctx;

	if (rc == 0)
		command_reply(p->rq, TAKE_PTR(p->answer));
	else if (rc == -EBUSY)
		command_fail(p->rq, COMMAND_E_BUSY, NULL, "%s", error);
	else
		command_fail(p->rq, COMMAND_E_FAILED, NULL, "%s", error);
	json_decref(p->rows);
	json_decref(p->answer);
	free(p);
}

void import_call(struct recorder *r, struct command_request *rq, const json_t *params)
{
	json_t *rows = json_object_get(params, "rows");
	struct piece *p;

	if (!json_is_array(rows) || json_array_size(rows) > IMPORT_ROWS_MAX) {
		command_fail(rq, COMMAND_E_PARAMS, NULL, "rows: an array of at most %d objects",
			     IMPORT_ROWS_MAX);
		return;
	}
	p = mem_alloc(sizeof(*p));
	p->rq = rq;
	p->rows = json_incref(rows);
	p->node = recorder_node(r);
	p->at = recorder_status_get(r).cursor;
	recorder_do(r, work, done, p);
}
