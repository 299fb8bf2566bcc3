/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_options.h"

#include <stdio.h>
#include <string.h>

const struct conf_item tls_options_items[] = {
	CONF_BOOL(struct tls_options, enabled, .def = "true",
		  .help = "Speak TLS; `tls: true` is short for it"),
	CONF_BOOL(struct tls_options, verify, .def = "true",
		  .help = "Refuse certificates that are not trusted, not valid now, or not this "
			  "host's"),
	CONF_STR(struct tls_options, ca, .flags = CONF_F_READ_FILE | CONF_F_NONEMPTY,
		 .help = "File of trusted certificates (PEM); default: the system's"),
	CONF_STR(struct tls_options, server_name, .flags = CONF_F_NONEMPTY,
		 .help = "Name to ask for and to expect; default: the host"),
	CONF_STR(struct tls_options, cert, .flags = CONF_F_READ_FILE | CONF_F_NONEMPTY,
		 .help = "File of the certificate to show (PEM), with what leads to its root"),
	CONF_STR(struct tls_options, key, .flags = CONF_F_READ_FILE | CONF_F_NONEMPTY,
		 .help = "File of its private key (PEM, without a password); default: in `cert`"),
	CONF_STR(struct tls_options, alpn, .flags = CONF_F_NONEMPTY,
		 .help = "Protocol to offer in the handshake, like h2"),
	CONF_ENUM(struct tls_options, min_version, .def = "1.2", .choices = "any|1.2|1.3",
		  .help = "Oldest TLS to accept; any: back to 1.0 and with what ciphers they had"),
	CONF_END,
};

static enum conn_tls_version version_of(const char *text)
{
	if (text == NULL || strcmp(text, "any") == 0)
		return CONN_TLS_ANY;
	return strcmp(text, "1.3") == 0 ? CONN_TLS_1_3 : CONN_TLS_1_2;
}

const struct conn_tls *tls_options_conn(const struct tls_options *o, struct conn_tls *out)
{
	if (!o->enabled)
		return NULL;
	*out = (struct conn_tls){
		.verify = o->verify,
		.ca = o->ca,
		.server_name = o->server_name,
		.cert = o->cert,
		.key = o->key,
		.alpn = o->alpn,
		.min_version = version_of(o->min_version),
	};
	return out;
}

void tls_options_validate(const struct tls_options *o, const char *path, service_problem_fn problem,
			  void *ctx)
{
	char at[128];

	if (o->key != NULL && o->cert == NULL) {
		(void)snprintf(at, sizeof(at), "%s/key", path);
		problem(ctx, at, "is of no use without 'cert'");
	}
	if (o->alpn != NULL && strlen(o->alpn) > CONN_ALPN_MAX) {
		(void)snprintf(at, sizeof(at), "%s/alpn", path);
		problem(ctx, at, "is longer than a protocol's name can be (255 bytes)");
	}
}
