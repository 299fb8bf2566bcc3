/* SPDX-License-Identifier: Apache-2.0 */
/* excerpt - the beginning of what came, to show in a message
 *
 * Pure. As much of a wrong answer as helps to recognise it, on one printable line.
 */
#ifndef HALE_CHECKERS_EXCERPT_H
#define HALE_CHECKERS_EXCERPT_H

#include <stddef.h>

#define EXCERPT_MAX  80                /* bytes of the text */
#define EXCERPT_SIZE (EXCERPT_MAX + 4) /* and "…" and NUL */

/* Cut at a character's edge, with "…" if it was cut; control characters are blanked, bytes that are
 * not UTF-8 are '?'. Returns buf. */
const char *excerpt(const char *text, size_t len, char buf[EXCERPT_SIZE]);

#endif
