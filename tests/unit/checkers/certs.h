/* SPDX-License-Identifier: Apache-2.0 */
/* certs - certificates as a test needs them, made on the spot
 *
 * Ownership: cert_new/_free.
 */
#ifndef HALE_TESTS_CHECKERS_CERTS_H
#define HALE_TESTS_CHECKERS_CERTS_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct cert {
	X509 *x509;
	EVP_PKEY *key;
};

struct cert_spec {
	const char *name;          /* common name */
	const char *alt_names;     /* "DNS:localhost,IP:127.0.0.1", or NULL */
	const struct cert *issuer; /* NULL: signs itself */
	bool is_authority;
	long begin_s, end_s; /* from now; both 0: an hour ago until in a day */
};

struct cert cert_new(const struct cert_spec *spec);
void cert_free(struct cert *cert);
/* A file of PEM with the certificate, and the key if it is wanted. Returns path. */
const char *cert_write(const struct cert *cert, bool with_key, const char *path);
/* A server's. chain is sent along, or NULL. */
SSL_CTX *cert_server(const struct cert *cert, const struct cert *chain);

#endif
