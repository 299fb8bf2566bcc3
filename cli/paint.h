/* SPDX-License-Identifier: Apache-2.0 */
/* paint - the few colours there are, and which word wears which
 *
 * The word always says it too: colour helps the eye, it carries nothing alone.
 */
#ifndef HALE_CLI_PAINT_H
#define HALE_CLI_PAINT_H

#include "base/str.h"
#include "model/process.h"
#include "model/status.h"

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_WORST, TONE_DIM, TONE_BOLD, TONE_MAX };

/* ANSI sequences; "" without colour and for TONE_PLAIN. */
const char *paint_on(bool has_colour, enum tone tone);
const char *paint_off(bool has_colour, enum tone tone);
/* Cleaned (text.h) and painted. */
void paint_add(struct str *out, bool has_colour, enum tone tone, const char *text);

enum tone tone_of_status(enum status s);
enum tone tone_of_outcome(enum outcome o);
/* For the severities of events and alerts, by name; NULL is plain. */
enum tone tone_of_severity(const char *severity);

/* "● healthy": names as they came, since a newer haled may know more of them. NULL reads
 * "unknown". */
void dot_status(struct str *out, const char *status, enum tone *tone_r);
void dot_outcome(struct str *out, const char *outcome, enum tone *tone_r);
void dot_process(struct str *out, const char *state, bool is_crash_looping, enum tone *tone_r);

#endif
