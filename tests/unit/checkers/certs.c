/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "certs.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/rnd.h"

#define HOUR_S 3600L

static void add_extension(X509 *x509, const X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void set_times(X509 *x509, const struct cert_spec *spec)
{
	bool is_usual = spec->begin_s == 0 && spec->end_s == 0;

	assert_non_null(
		X509_gmtime_adj(X509_getm_notBefore(x509), is_usual ? -HOUR_S : spec->begin_s));
	assert_non_null(
		X509_gmtime_adj(X509_getm_notAfter(x509), is_usual ? 24 * HOUR_S : spec->end_s));
}

struct cert cert_new(const struct cert_spec *spec)
{
	struct cert cert = {.x509 = X509_new(), .key = EVP_EC_gen("P-256")};
	const X509 *issuer = spec->issuer != NULL ? spec->issuer->x509 : cert.x509;
	X509_NAME *name = X509_get_subject_name(cert.x509);

	assert_non_null(cert.key);
	assert_int_equal(X509_set_version(cert.x509, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert.x509), rnd_u32() >> 1), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
						    (const unsigned char *)spec->name, -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(cert.x509, X509_get_subject_name(issuer)), 1);
	set_times(cert.x509, spec);
	assert_int_equal(X509_set_pubkey(cert.x509, cert.key), 1);
	if (spec->is_authority)
		add_extension(cert.x509, issuer, NID_basic_constraints, "critical,CA:TRUE");
	if (spec->alt_names != NULL)
		add_extension(cert.x509, issuer, NID_subject_alt_name, spec->alt_names);
	assert_true(X509_sign(cert.x509, spec->issuer != NULL ? spec->issuer->key : cert.key,
			      EVP_sha256()) > 0);
	return cert;
}

void cert_free(struct cert *cert)
{
	X509_free(cert->x509);
	EVP_PKEY_free(cert->key);
	*cert = (struct cert){0};
}

const char *cert_write(const struct cert *cert, bool with_key, const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, cert->x509), 1);
	if (with_key)
		assert_int_equal(PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL),
				 1);
	assert_int_equal(fclose(file), 0);
	return path;
}

SSL_CTX *cert_server(const struct cert *cert, const struct cert *chain)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, cert->key), 1);
	if (chain != NULL)
		assert_true(SSL_CTX_add1_chain_cert(ctx, chain->x509) == 1);
	return ctx;
}
