/* SPDX-License-Identifier: Apache-2.0 */
/* facts - "name  value" lines about one thing, values in one column
 *
 * Facts without a value are left out, so that callers need not ask what an answer holds.
 */
#ifndef HALE_CLI_FACTS_H
#define HALE_CLI_FACTS_H

#include "table.h"

#include <jansson.h>
#include <stdint.h>

struct facts {
	struct table table;
	int64_t now_ms;
};

/* "● healthy  api  API": the line above them. label may be NULL. */
void facts_title(struct str *out, bool has_colour, const char *dot, enum tone tone,
		 const char *name, const char *label);
void facts_init(struct facts *f, int64_t now_ms);
void facts_add(struct facts *f, const char *name, const char *value); /* NULL or "": none */
void facts_addf(struct facts *f, const char *name, const char *fmt, ...) HALE_PRINTF(3, 4);
/* Of a member of an object: text or number as it is, a list with commas, else compact JSON. */
void facts_member(struct facts *f, const char *name, const json_t *object, const char *key);
/* A time with how long ago it was. */
void facts_time(struct facts *f, const char *name, const json_t *object, const char *key);
void facts_took(struct facts *f, const char *name, const json_t *object, const char *key);
/* Every member of an object of its own, one fact each, the first with the name. */
void facts_object(struct facts *f, const char *name, const json_t *object);
/* Prints and empties. */
void facts_finish(struct facts *f, bool has_colour, struct str *out);

#endif
