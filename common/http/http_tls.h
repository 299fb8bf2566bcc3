/* SPDX-License-Identifier: Apache-2.0 */
/* http_tls - what OpenSSL knows of a connection and curl does not tell: version, certificate
 *
 * Private to common/http. curl gives out the certificate of a new connection only, and the version
 * of none. So the SSL that curl has is asked, by functions of the very library that curl has
 * loaded: hale itself is not linked with it. If curl uses another library nothing is known.
 *
 * Ownership: the struct is the caller's, no destructor.
 */
#ifndef HALE_HTTP_HTTP_TLS_H
#define HALE_HTTP_HTTP_TLS_H

#include <stdint.h>

/* Names of an organisation with its department and town; longer ones are cut. */
#define HTTP_TLS_NAME_SIZE 256

struct http_tls_info {
	char version[16]; /* "TLSv1.3", or "" */
	char subject[HTTP_TLS_NAME_SIZE];
	char issuer[HTTP_TLS_NAME_SIZE];
	int64_t expires_ms; /* wall clock; 0: unknown */
};

/* `ssl` is curl's (CURLINFO_TLS_SSL_PTR), or NULL. */
void http_tls_look(const void *ssl, struct http_tls_info *info_r);

#endif
