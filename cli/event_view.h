/* SPDX-License-Identifier: Apache-2.0 */
/* event_view - what happened, one line per happening
 *
 * The bus tells it one way (docs/bus.md), the store another (docs/store.md); both become the same
 * struct, so that past and present read alike. Pure.
 *
 * Ownership: texts are owned by the struct; event_done frees them.
 */
#ifndef HALE_CLI_EVENT_VIEW_H
#define HALE_CLI_EVENT_VIEW_H

#include "base/str.h"
#include "paint.h"
#include "store/read.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct event {
	int64_t at_ms;
	char *topic;
	char *subject;
	char *kind; /* opened, exit, reload …; of a change of status the new one, of a run how it
		       ended */
	struct str text;
	enum tone tone;
};

/* False for lines that tell nothing new: a check that found what the one before it found. */
bool event_of_line(const char *topic, const json_t *line, struct event *e_r);
bool event_of_row(enum read_what what, const json_t *row, struct event *e_r);
void event_done(struct event *e);

/* "2026-11-22 02:30:37  health  api  healthy → degraded: took_ms 2310 > 2000" */
void event_format(struct str *out, const struct event *e, bool has_colour, size_t width);

/* "healthy → degraded" */
void transition_add(struct str *out, const char *from, const char *to);

#endif
