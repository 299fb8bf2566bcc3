/* SPDX-License-Identifier: Apache-2.0 */
/* reader - one YAML text into nodes; the only file that knows libyaml
 *
 * Refuses what tree.h says. Aliases become copies, so that every node has one parent; a mapping's
 * "<<" takes over what is missing from the mapping (or list of mappings) it names.
 *
 * Ownership: nodes live in the arena, marks borrow the source's name.
 * Errors:    in the report; NULL after one that ends reading.
 */
#ifndef HALE_CONF_READER_H
#define HALE_CONF_READER_H

#include "arena.h"
#include "source.h"

#include "conf/tree.h"

struct reader_job {
	struct arena *arena;
	struct source *source;
	struct report *report;
	size_t *nodes;        /* counted up to TREE_NODES_MAX over all sources of a tree */
	bool expands_secrets; /* ${…} in values */
};

/* The root; an empty mapping for a text without content. */
struct node *reader_read(const struct reader_job *job);

#endif
