/* SPDX-License-Identifier: Apache-2.0 */
/* channel - a way to reach people or programs: a table of options and two functions
 *
 * A channel type is one file channel_<type>.c with its option table and its `struct channel_ops`,
 * one line in channels.c and one in CMakeLists.txt. The sender (sender.h) owns queue, order, rate,
 * retries and records; a type knows only how to hand one message over.
 *
 * All functions run on the loop thread and must not block. For each send() there is exactly one
 * delivery_done(), also after cancel().
 */
#ifndef HALE_NOTIFIER_CHANNEL_H
#define HALE_NOTIFIER_CHANNEL_H

#include "conf/option.h"
#include "http/http.h"
#include "service/service.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is kept of an error; longer texts are cut. */
#define DELIVERY_ERROR_MAX     256
/* No channel waits longer for one answer: the queue behind it waits too. */
#define CHANNEL_TIMEOUT_MAX_MS 60000

struct message {
	int64_t seq;      /* place in the queue; 0: a test message, not queued */
	char id[37];      /* the same at every attempt: the idempotency key */
	char *event;      /* "alert", "reminder", "recovery", "test" */
	char *title;      /* may be "" */
	char *text;       /* title and message as one text */
	json_t *payload;  /* everything (docs/alerting.md "What a webhook gets") */
	uint32_t attempt; /* 1, 2, … */
	int64_t give_up_ms;
};

struct delivery_result {
	bool is_sent;
	bool is_refused;                /* this message's own fault; others may still get through */
	int64_t retry_after_ms;         /* as the other side asked; -1 it did not */
	int status;                     /* HTTP status; 0 none */
	char error[DELIVERY_ERROR_MAX]; /* one line, without secrets; on success what they said */
};

struct delivery { /* one attempt; lives from send() to delivery_done() */
	const struct message *message;
	const void *opts;
	void *prep;
	struct http_client *(*http)(void *ctx); /* made at first use */
	void *run;                              /* the type's own */
	void (*on_done)(void *ctx, const struct delivery_result *r);
	void *ctx;
};

struct channel_ops {
	const char *type;
	const char *help;
	const struct conf_item *items; /* options under alerts.channels.<name>.<type> */
	size_t opts_size;
	uint32_t rate; /* messages a minute unless the configuration says otherwise; 0 no limit */
	/* What tables cannot see; path is relative ("/body"). May be NULL. */
	void (*validate)(const void *opts, service_problem_fn problem, void *ctx);
	void *(*prepare)(const void *opts); /* outlives messages; may be NULL */
	void (*unprepare)(void *prep);
	void (*send)(struct delivery *d);
	void (*cancel)(struct delivery *d); /* ends in delivery_done() before it returns */
};

/* The table of channel types; NULL ends it. */
extern const struct channel_ops *const channel_types[];
/* "rate" and one mapping per type, for the manifest; decoding is per type (alerts.c). */
extern const struct conf_item channel_items[];

extern const struct channel_ops channel_webhook, channel_telegram, channel_log, channel_null;
extern const struct conf_item webhook_items[], telegram_items[], log_items[], null_items[];

/* For types. */
void delivery_done(struct delivery *d, const struct delivery_result *r);
/* For types over HTTP: starts rq (its idempotency headers added), d->run is the call until done.
 * `judge` turns an answer with any status into a result; what did not get an answer is judged here.
 * Cancel with delivery_http_cancel. */
typedef void (*delivery_judge_fn)(const struct http_response *r, struct delivery_result *out);
void delivery_http(struct delivery *d, const struct http_request *rq, delivery_judge_fn judge);
void delivery_http_cancel(struct delivery *d);
/* 2xx is sent; 408, 425, 429, 5xx and 401, 403, 404 (the channel's set-up) are trouble with the
 * channel; any other status refuses this message. */
void delivery_judge_status(const struct http_response *r, struct delivery_result *out);

void message_done(struct message *m);

#endif
