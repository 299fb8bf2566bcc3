/* SPDX-License-Identifier: Apache-2.0 */
/* http_limits - what an answer's headers tell of limits and of its age
 *
 * Pure. Headers as common/http gives them: an object, lower-cased name -> text.
 *
 * Rate limits are told in three ways, all read here: X-RateLimit-Limit/-Remaining/-Reset and what
 * differs from them by a word (GitHub, GitLab, Twitter, OpenAI), the same without X- (drafts of the
 * IETF up to 06: "100, 100;w=60"), and RateLimit with RateLimit-Policy (draft 07: "limit=100,
 * remaining=5, reset=30"; from draft 08 on lists of policies: "day";r=900;t=3600). Of several
 * policies the one that is used up most counts.
 */
#ifndef HALE_CHECKERS_HTTP_LIMITS_H
#define HALE_CHECKERS_HTTP_LIMITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What is not told is NAN. */
struct rate_limit {
	double limit;         /* requests in a window */
	double remaining;     /* of them */
	double used_percent;  /* 0 to 100 */
	double reset_seconds; /* until there are more; >= 0 */
};

/* False: the headers tell neither a limit nor what remains of one. now_ms: wall clock. */
bool http_rate_limit(const json_t *headers, int64_t now_ms, struct rate_limit *limit_r);

/* A date of HTTP (RFC 9110 5.6.7, all three forms). 0, or -EINVAL. */
int http_date_parse(const char *text, int64_t *wall_ms_r);

#endif
