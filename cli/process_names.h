/* SPDX-License-Identifier: Apache-2.0 */
/* process_names - which processes an operator means, and in which order they are taken
 *
 * A word is a name, a glob, a group ("checkers": all check.*, "programs": all that are the user's
 * own, "hale": all that are not), or the component of a process ("hale.web", "program.bot"). A
 * process that is named like a group comes first. What is no process at all is passed on as it is,
 * for haled to refuse with a suggestion; only a component that is checked is refused here, with the
 * name of its process.
 *
 * Pure; works on haled's status, of which any member may be missing.
 */
#ifndef HALE_CLI_PROCESS_NAMES_H
#define HALE_CLI_PROCESS_NAMES_H

#include "base/err.h"
#include "base/strlist.h"

#include <jansson.h>
#include <stdbool.h>

/* The groups, NULL-terminated: for completion and help. */
extern const char *const process_groups[];

/* Whether it is one of the user's programs rather than one of hale's own processes. */
bool process_is_program(const json_t *status, const char *name);

/* Array of names, each once, in the order of the words and of haled's list. NULL, with why: a word
 * names a component, or a group that has no members. New reference. */
json_t *process_names_expand(const json_t *status, const struct strlist *words, struct err *err);

/* All that are enabled, in the order in which haled stops them (what listens first, what remembers
 * last), or the other way round. New reference. */
json_t *process_names_all(const json_t *status, bool is_reversed);

#endif
