/* SPDX-License-Identifier: Apache-2.0 */
/* roll - the components of this process by id, in four bytes each
 *
 * Pure. A hash of positions: the ids stand in what the caller keeps anyway.
 *
 * Ownership: zeroed is valid and empty; roll_done frees. Errors: none.
 */
#ifndef HALE_CHECKERS_ROLL_H
#define HALE_CHECKERS_ROLL_H

#include <stddef.h>
#include <stdint.h>

#define ROLL_NONE SIZE_MAX

struct roll {
	uint32_t *slots; /* position + 1; 0: free */
	size_t cap;      /* a power of two, at most three quarters full */
	size_t n;
	const char *(*id_of)(const void *ctx, size_t index);
	const void *ctx;
};

/* The position of that id, or ROLL_NONE. */
size_t roll_find(const struct roll *r, const char *id);
/* The next position, which is as many as there were; id_of knows it from now on. */
void roll_add(struct roll *r);
void roll_done(struct roll *r);

#endif
