/* SPDX-License-Identifier: Apache-2.0 */
/* gate - the health of components, as far as jobs ask for it (guards.require_healthy)
 *
 * Pure: fed with what the bus says. Before the bus has said anything a component is unknown, and
 * unknown is not healthy: fail closed.
 */
#ifndef HALE_RECONCILER_GATE_H
#define HALE_RECONCILER_GATE_H

#include "base/map.h"
#include "base/strlist.h"

#include <jansson.h>

struct gate {
	struct map statuses; /* id to enum status + 1 */
};

void gate_done(struct gate *g);
/* haled's status: all components anew. */
void gate_snapshot(struct gate *g, const json_t *snapshot);
/* A line of the topic health. */
void gate_line(struct gate *g, const json_t *line);
/* NULL if all are healthy, else a text that names those that are not. Caller frees. */
char *gate_refusal(const struct gate *g, const struct strlist *components);

#endif
