/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/mem.h"

/* A file as it was when it was read. */
struct stamp {
	struct timespec changed;
	off_t size;
	ino_t inode;
};

enum { CA, CERT, KEY, FILES };

struct context {
	SSL_CTX *ctx;
	struct stamp stamps[FILES];
};

struct tls_contexts {
	struct map by_options;
};

/* ---- Making one ---- */

static const char *last_error(void)
{
	const char *text = ssl.ERR_reason_error_string(ssl.ERR_peek_error());

	return text != NULL ? text : "unknown error";
}

/* Nobody is there to type a password; without this OpenSSL asks on the terminal. */
static int no_password(char *buf HALE_UNUSED, int size HALE_UNUSED, int is_write HALE_UNUSED,
		       void *ctx HALE_UNUSED)
{
	return 0;
}

static int set_trust(SSL_CTX *ctx, const char *ca, struct err *err)
{
	if (ca == NULL) {
		/* What of it is missing shows in the verdict on the certificate. */
		(void)ssl.SSL_CTX_set_default_verify_paths(ctx);
		return 0;
	}
	if (ssl.SSL_CTX_load_verify_file(ctx, ca) != 1)
		return err_set(err, -EINVAL, "%s: no trusted certificates: %s", ca, last_error());
	return 0;
}

static int set_identity(SSL_CTX *ctx, const struct conn_tls *tls, struct err *err)
{
	const char *key = tls->key != NULL ? tls->key : tls->cert;

	if (tls->cert == NULL)
		return 0;
	ssl.SSL_CTX_set_default_passwd_cb(ctx, no_password);
	if (ssl.SSL_CTX_use_certificate_chain_file(ctx, tls->cert) != 1)
		return err_set(err, -EINVAL, "%s: no certificate: %s", tls->cert, last_error());
	if (ssl.SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return err_set(err, -EINVAL, "%s: no private key: %s", key, last_error());
	if (ssl.SSL_CTX_check_private_key(ctx) != 1)
		return err_set(err, -EINVAL, "%s: not the key of %s", key, tls->cert);
	return 0;
}

/* "Any version" is for looking at old servers: what they still use must then be allowed as well. */
static void set_versions(SSL_CTX *ctx, enum conn_tls_version min)
{
	long version = min == CONN_TLS_1_3   ? TLS1_3_VERSION
		       : min == CONN_TLS_1_2 ? TLS1_2_VERSION
					     : TLS1_VERSION;

	if (min == CONN_TLS_ANY) {
		ssl.SSL_CTX_set_security_level(ctx, 0);
		(void)ssl.SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	}
	(void)ssl.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, version, NULL);
}

static int make(const struct conn_tls *tls, SSL_CTX **ctx_r, struct err *err)
{
	SSL_CTX *ctx = ssl.SSL_CTX_new(ssl.TLS_client_method());
	int rc;

	if (ctx == NULL)
		return err_set(err, -EINVAL, "no TLS: %s", last_error());
	/* The handshake goes through in any case and is judged afterwards, so that an expired
	 * certificate can be shown and not only refused. */
	ssl.SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	(void)ssl.SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	(void)ssl.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
	(void)ssl.SSL_CTX_ctrl(ctx, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY,
			       NULL);
	set_versions(ctx, tls->min_version);
	rc = set_trust(ctx, tls->ca, err);
	if (rc == 0)
		rc = set_identity(ctx, tls, err);
	if (rc == 0)
		*ctx_r = ctx;
	else
		ssl.SSL_CTX_free(ctx);
	return rc;
}

/* ---- Keeping them ---- */

static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0)
		return (struct stamp){0};
	return (struct stamp){.changed = st.st_mtim, .size = st.st_size, .inode = st.st_ino};
}

static void stamp_all(const struct conn_tls *tls, struct stamp stamps[FILES])
{
	const char *const paths[FILES] = {[CA] = tls->ca, [CERT] = tls->cert, [KEY] = tls->key};

	for (size_t i = 0; i < FILES; i++)
		stamps[i] = stamp_of(paths[i]);
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
	return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
	       a->size == b->size && a->inode == b->inode;
}

static void drop(struct tls_contexts *all, const char *key)
{
	struct context *context = map_take(&all->by_options, key);

	if (context == NULL)
		return;
	ssl.SSL_CTX_free(context->ctx);
	free(context);
}

/* Any of them: who has so many pays with a new one now and then. */
static void make_room(struct tls_contexts *all)
{
	HALE_CLEANUP(cleanup_free) char *victim = NULL;
	const char *key;
	void *context;
	size_t at = 0;

	if (all->by_options.n < TLS_CONTEXTS_MAX ||
	    !map_each(&all->by_options, &at, &key, &context))
		return;
	victim = mem_dup(key);
	drop(all, victim);
}

static bool is_fresh(const struct context *context, const struct stamp stamps[FILES])
{
	for (size_t i = 0; i < FILES; i++) {
		if (!is_same(&stamps[i], &context->stamps[i]))
			return false;
	}
	return true;
}

static void keep(struct tls_contexts *all, const char *key, SSL_CTX *ctx,
		 const struct stamp stamps[FILES])
{
	struct context *context = mem_alloc(sizeof(*context));

	drop(all, key);
	make_room(all);
	context->ctx = ctx;
	memcpy(context->stamps, stamps, sizeof(context->stamps));
	(void)map_put(&all->by_options, key, context);
}

int tls_context_get(struct tls_contexts *all, const struct conn_tls *tls, SSL_CTX **ctx_r,
		    struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *key = NULL;
	struct stamp stamps[FILES];
	const struct context *kept;
	int rc = openssl_load(err);

	if (rc != 0)
		return rc;
	ssl.ERR_clear_error();
	key = mem_printf("%d\n%s\n%s\n%s", (int)tls->min_version, tls->ca != NULL ? tls->ca : "",
			 tls->cert != NULL ? tls->cert : "", tls->key != NULL ? tls->key : "");
	stamp_all(tls, stamps);
	kept = map_get(&all->by_options, key);
	if (kept != NULL && is_fresh(kept, stamps)) {
		*ctx_r = kept->ctx;
		return 0;
	}
	rc = make(tls, ctx_r, err);
	if (rc == 0) {
		keep(all, key, *ctx_r, stamps);
	} else if (kept != NULL) {
		/* Half written, or replaced by one that this confined process may not open. */
		*ctx_r = kept->ctx;
		rc = 0;
	}
	return rc;
}

struct tls_contexts *tls_contexts_new(void)
{
	return mem_alloc(sizeof(struct tls_contexts));
}

void tls_contexts_free(struct tls_contexts *all)
{
	struct context *context;
	const char *key;
	size_t at = 0;

	if (all == NULL)
		return;
	while (map_each(&all->by_options, &at, &key, (void **)&context)) {
		ssl.SSL_CTX_free(context->ctx);
		free(context);
	}
	map_done(&all->by_options);
	free(all);
}
