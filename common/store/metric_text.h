/* SPDX-License-Identifier: Apache-2.0 */
/* metric_text - a result's metrics, names and values apart
 *
 * Pure. {"bytes":612.0,"status_code":200.0} becomes ["bytes","status_code"], which hardly ever
 * changes and is stored once, and 612,200, which is stored with each result. Numbers keep every
 * digit that they have; only ".0" goes.
 */
#ifndef HALE_STORE_METRIC_TEXT_H
#define HALE_STORE_METRIC_TEXT_H

#include "base/jtext.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Objects with more members, or with anything but numbers, stay as they are. */
#define METRIC_TEXT_MAX       256
/* And those whose names together are longer: they are a key, and PostgreSQL's index takes no entry
 * of more than 2704 bytes. */
#define METRIC_TEXT_NAMES_MAX 2600

/* Appends to names and values. False: not to be taken apart; nothing was appended. */
bool metric_text_split(struct jtext object, struct str *names, struct str *values);
/* The object again, appended; false if the two do not fit each other. */
bool metric_text_join(const char *names, size_t names_len, const char *values, size_t values_len,
		      struct str *object);
/* Name after name, with its quotes (jtext_string); cursor begins at 0. */
bool metric_text_next_name(const char *names, size_t len, size_t *cursor, struct jtext *name_r);
/* Value after value; cursor begins at 0. */
bool metric_text_next(const char *values, size_t len, size_t *cursor, double *value_r);

#endif
