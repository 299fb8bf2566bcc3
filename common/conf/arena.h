/* SPDX-License-Identifier: Apache-2.0 */
/* arena - memory that goes all at once
 *
 * A tree of a large configuration is some hundred thousand small pieces that live and die together.
 *
 * Ownership: caller owns struct arena; zero-initialised is valid; pieces go with arena_done().
 */
#ifndef HALE_CONF_ARENA_H
#define HALE_CONF_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
};

void arena_done(struct arena *a);
void *arena_alloc(struct arena *a, size_t size_bytes); /* zeroed, aligned for any type */
char *arena_dupn(struct arena *a, const char *text, size_t len);

#endif
