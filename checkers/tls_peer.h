/* SPDX-License-Identifier: Apache-2.0 */
/* tls_peer - what a handshake showed of the other side, as text and times
 *
 * All of it is the peer's word: cleaned for printing, and of bounded length.
 *
 * Ownership: tls_peer_new/_free; everything is copied out of the connection.
 * Loop:      any one thread; no I/O.
 */
#ifndef HALE_CHECKERS_TLS_PEER_H
#define HALE_CHECKERS_TLS_PEER_H

#include "conn.h"
#include "openssl.h"

/* Of a subject or issuer; a real one has a hundred. */
#define TLS_PEER_TEXT_MAX  1024
/* A certificate for a hundred sites has a few thousand bytes of them. */
#define TLS_PEER_NAMES_MAX 16384

struct tls_peer;

/* After the handshake. expected is the name the certificate was held against, for the text about
 * it, or NULL. */
struct tls_peer *tls_peer_new(SSL *connection, const char *expected, int64_t now_ms);
void tls_peer_free(struct tls_peer *p);
const struct conn_peer *tls_peer_facts(const struct tls_peer *p);

#endif
