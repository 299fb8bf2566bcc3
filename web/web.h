/* SPDX-License-Identifier: Apache-2.0 */
/* web - hale-web without its process: what the handlers reach, and the server around it
 *
 * The process (service.c) gives it a loop, a way to run blocking work in threads and a way to send
 * commands to other processes; the tests give it their own.
 *
 * Ownership: web_new takes nothing over; options and live must outlive it.
 * Loop:      everything on the loop thread.
 */
#ifndef HALE_WEB_WEB_H
#define HALE_WEB_WEB_H

#include "assets.h"
#include "live.h"
#include "metrics.h"
#include "options.h"
#include "ping_limit.h"
#include "reader.h"
#include "request.h"

#include "base/str.h"
#include "bus/command.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct stream;
struct listener;
struct bodies;

struct web_backend {
	/* As service_work and service_call. */
	void (*work)(void *ctx, void (*work)(void *arg), void (*after)(void *arg), void *arg);
	void (*call)(void *ctx, const char *process, const char *method, json_t *params,
		     uint32_t timeout_ms, command_result_fn on_result, void *arg);
	void *ctx;
};

/* Documents that are rendered once a change and sent many times. */
enum document {
	DOCUMENT_HEALTH_DETAILS,
	DOCUMENT_HEALTH,
	DOCUMENT_COMPONENTS,
	DOCUMENT_PROCESSES,
	DOCUMENT_METRICS,
	DOCUMENT_MAX
};

/* A rendered document is at most this old even if nothing changed: it carries the time. */
#define DOCUMENT_AGE_MS 1000

struct web {
	uv_loop_t *loop;
	const struct web_options *options;
	struct live *live;
	struct web_backend backend;
	struct assets *assets;
	const struct store_options *store; /* NULL: none is configured */
	struct reader *reader;             /* NULL then, too */
	struct bodies *bodies;             /* exports */
	struct {
		json_t *statistics; /* of the store, for /metrics; NULL: not known */
		bool is_asked;
		int64_t asked_ms; /* mono; 0: never */
	} past;
	struct stream *stream;
	struct ping_limit *pings;
	struct listener **listeners;
	size_t listeners_n;
	struct {
		struct reply *reply;
		uint64_t revision;
		int64_t made_ms;
	} documents[DOCUMENT_MAX];
	void (*on_listening)(void *ctx); /* the set of open addresses changed */
	void *ctx;
	size_t open_listeners;
	bool is_stopping;
	uv_timer_t stop_timer;
	void (*on_stopped)(void *ctx);
};

struct web *web_new(uv_loop_t *loop, const struct web_options *options, struct live *live,
		    const struct web_backend *backend, const struct store_options *store,
		    const char *ui_dir);
/* Opens the listeners; one that cannot be bound is tried again by itself. */
void web_start(struct web *web, void (*on_listening)(void *ctx), void *ctx);
/* Live has its first snapshot: what happened before is asked of the store, for its recent lines. */
void web_recall(struct web *web);
/* Closes streams with 1001, lets deferred requests end, then everything; on_stopped is last. */
void web_stop(struct web *web, void (*on_stopped)(void *ctx));
void web_free(struct web *web); /* after on_stopped */

/* "listening on http://127.0.0.1:5051; [::1]:80: cannot listen: …" */
void web_describe(const struct web *web, struct str *out);
void web_counters(const struct web *web, struct metrics_web *out);
/* The route table's door: token, role, handler. */
void web_dispatch(void *web, struct request *rq);
/* Answers with the document, rendered by `render` if it is old. */
void web_document(struct web *web, struct request *rq, unsigned status, enum document which,
		  struct reply *(*render)(struct web *web));

#endif
