/* SPDX-License-Identifier: Apache-2.0 */
/* past - a store opened for reading: that of the running haled's configuration, or any other
 *
 * Ownership: past_open and past_open_at give a handle that past_close frees.
 * Errors:    told to the operator, unless `is_quiet`; then only the exit code says it.
 */
#ifndef HALE_CLI_PAST_H
#define HALE_CLI_PAST_H

#include "cli.h"
#include "store/read.h"

struct past;

/* 0, or an exit code. CLI_NO_HALE is told even if quiet: without haled nothing goes on. */
int past_open(struct cli *cli, bool is_quiet, struct past **past_r);
/* The file or PostgreSQL database `where` (a path, conninfo or URI), whatever runs or does not. */
int past_open_at(struct cli *cli, const char *where, struct past **past_r);
void past_close(struct past *p); /* NULL is fine */
struct store *past_history(struct past *p);
/* The newest q->limit rows, oldest first, page by page if need be. New reference. *has_more_r:
 * there are older ones. 0, or an exit code after telling. */
int past_read(struct cli *cli, struct past *p, const struct read_query *q, json_t **rows_r,
	      bool *has_more_r);

#endif
