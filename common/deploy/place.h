/* SPDX-License-Identifier: Apache-2.0 */
/* place - what is wrong with the configuration beyond its schema, told where it stands
 *
 * `pointer` is a JSON pointer (RFC 6901) into the file. All texts are copied by the report.
 */
#ifndef HALE_DEPLOY_PLACE_H
#define HALE_DEPLOY_PLACE_H

#include "conf/report.h"
#include "conf/tree.h"

#include "base/cleanup.h"

struct place {
	struct tree *tree;
	struct report *report;
};

/* At the value; at its key, if it is none. `hint` may be NULL. */
void place_error(const struct place *p, const char *pointer, const char *hint, const char *fmt, ...)
	HALE_PRINTF(4, 5);
void place_error_key(const struct place *p, const char *pointer, const char *hint, const char *fmt,
		     ...) HALE_PRINTF(4, 5);
/* For what works but can hardly be meant. */
void place_warn(const struct place *p, const char *pointer, const char *hint, const char *fmt, ...)
	HALE_PRINTF(4, 5);
/* "<parent>/<key>", with what RFC 6901 wants escaped in the key. Caller frees. */
char *place_pointer(const char *parent, const char *key);
/* Is there such a value in the file? (In the normalised configuration, defaults are there, too.) */
bool place_is_given(const struct place *p, const char *pointer);

#endif
