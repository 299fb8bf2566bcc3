/* SPDX-License-Identifier: Apache-2.0 */
/* tls_context - what handshakes of one kind have in common, made once: trust, identity, versions
 *
 * To read a file of a hundred trusted certificates takes longer than a handshake. So a context is
 * kept for each set of options, and made anew when one of its files has changed. If that fails the
 * old one goes on: a file may just be written, and a confined process may not open one that took
 * the place of that it was allowed to read.
 *
 * Ownership: tls_contexts_new/_free; a context is borrowed (a stream made from it keeps it alive).
 * Errors:    -ENOSYS: no library; -EINVAL: the options do not work (a file is not what it should
 *            be). With a text for people.
 * Loop:      all on the loop thread; reads files.
 */
#ifndef HALE_CHECKERS_TLS_CONTEXT_H
#define HALE_CHECKERS_TLS_CONTEXT_H

#include "conn.h"
#include "openssl.h"

/* A process has as many sets of options as its components differ in them. */
#define TLS_CONTEXTS_MAX 256

struct tls_contexts;

struct tls_contexts *tls_contexts_new(void);
void tls_contexts_free(struct tls_contexts *all);

int tls_context_get(struct tls_contexts *all, const struct conn_tls *tls, SSL_CTX **ctx_r,
		    struct err *err);

#endif
