/* SPDX-License-Identifier: Apache-2.0 */
/* tls - shakes hands by TLS and looks at the certificate
 *
 * Protocols that begin in plain text are asked for TLS first (starttls.h). Nothing is said within
 * TLS.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "conn.h"
#include "excerpt.h"
#include "starttls.h"
#include "tls_names.h"
#include "tls_options.h"

#define MS_PER_S  1000.0
#define US_PER_MS 1000.0

/* Names are shown as far as people read them. */
#define NAMES_SHOWN 1000

/* ---- Options ---- */

struct tls_opts {
	char *address;
	char *starttls;
	struct strlist names;
	char *issuer;
	struct strlist fingerprints;
	struct tls_options tls;
};

static const struct conf_item tls_items[] = {
	CONF_STR(
		struct tls_opts, address,
		.flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET,
		.help = "Where to connect: host, host:port, [IPv6 address]:port or unix:/path; the "
			"port is that of `starttls`, else 443"),
	CONF_ENUM(struct tls_opts, starttls, .def = "none", .choices = STARTTLS_CHOICES,
		  .help = "Protocol that begins in plain text, and is asked for TLS"),
	CONF_LIST(struct tls_opts, names, .flags = CONF_F_NONEMPTY,
		  .help = "Names that the certificate must all be for"),
	CONF_STR(struct tls_opts, issuer, .flags = CONF_F_NONEMPTY,
		 .help = "Text that the issuer must contain, like \"Let's Encrypt\""),
	CONF_LIST(struct tls_opts, fingerprints, .flags = CONF_F_NONEMPTY,
		  .help = "SHA-256 of the certificate, 64 hex digits with or without colons; one "
			  "of them must be it"),
	CONF_STR(struct tls_opts, tls.server_name, .name = "server_name", .flags = CONF_F_NONEMPTY,
		 .help = "Name to ask for and to expect; default: the host"),
	CONF_BOOL(struct tls_opts, tls.verify, .name = "verify", .def = "true",
		  .help = "Refuse certificates that are not trusted, not valid now, or not this "
			  "host's"),
	CONF_STR(struct tls_opts, tls.ca, .name = "ca", .flags = CONF_F_READ_FILE | CONF_F_NONEMPTY,
		 .help = "File of trusted certificates (PEM); default: the system's"),
	CONF_STR(struct tls_opts, tls.cert, .name = "cert",
		 .flags = CONF_F_READ_FILE | CONF_F_NONEMPTY,
		 .help = "File of the certificate to show (PEM), with what leads to its root"),
	CONF_STR(struct tls_opts, tls.key, .name = "key",
		 .flags = CONF_F_READ_FILE | CONF_F_NONEMPTY,
		 .help = "File of its private key (PEM, without a password); default: in `cert`"),
	CONF_STR(struct tls_opts, tls.alpn, .name = "alpn", .flags = CONF_F_NONEMPTY,
		 .help = "Protocol that must be agreed on, like h2"),
	CONF_ENUM(struct tls_opts, tls.min_version, .name = "min_version", .def = "1.2",
		  .choices = "any|1.2|1.3",
		  .help = "Oldest TLS to accept; any: back to 1.0 and with what ciphers they had"),
	CONF_END,
};

static int parse_address(const struct tls_opts *o, struct address *address_r, struct err *err)
{
	return address_parse_or(o->address, starttls_port(o->starttls), address_r, err);
}

static void tls_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct tls_opts *o = opts;
	struct address address;
	char path[64], hex[TLS_SHA256_SIZE];
	struct err err;

	if (parse_address(o, &address, &err) != 0)
		problem(ctx, "/address", err.text);
	for (size_t i = 0; i < o->fingerprints.n; i++) {
		(void)snprintf(path, sizeof(path), "/fingerprints/%zu", i);
		if (!tls_sha256_parse(o->fingerprints.v[i], hex))
			problem(ctx, path, "is not a SHA-256: 64 hex digits");
	}
	tls_options_validate(&o->tls, "", problem, ctx);
}

/* ---- One run ---- */

struct tls_run {
	struct conn *conn;
	struct conn_tls tls;
	struct starttls starttls;
	bool is_plain; /* the protocol is still being asked for TLS */
	int64_t plain_us;
};

static void add_text(struct check *c, const char *name, const char *text)
{
	if (text != NULL && *text != '\0')
		check_detail(c, name, json_string(text));
}

static void add_date(struct check *c, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	if (ms != 0)
		check_detail(c, name, json_string(clock_format(ms, text)));
}

