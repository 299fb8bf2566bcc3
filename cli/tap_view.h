/* SPDX-License-Identifier: Apache-2.0 */
/* tap_view - one line of the bus as one line for people
 *
 * Every line, unlike event_view: also the check that found what the one before it found, and topics
 * that this command does not know yet. Pure.
 */
#ifndef HALE_CLI_TAP_VIEW_H
#define HALE_CLI_TAP_VIEW_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "02:30:37.123  #1041  health  api  healthy, 41 ms: HTTP 200" */
void tap_format(struct str *out, const char *topic, uint64_t seq, const json_t *line,
		bool has_colour, size_t width);
/* Whether the line is about a component, process, job … whose name matches the glob. */
bool tap_matches(const char *topic, const json_t *line, const char *glob);

#endif
