/* SPDX-License-Identifier: Apache-2.0 */
/* compare_source - one side of a comparison in one run: asked, read, counted or kept
 *
 *   compare_source_start -> … -> on_fetched      on the loop: what must be waited for is there
 *   compare_source_read                          in a thread: answers and files become rows
 *   compare_source_free
 *
 * Rows of a query are taken as they come; an answer of HTTP is read, as JSON, by
 * compare_source_read together with files, because a large one takes longer than the loop may stand
 * still.
 *
 * Ownership: shape, options and check must outlive the source.
 * Errors:    `error` is set, once: what could not be read, and why.
 */
#ifndef HALE_CHECKERS_COMPARE_SOURCE_H
#define HALE_CHECKERS_COMPARE_SOURCE_H

#include "compare_options.h"
#include "expr/jq.h"

/* Rows shown to who looks on. */
#define COMPARE_SHOWN_MAX 10

/* What is known of a side before any run. */
struct compare_shape {
	const struct compare_source_opts *o;
	enum source_kind kind;
	const struct compare_spec *spec; /* NULL: rows are only counted */
	const char **names;              /* of the spec's cells, as this source calls them */
	struct jq_expr *expect, *jq;     /* or NULL */
};

struct compare_source;

struct compare_source *compare_source_new(const struct compare_shape *shape, struct check *c);
void compare_source_free(struct compare_source *s); /* NULL is fine; after on_fetched */

/* Never calls back before it returned, but for a file: false, there is nothing to wait for. */
bool compare_source_start(struct compare_source *s, int64_t timeout_ms,
			  void (*on_fetched)(void *ctx), void *ctx);
/* Between start and on_fetched, which comes before this returns or soon after. */
void compare_source_cancel(struct compare_source *s);

/* In a thread. */
void compare_source_read(struct compare_source *s);

const char *compare_source_error(const struct compare_source *s); /* NULL: all was read */
size_t compare_source_rows(const struct compare_source *s);       /* without a spec: the count */
struct compare_side *compare_source_side(struct compare_source *s);
double compare_source_ms(const struct compare_source *s); /* until on_fetched */
/* For check_saw(). New reference. */
json_t *compare_source_saw(const struct compare_source *s);

#endif
