/* SPDX-License-Identifier: Apache-2.0 */
#include "action.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "model/frame.h"

/* How much of an answer a message quotes. */
#define EXCERPT_MAX 200

int action_init(struct action *a, struct service *s, const char *name, const json_t *options,
		struct err *err)
{
	*a = (struct action){.service = s};
	if (conf_decode(action_items, options, &a->o, err) < 0) {
		err_prefix(err, "actions: %s", name);
		return -EINVAL;
	}
	a->o.name = mem_dup(name);
	return 0;
}

void action_check(const char *name, const json_t *options, service_problem_fn problem, void *ctx)
{
	struct action a;

	if (action_init(&a, NULL, name, options, NULL) < 0)
		return; /* the table of options has told */
	if (!str_starts(a.o.http.url, "http://") && !str_starts(a.o.http.url, "https://")) {
		HALE_CLEANUP(cleanup_free) char *path = mem_printf("/actions/%s/http/url", name);

		problem(ctx, path, "must begin with http:// or https://");
	}
	action_done(&a);
}

static char *describe(const struct http_response *r)
{
	char excerpt[EXCERPT_MAX];

	if (r->reason != REASON_OK)
		return mem_dup(r->error[0] != '\0' ? r->error : reason_text(r->reason));
	(void)str_clean(excerpt, sizeof(excerpt), r->body != NULL ? r->body : "");
	return mem_printf("HTTP status %ld%s%s", r->status, excerpt[0] != '\0' ? ": " : "",
			  excerpt);
}

static void on_answer(void *ctx, const struct http_response *r)
{
	struct action *a = ctx;
	bool is_good = r->reason == REASON_OK && r->status >= 200 && r->status <= 299;
	HALE_CLEANUP(cleanup_free) char *said = describe(r);
	char message[sizeof(r->error) + EXCERPT_MAX];
	char at[CLOCK_TEXT_MAX];
	void (*on_done)(void *, const json_t *) = a->on_done;

	a->call = NULL;
	(void)str_clean(message, sizeof(message), said);
	json_decref(a->last_run);
	a->last_run = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f}", "at",
				clock_now_text(at), "node", service_node(a->service), "action",
				a->o.name, "run", a->run, "trigger", "manual", "outcome",
				is_good ? "done" : "failed", "message", message, "took_ms",
				round((double)(clock_mono_us() - a->mono_us) / 100) / 10);
	if (is_good)
		log_info("Action done", KV_S("action", a->o.name), KV_S("message", message));
	else
		log_warn("Action failed", KV_S("action", a->o.name), KV_S("message", message));
	service_publish(a->service, TOPIC_ACTION, json_deep_copy(a->last_run));
	on_done(a->ctx, a->last_run);
}

bool action_run(struct action *a, void (*on_done)(void *ctx, const json_t *result), void *ctx)
{
	const struct http_action_options *o = &a->o.http;

	if (a->call != NULL)
		return false;
	a->on_done = on_done;
	a->ctx = ctx;
	a->mono_us = clock_mono_us();
	(void)rnd_uuid(a->run);
	log_info("Running action", KV_S("action", a->o.name), KV_S("run", a->run));
	a->call = http_start(service_http(a->service),
			     &(struct http_request){
				     .method = o->method,
				     .url = o->url,
				     .headers = o->headers,
				     .body = o->body,
				     .body_len = o->body != NULL ? strlen(o->body) : 0,
				     .timeout_ms = o->timeout_ms,
				     .ca_file = o->ca_file,
			     },
			     on_answer, a);
	return true;
}

void action_stop(struct action *a)
{
	if (a->call != NULL)
		http_cancel(a->call);
}

void action_done(struct action *a)
{
	json_decref(a->last_run);
	free(a->o.name);
	a->o.name = NULL;
	conf_free(action_items, &a->o);
}

json_t *action_encode(const struct action *a)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:O?}", "name", a->o.name, "type", "http",
			 "method", a->o.http.method, "url", a->o.http.url, "running",
			 a->call != NULL, "last_run", a->last_run);
}
