/* SPDX-License-Identifier: Apache-2.0 */
#include "assets.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define ASSET_MAX_BYTES (2u << 20)
#define ETAG_BYTES      12

/* No inline script or style, nothing from elsewhere, no framing by others. */
#define ASSETS_CSP                                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "                \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const struct {
	const char *name;
	const char *type;
} files[] = {
	{"index.html", "text/html; charset=utf-8"},
	{"hale.css", "text/css; charset=utf-8"},
	{"hale.js", "text/javascript; charset=utf-8"},
	{"past.js", "text/javascript; charset=utf-8"},
	{"favicon.svg", "image/svg+xml"},
};

struct assets {
	struct {
		struct reply *reply;
		char etag[2 * ETAG_BYTES + 3];
	} v[ARRAY_LEN(files)];
};

static void make_etag(const struct str *body, char *etag)
{
	unsigned char digest[crypto_generichash_BYTES];
	crypto_generichash(digest, sizeof(digest), (const unsigned char *)str_text(body), body->len,
			   NULL, 0);
	etag[0] = '"';
	sodium_bin2hex(etag + 1, 2 * ETAG_BYTES + 1, digest, ETAG_BYTES);
	strcpy(etag + 1 + 2 * ETAG_BYTES, "\"");
}

int assets_load(const char *dir, struct assets **a_r, struct err *err)
{
	struct assets *a = mem_alloc(sizeof(*a));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		HALE_CLEANUP(cleanup_free) char *path = path_join(dir, files[i].name);
		HALE_CLEANUP(str_done) struct str body = {0};
		int rc = file_read(path, ASSET_MAX_BYTES, &body, err);
		if (rc) {
			assets_free(a);
			return rc;
		}
		make_etag(&body, a->v[i].etag);
		size_t len = body.len;
		struct reply *r = reply_new(str_take(&body), len, files[i].type);
		reply_header(r, "Cache-Control", "no-cache");
		reply_header(r, "ETag", a->v[i].etag);
		reply_header(r, "Content-Security-Policy", ASSETS_CSP);
		reply_header(r, "Referrer-Policy", "no-referrer");
		a->v[i].reply = r;
	}
	*a_r = a;
	return 0;
}

void assets_free(struct assets *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		reply_unref(a->v[i].reply);
	free(a);
}

struct reply *assets_get(const struct assets *a, const char *name, const char **etag_r)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (!str_eq(files[i].name, name))
			continue;
		*etag_r = a->v[i].etag;
		return a->v[i].reply;
	}
	return NULL;
}

char *assets_dir(void)
{
	/* build/bin, and libexec/hale of an installation. */
	static const char *const places[] = {"../share/hale/ui", "../../share/hale/ui"};
	HALE_CLEANUP(cleanup_free) char *exe = path_exe_dir();
	for (size_t i = 0; exe && i < ARRAY_LEN(places); i++) {
		char *dir = path_join(exe, places[i]);
		if (access(dir, R_OK | X_OK) == 0)
			return dir;
		free(dir);
	}
	return NULL;
}
