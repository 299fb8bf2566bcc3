/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fixture.h"

/* ---- The server ---- */

uv_loop_t loop;
struct server server;
struct http_client *client;
static uv_sem_t dns_gate;
atomic_bool dns_hangs;

/* Stands before libc's: a resolver that hangs, as one with a dead name server does. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **out)
{
	(void)node, (void)service, (void)hints;
	*out = NULL;
	if (dns_hangs) {
		uv_sem_wait(&dns_gate);
		uv_sem_post(&dns_gate);
	}
	return EAI_NONAME;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	(void)handle;
	*buf = uv_buf_init(malloc(size), (unsigned)size);
}

static void close_peer(uv_stream_t *peer)
{
	if (!uv_is_closing((uv_handle_t *)peer))
		uv_close((uv_handle_t *)peer, NULL);
}

static void on_written(uv_write_t *w, int status)
{
	(void)status;
	if (server.manner == ANSWER)
		close_peer(w->handle);
	free(w);
}

static void give_answer(uv_stream_t *peer)
{
	const char *answer = server.answer;
	uv_write_t *w;
	uv_buf_t buf;

	if (server.answered < ARRAY_LEN(server.answers) && server.answers[server.answered] != NULL)
		answer = server.answers[server.answered++];
	buf = uv_buf_init((char *)(uintptr_t)answer, (unsigned)strlen(answer));
	w = calloc(1, sizeof(*w));
	assert_int_equal(uv_write(w, peer, &buf, 1, on_written), 0);
}

static void break_off(uv_stream_t *peer)
{
	server.broken++;
	uv_tcp_close_reset((uv_tcp_t *)peer, NULL);
}

static void on_read(uv_stream_t *peer, ssize_t n, const uv_buf_t *buf)
{
	if (n > 0)
		str_addn(&server.request, buf->base, (size_t)n);
	free(buf->base);
	if (n < 0) {
		close_peer(peer);
		return;
	}
	if (server.manner != ANSWER_AT_ONCE &&
	    strstr(str_text(&server.request), "\r\n\r\n") == NULL)
		return;
	if (server.manner == ANSWER_UNREAD)
		(void)uv_read_stop(peer);
	if (server.manner == CLOSE)
		close_peer(peer);
	else if (server.manner == RESET ||
		 (server.manner == RESET_USED && peer == (uv_stream_t *)&server.peers[0]))
		break_off(peer);
	else if (server.manner != SILENT)
		give_answer(peer);
}

static void on_connection(uv_stream_t *listener, int status)
{
	uv_tcp_t *peer;

	assert_int_equal(status, 0);
	assert_true(server.connections < PEERS_MAX);
	str_clear(&server.request);
	peer = &server.peers[server.connections++];
	assert_int_equal(uv_tcp_init(&loop, peer), 0);
	assert_int_equal(uv_accept(listener, (uv_stream_t *)peer), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)peer, on_alloc, on_read), 0);
}

bool is_curl_only;

int setup(void **state)
{
	struct sockaddr_in address;
	int len = sizeof(address);

	(void)state;
	memset(&server, 0, sizeof(server));
	dns_hangs = false;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_sem_init(&dns_gate, 0), 0);
	assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
	assert_int_equal(uv_tcp_init(&loop, &server.tcp), 0);
	assert_int_equal(uv_tcp_bind(&server.tcp, (struct sockaddr *)&address, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&server.tcp, 16, on_connection), 0);
	assert_int_equal(uv_tcp_getsockname(&server.tcp, (struct sockaddr *)&address, &len), 0);
	server.port = ntohs(address.sin_port);
	client = http_client_new(&loop);
	if (is_curl_only)
		http_client_use_curl(client);
	return 0;
}

void on_client_closed(void *ctx)
{
	*(bool *)ctx = true;
}

int teardown(void **state)
{
	bool is_closed = false;

	(void)state;
	uv_sem_post(&dns_gate);
	if (client != NULL)
		http_client_close(client, on_client_closed, &is_closed);
	else
		is_closed = true;
	for (size_t i = 0; i < server.connections; i++)
		close_peer((uv_stream_t *)&server.peers[i]);
	close_peer((uv_stream_t *)&server.tcp);
	/* A stop that on_done asked for outside of a run is still to be spent. */
	while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
		;
	assert_true(is_closed);
	assert_int_equal(uv_loop_close(&loop), 0);
	str_done(&server.request);
	return 0;
}

/* ---- One request and what became of it ---- */

void on_done(void *ctx, const struct http_response *r)
{
	struct seen *seen = ctx;
	const char *header = json_string_value(json_object_get(r->headers, "x-test"));
	char *redirects;

	uv_stop(&loop);
	seen->calls++;
	seen->r = *r;
	(void)snprintf(seen->body, sizeof(seen->body), "%s", r->body);
	(void)snprintf(seen->header, sizeof(seen->header), "%s", header == NULL ? "" : header);
	(void)snprintf(seen->url, sizeof(seen->url), "%s", r->url);
	(void)snprintf(seen->version, sizeof(seen->version), "%s", r->version);
	(void)snprintf(seen->tls_version, sizeof(seen->tls_version), "%s", r->tls_version);
	(void)snprintf(seen->cert_subject, sizeof(seen->cert_subject), "%s", r->cert_subject);
	redirects = json_dumps(r->redirects, JSON_COMPACT | JSON_SORT_KEYS);
	(void)snprintf(seen->redirects, sizeof(seen->redirects), "%s",
		       redirects == NULL ? "" : redirects);
	free(redirects);
}

void run_until_done(struct seen *seen)
{
	/* on_done stops it: a turn that began with on_done would wait for the next event. */
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(seen->calls, 1);
}

const char *url_to(const char *path)
{
	static char url[128];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", server.port, path);
	return url;
}

struct seen fetch(struct http_request rq)
{
	struct seen seen = {0};

	if (rq.url == NULL)
		rq.url = url_to("/");
	if (rq.timeout_ms == 0)
		rq.timeout_ms = LONG_MS;
	(void)http_start(client, &rq, on_done, &seen);
	assert_int_equal(seen.calls, 0);
	run_until_done(&seen);
	return seen;
}

void assert_reason(const struct seen *seen, enum reason want)
{
	if (seen->r.reason != want)
		fail_msg("%s (%s), not %s", reason_code(seen->r.reason), seen->r.error,
			 reason_code(want));
}
