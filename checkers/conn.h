/* SPDX-License-Identifier: Apache-2.0 */
/* conn - one connection of a check: resolve, connect, TLS, write, read, on the loop
 *
 * For kinds that speak a protocol of their own over TCP or a Unix socket. It does what all of them
 * would: tells the runner what a timeout would mean (check_stage: TIMEOUT_DNS, _CONNECT, _TLS, and
 * _READ once open), tries each address of a name, shakes hands by TLS, and reports the metrics
 * dns_ms, connect_ms, tls_ms (only where there was such a step), cert_expires_seconds, and the
 * details ip, and for TLS tls_version. The addresses are tried in turn, the next one as soon as one
 * fails or is silent for CONN_NEXT_MS (RFC 8305, "happy eyeballs"), so that one dead of two is no
 * timeout.
 *
 *   conn_open -> on_open -> on_data … -> conn_close by the kind, then check_done()
 *             -> on_failed                 never opened, or broken: already closed; check_done()
 *
 * A conn is of its own, not part of the run's data: conn_close() forgets it at once (its handles
 * close behind it, a resolver's thread comes back to nobody), no callback comes afterwards, and
 * check_done() may follow in the same breath. So cancel() of a kind is conn_close(), check_done().
 * Callbacks come from the loop, never from within conn_open(), conn_write() or conn_start_tls().
 *
 * Bounded: what is not yet written (CONN_WRITE_MAX), resolvers' threads (threads.h; lookups of one
 * name share one). What is read is handed on piece by piece; how much to keep is for the kind.
 *
 * Ownership: options are copied. conn_close(NULL) is fine.
 * Errors:    a reason and a text for people, in on_failed.
 * Loop:      all on the loop thread.
 */
#ifndef HALE_CHECKERS_CONN_H
#define HALE_CHECKERS_CONN_H

#include "check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A check asks a question or two. */
#define CONN_WRITE_MAX (1u << 20)
/* RFC 8305 section 5: "recommended value for a default delay is 250 milliseconds". */
#define CONN_NEXT_MS   250
/* Its length is one byte (RFC 7301 section 3.1). */
#define CONN_ALPN_MAX  255

struct conn;

enum conn_tls_version { CONN_TLS_ANY, CONN_TLS_1_2, CONN_TLS_1_3 };

/* How to shake hands. Zeroed: verify nothing, take any version. */
struct conn_tls {
	bool verify;             /* refuse what is not trusted, not valid now, not this host's */
	const char *ca;          /* file of trusted certificates (PEM); NULL: the system's */
	const char *server_name; /* for SNI and the check of the name; NULL: the host */
	const char *cert, *key;  /* files (PEM) to show who we are, or NULL */
	const char *alpn;        /* one protocol to offer ("h2"), or NULL */
	enum conn_tls_version min_version;
};

struct conn_target {
	const char *host; /* name, IPv4, IPv6 without brackets; or "/path" of a Unix socket */
	const char *port; /* "443"; unused with a path */
	const struct conn_tls *tls; /* NULL: plain, at least to begin with */
};

struct conn_events {
	/* Connected, and TLS is up if the target has it; also after conn_start_tls(). */
	void (*on_open)(struct check *c);
	/* Bytes that came; valid during the call. */
	void (*on_data)(struct check *c, const char *data, size_t len);
	/* It could not be opened, broke, or the peer closed (CONN_CLOSED). The conn is closed
	 * already: of what takes one only conn_peer() may be asked once more, for a certificate
	 * that is refused. After bytes have come it is for the kind to say what the end means. */
	void (*on_failed)(struct check *c, enum reason reason, const char *text);
};

struct conn *conn_open(struct check *c, const struct conn_target *target,
		       const struct conn_events *events);
/* From on_open on. Queued and sent in order; copied. A failure comes to on_failed. */
void conn_write(struct conn *conn, const void *data, size_t len);
/* From plain to TLS in the middle of a dialogue (STARTTLS). on_open comes again. Bytes that came
 * before are not taken for TLS: the kind must have read the answer, and nothing may follow it. */
void conn_start_tls(struct conn *conn, const struct conn_tls *tls);
/* No callback comes after this. A queued write may be lost: nobody waits for it. */
void conn_close(struct conn *conn);

/* What the handshake showed; NULL or 0 before, or without TLS. Borrowed until conn_close(). */
struct conn_peer {
	const char *version; /* "TLSv1.3" */
	const char *cipher;
	const char *alpn;                    /* protocol agreed on, or NULL */
	const char *subject, *issuer;        /* of the peer's own certificate, RFC 2253 */
	const char *names;                   /* its subject alternative names, "a.org, b.org" */
	const char *sha256;                  /* fingerprint, 64 hex digits in small letters */
	int64_t not_before_ms, not_after_ms; /* wall clock */
	int64_t chain_not_after_ms;          /* the earliest end in the chain as sent */
	const char *verify_error;  /* why it is not trusted, also if verify is off; or NULL */
	enum reason verify_reason; /* the same as a reason; OK */
};
const struct conn_peer *conn_peer(const struct conn *conn);

#endif
