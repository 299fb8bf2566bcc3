/* SPDX-License-Identifier: Apache-2.0 */
/* http_call - one request: its easy handle set up, what arrives collected, its end named
 *
 * Private to common/http. http.c owns the list, the loop and the life of a call; http_setup.c has
 * what curl must be told for one request, http_call.c what curl tells on the way, http_result.c
 * what its result means.
 */
#ifndef HALE_HTTP_HTTP_CALL_H
#define HALE_HTTP_HTTP_CALL_H

#include "base/str.h"
#include "http/http.h"
#include "http_tls.h"

#include <curl/curl.h>

#define HTTP_USER_AGENT "hale/" HALE_VERSION

/* The option's type is right by construction: curl's own typecheck macros see each call. What can
 * fail is memory, which is fatal everywhere. */
#define SET(easy, option, value) HALE_ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK)

struct http_call {
	struct http_client *client;
	struct http_call *prev, *next;
	http_done_fn on_done;
	http_stage_fn on_stage;
	void *ctx;

	/* One of the two has it; none when it was refused at once. */
	struct plain_request *plain; /* NULL: not asked, or not any more, by http_plain.h … */
	bool is_plain_started;
	CURL *easy; /* … but by curl */
	bool is_added;
	struct http_request *again; /* to be asked by curl instead, after all; or NULL */
	char *learn;                /* host whose address is worth knowing; or NULL */
	struct curl_slist *header_list;
	struct curl_slist *connect_list;
	char curl_error[CURL_ERROR_SIZE];

	enum reason stage;      /* what a timeout would mean now */
	enum reason refused;    /* REASON_OK, or why the request or answer was not taken … */
	char refused_text[128]; /* … in words */
	size_t body_max;
	size_t header_bytes;
	struct str body;
	int status; /* of the answer that is coming in */
	json_t *headers;
	json_t *redirects; /* NULL: none yet */
	struct http_tls_info tls;
};

/* Everything curl must know; the request may be gone afterwards. A request that cannot be sent is
 * left with `refused` set. */
void http_call_setup(struct http_call *call, const struct http_request *rq);
/* Has curl report to the call: body, headers, and the steps on the way. */
void http_call_listen(struct http_call *call);
/* What a timeout means from now on. */
void http_call_enter(struct http_call *call, enum reason stage);
/* Says why it is not taken; the first word holds. */
void http_call_refuse(struct http_call *call, enum reason reason, const char *fmt, ...)
	HALE_PRINTF(3, 4);
/* Frees what the request needed and what arrived, not the easy handle. */
void http_call_clear(struct http_call *call);

/* Fills r from a transfer that curl ended with `code`. r borrows from call and easy. */
void http_call_result(struct http_call *call, CURLcode code, struct http_response *r);
/* The same of a plain request that has ended. */
void http_call_answer(struct http_call *call, enum reason reason, const char *text,
		      struct http_response *r);
/* Fills r for a call that ended without curl: cancelled, or refused before it began. */
void http_call_no_result(struct http_call *call, enum reason reason, const char *text,
			 struct http_response *r);

#endif
