/* SPDX-License-Identifier: Apache-2.0 */
/* report - everything that is wrong with a configuration, with file, line, column and caret
 *
 *   etc/hale.yaml:14:5: unknown key 'intervall'
 *      14 |     intervall: 30s
 *         |     ^^^^^^^^^
 *         = did you mean 'interval'?
 *
 * All errors are collected (up to REPORT_MAX) and kept sorted by file, line and column; the same
 * error at the same place is kept once. Control bytes in any text are replaced by '?'.
 */
#ifndef HALE_CONF_REPORT_H
#define HALE_CONF_REPORT_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* More than this many and the file is not a configuration. */
#define REPORT_MAX 100

struct conf_mark {
	const char *file; /* borrowed from the tree's sources */
	size_t line;      /* 1-based; 0 unknown */
	size_t column;    /* 1-based, in bytes */
	size_t length;    /* bytes to underline; 0 as 1 */
};

struct report_entry {
	char *file;
	struct conf_mark mark;
	char *message;
	char *hint;   /* "did you mean …?" or NULL */
	char *source; /* the line's text, or NULL */
	bool is_warning;
};

struct report {
	struct report_entry *v;
	size_t n;
	size_t errors;  /* with the dropped ones, without warnings */
	size_t dropped; /* beyond REPORT_MAX */
};

void report_done(struct report *r);
/* source may be NULL; hint may be NULL. All copied. */
void report_add(struct report *r, const struct conf_mark *mark, const char *source,
		const char *hint, const char *fmt, ...) HALE_PRINTF(5, 6);
/* The same for what works but can hardly be meant; not counted in `errors`. */
void report_warn(struct report *r, const struct conf_mark *mark, const char *source,
		 const char *hint, const char *fmt, ...) HALE_PRINTF(5, 6);
/* For a terminal or a log; `colour` uses ANSI sequences. Ends in a line that counts. */
void report_format(const struct report *r, bool colour, struct str *out);
/* [{"file","line","column","length","message","hint","source","warning"}] */
json_t *report_encode(const struct report *r);
/* Of what report_encode said, in one line: "hale.yaml:3:5: what is wrong (and more)". Caller frees.
 */
char *report_headline(const json_t *entries);
/* To stderr for people, with colour on a terminal; or as one line of JSON to stdout. */
void report_print(const struct report *r, bool is_json);

#endif
