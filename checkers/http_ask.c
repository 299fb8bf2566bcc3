/* SPDX-License-Identifier: Apache-2.0 */
#include "http_ask.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "http_expect.h"

#define US_PER_MS 1000.0
#define MS_PER_S  1000.0

/* As the runner has it: who comes back so late was away itself, and the target gets its time once
 * more. */
#define AWAY_MS 250

/* Of a body, for who looks on: what fits onto a screen beside the rest. */
#define SHOWN_MAX_BYTES 600

/* ---- Questions ---- */

void question_init(struct question *q, const struct http_opts *o,
		   const struct http_endpoint_opts *e)
{
	struct judge_programs programs = {
		.metrics = o->metrics, .details = o->details, .message = o->message};

	*q = (struct question){.method = o->method, .body = o->body};
	if (e == NULL) {
		q->url = mem_dup(o->url);
		q->judge = judge_new(&o->expect, &programs);
		return;
	}
	q->name = http_endpoint_name(e);
	q->url = http_endpoint_url(o, e);
	if (e->method != NULL)
		q->method = e->method;
	if (e->body != NULL)
		q->body = e->body;
	programs = (struct judge_programs){.metrics = e->metrics};
	q->judge = judge_new(http_endpoint_expect(o, e), &programs);
}

void question_done(struct question *q)
{
	free(q->name);
	free(q->url);
	judge_free(q->judge);
}

/* ---- The request ---- */

static enum http_version version_of(const char *option)
{
	if (strcmp(option, "1.0") == 0)
		return HTTP_VERSION_1_0;
	if (strcmp(option, "1.1") == 0)
		return HTTP_VERSION_1_1;
	return strcmp(option, "h2c") == 0 ? HTTP_VERSION_2_PRIOR : HTTP_VERSION_ANY;
}

static enum http_tls tls_of(const char *option)
{
	if (option == NULL)
		return HTTP_TLS_ANY;
	return strcmp(option, "1.3") == 0 ? HTTP_TLS_1_3 : HTTP_TLS_1_2;
}

static void fill_tls(struct http_request *rq, const struct http_tls_opts *tls)
{
	rq->skip_tls_verify = !tls->verify;
	rq->ca_file = tls->ca;
	rq->client_cert = tls->cert;
	rq->client_key = tls->key;
	rq->tls_min = tls_of(tls->min_version);
}

static void fill_proxy(struct http_request *rq, const struct http_proxy_opts *proxy,
		       struct str *exclude)
{
	for (size_t i = 0; i < proxy->exclude.n; i++)
		str_addf(exclude, "%s%s", i == 0 ? "" : ",", proxy->exclude.v[i]);
	rq->proxy = (struct http_proxy){
		.url = proxy->url,
		.username = proxy->username,
		.password = proxy->password,
		.exclude = str_text(exclude),
	};
}

static void fill_login(struct http_request *rq, const struct http_opts *o)
{
	rq->headers = o->headers;
	rq->username = o->username;
	rq->password = o->password;
	rq->bearer_token = o->bearer_token;
}

/* ---- What who looks on wants to see ---- */

static void add_part(json_t *o, const char *name, double from_ms, double to_ms)
{
	if (to_ms > 0)
		json_object_set_new(o, name, json_real(to_ms - from_ms));
}

static json_t *phases(const struct http_response *r)
{
	json_t *o = json_object();

	if (!r->is_reused) {
		add_part(o, "dns_ms", 0, r->dns_ms);
		add_part(o, "connect_ms", r->dns_ms, r->connect_ms);
		add_part(o, "tls_ms", r->connect_ms, r->tls_ms);
	}
	add_part(o, "wait_ms", r->sent_ms, r->first_byte_ms);
	if (r->first_byte_ms > 0)
		add_part(o, "transfer_ms", r->first_byte_ms, r->total_ms);
	add_part(o, "total_ms", 0, r->total_ms);
	return o;
}

static json_t *certificate(const struct http_response *r)
{
	char text[CLOCK_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:s}", "tls", r->tls_version, "subject", r->cert_subject,
			 "issuer", r->cert_issuer, "expires",
			 r->cert_expires_ms == 0 ? "?" : clock_format(r->cert_expires_ms, text));
}

