/* SPDX-License-Identifier: Apache-2.0 */
/* phrase - what is said in place of a check's own words
 *
 * Pure. A component's `messages` maps a reason code, an outcome, or "failure" (whatever is not a
 * pass) to a text in which {name} stands for a fact of the observation: a metric, a detail (a list
 * reads "a, b"), took_ms, reason, or message, the words it replaces. "{{" is a brace; a fact that
 * is not there reads "?".
 */
#ifndef HALE_MODEL_PHRASE_H
#define HALE_MODEL_PHRASE_H

#include "base/err.h"
#include "base/str.h"
#include "model/observation.h"

#include <jansson.h>

/* The keys that are neither reason nor outcome. */
#define PHRASE_FAILURE "failure"

/* The most special one that fits; NULL: none, the check's own words stand. Borrowed. */
const char *phrase_for(const json_t *messages, const char *reason, enum outcome outcome);
/* -EINVAL: a brace without its other half, or an empty name. */
int phrase_check(const char *phrase, struct err *err);
/* Appends. `message` is what {message} stands for. */
void phrase_fill(const char *phrase, const struct observation *o, const char *message,
		 struct str *out);

#endif
