/* SPDX-License-Identifier: Apache-2.0 */
/* threshold - "> 2000" on a metric, with its operator and direction kept (C-09, C-56)
 */
#ifndef HALE_MODEL_THRESHOLD_H
#define HALE_MODEL_THRESHOLD_H

#include "base/err.h"

#include <stdbool.h>

enum threshold_op { OP_NONE, OP_GT, OP_GE, OP_LT, OP_LE, OP_EQ, OP_NE };

struct threshold {
	enum threshold_op op; /* OP_NONE: not set */
	double value;
};

/* "> 2000", ">=90", "< 99", "<= 1", "== 0", "!= 1". -EINVAL with what is wrong. */
int threshold_parse(const char *text, struct threshold *t_r, struct err *err);
bool threshold_crossed(const struct threshold *t, double value); /* OP_NONE: never */
const char *threshold_format(const struct threshold *t, char *buf, size_t size);

#endif