static json_t *body_shown(const struct http_response *r)
{
	char text[SHOWN_MAX_BYTES];
	bool is_cut = r->body_len >= sizeof(text);

	(void)str_clean(text, sizeof(text), r->body);
	return json_sprintf("%s%s", text, is_cut ? "…" : "");
}

static json_t *url_shown(const char *url)
{
	HALE_CLEANUP(cleanup_free) char *text = http_url_shown(url);

	return json_string(text);
}

/* A cookie is as good as a login, a URL may hold one. */
static json_t *headers_shown(const struct http_response *r)
{
	json_t *headers = json_copy(r->headers);
	const char *location = json_string_value(json_object_get(headers, "location"));

	if (json_object_get(headers, "set-cookie") != NULL)
		json_object_set_new(headers, "set-cookie", json_string("…"));
	if (location != NULL)
		json_object_set_new(headers, "location", url_shown(location));
	return headers;
}

static json_t *redirects_shown(const struct http_response *r)
{
	json_t *all = json_array();
	json_t *hop;
	size_t i;

	json_array_foreach (r->redirects, i, hop)
		json_array_append_new(
			all,
			json_pack("{s:O, s:o}", "status", json_object_get(hop, "status"),
				  "location",
				  url_shown(json_string_value(json_object_get(hop, "location")))));
	return all;
}

static void show(const struct ask *a, const struct http_response *r)
{
	const struct question *q = a->question;
	HALE_CLEANUP(cleanup_free) char *url = NULL;
	json_t *o;

	if (!check_is_watched(a->check))
		return;
	url = http_url_shown(q->url);
	o = json_object();
	if (q->name != NULL)
		json_object_set_new(o, "endpoint", json_string(q->name));
	json_object_set_new(o, "request", json_sprintf("%s %s", q->method, url));
	json_object_set_new(o, "phases", phases(r));
	if (r->redirects != NULL)
		json_object_set_new(o, "redirects", redirects_shown(r));
	if (*r->tls_version != '\0')
		json_object_set_new(o, "certificate", certificate(r));
	if (r->status != 0) {
		json_object_set_new(o, "answer",
				    json_sprintf("HTTP/%s %ld", r->version, r->status));
		json_object_set_new(o, "headers", headers_shown(r));
		json_object_set_new(o, "body", body_shown(r));
	}
	check_saw(a->check, q->name == NULL ? "http" : "endpoints", o);
}

/* ---- The answer ---- */

static bool is_timeout(enum reason reason)
{
	return reason == REASON_TIMEOUT_DNS || reason == REASON_TIMEOUT_CONNECT ||
	       reason == REASON_TIMEOUT_TLS || reason == REASON_TIMEOUT_READ;
}

/* True: this process was not there when the time was over; it is asked once more. */
static bool grant_respite(struct ask *a, enum reason reason)
{
	if (a->limit_ms == 0 || !is_timeout(reason) || a->has_respite ||
	    a->took_ms < (double)(a->limit_ms + AWAY_MS))
		return false;
	a->has_respite = true;
	return true;
}

static void judge_version(const struct ask *a, const struct http_response *r, struct verdict *v)
{
	const struct http_opts *o = check_opts(a->check);

	if (strcmp(o->http_version, "2") == 0 && strcmp(r->version, "2") != 0)
		verdict_object(v, REASON_VALUE_MISMATCH, "answered by HTTP/%s, expected HTTP/2",
			       r->version);
}

static void take_answer(struct ask *a, const struct http_response *r)
{
	a->status = r->status;
	a->is_connected =
		r->status != 0 || a->stage == REASON_TIMEOUT_TLS || a->stage == REASON_TIMEOUT_READ;
	a->has_limit = r->status != 0 && http_rate_limit(r->headers, clock_wall_ms(), &a->limit);
	a->cert_expires_seconds = NAN;
	if (r->cert_expires_ms != 0)
		a->cert_expires_seconds = (double)(r->cert_expires_ms - clock_wall_ms()) / MS_PER_S;
}

/* To the microsecond: a difference of doubles has digits beyond it that nobody measured. */
static double between(double from_ms, double to_ms)
{
	return round((to_ms - from_ms) * 1000.0) / 1000.0;
}

