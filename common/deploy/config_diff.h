/* SPDX-License-Identifier: Apache-2.0 */
/* config_diff - what one configuration says otherwise than another
 *
 * Pure. Both are compared as they are and shown as they are masked: where only what is hidden
 * differs, the entry says so and shows neither. Durations and sizes read as people write them.
 *
 * {"path": "components.api.interval", "change": "added|removed|changed", "old": …, "new": …}, and
 * "secret": true instead of old and new. Keys that are no plain word stand in brackets:
 * components["web.1"]. Members of lists that all have a name go by it (alerts.rules["r"]), else by
 * their number; a list that grew or shrank without names is one change.
 *
 * Ownership: everything is borrowed; the result is a new reference.
 * Errors:    none.
 */
#ifndef HALE_DEPLOY_CONFIG_DIFF_H
#define HALE_DEPLOY_CONFIG_DIFF_H

#include <jansson.h>
#include <stddef.h>

/* Nobody reads more; the rest is counted. Both bounds together keep the answer, and the event that
 * carries it, below a tenth of what a frame may hold. */
#define CONFIG_DIFF_MAX       200
/* A value longer than this is told by its size: "(5321 bytes)". */
#define CONFIG_DIFF_VALUE_MAX 1024

struct config_side {
	const json_t *json;   /* normalised */
	const json_t *masked; /* the same for showing */
};

/* `units` is schema_units'. *more_r: changes beyond CONFIG_DIFF_MAX. */
json_t *config_diff(const struct config_side *from, const struct config_side *to,
		    const json_t *units, size_t *more_r);

#endif
