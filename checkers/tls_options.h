/* SPDX-License-Identifier: Apache-2.0 */
/* tls_options - the options `tls:` of kinds that speak TLS by conn.h, one table for all of them
 *
 *   struct redis_opts { …; struct tls_options tls; };
 *   CONF_MAP(struct redis_opts, tls, tls_options_items, .bare = "enabled", .help = "…")
 *
 * Without the mapping there is no TLS; `tls: true` and `tls: {ca: …}` switch it on. A kind that
 * always speaks TLS gives the mapping .def = "{}".
 *
 * Ownership: texts stay with the options.
 */
#ifndef HALE_CHECKERS_TLS_OPTIONS_H
#define HALE_CHECKERS_TLS_OPTIONS_H

#include "check.h"
#include "conn.h"

struct tls_options {
	bool enabled;
	bool verify;
	char *ca;
	char *server_name;
	char *cert;
	char *key;
	char *alpn;
	char *min_version;
};

extern const struct conf_item tls_options_items[];

/* What conn takes, in *out; NULL if TLS is not asked for. */
const struct conn_tls *tls_options_conn(const struct tls_options *o, struct conn_tls *out);
/* For a kind's validate; path is where the mapping is ("/tls"). */
void tls_options_validate(const struct tls_options *o, const char *path, service_problem_fn problem,
			  void *ctx);

#endif
