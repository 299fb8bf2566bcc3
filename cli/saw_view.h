/* SPDX-License-Identifier: Apache-2.0 */
/* saw_view - what a check saw, for who ran it by hand: headers, rows, phases, lines of a dialogue
 *
 * A kind shows what it likes (checkers/check.h "check_saw"), so the form follows the value: an
 * object is names and values, a list of objects of one level a table, a long text its lines, and
 * an object "phases" of times a timeline. What is cut here is whole in -o json.
 *
 * Pure but for the text it adds to `out`.
 */
#ifndef HALE_CLI_SAW_VIEW_H
#define HALE_CLI_SAW_VIEW_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

/* `saw`: {name: value} or NULL. */
void saw_view(struct str *out, const json_t *saw, bool has_colour);

#endif
