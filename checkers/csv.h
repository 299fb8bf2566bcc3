/* SPDX-License-Identifier: Apache-2.0 */
/* csv - comma-separated values (RFC 4180)
 *
 * Pure. Records end with LF or CRLF; a field in quotes may hold separators, line ends, and quotes
 * written twice. Lines with nothing on them are passed over; a byte order mark is.
 *
 * Errors: -EINVAL with the line: a quote that does not end, text behind a quoted field, too many
 *         fields.
 */
#ifndef HALE_CHECKERS_CSV_H
#define HALE_CHECKERS_CSV_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* A table wider than this is none that people made. */
#define CSV_FIELDS_MAX 1024

struct csv_field {
	const char *text; /* NUL-terminated; valid during the call */
	size_t len;
	bool is_quoted; /* "" is an empty text, nothing at all is no value */
};

/* False: stop reading (not an error). */
typedef bool (*csv_record_fn)(void *ctx, const struct csv_field *fields, size_t n, size_t line);

int csv_parse(const char *text, size_t len, char separator, csv_record_fn on_record, void *ctx,
	      struct err *err);

#endif
