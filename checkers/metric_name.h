/* SPDX-License-Identifier: Apache-2.0 */
/* metric_name - what a metric that the configuration names may be called
 *
 * Pure.
 */
#ifndef HALE_CHECKERS_METRIC_NAME_H
#define HALE_CHECKERS_METRIC_NAME_H

#include <stdbool.h>

#define METRIC_NAME_RULE "a metric's name is made of a-z, 0-9 and _, and begins with a letter"

bool metric_name_is_good(const char *name);

#endif
