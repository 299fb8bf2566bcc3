/* SPDX-License-Identifier: Apache-2.0 */
/* jq_native - the small programs that most checks use, without libjq
 *
 * Private to common/expr. The subset, in jq's own syntax:
 *
 *   program: path | path "|" tail | tail
 *   path:    "." | (.name | ["text"] | [integer])…  beginning with a dot
 *   tail:    length | type
 *   and after any of these one  == != < <= > >=  with null, true, false, a number or a text.
 *
 * Whatever is not certainly in the subset is not: it goes to libjq, whose answers these are.
 */
#ifndef HALE_EXPR_JQ_NATIVE_H
#define HALE_EXPR_JQ_NATIVE_H

#include "base/err.h"

#include <jansson.h>

struct jq_native;

/* NULL: not in the subset. */
struct jq_native *jq_native_parse(const char *program);
void jq_native_free(struct jq_native *n);
/* New reference. -EBADMSG with jq's message. */
int jq_native_run(const struct jq_native *n, const json_t *input, json_t **out_r, struct err *err);

#endif
