/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "openssl.h"
#include "resolve.h"
#include "tls_context.h"
#include "tls_peer.h"

struct tls_stream {
	SSL *connection;
	BIO *in, *out; /* owned by connection */
	bool must_verify;
	enum conn_tls_version min_version;
	char *expected; /* the name or number that the certificate must have, or NULL */
	struct tls_peer *peer;
};

/* ---- Whom to ask for ---- */

/* "example.org." is that name for a resolver; in certificates and TLS it has no dot at its end
 * (RFC 6066 section 3). */
static char *name_of(const struct conn_tls *tls, const char *host)
{
	const char *name = tls->server_name != NULL ? tls->server_name : host;
	size_t len = strlen(name);

	if (*name == '/')
		return NULL;
	return mem_dupn(name, len > 1 && name[len - 1] == '.' ? len - 1 : len);
}

static bool set_name(struct tls_stream *t)
{
	union resolve_address number;

	if (t->expected == NULL)
		return true;
	if (resolve_number(t->expected, &number))
		return ssl.X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(t->connection),
							 t->expected) == 1;
	ssl.SSL_set_hostflags(t->connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return ssl.SSL_set1_host(t->connection, t->expected) == 1 &&
	       ssl.SSL_ctrl(t->connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
			    t->expected) == 1;
}

static bool set_alpn(struct tls_stream *t, const char *alpn)
{
	unsigned char list[1 + CONN_ALPN_MAX];
	size_t len = alpn != NULL ? strlen(alpn) : 0;

	if (len == 0)
		return true;
	if (len > CONN_ALPN_MAX)
		return false;
	list[0] = (unsigned char)len;
	memcpy(list + 1, alpn, len);
	return ssl.SSL_set_alpn_protos(t->connection, list, (unsigned)len + 1) == 0;
}

static void fail(struct tls_failure *failure, enum reason reason, const char *text)
{
	failure->reason = reason;
	(void)snprintf(failure->text, sizeof(failure->text), "%s", text);
}

static void set_bios(struct tls_stream *t)
{
	t->in = ssl.BIO_new(ssl.BIO_s_mem());
	t->out = ssl.BIO_new(ssl.BIO_s_mem());
	HALE_ASSERT(t->in != NULL && t->out != NULL);
	/* An empty buffer is one that waits, not the end. */
	(void)ssl.BIO_ctrl(t->in, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, NULL);
	(void)ssl.BIO_ctrl(t->out, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, NULL);
	ssl.SSL_set_bio(t->connection, t->in, t->out);
	ssl.SSL_set_connect_state(t->connection);
}

struct tls_stream *tls_stream_new(struct tls_contexts *contexts, const struct conn_tls *tls,
				  const char *host, struct tls_failure *failure)
{
	struct tls_stream *t;
	struct err err = {0};
	SSL_CTX *ctx;
	int rc = tls_context_get(contexts, tls, &ctx, &err);

	if (rc != 0) {
		fail(failure, rc == -ENOSYS ? REASON_INTERNAL : REASON_CONFIG, err.text);
		return NULL;
	}
	t = mem_alloc(sizeof(*t));
	t->connection = ssl.SSL_new(ctx);
	HALE_ASSERT(t->connection != NULL);
	t->must_verify = tls->verify;
	t->min_version = tls->min_version;
	t->expected = name_of(tls, host);
	set_bios(t);
	if (set_name(t) && set_alpn(t, tls->alpn))
		return t;
	(void)snprintf(err.text, sizeof(err.text), "TLS cannot ask for '%.200s'%s%.100s",
		       t->expected != NULL ? t->expected : "", tls->alpn != NULL ? " or " : "",
		       tls->alpn != NULL ? tls->alpn : "");
	fail(failure, REASON_CONFIG, err.text);
	tls_stream_free(t);
	return NULL;
}

void tls_stream_free(struct tls_stream *t)
{
	if (t == NULL)
		return;
	ssl.SSL_free(t->connection);
	tls_peer_free(t->peer);
	free(t->expected);
	free(t);
}

/* ---- What went wrong ---- */

static const char *versions_wanted(enum conn_tls_version min)
{
	return min == CONN_TLS_1_3   ? "TLS 1.3"
	       : min == CONN_TLS_1_2 ? "TLS 1.2 or later"
				     : "TLS 1.0 or later";
}

/* The last word is the queue's first: what came of it follows. */
static void explain(const struct tls_stream *t, struct tls_failure *failure)
{
	unsigned long code = ssl.ERR_peek_error();
	const char *why = ssl.ERR_reason_error_string(code);
	char text[256];

	switch (ERR_GET_REASON(code)) {
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
		(void)snprintf(text, sizeof(text), "server does not speak %s",
			       versions_wanted(t->min_version));
		fail(failure, REASON_TLS_VERSION, text);
		break;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_HTTP_REQUEST:
		fail(failure, REASON_TLS_FAILED, "server answers, but not with TLS");
		break;
	default:
		(void)snprintf(text, sizeof(text), "TLS failed: %s",
			       why != NULL ? why : "unknown error");
		fail(failure, REASON_TLS_FAILED, text);
		break;
	}
}

/* ---- Bytes in and out ---- */

void tls_stream_feed(struct tls_stream *t, const char *data, size_t len)
{
	int n = ssl.BIO_write(t->in, data, (int)len);

	HALE_ASSERT(n == (int)len);
}

size_t tls_stream_take(struct tls_stream *t, char *buf, size_t size)
{
	int n = ssl.BIO_read(t->out, buf, (int)size);

	return n > 0 ? (size_t)n : 0;
}

enum tls_step tls_stream_shake(struct tls_stream *t, struct tls_failure *failure)
{
	int rc, error;

	ssl.ERR_clear_error();
	rc = ssl.SSL_do_handshake(t->connection);
	if (rc == 1)
		return TLS_STEP_DONE;
	error = ssl.SSL_get_error(t->connection, rc);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return TLS_STEP_MORE;
	explain(t, failure);
	return TLS_STEP_FAILED;
}

bool tls_stream_judge(struct tls_stream *t, struct tls_failure *failure)
{
	const struct conn_peer *facts;

	t->peer = tls_peer_new(t->connection, t->expected, clock_wall_ms());
	facts = tls_peer_facts(t->peer);
	if (!t->must_verify || facts->verify_error == NULL)
		return true;
	fail(failure, facts->verify_reason, facts->verify_error);
	return false;
}

ssize_t tls_stream_read(struct tls_stream *t, char *buf, size_t size, struct tls_failure *failure)
{
	int n;

	ssl.ERR_clear_error();
	n = ssl.SSL_read(t->connection, buf, (int)size);
	if (n > 0)
		return n;
	switch (ssl.SSL_get_error(t->connection, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -ESHUTDOWN;
	default:
		explain(t, failure);
		return -EPROTO;
	}
}

void tls_stream_write(struct tls_stream *t, const char *data, size_t len)
{
	int n;

	ssl.ERR_clear_error();
	n = ssl.SSL_write(t->connection, data, (int)len);
	/* A buffer in memory takes it all; a connection that failed says so when it is read. */
	(void)n;
}

void tls_stream_finish(struct tls_stream *t)
{
	ssl.ERR_clear_error();
	(void)ssl.SSL_shutdown(t->connection);
}

const struct conn_peer *tls_stream_peer(const struct tls_stream *t)
{
	return t->peer != NULL ? tls_peer_facts(t->peer) : NULL;
}
