/* SPDX-License-Identifier: Apache-2.0 */
/* routes - every path hale-web answers: one table
 *
 * To add a route, add a row here and its handler to api.h. `hale-web --routes` prints the table;
 * docs/api.md is held to it by a test.
 */
#ifndef HALE_WEB_ROUTES_H
#define HALE_WEB_ROUTES_H

#include "router.h"

#include <jansson.h>

extern const struct route routes[];

/* [{"method","path","access","doc","query":[…]}]. New reference. */
json_t *routes_describe(void);

#endif
