/* SPDX-License-Identifier: Apache-2.0 */
/* http_expect - what an HTTP answer should look like: its URL and its status
 *
 * Pure. A status list holds "200", "2xx" and "200-299".
 */
#ifndef HALE_CHECKERS_HTTP_EXPECT_H
#define HALE_CHECKERS_HTTP_EXPECT_H

#include "base/err.h"
#include "base/strlist.h"

#include <stdbool.h>
#include <stddef.h>

struct http_status_range {
	long first, last;
};

/* -EINVAL with what is wrong. */
int http_status_parse(const char *text, struct http_status_range *range_r, struct err *err);
/* Entries that do not parse match nothing. */
bool http_status_matches(const struct strlist *wanted, long status);
/* "2xx or 404", for messages. */
const char *http_status_describe(const struct strlist *wanted, char *buf, size_t size);

/* An http or https URL with a host and without a login, as far as one can see without asking. */
int http_url_check(const char *url, struct err *err);

#endif
