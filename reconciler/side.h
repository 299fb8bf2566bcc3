/* SPDX-License-Identifier: Apache-2.0 */
/* side - the rows of one side of a plan, found by their keys
 *
 * Two keys are the same if their parts are the same as texts (numbers by their shortest digits).
 * Pure. Ownership: side_done frees all but the rows, which are borrowed.
 */
#ifndef HALE_RECONCILER_SIDE_H
#define HALE_RECONCILER_SIDE_H

#include "base/map.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct slot {
	const json_t *row;
	char *key;     /* for people: "AAPL/7" */
	char *id;      /* what is compared */
	json_t *parts; /* the values of the key */
	bool is_twice; /* another row has the same key */
	bool is_held;  /* of the table: the source has it */
};

struct side {
	struct slot *v;
	size_t n;
	struct map by_id; /* to the first slot of that key */
};

void side_init(struct side *side, size_t max);
/* At most `max` times. Takes parts. */
void side_add(struct side *side, const json_t *row, json_t *parts);
/* The first slot with the key of `like`, which may be of another side; or NULL. */
struct slot *side_find(const struct side *side, const struct slot *like);
void side_done(struct side *side);

#endif
