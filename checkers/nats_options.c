/* SPDX-License-Identifier: Apache-2.0 */
#include "nats_options.h"

#include <string.h>

#include "address.h"
#include "nats_jetstream.h"
#include "nats_proto.h"

static const struct conf_item request_items[] = {
	CONF_STR(struct nats_request_opts, subject, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "Subject to ask"),
	CONF_STR(struct nats_request_opts, payload, .def = "''", .help = "What to send"),
	CONF_MAP(struct nats_request_opts, expect, message_items,
		 .help = "What the answer must be like"),
	CONF_STRMAP(struct nats_request_opts, metrics,
		    .help = "Metrics taken from the answer, name: jq program that gives a number"),
	CONF_END,
};

const struct conf_item nats_items[] = {
	CONF_STR(struct nats_opts, address,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_CONNECT | CONF_F_TARGET,
		 .help = "host, host:port or [IPv6 address]:port; port 4222 unless given"),
	CONF_ENUM(struct nats_opts, encryption, .def = "if_required",
		  .choices = "if_required|required|first",
		  .help = "TLS if the server wants it; in any case; or from the first byte on "
			  "(`handshake_first` of the server)"),
	CONF_MAP(struct nats_opts, tls, tls_options_items, .def = "{}",
		 .help = "TLS, where it is spoken"),
	CONF_STR(struct nats_opts, username, .flags = CONF_F_NONEMPTY, .help = "Login"),
	CONF_STR(struct nats_opts, password, .flags = CONF_F_SECRET | CONF_F_NONEMPTY,
		 .help = "Its password"),
	CONF_STR(struct nats_opts, token, .flags = CONF_F_SECRET | CONF_F_NONEMPTY,
		 .help = "Token, in place of a login"),
	CONF_MAP(struct nats_opts, request, request_items,
		 .help = "A question to a service that must be answered"),
	CONF_STR(struct nats_opts, domain, .flags = CONF_F_NONEMPTY,
		 .help = "Domain of JetStream to ask; default: the server's own"),
	CONF_STR(struct nats_opts, stream, .flags = CONF_F_NONEMPTY,
		 .help = "Stream of JetStream that must be there; its state gives metrics"),
	CONF_STR(struct nats_opts, consumer, .flags = CONF_F_NONEMPTY,
		 .help = "Consumer of that stream that must be there; its state gives metrics"),
	CONF_END,
};

static void validate_name(const char *name, const char *path, service_problem_fn problem, void *ctx)
{
	struct err err;

	if (name != NULL && nats_name_check(name, &err) != 0)
		problem(ctx, path, err.text);
}

void nats_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct nats_opts *o = opts;
	struct address address;
	struct err err;

	if (address_parse_or(o->address, NATS_DEFAULT_PORT, &address, &err) != 0)
		problem(ctx, "/address", err.text);
	tls_options_validate(&o->tls, "/tls", problem, ctx);
	if (!o->tls.enabled)
		problem(ctx, "/tls/enabled",
			"whether there is TLS is for the server and "
			"'encryption' to say");
	if ((o->username == NULL) != (o->password == NULL))
		problem(ctx, o->username == NULL ? "/password" : "/username",
			"'username' and 'password' go together");
	if (o->token != NULL && o->username != NULL)
		problem(ctx, "/token", "stands in place of a login, not beside one");
	if (o->consumer != NULL && o->stream == NULL)
		problem(ctx, "/consumer", "needs 'stream'");
	if (o->request.subject != NULL && !nats_subject_is_good(o->request.subject))
		problem(ctx, "/request/subject", "has blanks, wildcards or empty parts");
	if (o->request.payload != NULL && strlen(o->request.payload) > NATS_PAYLOAD_MAX)
		problem(ctx, "/request/payload", "is larger than servers take");
	message_expect_validate(&o->request.expect, "/request/expect", o->request.metrics,
				"/request/metrics", problem, ctx);
	validate_name(o->domain, "/domain", problem, ctx);
	validate_name(o->stream, "/stream", problem, ctx);
	validate_name(o->consumer, "/consumer", problem, ctx);
}
