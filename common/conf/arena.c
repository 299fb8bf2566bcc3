/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Large enough that block headers do not matter, small enough for a ten-line file. */
#define ARENA_BLOCK_BYTES 32768
#define ARENA_ALIGN       _Alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char data[];
};

void arena_done(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *block = a->blocks;

		a->blocks = block->next;
		free(block);
	}
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
	size_t need = (size_bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	struct arena_block *block = a->blocks;
	void *piece;

	if (block == NULL || block->size - block->used < need) {
		size_t size = HALE_MAX(need, (size_t)ARENA_BLOCK_BYTES);

		block = mem_alloc(sizeof(*block) + size);
		block->size = size;
		block->next = a->blocks;
		a->blocks = block;
	}
	piece = block->data + block->used;
	block->used += need;
	return piece;
}

char *arena_dupn(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	memcpy(copy, text, len);
	return copy;
}
