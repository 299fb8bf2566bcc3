/* SPDX-License-Identifier: Apache-2.0 */
#include "http_tls.h"

#include <dlfcn.h>
#include <openssl/bio.h>
#include <openssl/opensslv.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define MS_PER_S         1000
#define TEXT_OF_(number) #number
#define TEXT_OF(number)  TEXT_OF_(number)
/* libssl brings libcrypto along: what is asked of one is looked for in both. */
#define LIBRARY          "libssl.so." TEXT_OF(OPENSSL_SHLIB_VERSION)

/* RFC 2253 has the order of the tree reversed; people read C=…, O=…, CN=… */
#define NAME_FLAGS (XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB & ~XN_FLAG_SPC_EQ)

#define FUNCTION_TABLE(X)                                                                          \
	X(SSL_get_version)                                                                         \
	X(SSL_get1_peer_certificate)                                                               \
	X(X509_free)                                                                               \
	X(X509_get_subject_name)                                                                   \
	X(X509_get_issuer_name)                                                                    \
	X(X509_get0_notAfter)                                                                      \
	X(X509_NAME_print_ex)                                                                      \
	X(ASN1_TIME_to_tm)                                                                         \
	X(BIO_new)                                                                                 \
	X(BIO_s_mem)                                                                               \
	X(BIO_read)                                                                                \
	X(BIO_free)

struct functions {
#define FUNCTION_MEMBER(name) __typeof__(&name) name;
	FUNCTION_TABLE(FUNCTION_MEMBER)
#undef FUNCTION_MEMBER
};

static const struct {
	const char *name;
	size_t offset;
} table[] = {
#define FUNCTION_ROW(name) {#name, offsetof(struct functions, name)},
	FUNCTION_TABLE(FUNCTION_ROW)
#undef FUNCTION_ROW
};

/* Found anew for each connection: a look into a table of symbols beside a handshake, and nothing to
 * keep. The library stays loaded as long as curl has an SSL of it. */
static bool find(struct functions *f)
{
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_NOLOAD);
	bool is_found = library != NULL;

	for (size_t i = 0; is_found && i < ARRAY_LEN(table); i++) {
		void *function = dlsym(library, table[i].name);

		is_found = function != NULL;
		/* POSIX lets the address of a function travel in a void *, ISO C does not. */
		memcpy((char *)f + table[i].offset, (const void *)&function, sizeof(function));
	}
	if (library != NULL)
		(void)dlclose(library);
	return is_found;
}

static void print_name(const struct functions *f, const X509_NAME *name,
		       char text[HTTP_TLS_NAME_SIZE])
{
	BIO *bio = f->BIO_new(f->BIO_s_mem());
	int len = 0;

	if (bio != NULL && f->X509_NAME_print_ex(bio, name, 0, NAME_FLAGS) >= 0)
		len = f->BIO_read(bio, text, HTTP_TLS_NAME_SIZE - 1);
	text[len > 0 ? len : 0] = '\0';
	(void)f->BIO_free(bio);
}

static int64_t time_ms(const struct functions *f, const ASN1_TIME *at)
{
	struct tm tm;

	if (f->ASN1_TIME_to_tm(at, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * MS_PER_S;
}

void http_tls_look(const void *ssl, struct http_tls_info *info_r)
{
	struct functions f;
	X509 *certificate;

	*info_r = (struct http_tls_info){0};
	if (ssl == NULL || !find(&f))
		return;
	(void)snprintf(info_r->version, sizeof(info_r->version), "%s", f.SSL_get_version(ssl));
	certificate = f.SSL_get1_peer_certificate(ssl);
	if (certificate == NULL)
		return;
	print_name(&f, f.X509_get_subject_name(certificate), info_r->subject);
	print_name(&f, f.X509_get_issuer_name(certificate), info_r->issuer);
	info_r->expires_ms = time_ms(&f, f.X509_get0_notAfter(certificate));
	f.X509_free(certificate);
}
