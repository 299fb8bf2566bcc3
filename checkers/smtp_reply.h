/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_reply - replies of an SMTP server, put together from the bytes that come (RFC 5321 4.2)
 *
 * Pure. A reply is one or more lines "250-text" with the same code, the last one "250 text" (or the
 * code alone). Bounded: lines of SMTP_LINE_MAX bytes, SMTP_LINES_MAX of them.
 *
 * Ownership: zeroed is ready; smtp_reply_done() at the end.
 */
#ifndef HALE_CHECKERS_SMTP_REPLY_H
#define HALE_CHECKERS_SMTP_REPLY_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* RFC 5321 4.5.3.1.5 says 512; servers with long banners go beyond. */
#define SMTP_LINE_MAX  2048
/* EHLO lists extensions, a dozen or two; a banner may be a page of law. */
#define SMTP_LINES_MAX 128

struct smtp_reply {
	int code;        /* 220; 0 while there is none */
	struct str text; /* of all lines, each ended by '\n', without codes */
	struct str line; /* not complete yet */
	size_t lines;
};

void smtp_reply_done(struct smtp_reply *r);
/* Takes bytes up to the end of a reply. 0: there is one, *used_r tells how many bytes of data it
 * took; -EAGAIN: all were taken, more must come; -EPROTO: this is not SMTP. Feeding on after a
 * whole reply begins the next. */
int smtp_reply_feed(struct smtp_reply *r, const char *data, size_t len, size_t *used_r,
		    struct err *err);

/* Of a reply to EHLO: is `keyword` offered? *params_r (may be NULL) gets what follows it in its
 * line, borrowed, up to '\n'. "AUTH=LOGIN" of old servers counts as AUTH. */
bool smtp_reply_offers(const struct smtp_reply *r, const char *keyword, const char **params_r);
/* Is `word` one of the words of params, up to '\n'? */
bool smtp_params_have(const char *params, const char *word);

#endif
