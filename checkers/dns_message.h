/* SPDX-License-Identifier: Apache-2.0 */
/* dns_message - a name server's answer, read (RFC 1035 section 4; records of RFC 2782, 3596, 8659)
 *
 * Pure. Names are expanded by c-ares, which knows what compression may and may not do.
 *
 * Ownership: dns_message_done() frees the records.
 */
#ifndef HALE_CHECKERS_DNS_MESSAGE_H
#define HALE_CHECKERS_DNS_MESSAGE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A check compares and shows them; more are counted only. */
#define DNS_RECORDS_MAX 256

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_CAA = 257,
};

#define DNS_TYPES "A|AAAA|CAA|CNAME|MX|NS|PTR|SOA|SRV|TXT"

enum dns_rcode { DNS_NOERROR = 0, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_REFUSED = 5 };

struct dns_record {
	unsigned type;
	uint32_t ttl_seconds;
	/* As zone files write it, names in small letters without the last dot: "192.0.2.1",
	 * "10 mail.example.org", "0 issue letsencrypt.org"; texts of TXT are joined. "TYPE64" for
	 * what we do not read. */
	char *text;
};

struct dns_message {
	unsigned rcode;
	bool is_authoritative, is_truncated, is_authenticated;
	size_t answers;             /* as counted by the server */
	struct dns_record *records; /* of the answer section, the first DNS_RECORDS_MAX */
	size_t n;
	uint32_t serial; /* of a SOA, or 0 */
};

/* -EPROTO with what is wrong; *m_r is then untouched. */
int dns_message_read(const uint8_t *data, size_t len, struct dns_message *m_r, struct err *err);
void dns_message_done(struct dns_message *m);

/* Is the record what somebody wrote? Names are the same in large and small letters, with and
 * without the last dot, addresses in any spelling; the text of a TXT to the letter. */
bool dns_record_is(const struct dns_record *record, const char *wanted);

/* One of DNS_TYPES; 0 if it is none. */
enum dns_type dns_type_from_name(const char *name);
/* Its name; of another type as RFC 3597 writes it, TYPE99, in buf. */
const char *dns_type_name(unsigned type, char buf[16]);
/* "NXDOMAIN"; "RCODE12" for what has no name. */
const char *dns_rcode_name(unsigned rcode, char buf[16]);
/* "1.2.0.192.in-addr.arpa" of "192.0.2.1", likewise ip6.arpa; -EINVAL if it is no address. Caller
 * frees. */
int dns_reverse_name(const char *address, char **name_r);

#endif
