/* SPDX-License-Identifier: Apache-2.0 */
/* complete - what may stand at the end of a command line that is being typed
 *
 * Read off the verb table: verbs and flags are there; what a word or value is, is its name in the
 * usage ("PROCESS…", "FILE", "text|json"). So a new verb completes without a line of its own. What
 * only a running hale knows (names of processes …) is left to complete_names.h.
 *
 * Pure. A line that makes no sense completes to nothing.
 *
 * Ownership: texts of struct complete are borrowed from the words and the verb table.
 */
#ifndef HALE_CLI_COMPLETE_H
#define HALE_CLI_COMPLETE_H

#include "verbs.h"

#include <stdbool.h>

struct complete {
	const char *current; /* what the completed word begins with */
	const char *run_dir; /* as given on the line; NULL: not */
	/* What is asked of a running hale: "PROCESS", "COMPONENT" … not terminated; len 0: nothing.
	 */
	const char *what;
	size_t what_len;
	struct strlist given; /* words of the verb that stand there already: not offered again */
};

/* Adds "value<TAB>description" lines for all that the tables know, and says in c_r what else could
 * stand there. `words` are those behind "hale", the last being the one that is completed. */
void complete_line(const struct strlist *words, struct complete *c_r, struct str *out);
void complete_done(struct complete *c);

/* One candidate, if it begins like what was typed and is not there yet. description may be NULL. */
void complete_add(struct str *out, const struct complete *c, const char *value,
		  const char *description);

/* The alternatives of one place in a usage, "[PROCESS…|--all]" without its marks: calls back for
 * each ("PROCESS", then "--all"). */
typedef void (*complete_each_fn)(void *ctx, const char *name, size_t len);
void complete_each(const char *usage, size_t place, complete_each_fn each, void *ctx);

#endif
