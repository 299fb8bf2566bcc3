/* SPDX-License-Identifier: Apache-2.0 */
/* ask - a request's question to the store, on its way there and back
 *
 * A handler reads the parameters, fills struct ask and hands it to ask_store() with the function
 * that asks, which runs in a thread (reader.h). The JSON it returns is the answer, 200; an error
 * is 400 (-EINVAL), 404 (-ENOENT), 429 or 503.
 */
#ifndef HALE_WEB_ASK_H
#define HALE_WEB_ASK_H

#include "query.h"
#include "web.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct ask {
	struct request *rq; /* its texts are borrowed from here */
	int64_t now_ms;
	bool is_open;  /* its time ends now: the answer is soon old */
	bool is_known; /* its component, if it names one, is configured */
	union {
		struct read_query rows;
		struct series_query series;
		struct uptime_query uptime;
	} of;
	json_t *counts; /* of the components, as they stand; owned, may be NULL */
};

/* arg is a struct ask. In a thread. */
typedef int (*ask_fn)(void *arg, struct store *s, struct str *out, struct err *err);

void ask_text(const struct request *rq, struct query_text *text_r);
/* Copies q; answers its request, now or later. */
void ask_store(struct web *web, const struct ask *q, ask_fn how);
void ask_refuse(struct request *rq, int rc, const struct err *err);
bool ask_knows(const struct web *web, const char *component); /* NULL: all, known */
/* Appends the answer, with "at": when this was so. In the thread: ten thousand rows take a while.
 */
void ask_put(const struct ask *q, json_t *answer /* taken */, struct str *out);

#endif
