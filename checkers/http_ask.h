/* SPDX-License-Identifier: Apache-2.0 */
/* http_ask - a question (outlives runs), and one asking of it
 *
 *   question_init -> (ask_start -> on_over)… -> question_done
 *
 * An ask ends in exactly one on_over, also when cancelled, with everything in the struct that the
 * verdict over a component needs. It tells the check itself what belongs to it alone: what programs
 * took from the body, and what who looks on wants to see.
 *
 * Ownership: structs are the caller's. A question borrows from the options.
 * Errors:    in the verdict.
 * Loop:      loop thread; on_over comes from the loop, or from ask_cancel().
 */
#ifndef HALE_CHECKERS_HTTP_ASK_H
#define HALE_CHECKERS_HTTP_ASK_H

#include "http_limits.h"
#include "http_judge.h"
#include "http_options.h"

struct question {
	char *name; /* of the endpoint; NULL: the component's only one */
	char *url;
	const char *method, *body;
	struct judge *judge;
};

/* e: NULL for the component's own. */
void question_init(struct question *q, const struct http_opts *o,
		   const struct http_endpoint_opts *e);
void question_done(struct question *q);

struct ask {
	struct check *check;
	const struct question *question;
	void (*on_over)(struct ask *a);
	int64_t limit_ms; /* how long it may take; 0: the runner ends it */
	struct http_call *call;
	enum reason stage; /* what a timeout would mean */
	int64_t began_us;
	bool has_respite;

	/* When it is over. */
	struct verdict verdict;
	double took_ms;
	long status;
	bool is_connected;
	bool has_limit;
	struct rate_limit limit;
	double cert_expires_seconds; /* NAN: unknown */
};

/* check, question, on_over and limit_ms are set, the rest zeroed. */
void ask_start(struct ask *a);
void ask_cancel(struct ask *a);

#endif
