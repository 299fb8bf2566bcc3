/* SPDX-License-Identifier: Apache-2.0 */
/* http_expect - what an HTTP answer should look like: its URL, its status, a text
 *
 * Pure. A status list holds "200", "2xx" and "200-299".
 */
#ifndef HALE_CHECKERS_HTTP_EXPECT_H
#define HALE_CHECKERS_HTTP_EXPECT_H

#include "base/err.h"
#include "base/strlist.h"

#include <regex.h>
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

/* What a text must have in it: a text, or a match of an extended regular expression. */
enum text_rule_form {
	TEXT_RULE_TEXT,
	TEXT_RULE_REGEX,
	TEXT_RULE_EITHER, /* a regular expression between slashes, else a text */
};

struct text_rule {
	const char *source; /* as written, borrowed */
	bool is_regex;
	regex_t regex;
};

/* -EINVAL with what is wrong with the expression; there is then nothing to free. */
int text_rule_init(struct text_rule *rule, const char *source, enum text_rule_form form,
		   struct err *err);
void text_rule_done(struct text_rule *rule);
/* text may hold NUL. */
bool text_rule_matches(const struct text_rule *rule, const char *text, size_t len);

/* A URL fit to be shown: without a login, without the values of its query, and with "…" for parts
 * of the path that are so long that they may be a token. The caller frees it. */
char *http_url_shown(const char *url);
/* An http or https URL with a host and without a login, as far as one can see without asking. */
int http_url_check(const char *url, struct err *err);

#endif
