/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say before TLS. The first byte chooses the protocol, the second how it is cut. */
#include <stdint.h>
#include <stdlib.h>

#include "starttls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const protocols[] = {"smtp", "imap", "pop3", "ftp", "xmpp", "ldap", "postgres"};

static enum starttls_result feed(const char *protocol, const char *data, size_t size, size_t piece)
{
	HALE_CLEANUP(str_done) struct str say = {0};
	enum starttls_result result = STARTTLS_MORE;
	struct err err = {0};
	struct starttls s;

	if (starttls_init(&s, protocol, "a.test") != 0)
		abort();
	starttls_begin(&s, &say);
	for (size_t at = 0; at < size && result == STARTTLS_MORE; at += piece)
		result = starttls_feed(&s, data + at, HALE_MIN(piece, size - at), &say, &err);
	if (s.heard > STARTTLS_REPLY_MAX || say.len > STARTTLS_REPLY_MAX)
		abort();
	if ((result == STARTTLS_REFUSED || result == STARTTLS_BROKEN) && err.text[0] == '\0')
		abort();
	starttls_done(&s);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *protocol, *text = (const char *)data + 2;
	enum starttls_result whole, cut;

	if (size < 3)
		return 0;
	protocol = protocols[data[0] % ARRAY_LEN(protocols)];
	size -= 2;
	whole = feed(protocol, text, size, size);
	cut = feed(protocol, text, size, data[1] % 16 + 1u);
	/* Whatever the pieces, TLS is never begun where the whole would refuse or wait; except that
	 * what follows the last reply is not yet seen. */
	if (cut == STARTTLS_READY && whole != STARTTLS_READY && whole != STARTTLS_BROKEN)
		abort();
	return 0;
}
