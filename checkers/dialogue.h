/* SPDX-License-Identifier: Apache-2.0 */
/* dialogue - what was said on a connection, line by line, for who looks on (`hale check NAME`)
 *
 * Shown under the name "dialogue": "> PING" was sent, "< +PONG" came. Costs nothing if nobody
 * looks. Bounded: DIALOGUE_LINES_MAX lines, each an excerpt. What is secret the kind says in other
 * words ("> AUTH ***"); nothing is masked here.
 */
#ifndef HALE_CHECKERS_DIALOGUE_H
#define HALE_CHECKERS_DIALOGUE_H

#include "check.h"

#include <stddef.h>

/* More than any dialogue of a check needs; an endless answer is of no use to a reader. */
#define DIALOGUE_LINES_MAX 64

struct dialogue { /* of one run; zeroed is empty */
	unsigned lines;
};

void dialogue_sent(struct check *c, struct dialogue *d, const char *text, size_t len);
void dialogue_heard(struct check *c, struct dialogue *d, const char *text, size_t len);

#endif
