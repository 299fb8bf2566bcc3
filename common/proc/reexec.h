/* SPDX-License-Identifier: Apache-2.0 */
/* reexec - what a process hands to itself over an exec: a state in a memfd, and open fds
 *
 * The memfd begins with one line of JSON; what follows is the caller's to write and to read.
 *
 * Ownership: see each function. Errors: negative errno with text. Loop: any thread; blocks only as
 * long as memory takes (reexec_end_children: as long as children take to die of SIGKILL).
 */
#ifndef HALE_PROC_REEXEC_H
#define HALE_PROC_REEXEC_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct reexec_text {
	char *text; /* mapped */
	size_t len;
	const char *rest; /* behind the first line */
	size_t rest_len;
};

/* A memfd (CLOEXEC) with the first line written; the caller appends. `state` is taken. */
int reexec_open(json_t *state, struct err *err);
/* -1 is fine, and nothing. */
void reexec_keep_open(int fd, bool over_exec);
/* Reads and closes fd. The first line, a new reference, or NULL: it is no state. */
json_t *reexec_read(int fd, struct reexec_text *t_r);
void reexec_text_done(struct reexec_text *t);
/* Kills and reaps all children there are, with their sessions: of a former program, by one that
 * knows nothing of them. */
void reexec_end_children(void);

#endif
