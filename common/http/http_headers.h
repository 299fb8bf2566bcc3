/* SPDX-License-Identifier: Apache-2.0 */
/* http_headers - header fields: what may be sent, and how what comes is kept
 *
 * Pure. Private to common/http.
 */
#ifndef HALE_HTTP_HTTP_HEADERS_H
#define HALE_HTTP_HTTP_HEADERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* RFC 9110 section 5.6.2: a method or the name of a field. */
bool http_is_token(const char *text);
/* Without a line end, which would let it write fields of its own. */
bool http_is_header_value(const char *text);

/* Asked twice it does no more than asked once (RFC 9110 section 9.2.2). NULL: GET. */
bool http_is_idempotent(const char *method);

/* Of one name, joined: who sends more of it is not read further. Each field that is joined copies
 * what there is, so this also bounds the work that an answer can make. */
#define HTTP_HEADER_JOINED_MAX 8192

/* Adds a field to an object name -> text: the name in lower case, the value without blanks around
 * it and '?' for bytes that are not UTF-8, those of one name joined by ", " (RFC 9110 section 5.3),
 * as long as there is room. Both are bent for it. A name that holds a NUL is left out. */
void http_headers_add(json_t *headers, char *name, size_t name_len, char *value, size_t value_len);

#endif
