/* SPDX-License-Identifier: Apache-2.0 */
/* field - members of an answer that may be absent, null or of another type
 *
 * The CLI meets processes of other versions and of other makers: a member that is not what was
 * expected reads as not there. The object itself may be NULL.
 */
#ifndef HALE_CLI_FIELD_H
#define HALE_CLI_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

const char *field_text(const json_t *object, const char *key); /* NULL if not there */
const char *field_or(const json_t *object, const char *key, const char *otherwise);
json_int_t field_int(const json_t *object, const char *key, json_int_t otherwise);
bool field_number(const json_t *object, const char *key, double *n_r);
bool field_time(const json_t *object, const char *key, int64_t *wall_ms_r);
bool field_true(const json_t *object, const char *key);
/* An array, or NULL (which json_array_foreach takes as empty). */
json_t *field_array(const json_t *object, const char *key);
/* The element of an array of objects whose `key` is this text, or NULL. */
json_t *field_find(const json_t *array, const char *key, const char *text);

#endif
