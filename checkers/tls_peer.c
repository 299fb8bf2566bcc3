/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

#define DATE_LEN 10 /* of "2026-11-22T01:30:37.123Z" */

struct tls_peer {
	struct conn_peer facts;
	char alpn[CONN_ALPN_MAX + 1];
	char subject[TLS_PEER_TEXT_MAX];
	char issuer[TLS_PEER_TEXT_MAX];
	char *names; /* owned */
	char sha256[2 * 32 + 1];
	char verify_error[2 * TLS_PEER_TEXT_MAX];
};

/* ---- The certificate ---- */

static int64_t ms_of(const ASN1_TIME *time)
{
	struct tm tm;

	if (time == NULL || ssl.ASN1_TIME_to_tm(time, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

static void name_text(const X509_NAME *name, char out[TLS_PEER_TEXT_MAX])
{
	char text[TLS_PEER_TEXT_MAX];
	BIO *bio = ssl.BIO_new(ssl.BIO_s_mem());
	int n;

	HALE_ASSERT(bio != NULL);
	/* As UTF-8, not with each such byte as a number. */
	(void)ssl.X509_NAME_print_ex(bio, name, 0,
				     XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	n = ssl.BIO_read(bio, text, sizeof(text) - 1);
	text[HALE_MAX(n, 0)] = '\0';
	(void)str_clean(out, TLS_PEER_TEXT_MAX, text);
	(void)ssl.BIO_free(bio);
}

static void add_name(struct str *out, const GENERAL_NAME *name)
{
	char text[TLS_PEER_TEXT_MAX];
	const unsigned char *data;
	int len;

	switch (name->type) {
	case GEN_DNS:
	case GEN_URI:
	case GEN_EMAIL:
		data = ssl.ASN1_STRING_get0_data(name->d.ia5);
		(void)snprintf(text, sizeof(text), "%.*s", ssl.ASN1_STRING_length(name->d.ia5),
			       (const char *)data);
		break;
	case GEN_IPADD:
		data = ssl.ASN1_STRING_get0_data(name->d.iPAddress);
		len = ssl.ASN1_STRING_length(name->d.iPAddress);
		if ((len != 4 && len != 16) ||
		    inet_ntop(len == 4 ? AF_INET : AF_INET6, data, text, sizeof(text)) == NULL)
			return;
		break;
	default:
		return;
	}
	if (out->len > 0)
		str_add(out, ", ");
	str_add(out, text);
}

/* Caller frees. */
static char *names_text(const X509 *certificate)
{
	GENERAL_NAMES *names = ssl.X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const OPENSSL_STACK *stack = (const OPENSSL_STACK *)names;
	HALE_CLEANUP(str_done) struct str text = {0};
	char *cleaned;

	for (int i = 0; i < ssl.OPENSSL_sk_num(stack) && text.len < TLS_PEER_NAMES_MAX; i++)
		add_name(&text, ssl.OPENSSL_sk_value(stack, i));
	ssl.GENERAL_NAMES_free(names);
	cleaned = mem_array(text.len + 1, 1);
	(void)str_clean(cleaned, text.len + 1, str_text(&text));
	return cleaned;
}

static void sha256_text(const X509 *certificate, char out[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	out[0] = '\0';
	if (ssl.X509_digest(certificate, ssl.EVP_sha256(), digest, &n) != 1 || n != 32)
		return;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
}

/* Roots are not in it: what the client has of its own does not run out there. */
static int64_t earliest_end(SSL *connection, int64_t own_ms)
{
	const OPENSSL_STACK *chain = (const OPENSSL_STACK *)ssl.SSL_get_peer_cert_chain(connection);
	int64_t earliest_ms = own_ms;

	for (int i = 0; i < ssl.OPENSSL_sk_num(chain); i++) {
		const X509 *certificate = ssl.OPENSSL_sk_value(chain, i);
		int64_t end_ms = ms_of(ssl.X509_get0_notAfter(certificate));

		earliest_ms = end_ms == 0 ? earliest_ms : HALE_MIN(earliest_ms, end_ms);
	}
	return earliest_ms;
}

/* ---- Why it is not trusted ---- */

static const char *date(int64_t ms, char buf[CLOCK_TEXT_MAX])
{
	(void)clock_format(ms, buf);
	buf[DATE_LEN] = '\0';
	return buf;
}

static void explain(struct tls_peer *p, long code, const char *expected, int64_t now_ms)
{
	const struct conn_peer *f = &p->facts;
	char day[CLOCK_TEXT_MAX], ago[UNITS_TEXT_MAX];
	size_t size = sizeof(p->verify_error);
	char *out = p->verify_error;

	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		if (f->not_after_ms <= now_ms)
			(void)snprintf(out, size, "certificate expired %s ago, on %s",
				       duration_format_short(now_ms - f->not_after_ms, ago),
				       date(f->not_after_ms, day));
		else if (f->chain_not_after_ms <= now_ms)
			(void)snprintf(out, size, "a certificate of the chain expired on %s",
				       date(f->chain_not_after_ms, day));
		else
			(void)snprintf(out, size, "a trusted certificate above it has expired");
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		(void)snprintf(out, size, "certificate is not valid before %s",
			       date(f->not_before_ms, day));
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		(void)snprintf(out, size, "certificate is for %.300s, not for %s",
			       p->names[0] != '\0' ? p->names : p->subject, expected);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		(void)snprintf(out, size, "certificate is self-signed");
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		(void)snprintf(out, size,
			       "certificate's issuer is neither trusted nor sent along: %s",
			       p->issuer);
		break;
	default:
		(void)snprintf(out, size, "%s", ssl.X509_verify_cert_error_string(code));
		break;
	}
}

static void judge(struct tls_peer *p, long code, const char *expected, int64_t now_ms)
{
	if (code == X509_V_OK)
		return;
	explain(p, code, expected, now_ms);
	p->facts.verify_error = p->verify_error;
	p->facts.verify_reason =
		code == X509_V_ERR_CERT_HAS_EXPIRED ? REASON_TLS_EXPIRED : REASON_TLS_CERT;
}

/* ---- All of it ---- */

static void take_certificate(struct tls_peer *p, SSL *connection)
{
	X509 *certificate = ssl.SSL_get1_peer_certificate(connection);
	struct conn_peer *f = &p->facts;

	if (certificate == NULL) {
		f->verify_error = "no certificate was shown";
		f->verify_reason = REASON_TLS_CERT;
		return;
	}
	name_text(ssl.X509_get_subject_name(certificate), p->subject);
	name_text(ssl.X509_get_issuer_name(certificate), p->issuer);
	p->names = names_text(certificate);
	sha256_text(certificate, p->sha256);
	f->subject = p->subject;
	f->issuer = p->issuer;
	f->names = p->names;
	f->sha256 = p->sha256;
	f->not_before_ms = ms_of(ssl.X509_get0_notBefore(certificate));
	f->not_after_ms = ms_of(ssl.X509_get0_notAfter(certificate));
	f->chain_not_after_ms = earliest_end(connection, f->not_after_ms);
	ssl.X509_free(certificate);
}

struct tls_peer *tls_peer_new(SSL *connection, const char *expected, int64_t now_ms)
{
	struct tls_peer *p = mem_alloc(sizeof(*p));
	const unsigned char *alpn;
	unsigned alpn_len;

	p->facts.version = ssl.SSL_get_version(connection);
	p->facts.cipher = ssl.SSL_CIPHER_get_name(ssl.SSL_get_current_cipher(connection));
	ssl.SSL_get0_alpn_selected(connection, &alpn, &alpn_len);
	if (alpn_len > 0) {
		memcpy(p->alpn, alpn, HALE_MIN(alpn_len, CONN_ALPN_MAX));
		p->facts.alpn = p->alpn;
	}
	take_certificate(p, connection);
	if (p->facts.verify_error == NULL)
		judge(p, ssl.SSL_get_verify_result(connection), expected, now_ms);
	return p;
}

void tls_peer_free(struct tls_peer *p)
{
	if (p == NULL)
		return;
	free(p->names);
	free(p);
}

const struct conn_peer *tls_peer_facts(const struct tls_peer *p)
{
	return &p->facts;
}
