/* SPDX-License-Identifier: Apache-2.0 */
/* fixture - a server on the loop of the test, as good or bad as it wants, and one request to it
 *
 * Include cmocka.h first. Names resolve to nothing, and hang while dns_hangs.
 */
#ifndef HALE_TESTS_HTTP_FIXTURE_H
#define HALE_TESTS_HTTP_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "base/str.h"
#include "http/http.h"

#define SHORT_MS  150   /* for requests that must time out */
#define LONG_MS   20000 /* for requests that must not */
#define PEERS_MAX 32

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* ANSWER_UNREAD: kept, but nothing is read beyond the head. RESET_USED: the first connection;
 * others are answered and kept. */
enum manner {
	ANSWER,
	ANSWER_KEEP,
	ANSWER_AT_ONCE,
	ANSWER_UNREAD,
	SILENT,
	CLOSE,
	RESET,
	RESET_USED
};

struct server {
	uv_tcp_t tcp;
	int port;
	enum manner manner;
	const char *answer; /* used when answers[] has run out */
	const char *answers[4];
	size_t answered;
	struct str request; /* what came last */
	size_t connections;
	size_t broken; /* connections, with a request taken */
	uv_tcp_t peers[PEERS_MAX];
};

extern uv_loop_t loop;
extern struct server server;
extern struct http_client *client;
extern atomic_bool dns_hangs;
extern bool is_curl_only; /* this round goes by curl alone */

int setup(void **state);
int teardown(void **state);
void on_client_closed(void *ctx /* bool: set */);

struct seen {
	size_t calls;
	struct http_response r; /* texts of it are gone, but for: */
	char body[4096];
	char header[256]; /* X-Test */
	char url[256], version[8], redirects[512];
	char tls_version[16], cert_subject[256];
};

void on_done(void *ctx /* struct seen */, const struct http_response *r);
void run_until_done(struct seen *seen);
const char *url_to(const char *path);
/* Missing members get the usual values: the server's "/", and time enough. */
struct seen fetch(struct http_request rq);
void assert_reason(const struct seen *seen, enum reason want);

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

#endif
