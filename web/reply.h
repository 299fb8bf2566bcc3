/* SPDX-License-Identifier: Apache-2.0 */
/* reply - a response body with its headers, shared by every request it answers
 *
 * Counted: made once, sent many times, freed with the last sender. Every reply carries nosniff and,
 * unless told otherwise, Cache-Control: no-store, because all we say is only true now.
 */
#ifndef HALE_WEB_REPLY_H
#define HALE_WEB_REPLY_H

#include "base/str.h"

#include <jansson.h>
#include <stddef.h>

#define REPLY_JSON       "application/json"
/* Fifteen digits: what a double holds for certain, so that 0.652 stays 0.652. */
#define REPLY_JSON_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

struct reply;

/* `body` (malloc'ed, may be NULL with len 0) is taken. */
struct reply *reply_new(char *body, size_t len, const char *content_type);
struct reply *reply_json(json_t *value /* taken */);
/* {"success": false, "error": text, "errorCode": code}; details (taken, or NULL) are added. */
struct reply *reply_error(const char *code, const char *text, json_t *details);
void reply_header(struct reply *r, const char *name, const char *value); /* replaces */
struct reply *reply_ref(struct reply *r);
void reply_unref(struct reply *r); /* NULL is fine */

struct MHD_Response;
struct MHD_Response *reply_mhd(struct reply *r); /* for request.c alone */

#endif
