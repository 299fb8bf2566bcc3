/* SPDX-License-Identifier: Apache-2.0 */
/* health_line - a line of topic "health" as text (docs/bus.md)
 *
 * Pure. Nearly all of them tell that a check went as it did before. Whoever follows the bus sees
 * that here, and makes a tree only of those that say more. haled writes "state" last, so that what
 * stands before it is all there is to look at.
 */
#ifndef HALE_MODEL_HEALTH_LINE_H
#define HALE_MODEL_HEALTH_LINE_H

#include "base/jtext.h"

struct health_line {
	struct jtext at, node, component;
	struct jtext state; /* the component object */
};

/* True for a line that tells one more observation and nothing else: no transition, nothing about
 * the total, not removed, not for want of data. Points into the line. */
bool health_line_is_routine(const char *line, size_t len, struct health_line *l_r);

#endif
