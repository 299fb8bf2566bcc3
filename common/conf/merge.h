/* SPDX-License-Identifier: Apache-2.0 */
/* merge - one tree into another, as include: does
 *
 * Mappings merge, lists append, an empty value gives way; anything else that is there twice is an
 * error which names both places.
 */
#ifndef HALE_CONF_MERGE_H
#define HALE_CONF_MERGE_H

#include "arena.h"

#include "conf/tree.h"

typedef void (*merge_clash_fn)(void *ctx, const char *key, const struct conf_mark *second,
			       const struct conf_mark *first);

/* Both are mappings. `into` takes over the nodes of `from`. */
void merge_nodes(struct node *into, const struct node *from, struct arena *arena,
		 merge_clash_fn on_clash, void *ctx);

#endif
