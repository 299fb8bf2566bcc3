/* SPDX-License-Identifier: Apache-2.0 */
/* process_look - which processes of a table fit a wish, and what they use
 *
 * Reads more of /proc for each that fits: for threads only.
 *
 * Ownership: wish and table are borrowed, and the matches point into the table;
 *            process_look_done() frees what was found.
 * Errors:    what cannot be read is counted in `hidden`; a pidfile's fault is in `missing`.
 * Loop:      in a thread.
 */
#ifndef HALE_CHECKERS_PROCESS_LOOK_H
#define HALE_CHECKERS_PROCESS_LOOK_H

#include "proc_scan.h"
#include "proc_text.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Beyond these they are counted, but not looked into nor compared with the last run. */
#define PROCESS_LOOKED_MAX 1024

/* All that is given must fit; NULL: anything does. */
struct process_wish {
	const char *pidfile;
	const char *name;
	const char *unit;
	const regex_t *regex; /* of the command line */
	const uid_t *uid;
	const char *proc; /* where the proc file system is */
	bool pss;
};

struct process_look {
	const struct process_wish *wish;
	const struct proc_table *table;
	const struct proc_entry **matches; /* the oldest first */
	size_t n;
	int64_t children; /* they started, and that do not fit themselves */
	int64_t fds;
	uint64_t pss_bytes;
	struct proc_io io;
	size_t hidden;      /* could not be looked into */
	char missing[160];  /* "": the pidfile, if there is one, is good */
	bool is_unreadable; /* the pidfile is there, and nothing is known */
};

void process_look(struct process_look *l);
void process_look_done(struct process_look *l);
bool process_is_zombie(const struct proc_entry *e);

#endif
