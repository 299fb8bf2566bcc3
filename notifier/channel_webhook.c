/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"
#include "expr/jq.h"
#include "signature.h"

struct webhook_opts {
	char *url;
	char *method;
	json_t *headers;
	char *body;
	char *secret;
	int64_t timeout;
	char *ca_file;
};

const struct conf_item webhook_items[] = {
	CONF_STR(struct webhook_opts, url, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "where to send it"),
	CONF_ENUM(struct webhook_opts, method, .def = "POST", .choices = "POST|PUT|PATCH",
		  .help = "HTTP method"),
	CONF_STRMAP(struct webhook_opts, headers,
		    .help = "headers to send; Content-Type is application/json unless given"),
	CONF_JQ(struct webhook_opts, body,
		.help = "jq program that makes the body from the full message; without it the full "
			"message is the body"),
	CONF_STR(struct webhook_opts, secret, .flags = CONF_F_SECRET | CONF_F_NONEMPTY,
		 .help = "signs the body: X-Hale-Signature: sha256=<HMAC-SHA256 in hex>"),
	CONF_DURATION(struct webhook_opts, timeout, .def = "10s", .min = 100,
		      .max = CHANNEL_TIMEOUT_MAX_MS, .help = "for the whole request"),
	CONF_STR(struct webhook_opts, ca_file, .flags = CONF_F_READ_FILE,
		 .help = "certificates to trust instead of the system's"),
	CONF_END,
};

static void webhook_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct webhook_opts *o = opts;
	struct err err = {0};
	struct jq_expr *body;

	if (!str_starts(o->url, "http://") && !str_starts(o->url, "https://"))
		problem(ctx, "/url", "must begin with http:// or https://");
	if (!o->body)
		return;
	body = jq_new(o->body);
	if (jq_check(body, &err) < 0)
		problem(ctx, "/body", err.text);
	jq_free(body);
}

static void *webhook_prepare(const void *opts)
{
	const struct webhook_opts *o = opts;

	return o->body ? jq_new(o->body) : NULL;
}

static void webhook_unprepare(void *prep)
{
	jq_free(prep);
}

static bool has_content_type(const json_t *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)headers, name, value)
		if (strcasecmp(name, "content-type") == 0)
			return true;
	return false;
}

static json_t *make_headers(const struct webhook_opts *o, const struct delivery *d,
			    const struct str *body)
{
	json_t *headers = o->headers ? json_copy(o->headers) : json_object();

	if (!has_content_type(headers))
		json_object_set_new(headers, "Content-Type", json_string("application/json"));
	json_object_set_new(headers, "X-Hale-Event", json_string(d->message->event));
	if (o->secret) {
		char text[SIGNATURE_TEXT_MAX];

		json_object_set_new(
			headers, "X-Hale-Signature",
			json_string(signature_format(o->secret, str_text(body), body->len, text)));
	}
	return headers;
}

static int make_body(const struct delivery *d, struct str *body, struct err *err)
{
	char *text;

	if (d->prep)
		return jq_text(d->prep, d->message->payload, NULL, body, err);
	text = json_dumps(d->message->payload, JSON_WIRE_FLAGS);
	str_add(body, text);
	free(text);
	return 0;
}

static void webhook_send(struct delivery *d)
{
	const struct webhook_opts *o = d->opts;
	HALE_CLEANUP(str_done) struct str body = {0};
	struct err err = {0};
	json_t *headers;

	if (make_body(d, &body, &err) < 0) {
		struct delivery_result r = {.is_refused = true, .retry_after_ms = -1};

		(void)snprintf(r.error, sizeof(r.error), "body: %.200s", err.text);
		delivery_done(d, &r);
		return;
	}
	headers = make_headers(o, d, &body);
	delivery_http(d,
		      &(struct http_request){
			      .method = o->method,
			      .url = o->url,
			      .headers = headers,
			      .body = str_text(&body),
			      .body_len = body.len,
			      .timeout_ms = o->timeout,
			      .ca_file = o->ca_file,
		      },
		      delivery_judge_status);
	json_decref(headers);
}

const struct channel_ops channel_webhook = {
	.type = "webhook",
	.help = "an HTTP request with JSON",
	.items = webhook_items,
	.opts_size = sizeof(struct webhook_opts),
	.rate = 600, /* a program reads it; ten a second spares even a small one */
	.validate = webhook_validate,
	.prepare = webhook_prepare,
	.unprepare = webhook_unprepare,
	.send = webhook_send,
	.cancel = delivery_http_cancel,
};
