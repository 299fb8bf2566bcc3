/* SPDX-License-Identifier: Apache-2.0 */
/* status_view - haled's status object as a page of text
 *
 * Pure: how it looks depends on the arguments alone. Any member may be missing.
 */
#ifndef HALE_CLI_STATUS_VIEW_H
#define HALE_CLI_STATUS_VIEW_H

#include "base/str.h"
#include "base/strlist.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A crash is shown with its last lines for so long. */
#define STATUS_CRASH_SHOWN_MS (10 * 60 * 1000)
#define STATUS_CRASH_LINES    5

struct status_look {
	int64_t now_ms;
	size_t width; /* 0: no limit */
	bool has_colour;
	bool is_partial; /* chosen by names: no summary, hale's own components too */
};

/* The part of it whose components and processes the globs name; a glob that names none comes back
 * in missing_r (borrowed), else NULL. New reference. */
json_t *status_select(const json_t *status, const struct strlist *globs, const char **missing_r);
void status_format(struct str *out, const json_t *status, const struct status_look *look);
/* Its parts, for pages that show more: the lines on top, and the components in trouble, worst
 * first, at most so many of them. */
void status_header(struct str *out, const json_t *status, const struct status_look *look);
void status_troubles(struct str *out, const json_t *status, const struct status_look *look,
		     size_t max);
/* How many there are. */
size_t status_troubles_count(const json_t *status);
/* Nagios: of the whole, or with is_partial of the worst component, or process, there is. */
int status_exit(const json_t *status, bool is_partial);
/* How a process stands as a status of health. */
int process_exit(const json_t *process);

#endif
