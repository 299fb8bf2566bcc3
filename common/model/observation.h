/* SPDX-License-Identifier: Apache-2.0 */
/* observation - what a checker saw, and its form on the wire
 *
 * JSON: {"at","node","component","outcome","reason","message","took_ms","metrics":{},"details":{}}
 * `at` is RFC 3339 UTC ms. A third-party checker may send a reason code that is not in the table
 * of reason.h; it is kept as text and only the outcome counts.
 */
#ifndef HALE_MODEL_OBSERVATION_H
#define HALE_MODEL_OBSERVATION_H

#include "base/err.h"
#include "model/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBSERVATION_MESSAGE_MAX 512 /* bytes; longer texts are cut at a character's edge */
#define OBSERVATION_REASON_MAX  48
#define OBSERVATION_ID_MAX      128 /* COMPONENT_ID_MAX */

struct observation {
	int64_t at_ms; /* wall clock, end of the check */
	enum outcome outcome;
	char reason[OBSERVATION_REASON_MAX];
	char message[OBSERVATION_MESSAGE_MAX];
	double took_ms;
	json_t *metrics; /* object of name -> real; NULL = none; owned */
	json_t *details; /* object; NULL = none; owned */
	/* Or the two as the text they came as (then the trees are NULL): observation_read(). */
	char *metrics_text, *details_text;
};

void observation_done(struct observation *o);
/* Copies text into o->message, cut at a UTF-8 boundary, control characters blanked, bytes that
 * are not UTF-8 shown as '?' (they would make the whole line unfit for JSON). */
void observation_message(struct observation *o, const char *text);
json_t *observation_encode(const struct observation *o, const char *component, const char *node);
/* `component` is borrowed from `line`. Strict: "at", "component", "outcome", "reason" and "took_ms"
 * must be there; metrics become reals. -EINVAL with a reason; o is then untouched. */
int observation_decode(const json_t *line, const char **component_r, struct observation *o_r,
		       struct err *err);

/* The same from a line as text, without a tree of it. False if it is not of the usual shape: then
 * observation_decode() says what is wrong with it, or takes it. */
bool observation_decode_text(const char *line, size_t len, char component[OBSERVATION_ID_MAX],
			     struct observation *o_r);
/* Makes trees of metrics_text and details_text. */
void observation_read(struct observation *o);

#endif
