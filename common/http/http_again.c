/* SPDX-License-Identifier: Apache-2.0 */
#include "http_again.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define TEXTS 9

/* Every text of a request that http_head_make() takes; others are NULL there. */
static void list_texts(struct http_request *rq, const char **texts[TEXTS])
{
	texts[0] = &rq->method;
	texts[1] = &rq->url;
	texts[2] = &rq->body;
	texts[3] = &rq->bearer_token;
	texts[4] = &rq->user_agent;
	texts[5] = &rq->ca_file;
	texts[6] = &rq->client_cert;
	texts[7] = &rq->client_key;
	texts[8] = &rq->password;
}

/* In one piece: it is made for every request, and seldom used. */
struct http_request *http_again_new(const struct http_request *rq)
{
	struct http_request copy = *rq, *again;
	const char **texts[TEXTS];
	size_t lengths[TEXTS], bytes = sizeof(copy);
	char *at;

	list_texts(&copy, texts);
	for (size_t i = 0; i < TEXTS; i++) {
		lengths[i] = *texts[i] == NULL ? 0 : strlen(*texts[i]) + 1;
		if (texts[i] == &copy.body && copy.body != NULL)
			lengths[i] = copy.body_len + 1;
		bytes += lengths[i];
	}
	again = mem_alloc(bytes);
	*again = copy;
	at = (char *)(again + 1);
	list_texts(again, texts);
	for (size_t i = 0; i < TEXTS; i++) {
		if (*texts[i] == NULL)
			continue;
		/* A body need not end in a NUL: the copy's is from mem_alloc(). */
		memcpy(at, *texts[i], lengths[i] - 1);
		*texts[i] = at;
		at += lengths[i];
	}
	again->headers = json_incref((json_t *)(uintptr_t)rq->headers);
	return again;
}

void http_again_free(struct http_request *again)
{
	if (again == NULL)
		return;
	json_decref((json_t *)(uintptr_t)again->headers);
	free(again);
}
