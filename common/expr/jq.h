/* SPDX-License-Identifier: Apache-2.0 */
/* jq - expressions over JSON, by libjq, made safe
 *
 * A program is parsed when first used (14 to 18 ms, the builtins) and cached; plain paths (.a.b,
 * .[0]), `length` of one, and one comparison with a constant run natively without libjq, with
 * identical results (a property test holds them together). Not here: input, include, import,
 * env (the environment reads as {}), and no stopping a program that loops: the process's
 * watchdog and RLIMIT_AS are the limit, so expressions belong in children, never in haled.
 *
 * Ownership: results are new references. Thread: one at a time per expression.
 */
#ifndef HALE_EXPR_JQ_H
#define HALE_EXPR_JQ_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

/* Results beyond this many are an error: an endless generator must end. */
#define JQ_RESULTS_MAX 1000000

struct jq_expr;

/* Does not compile yet: cheap. */
struct jq_expr *jq_new(const char *program);
void jq_free(struct jq_expr *e);
/* Compiles now if need be; -EINVAL "not a jq program: " and jq's own words on one line. */
int jq_check(struct jq_expr *e, struct err *err);
/* First result (NULL value "null" if there was none: then *out_r is json_null). `vars` is an object
 * whose members are $name inside the program, or NULL; the names must be the same at every call.
 * -EINVAL compile error, -EBADMSG run-time error with jq's message. */
int jq_first(struct jq_expr *e, const json_t *input, const json_t *vars, json_t **out_r,
	     struct err *err);
/* All results as an array. */
int jq_all(struct jq_expr *e, const json_t *input, const json_t *vars, json_t **out_r,
	   struct err *err);
/* The first result as text: strings as they are, everything else as compact JSON. Appends. */
int jq_text(struct jq_expr *e, const json_t *input, const json_t *vars, struct str *out,
	    struct err *err);
/* jq's truth: everything but null and false. */
bool jq_is_true(const json_t *value);

#endif
