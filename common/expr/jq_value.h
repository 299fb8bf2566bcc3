/* SPDX-License-Identifier: Apache-2.0 */
/* jq_value - numbers as jq has them, and values between jansson and libjq
 *
 * Private to common/expr. jq knows one kind of number, the double: 1.0 and 1 are the same, and an
 * integer beyond 2^53 is rounded. Whatever leaves common/expr has passed through here, so that a
 * result looks the same whichever way it was computed.
 */
#ifndef HALE_EXPR_JQ_VALUE_H
#define HALE_EXPR_JQ_VALUE_H

#include <jansson.h>
#include <jv.h>

/* Deeper values are refused: both libraries free recursively. */
#define JQ_DEPTH_MAX 2048

/* New reference: integral values as integers, nan as null, infinity as the largest double. */
json_t *jq_value_number(double d);
/* New reference to the value with all numbers as jq would print them; shares what need not change.
 */
json_t *jq_value_normal(const json_t *value);

jv jq_value_to_jv(const json_t *value);
/* Consumes value. NULL if it is deeper than JQ_DEPTH_MAX. */
json_t *jq_value_from_jv(jv value);

#endif
