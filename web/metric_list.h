/* SPDX-License-Identifier: Apache-2.0 */
/* metric_list - what a component measured last, as a list of records
 *
 * Pure. {"name","value","unit","status","threshold_warning","threshold_critical",
 * "condition_warning","condition_critical","timestamp","details"} for each metric and for
 * `took_ms`. The unit is the name's suffix; a threshold is told as its number, and with its
 * operator as a condition ("< 5"), because a number alone does not say which side is bad.
 */
#ifndef HALE_WEB_METRIC_LIST_H
#define HALE_WEB_METRIC_LIST_H

#include <jansson.h>

/* `component` as of docs/bus.md, `thresholds` as haled's `show` has them, or NULL. New reference:
 * an array. */
json_t *metric_list(const json_t *component, const json_t *thresholds);
/* "ms", "%" …; NULL: a plain number. */
const char *metric_unit(const char *name);

#endif