/* Of the only one there is; of several each would overwrite the other. */
static void tell_phases(struct check *c, const struct http_response *r)
{
	if (r->status != 0)
		check_metric(c, "status_code", (double)r->status);
	/* What was not reached is 0. */
	if (!r->is_reused && r->dns_ms > 0)
		check_metric(c, "dns_ms", r->dns_ms);
	if (!r->is_reused && r->connect_ms > 0)
		check_metric(c, "connect_ms", between(r->dns_ms, r->connect_ms));
	if (!r->is_reused && r->tls_ms > 0)
		check_metric(c, "tls_ms", between(r->connect_ms, r->tls_ms));
	if (r->first_byte_ms > 0) {
		check_metric(c, "first_byte_ms", r->first_byte_ms);
		check_metric(c, "transfer_ms", between(r->first_byte_ms, r->total_ms));
	}
	if (r->status != 0)
		check_metric(c, "body_bytes", (double)r->body_len);
}

static void tell_connection(struct check *c, const struct http_response *r)
{
	const struct http_opts *o = check_opts(c);

	if (*r->ip != '\0')
		check_detail(c, "ip", json_string(r->ip));
	if (*r->tls_version != '\0') {
		check_detail(c, "http_version", json_string(r->version));
		check_detail(c, "tls_version", json_string(r->tls_version));
	}
	if (*r->cert_subject != '\0') {
		check_detail(c, "cert_subject", json_string(r->cert_subject));
		check_detail(c, "cert_issuer", json_string(r->cert_issuer));
	}
	if (o->compressed && r->status != 0)
		check_metric(c, "wire_bytes", (double)r->wire_bytes);
	if (r->redirects != NULL) {
		check_metric(c, "redirects", (double)json_array_size(r->redirects));
		check_detail(c, "final_url", url_shown(r->url));
	}
}

static void on_answer(void *ctx, const struct http_response *r)
{
	struct ask *a = ctx;
	char limit[UNITS_TEXT_MAX];

	a->call = NULL;
	a->took_ms = (double)(clock_mono_us() - a->began_us) / US_PER_MS;
	if (grant_respite(a, r->reason)) {
		ask_start(a);
		return;
	}
	take_answer(a, r);
	show(a, r);
	if (a->question->name == NULL) {
		tell_phases(a->check, r);
		tell_connection(a->check, r);
	}
	if (r->reason == REASON_OK) {
		judge_answer(a->question->judge, a->check, r, &a->verdict);
		judge_version(a, r, &a->verdict);
	} else if (a->limit_ms != 0 && is_timeout(r->reason)) {
		verdict_object(&a->verdict, r->reason, "%s (after %s)", reason_text(r->reason),
			       duration_format(check_timeout_ms(a->check), limit));
	} else {
		verdict_object(&a->verdict, r->reason, "%s", r->error);
	}
	a->on_over(a);
}

static void on_stage(void *ctx, enum reason timeout_reason)
{
	struct ask *a = ctx;

	a->stage = timeout_reason;
	if (a->question->name == NULL)
		check_stage(a->check, timeout_reason);
}

void ask_start(struct ask *a)
{
	const struct http_opts *o = check_opts(a->check);
	const struct question *q = a->question;
	HALE_CLEANUP(str_done) struct str exclude = {0};
	struct http_request rq = {
		.method = q->method,
		.url = q->url,
		.body = q->body,
		.body_len = q->body == NULL ? 0 : strlen(q->body),
		/* Where the runner ends it, it may have to grant its time twice; curl only has to
		 * come to an end at all. */
		.timeout_ms = a->limit_ms > 0 ? a->limit_ms : 3 * check_timeout_ms(a->check),
		.body_max = (size_t)o->body_max,
		.follow_redirects = o->follow_redirects,
		.redirects_max = (unsigned)o->max_redirects,
		.fresh_connection = o->fresh_connection,
		.compressed = o->compressed,
		.version = version_of(o->http_version),
		.connect_to = o->connect_to,
		.unix_path = o->unix_socket,
		.ip_version = atoi(o->ip_version),
		.on_stage = on_stage,
	};

	fill_login(&rq, o);
	fill_tls(&rq, &o->tls);
	if (o->proxy.url != NULL)
		fill_proxy(&rq, &o->proxy, &exclude);
	a->began_us = clock_mono_us();
	a->call = http_start(check_http(a->check), &rq, on_answer, a);
}

void ask_cancel(struct ask *a)
{
	if (a->call != NULL)
		http_cancel(a->call);
}
