/* SPDX-License-Identifier: Apache-2.0 */
/* upgrade - haled gives way to its new binary in the same process, with everything it holds
 *
 * exec keeps the pid, and with it the children: what they say (notify sockets, pipes) and the locks
 * stay open, what haled knows goes along in a memfd: one line of JSON, then the bus
 * (hub_hand_over). The configuration is checked by the new binary before; only then is there no way
 * back, and a new binary that does not understand what it is handed starts all children anew.
 *
 * Loop thread only.
 */
#ifndef HALE_SUPERVISOR_UPGRADE_H
#define HALE_SUPERVISOR_UPGRADE_H

#include "proc/reexec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Of what is handed over; a program that does not know it refuses before anything is done. */
#define UPGRADE_VERSION "1"

struct haled;

/* What a former program of this process left. */
struct takeover {
	json_t *state;           /* NULL: nothing, or nothing that was understood */
	struct reexec_text text; /* behind its first line: the bus's part */
};

/* For --check --takes-over: can a program that writes this version be followed? */
bool upgrade_understands(const char *version);
/* Becomes the new program. Returns only if that failed, and everything is then as before. */
void upgrade_exec(struct haled *d);

/* Reads what is on fd and closes it. When it is not understood, the children it tells of are ended:
 * nobody could look after them. */
void takeover_read(int fd, struct takeover *t_r);
/* When it started, how many programs it has been, and what else is no child's. */
void takeover_facts(struct haled *d);
/* Sets both and returns true; false when there is nothing to take over. */
bool takeover_locks(const struct takeover *t, int *lock_r, int *state_lock_r);
/* Lets go of what a child's entry holds open: nobody takes it over. */
void takeover_close(const json_t *child);
/* Ends the children after all, and forgets. */
void takeover_drop(struct takeover *t);
/* The entry of that child, NULL: it is new. */
const json_t *takeover_child(const struct takeover *t, const char *name);
void takeover_done(struct takeover *t);

#endif
