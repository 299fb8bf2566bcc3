/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

/* One row per type, twice: what it does, and what it is called in the configuration. */
const struct channel_ops *const channel_types[] = {
	&channel_webhook, &channel_telegram, &channel_log, &channel_null, NULL,
};

#define CHANNEL_ITEM(word, table, text)                                                            \
	{                                                                                          \
		.name = (word), .type = CONF_T_MAP, .items = (table), .help = (text)               \
	}

const struct conf_item channel_items[] = {
	{.name = "rate",
	 .type = CONF_T_INT,
	 .min = 0,
	 .max = 100000,
	 .help = "messages a minute at most, 0 for no limit; telegram 30, webhook 600, log and "
		 "null 0 "
		 "unless given"},
	CHANNEL_ITEM("webhook", webhook_items, "an HTTP request with JSON"),
	CHANNEL_ITEM("telegram", telegram_items, "a message by a Telegram bot"),
	CHANNEL_ITEM("log", log_items, "a line in the notifier's log, or in a file"),
	CHANNEL_ITEM("null", null_items, "nowhere: for trying out rules"),
	CONF_END,
};

struct http_run {
	struct delivery *delivery;
	struct http_call *call;
	delivery_judge_fn judge;
};

void delivery_done(struct delivery *d, const struct delivery_result *r)
{
	d->on_done(d->ctx, r);
}

void message_done(struct message *m)
{
	free(m->event);
	free(m->title);
	free(m->text);
	json_decref(m->payload);
	*m = (struct message){0};
}

void delivery_judge_status(const struct http_response *r, struct delivery_result *out)
{
	bool is_setup = r->status == 401 || r->status == 403 || r->status == 404;
	bool is_later = r->status == 408 || r->status == 425 || r->status == 429;

	out->is_sent = r->status >= 200 && r->status < 300;
	out->is_refused = r->status >= 400 && r->status < 500 && !is_setup && !is_later;
	if (!out->is_sent) {
		char body[DELIVERY_ERROR_MAX - 32];

		str_clean(body, sizeof(body), r->body && r->body_len > 0 ? r->body : "");
		(void)snprintf(out->error, sizeof(out->error), "HTTP %ld%s%s", r->status,
			       body[0] ? ": " : "", body);
	}
}

static void on_answer(void *ctx, const struct http_response *r)
{
	struct http_run *run = ctx;
	struct delivery *d = run->delivery;
	struct delivery_result out = {.retry_after_ms = r->retry_after_ms,
				      .status = (int)r->status};

	if (r->reason != REASON_OK)
		(void)snprintf(out.error, sizeof(out.error), "%s",
			       r->error[0] ? r->error : reason_text(r->reason));
	else
		run->judge(r, &out);
	d->run = NULL;
	free(run);
	delivery_done(d, &out);
}

void delivery_http(struct delivery *d, const struct http_request *rq, delivery_judge_fn judge)
{
	struct http_request full = *rq;
	struct http_run *run = mem_alloc(sizeof(*run));
	json_t *headers = rq->headers ? json_copy((json_t *)rq->headers) : json_object();

	json_object_set_new(headers, "Idempotency-Key", json_string(d->message->id));
	json_object_set_new(headers, "X-Hale-Delivery", json_string(d->message->id));
	full.headers = headers;
	run->delivery = d;
	run->judge = judge;
	d->run = run;
	run->call = http_start(d->http(d->ctx), &full, on_answer, run);
	json_decref(headers);
}

void delivery_http_cancel(struct delivery *d)
{
	struct http_run *run = d->run;

	if (run)
		http_cancel(run->call);
}
