/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bind.h"

static const struct conf_item listen_items[] = {
	CONF_STR(struct web_listen, address, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "address and port: 127.0.0.1:5051, [::1]:5051, localhost:5051, *:5051"),
	CONF_BOOL(struct web_listen, public_details, .def = "false",
		  .help = "tell components without a token; on a loopback address, all reads"),
	CONF_END};

static const struct conf_item token_items[] = {
	CONF_STR(struct web_token, name, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "who uses it, for the log"),
	CONF_STR(struct web_token, token,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_SECRET,
		 .help = "the secret sent as Authorization: Bearer; ${ENV} or ${file:…} keep it "
			 "out of the file"),
	CONF_ENUM(struct web_token, role, .def = "viewer", .choices = "viewer|operator|admin",
		  .help = "viewer reads, operator also acts, admin may do everything"),
	CONF_END};

const struct conf_item web_items[] = {
	CONF_ARRAY(struct web_options, listen, listen_items, struct web_listen,
		   .help = "where to listen; default 127.0.0.1:5051 with public_details (loopback "
			   "only)"),
	CONF_ARRAY(struct web_options, tokens, token_items, struct web_token,
		   .help = "API tokens; without any, nothing can be changed over HTTP"),
	CONF_STR(struct web_options, metrics_prefix, .def = "hale", .flags = CONF_F_NONEMPTY,
		 .help = "first part of every metric's name in /metrics"),
	CONF_ENUM(struct web_options, degraded_status, .def = "503", .choices = "200|503",
		  .help = "HTTP status of /health while the system is degraded"),
	CONF_LIST(struct web_options, origins,
		  .help = "origins of other sites whose pages may open the stream, "
			  "https://ops.example.com"),
	CONF_END};

/* Prometheus data model: [a-zA-Z_:][a-zA-Z0-9_:]*; the colon is for recording rules. */
static bool is_metric_prefix(const char *text)
{
	if (isdigit((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && *text != '_')
			return false;
	return true;
}

static void fill_defaults(struct web_options *o)
{
	if (!o->listen.n) {
		struct web_listen *only = mem_alloc(sizeof(*only));
		only->address = mem_dup(WEB_DEFAULT_ADDRESS);
		only->public_details = true;
		o->listen = (struct conf_vec){.v = only, .n = 1};
	}
	if (!o->metrics_prefix)
		o->metrics_prefix = mem_dup(WEB_DEFAULT_PREFIX);
	if (!o->degraded_status)
		o->degraded_status = mem_dup("503");
	struct web_token *tokens = o->tokens.v;
	for (size_t i = 0; i < o->tokens.n; i++)
		if (!tokens[i].role)
			tokens[i].role = mem_dup("viewer");
}

static int verify(const struct web_options *o, struct err *err)
{
	if (!is_metric_prefix(o->metrics_prefix))
		return err_set(err, -EINVAL,
			       "web.metrics_prefix: '%s' may hold letters, digits and _ only",
			       o->metrics_prefix);
	const struct web_listen *listen = o->listen.v;
	for (size_t i = 0; i < o->listen.n; i++) {
		struct bind_address unused;
		int rc = bind_parse(listen[i].address, &unused, err);
		if (rc) {
			err_prefix(err, "web.listen[%zu].address", i);
			return rc;
		}
	}
	const struct web_token *tokens = o->tokens.v;
	for (size_t i = 0; i < o->tokens.n; i++)
		for (size_t j = 0; j < i; j++)
			if (str_eq(tokens[i].token, tokens[j].token))
				return err_set(err, -EINVAL,
					       "web.tokens[%zu]: '%s' and '%s' share one token", i,
					       tokens[j].name, tokens[i].name);
	return 0;
}

int web_options_load(const json_t *section, struct web_options *o_r, struct err *err)
{
	struct web_options o = {0};
	if (section) {
		int rc = conf_decode(web_items, section, &o, err);
		if (rc)
			return rc;
	}
	fill_defaults(&o);
	int rc = verify(&o, err);
	if (rc) {
		web_options_done(&o);
		return rc;
	}
	*o_r = o;
	return 0;
}

void web_options_done(struct web_options *o)
{
	conf_free(web_items, o);
}