static void add_facts(struct check *c, const struct conn_peer *peer)
{
	char names[NAMES_SHOWN + 1];
	int64_t now_ms = clock_wall_ms();

	add_text(c, "cipher", peer->cipher);
	add_text(c, "alpn", peer->alpn);
	add_text(c, "verify_error", peer->verify_error);
	if (peer->subject == NULL)
		return;
	(void)str_clean(names, sizeof(names), peer->names);
	add_text(c, "subject", peer->subject);
	add_text(c, "issuer", peer->issuer);
	add_text(c, "names", names);
	add_text(c, "sha256", peer->sha256);
	add_date(c, "not_before", peer->not_before_ms);
	add_date(c, "not_after", peer->not_after_ms);
	check_metric(c, "chain_expires_seconds",
		     (double)(peer->chain_not_after_ms - now_ms) / MS_PER_S);
	check_metric(c, "cert_age_seconds", (double)(now_ms - peer->not_before_ms) / MS_PER_S);
}

HALE_PRINTF(3, 4)
static void end(struct check *c, enum reason reason, const char *fmt, ...)
{
	struct tls_run *run = check_run_data(c);
	const struct conn_peer *peer = run->conn != NULL ? conn_peer(run->conn) : NULL;
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	if (peer != NULL)
		add_facts(c, peer);
	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	conn_close(run->conn);
	starttls_done(&run->starttls);
	check_done(c, reason, "%s", str_text(&text));
}

/* False if the run has ended. */
static bool has_expected(struct check *c, const struct conn_peer *peer)
{
	const struct tls_opts *o = check_opts(c);

	for (size_t i = 0; i < o->names.n; i++) {
		if (!tls_names_have(peer->names, o->names.v[i])) {
			end(c, REASON_VALUE_MISMATCH,
			    "certificate is not for %.253s but for %.300s", o->names.v[i],
			    peer->names);
			return false;
		}
	}
	if (o->issuer != NULL && strstr(peer->issuer, o->issuer) == NULL) {
		end(c, REASON_VALUE_MISMATCH, "issuer is not '%.100s' but %.300s", o->issuer,
		    peer->issuer);
		return false;
	}
	if (o->fingerprints.n > 0 && !tls_sha256_is_among(peer->sha256, &o->fingerprints)) {
		end(c, REASON_VALUE_MISMATCH, "another certificate: SHA-256 %s", peer->sha256);
		return false;
	}
	if (o->tls.alpn != NULL && !str_eq(o->tls.alpn, peer->alpn)) {
		end(c, REASON_VALUE_MISMATCH, "no agreement on %s", o->tls.alpn);
		return false;
	}
	return true;
}

static void judge(struct check *c)
{
	const struct tls_run *run = check_run_data(c);
	const struct conn_peer *peer = conn_peer(run->conn);
	char left[UNITS_TEXT_MAX];

	if (peer->subject == NULL)
		end(c, REASON_TLS_CERT, "%s", peer->verify_error);
	else if (!has_expected(c, peer))
		return;
	else if (peer->verify_error != NULL)
		end(c, REASON_OK, "%s, not verified: %s", peer->version, peer->verify_error);
	else
		end(c, REASON_OK, "%s, certificate is good for another %s", peer->version,
		    duration_format_short(peer->not_after_ms - clock_wall_ms(), left));
}

static void on_open(struct check *c)
{
	struct tls_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str say = {0};

	if (!run->is_plain) {
		judge(c);
		return;
	}
	run->plain_us = clock_mono_us();
	starttls_begin(&run->starttls, &say);
	conn_write(run->conn, str_text(&say), say.len);
}

static void show_reply(struct check *c, const char *data, size_t len)
{
	char line[EXCERPT_SIZE];

	if (check_is_watched(c))
		check_saw(c, "reply", json_string(excerpt(data, len, line)));
}

static void on_data(struct check *c, const char *data, size_t len)
{
	struct tls_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str say = {0};
	struct err err = {0};

	if (!run->is_plain)
		return;
	show_reply(c, data, len);
	switch (starttls_feed(&run->starttls, data, len, &say, &err)) {
	case STARTTLS_MORE:
		conn_write(run->conn, str_text(&say), say.len);
		return;
	case STARTTLS_READY:
		run->is_plain = false;
		check_metric(c, "starttls_ms",
			     (double)(clock_mono_us() - run->plain_us) / US_PER_MS);
		conn_start_tls(run->conn, &run->tls);
		return;
	case STARTTLS_REFUSED:
		end(c, REASON_UNEXPECTED_REPLY, "%s", err.text);
		return;
	case STARTTLS_BROKEN:
		end(c, REASON_PROTOCOL, "%s", err.text);
		return;
	}
}

static void on_failed(struct check *c, enum reason reason, const char *text)
{
	end(c, reason, "%s", text);
}

static const struct conn_events events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_failed = on_failed,
};

