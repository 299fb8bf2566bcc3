/* SPDX-License-Identifier: Apache-2.0 */
/* starttls - how the protocols that begin in plain text ask for TLS
 *
 * Pure: what came goes in, what is to be said comes out, until TLS may begin or not. Replies are
 * foreign bytes: of bounded length, and nothing may follow the last one, because it would be taken
 * for something that was said under the protection of TLS (CVE-2011-0411).
 *
 * Sources: RFC 3207 (SMTP), 2595 (IMAP, POP3), 4217 (FTP), 6120 section 5 (XMPP), 4511 section 4.14
 * (LDAP), PostgreSQL's "Message Formats" (SSLRequest).
 *
 * Ownership: caller owns struct starttls; starttls_init/_done.
 */
#ifndef HALE_CHECKERS_STARTTLS_H
#define HALE_CHECKERS_STARTTLS_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* All that a server says before TLS; SMTP's list of extensions is the longest, a few hundred. */
#define STARTTLS_REPLY_MAX 16384

/* "none|smtp|imap|…", for an option. */
#define STARTTLS_CHOICES "none|smtp|imap|pop3|ftp|xmpp|ldap|postgres"

enum starttls_result {
	STARTTLS_MORE,    /* send what is in `say`, if anything, and feed what comes */
	STARTTLS_READY,   /* begin with TLS */
	STARTTLS_REFUSED, /* the server does not want to; err has its words */
	STARTTLS_BROKEN,  /* that is not this protocol */
};

struct starttls_protocol;

struct starttls {
	const struct starttls_protocol *protocol;
	size_t step;
	size_t heard; /* bytes, of all replies */
	struct str reply;
	char host[256];
};

/* -ENOENT: no such protocol ("none" is none). */
int starttls_init(struct starttls *s, const char *protocol, const char *host);
void starttls_done(struct starttls *s);
/* "25", "143" … of a protocol's name; "443" of "none". */
const char *starttls_port(const char *protocol);

/* What to say as soon as the connection is open; may be empty. */
void starttls_begin(struct starttls *s, struct str *say);
enum starttls_result starttls_feed(struct starttls *s, const char *data, size_t len,
				   struct str *say, struct err *err);

#endif
