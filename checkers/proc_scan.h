/* SPDX-License-Identifier: Apache-2.0 */
/* proc_scan - all processes of the machine, read once for all components that look at them
 *
 * Reading /proc of a machine with a thousand processes takes tens of milliseconds: it is done in a
 * thread, and whoever asks while it goes on, or within PROC_SCAN_FRESH_MS of its beginning, gets
 * the same table.
 *
 *   proc_scan_ask -> on_table            once, never from within proc_scan_ask()
 *                 -> proc_scan_cancel    instead of it
 *
 * Ownership: a table is shared and never changes; proc_table_unref() each that was given.
 * Loop:      functions on the loop thread; a table may be read in any.
 */
#ifndef HALE_CHECKERS_PROC_SCAN_H
#define HALE_CHECKERS_PROC_SCAN_H

#include "base/err.h"
#include "check.h"
#include "proc_text.h"

#include <stddef.h>

/* Components that are due in one slot of the runner are so within milliseconds. */
#define PROC_SCAN_FRESH_MS 500
/* Of a command line and of the groups; what is behind that is not matched. */
#define PROC_TEXT_MAX      4096

/* What a scan reads of each process beside its stat. */
enum {
	PROC_SCAN_COMMAND = 1,
	PROC_SCAN_USER = 2,
	PROC_SCAN_GROUP = 4,
};

struct proc_entry {
	struct proc_stat stat;
	char *program; /* argv[0]; "" for the kernel's own; NULL: not read */
	char *command; /* all arguments as one line; NULL: not read */
	char *group;   /* NULL: not read */
	uid_t uid;
};

struct proc_table {
	int refs;
	unsigned what;
	int64_t at_us; /* monotonic */
	int64_t fresh_until_us;
	double boot_seconds; /* the machine's age then */
	struct proc_entry *v;
	size_t n;
	int rc; /* negative: err says why there is nothing */
	struct err err;
};

struct proc_ask;
typedef void (*proc_table_fn)(void *ctx, struct proc_table *table /* given */);

struct proc_ask *proc_scan_ask(const struct check *c, const char *proc, unsigned what,
			       proc_table_fn on_table, void *ctx);
void proc_scan_cancel(struct proc_ask *ask); /* NULL is fine */
void proc_table_unref(struct proc_table *table);

#endif