static void tls_start(struct check *c)
{
	const struct tls_opts *o = check_opts(c);
	struct tls_run *run = check_run_data(c);
	const struct conn_tls *tls;
	struct tls_options options = o->tls;
	struct address address;
	struct err err;

	options.enabled = true;
	tls = tls_options_conn(&options, &run->tls);
	if (parse_address(o, &address, &err) != 0) {
		end(c, REASON_CONFIG, "address: %s", err.text);
		return;
	}
	run->is_plain =
		starttls_init(&run->starttls, o->starttls,
			      o->tls.server_name != NULL ? o->tls.server_name : address.host) == 0;
	run->conn = conn_open(c,
			      &(struct conn_target){.host = address.host,
						    .port = address.port,
						    .tls = run->is_plain ? NULL : tls},
			      &events);
}

static void tls_cancel(struct check *c)
{
	end(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
}

/* ---- The kind ---- */

static const struct metric_doc tls_metrics[] = {
	{"dns_ms", "time to resolve the name; not for an IP address"},
	{"connect_ms", "time to connect, after the name was resolved"},
	{"starttls_ms", "time of the dialogue before TLS; with `starttls`"},
	{"tls_ms", "time of the TLS handshake"},
	{"cert_expires_seconds", "time until the certificate ends, negative afterwards"},
	{"chain_expires_seconds",
	 "the same for the first to end of all certificates that were sent"},
	{"cert_age_seconds", "time since the certificate's begin"},
	{NULL, NULL},
};

static const struct metric_doc tls_details[] = {
	{"ip", "the address that answered, or was tried last"},
	{"tls_version", "the version agreed on, like TLSv1.3"},
	{"cipher", "the cipher agreed on"},
	{"alpn", "the protocol agreed on; with `alpn`"},
	{"subject", "whom the certificate is for"},
	{"issuer", "who signed it"},
	{"names", "the names it is for, separated by commas"},
	{"sha256", "its fingerprint, as `fingerprints` takes it"},
	{"not_before", "when it begins"},
	{"not_after", "when it ends"},
	{"verify_error", "why it is not trusted; also with `verify: false`"},
	{NULL, NULL},
};

static const struct reason_doc tls_reasons[] = {
	{REASON_TLS_EXPIRED, "the certificate, or one above it, has expired"},
	{REASON_TLS_CERT, "it is not trusted, not valid yet, or not this host's"},
	{REASON_TLS_VERSION, "the server speaks no TLS as new as `min_version`"},
	{REASON_TLS_FAILED, "the handshake failed, or what answers is not TLS"},
	{REASON_VALUE_MISMATCH, "`names`, `issuer`, `fingerprints` or `alpn` are not as expected"},
	{REASON_UNEXPECTED_REPLY, "the server refuses `starttls`"},
	{REASON_PROTOCOL, "what answers does not speak the protocol of `starttls`"},
	{REASON_DNS_FAILED, "the name has no address, or no name server answers"},
	{REASON_CONN_REFUSED, "nothing listens there"},
	{REASON_CONN_RESET, "the connection was broken off"},
	{REASON_CONN_CLOSED, "the connection was closed before the handshake was through"},
	{REASON_UNREACHABLE, "there is no way to the address"},
	{REASON_TIMEOUT_DNS, "the name was not resolved in time"},
	{REASON_TIMEOUT_CONNECT, "no connection in time"},
	{REASON_TIMEOUT_TLS, "the handshake did not end in time"},
	{REASON_TIMEOUT_READ, "the dialogue of `starttls` did not end in time"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "tls",
	.summary = "shakes hands by TLS and looks at the certificate",
	.about = "For any server that speaks TLS, at once or after `starttls`. How long before its "
		 "end a certificate is a worry is for thresholds to say; an expired one fails.\n"
		 "\n"
		 "The handshake is made in any case, and judged afterwards: also of a certificate "
		 "that "
		 "is refused the metrics and details tell what it is. With `verify: false` that is "
		 "all; "
		 "`verify_error` says what would have been refused.",
	.items = tls_items,
	.opts_size = sizeof(struct tls_opts),
	.run_size = sizeof(struct tls_run),
	.metrics = tls_metrics,
	.details = tls_details,
	.reasons = tls_reasons,
	.example =
		"shop-certificate:\n"
		"  tls: {address: shop.example.org}\n"
		"  interval: 1h\n"
		"  thresholds: {cert_expires_seconds: {degraded: \"< 1209600\", critical: \"< "
		"259200\"}}\n"
		"mail-certificate:\n"
		"  tls: {address: \"mx.example.org:25\", starttls: smtp, names: [mx.example.org]}\n"
		"  interval: 1h\n",
	.validate = tls_validate,
	.start = tls_start,
	.cancel = tls_cancel,
};
