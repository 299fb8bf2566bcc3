/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "listener.h"
#include "../store/put_lines.h"
#include "stream.h"

static const char public_conf[] =
	"{\"listen\":[{\"address\":\"127.0.0.1:0\",\"public_details\":true}],"
	"\"tokens\":[{\"name\":\"wall\",\"token\":\"view\",\"role\":\"viewer\"},"
	"{\"name\":\"ops\",\"token\":\"operate\",\"role\":\"operator\"}]}";
static const char closed_conf[] =
	"{\"listen\":[{\"address\":\"127.0.0.1:0\"}],"
	"\"tokens\":[{\"name\":\"wall\",\"token\":\"view\",\"role\":\"viewer\"}]}";

static const char healthy[] =
	"{\"status\":\"healthy\",\"score\":100.0,\"node\":\"n1\",\"epoch\":\"e\",\"head\":5,"
	"\"components\":[{\"id\":\"api\",\"label\":\"API\",\"status\":\"healthy\"},"
	"{\"id\":\"db\",\"status\":\"degraded\"}],"
	"\"processes\":[{\"name\":\"check.http\",\"state\":\"ready\"}]}";

static int open_public(void **state)
{
	*state = harness_new(public_conf, NULL);
	harness_snapshot(*state, healthy);
	return 0;
}

static int open_closed(void **state)
{
	*state = harness_new(closed_conf, NULL);
	harness_snapshot(*state, healthy);
	return 0;
}

static int open_bare(void **state)
{
	*state = harness_new(public_conf, NULL);
	return 0;
}

static int close_it(void **state)
{
	harness_free(*state);
	return 0;
}

static void has(const struct str *text, const char *part)
{
	if (!strstr(str_text(text), part))
		fail_msg("no '%s' in: %s", part, str_text(text));
}

static void lacks(const struct str *text, const char *part)
{
	if (strstr(str_text(text), part))
		fail_msg("'%s' is in: %s", part, str_text(text));
}

/* The status alone, where the rest does not matter. */
static int status_of(struct harness *h, const char *path, const char *extra)
{
	struct answer a = get(h, path, extra);
	int status = a.status;
	answer_done(&a);
	return status;
}

/* ---- health ---- */

static void health_is_200_with_components_where_details_are_public(void **state)
{
	struct answer a = get(*state, "/health", NULL);
	assert_int_equal(a.status, 200);
	has(&a.head, "Content-Type: application/json");
	has(&a.body, "\"status\":\"healthy\"");
	has(&a.body, "\"timestamp\":\"2");
	has(&a.body, "\"score\":100.0");
	has(&a.body, "\"id\":\"api\"");
	answer_done(&a);
}

static void health_says_only_the_status_elsewhere(void **state)
{
	struct answer a = get(*state, "/health", NULL);
	assert_int_equal(a.status, 200);
	has(&a.body, "\"status\":\"healthy\"");
	lacks(&a.body, "components");
	lacks(&a.body, "score");
	answer_done(&a);
}

static void health_follows_a_change_at_once(void **state)
{
	struct harness *h = *state;
	assert_int_equal(status_of(h, "/health", NULL), 200);
	harness_line(h, "health", 6,
		     "{\"transition\":true,\"previous\":\"healthy\",\"state\":{\"id\":\"api\","
		     "\"status\":\"down\"},"
		     "\"overall\":{\"status\":\"critical\",\"score\":0.0,\"transition\":true}}");
	struct answer a = get(h, "/health", NULL);
	assert_int_equal(a.status, 503);
	has(&a.body, "\"status\":\"critical\"");
	has(&a.body, "\"status\":\"down\"");
	answer_done(&a);
}

static void a_silent_haled_is_not_healthy(void **state)
{
	struct harness *h = *state;
	live_set_stale(h->live, true, 1);
	assert_int_equal(status_of(h, "/health", NULL), 503);
	assert_int_equal(status_of(h, "/health/api", NULL), 503);
	assert_int_equal(status_of(h, "/readyz", NULL), 503);
	assert_int_equal(status_of(h, "/livez", NULL), 200);
}

static void without_a_snapshot_it_lives_but_is_not_ready(void **state)
{
	assert_int_equal(status_of(*state, "/livez", NULL), 200);
	assert_int_equal(status_of(*state, "/readyz", NULL), 503);
	assert_int_equal(status_of(*state, "/health", NULL), 503);
	assert_int_equal(status_of(*state, "/api/v1/components", NULL), 503);
	assert_int_equal(status_of(*state, "/metrics", NULL), 200);
}

static void one_component_is_200_503_or_404(void **state)
{
	assert_int_equal(status_of(*state, "/health/api", NULL), 200);
	assert_int_equal(status_of(*state, "/health/db", NULL), 503);
	struct answer a = get(*state, "/health/nobody", NULL);
	assert_int_equal(a.status, 404);
	assert_string_equal(str_text(&a.body), "{\"error\":\"Component not found\"}");
	answer_done(&a);
}

static void degraded_is_200_where_it_is_configured(void **state)
{
	(void)state;
	struct harness *h = harness_new("{\"listen\":[{\"address\":\"127.0.0.1:0\"}],"
					"\"degraded_status\":\"200\"}",
					NULL);
	harness_snapshot(h, "{\"status\":\"degraded\",\"components\":[],\"processes\":[]}");
	assert_int_equal(status_of(h, "/health", NULL), 200);
	harness_snapshot(h, "{\"status\":\"critical\",\"components\":[],\"processes\":[]}");
	assert_int_equal(status_of(h, "/health", NULL), 503);
	harness_snapshot(h, "{\"status\":\"unknown\",\"components\":[],\"processes\":[]}");
	assert_int_equal(status_of(h, "/health", NULL), 503);
	harness_free(h);
}

static void head_has_the_headers_and_no_body(void **state)
{
	struct harness *h = *state;
	int fd = client_open(h);
	struct str in = {0};
	client_text(fd, "HEAD /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
	client_read_end(h, fd, &in);
	has(&in, "HTTP/1.1 200");
	has(&in, "Content-Length: ");
	assert_string_equal(strstr(in.data, "\r\n\r\n"), "\r\n\r\n");
	str_done(&in);
	close(fd);
}

static void metrics_are_prometheus_text(void **state)
{
	struct answer a = get(*state, "/metrics", NULL);
	assert_int_equal(a.status, 200);
	has(&a.head, "Content-Type: text/plain; version=0.0.4");
	has(&a.body, "hale_health_status{component=\"db\"} 0.5\n");
	answer_done(&a);
}

/* ---- who may what ---- */

static void reads_need_no_token_on_a_public_loopback_listener(void **state)
{
	assert_int_equal(status_of(*state, "/api/v1/components", NULL), 200);
	assert_int_equal(status_of(*state, "/api/v1/components/db", NULL), 200);
	assert_int_equal(status_of(*state, "/api/v1/processes/check.http", NULL), 200);
	assert_int_equal(status_of(*state, "/api/v1/components/nobody", NULL), 404);
}

static void a_foreign_host_name_is_not_local(void **state)
{
	struct answer a =
		ask(*state, "GET /api/v1/components HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	assert_int_equal(a.status, 401);
	has(&a.head, "WWW-Authenticate: Bearer");
	answer_done(&a);
}

static void elsewhere_reads_need_a_token(void **state)
{
	assert_int_equal(status_of(*state, "/api/v1/components", NULL), 401);
	assert_int_equal(status_of(*state, "/health/api", NULL), 401);
	assert_int_equal(status_of(*state, "/api/v1/components", "Authorization: Bearer view\r\n"),
			 200);
	assert_int_equal(status_of(*state, "/health/api", "Authorization: Bearer view\r\n"), 200);
	assert_int_equal(status_of(*state, "/api/v1/components", "Authorization: Bearer vieW\r\n"),
			 401);
}

static void a_wrong_token_is_worse_than_none(void **state)
{
	struct answer a = get(*state, "/api/v1/components", "Authorization: Bearer no\r\n");
	assert_int_equal(a.status, 401);
	has(&a.head, "error=\"invalid_token\"");
	answer_done(&a);
}

static struct answer post_restart(struct harness *h, const char *extra)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	str_addf(&text,
		 "POST /api/v1/processes/check.http/restart HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		 "Content-Length: 0\r\n%s\r\n",
		 extra);
	return ask(h, str_text(&text));
}

static void changes_need_an_operator(void **state)
{
	struct harness *h = *state;
	struct answer none = post_restart(h, "");
	assert_int_equal(none.status, 401);
	answer_done(&none);
	struct answer viewer = post_restart(h, "Authorization: Bearer view\r\n");
	assert_int_equal(viewer.status, 403);
	answer_done(&viewer);
	assert_null(h->haled.method);
	struct answer operator= post_restart(h, "Authorization: Bearer operate\r\n");
	assert_int_equal(operator.status, 200);
	has(&operator.body, "\"success\":true");
	answer_done(&operator);
	assert_string_equal(h->haled.method, "process.restart");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(h->haled.params, "names"), 0)),
		"check.http");
}

static void an_answer_may_come_later_while_others_are_served(void **state)
{
	struct harness *h = *state;
	h->haled.is_silent = true;
	int fd = client_open(h);
	client_text(fd, "POST /api/v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			"Authorization: Bearer operate\r\nContent-Length: 2\r\n\r\n{}");
	assert_int_equal(status_of(h, "/livez", NULL), 200);
	while (!h->haled.method)
		uv_run(&h->loop, UV_RUN_ONCE);
	assert_string_equal(h->haled.method, "reload");
	assert_int_equal(status_of(h, "/livez", NULL), 200);
	harness_haled_answers(h);
	struct answer a = client_answer(h, fd);
	assert_int_equal(a.status, 200);
	answer_done(&a);
	close(fd);
}

static void a_client_that_leaves_before_its_answer_harms_nobody(void **state)
{
	struct harness *h = *state;
	h->haled.is_silent = true;
	int fd = client_open(h);
	client_text(fd, "POST /api/v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			"Authorization: Bearer operate\r\nContent-Length: 0\r\n\r\n");
	while (!h->haled.method)
		uv_run(&h->loop, UV_RUN_ONCE);
	close(fd);
	assert_int_equal(status_of(h, "/livez", NULL), 200);
	harness_haled_answers(h);
	assert_int_equal(status_of(h, "/livez", NULL), 200);
}

static void haleds_errors_have_their_http_status(void **state)
{
	struct harness *h = *state;
	static const struct {
		int code, status;
	} rows[] = {
		{COMMAND_E_NOT_FOUND, 404}, {COMMAND_E_REFUSED, 409},
		{COMMAND_E_FAILED, 409},    {COMMAND_E_BUSY, 429},
		{COMMAND_E_TIMEOUT, 503},   {COMMAND_E_NO_PEER, 503},
		{COMMAND_E_PARAMS, 400},    {-32603, 503},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		h->haled.code = rows[i].code;
		struct answer a = post_restart(h, "Authorization: Bearer operate\r\n");
		assert_int_equal(a.status, rows[i].status);
		has(&a.body, "\"error\":\"haled says no\"");
		has(&a.body, "\"errorCode\":");
		answer_done(&a);
	}
}

static void a_process_that_is_not_there_is_404_without_asking_haled(void **state)
{
	struct harness *h = *state;
	struct answer a =
		ask(h, "POST /api/v1/processes/check.other/stop HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		       "Authorization: Bearer operate\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(a.status, 404);
	assert_null(h->haled.method);
	answer_done(&a);
}

/* ---- requests that are none ---- */

static void unknown_paths_and_methods_are_told(void **state)
{
	struct answer a = get(*state, "/nope", NULL);
	assert_int_equal(a.status, 404);
	has(&a.body, "\"success\":false");
	answer_done(&a);
	a = ask(*state, "DELETE /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
	assert_int_equal(a.status, 405);
	has(&a.head, "Allow: GET, HEAD\r\n");
	answer_done(&a);
}

/* 400, and the connection ends there: nothing that follows is read as a request. */
static void refused_and_closed(struct harness *h, const char *request)
{
	int fd = client_open(h);
	struct str in = {0};
	client_text(fd, request);
	client_read_end(h, fd, &in);
	has(&in, "HTTP/1.1 400");
	assert_null(strstr(in.data + 1, "HTTP/1.1 200"));
	str_done(&in);
	close(fd);
}

static void doubtful_framing_is_refused(void **state)
{
	refused_and_closed(*state,
			   "POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
			   "Content-Length: 5\r\n\r\nhelloGET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
	refused_and_closed(*state,
			   "POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\n"
			   "Host: a\r\n\r\n");
	refused_and_closed(*state, "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
	refused_and_closed(*state,
			   "POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n");
}

static void a_missing_host_is_refused(void **state)
{
	refused_and_closed(*state, "GET /livez HTTP/1.1\r\n\r\n");
}

static void headers_beyond_the_limit_are_431(void **state)
{
	struct harness *h = *state;
	int fd = client_open(h);
	struct str text = {0}, in = {0};
	str_add(&text, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: ");
	for (size_t i = 0; i < LISTENER_HEADER_MAX; i++)
		str_addc(&text, 'x');
	str_add(&text, "\r\n\r\n");
	client_text(fd, text.data);
	client_read_until(h, fd, &in, "\r\n\r\n");
	has(&in, "HTTP/1.1 431");
	str_done(&in);
	str_done(&text);
	close(fd);
}

static void a_body_beyond_the_limit_is_413(void **state)
{
	struct harness *h = *state;
	int fd = client_open(h);
	struct str in = {0};
	client_text(fd,
		    "POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
	client_read_until(h, fd, &in, "\r\n\r\n");
	has(&in, "HTTP/1.1 413");
	str_done(&in);
	close(fd);
}

static void garbage_and_half_requests_do_not_stop_the_others(void **state)
{
	struct harness *h = *state;
	int garbage = client_open(h), half = client_open(h), hasty = client_open(h);
	static const unsigned char bytes[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0xff, 0x00};
	client_send(garbage, bytes, sizeof(bytes));
	client_text(half, "GET /health HTTP/1.1\r\nHo");
	client_text(hasty, "GET /health HTTP/1.1\r\n");
	close(hasty);
	assert_int_equal(status_of(h, "/livez", NULL), 200);
	client_text(half, "st: a\r\n\r\n");
	struct answer a = client_answer(h, half);
	assert_int_equal(a.status, 200);
	answer_done(&a);
	close(garbage);
	close(half);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct harness *h = *state;
	int fd = client_open(h);
	struct str in = {0};
	client_text(fd,
		    "GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /nope HTTP/1.1\r\nHost: a\r\n\r\n"
		    "GET /health/nobody HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	client_read_end(h, fd, &in);
	const char *first = strstr(in.data, "\"status\":\"ok\"");
	const char *second = strstr(in.data, "no such path");
	const char *third = strstr(in.data, "Component not found");
	assert_true(first && second && third && first < second && second < third);
	str_done(&in);
	close(fd);
}

/* ---- the page ---- */

static void the_page_comes_with_its_policy_and_an_etag(void **state)
{
	struct answer a = get(*state, "/", NULL);
	assert_int_equal(a.status, 200);
	has(&a.head, "Content-Security-Policy: default-src 'none'; script-src 'self'");
	has(&a.head, "text/html");
	lacks(&a.body, "<script>");
	lacks(&a.body, "http://");
	const char *etag = strstr(a.head.data, "ETag: ");
	assert_non_null(etag);
	char extra[128];
	snprintf(extra, sizeof(extra), "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r"),
		 etag + 6);
	assert_int_equal(status_of(*state, "/", extra), 304);
	answer_done(&a);
}

static void only_the_named_files_are_served(void **state)
{
	assert_int_equal(status_of(*state, "/ui/hale.js", NULL), 200);
	assert_int_equal(status_of(*state, "/ui/hale.css", NULL), 200);
	assert_int_equal(status_of(*state, "/ui/..%2f..%2fCMakeLists.txt", NULL), 404);
	assert_int_equal(status_of(*state, "/ui/../web.c", NULL), 404);
	assert_int_equal(status_of(*state, "/ui/..", NULL), 404);
}

/* ---- history ---- */

static void bad_history_queries_are_400_and_say_why(void **state)
{
	static const char *const rows[] = {"hours=abc",
					   "hours=-1",
					   "limit=0",
					   "hour=1",
					   "hours=1&hours=2",
					   "component=A%20B",
					   "what=all",
					   "timeRange=x",
					   "from=2026-01-02&to=2026-01-01",
					   "hours=1&timeRange=1h"};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char path[128];
		snprintf(path, sizeof(path), "/api/v1/health/history?%s", rows[i]);
		struct answer a = get(*state, path, NULL);
		if (a.status != 400)
			fail_msg("%s: %d", rows[i], a.status);
		has(&a.body, "\"errorCode\":\"BAD_REQUEST\"");
		answer_done(&a);
	}
}

static void history_without_a_store_is_503(void **state)
{
	struct answer a = get(*state, "/api/v1/health/history", NULL);
	assert_int_equal(a.status, 503);
	has(&a.body, "no store is configured");
	answer_done(&a);
}

static void history_is_read_from_the_store_in_threads(void **state)
{
	(void)state;
	char dir[] = "/tmp/hale-web-XXXXXX";
	assert_non_null(mkdtemp(dir));
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/history.db", dir);
	struct harness *h = harness_new(public_conf, path);
	struct answer a = get(h, "/api/v1/health/history", NULL);
	assert_int_equal(a.status, 503);
	has(&a.body, "STORE_UNAVAILABLE");
	answer_done(&a);

	char at[CLOCK_TEXT_MAX];
	HALE_CLEANUP(cleanup_free)
	char *text = mem_printf(
		"{\"at\":\"%s\",\"node\":\"n1\",\"component\":\"api\",\"transition\":true,"
		"\"previous\":\"unknown\",\"state\":{\"id\":\"api\",\"status\":\"healthy\","
		"\"reason\":\"ok\",\"message\":\"OK\",\"outcome\":\"pass\",\"took_ms\":1.5}}",
		clock_now_text(at));
	const struct store_line line = {"health", "e", 1, text, strlen(text)};
	struct err err = {0};
	if (put_lines(&h->store, &line, 1, &err) != 0)
		fail_msg("%s", err.text);

	a = get(h, "/api/v1/health/history?what=transitions&component=api&hours=1", NULL);
	assert_int_equal(a.status, 200);
	has(&a.body, "\"api\"");
	has(&a.body, "\"truncated\":false");
	has(&a.body, "\"at\":\"2");
	answer_done(&a);
	a = get(h, "/api/v1/health/history?what=transitions&component=other", NULL);
	assert_int_equal(a.status, 404);
	has(&a.body, "no component 'other'");
	answer_done(&a);
	a = get(h, "/api/v1/health/history?to=2026-01-02", NULL);
	has(&a.head, "Cache-Control: private, max-age=300\r\n");
	answer_done(&a);
	a = get(h, "/api/v1/health/uptime?timeRange=24h&sla=99.9", NULL);
	assert_int_equal(a.status, 200);
	has(&a.body, "\"component\":\"api\"");
	has(&a.body, "\"target_percent\":99.9");
	has(&a.head, "Cache-Control: private, max-age=5\r\n");
	answer_done(&a);
	assert_int_equal(status_of(h, "/api/v1/health/uptime?component=other", NULL), 404);
	a = get(h, "/api/v1/health/statistics", NULL);
	assert_int_equal(a.status, 200);
	has(&a.body, "\"total_components\":0");
	has(&a.body, "\"uptime_percentage_24h\":");
	answer_done(&a);
	harness_free(h);
	static const char *const leftovers[] = {"history.db", "history.db-wal", "history.db-shm"};
	for (size_t i = 0; i < ARRAY_LEN(leftovers); i++) {
		HALE_CLEANUP(cleanup_free) char *file = mem_printf("%s/%s", dir, leftovers[i]);
		unlink(file);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* ---- listening ---- */

static void a_taken_address_is_told_and_taken_when_it_is_free(void **state)
{
	struct harness *first = *state;
	char conf[128];
	snprintf(conf, sizeof(conf), "{\"listen\":[{\"address\":\"127.0.0.1:%u\"}]}",
		 (unsigned)harness_port(first));
	struct harness *second = harness_new(conf, NULL);
	struct str text = {0};
	web_describe(second->web, &text);
	has(&text, "in use");
	has(&text, "trying again");
	harness_stop(first);
	int64_t until = clock_mono_ms() + 15000;
	while (listener_problem(second->web->listeners[0])) {
		assert_true(clock_mono_ms() < until);
		uv_run(&second->loop, UV_RUN_ONCE);
	}
	assert_int_equal(status_of(second, "/livez", NULL), 200);
	str_done(&text);
	harness_free(second);
}

#define PUBLIC(f) cmocka_unit_test_setup_teardown(f, open_public, close_it)
#define CLOSED(f) cmocka_unit_test_setup_teardown(f, open_closed, close_it)
#define BARE(f)   cmocka_unit_test_setup_teardown(f, open_bare, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUBLIC(health_is_200_with_components_where_details_are_public),
		CLOSED(health_says_only_the_status_elsewhere),
		PUBLIC(health_follows_a_change_at_once),
		PUBLIC(a_silent_haled_is_not_healthy),
		BARE(without_a_snapshot_it_lives_but_is_not_ready),
		PUBLIC(one_component_is_200_503_or_404),
		cmocka_unit_test(degraded_is_200_where_it_is_configured),
		PUBLIC(head_has_the_headers_and_no_body),
		PUBLIC(metrics_are_prometheus_text),
		PUBLIC(reads_need_no_token_on_a_public_loopback_listener),
		PUBLIC(a_foreign_host_name_is_not_local),
		CLOSED(elsewhere_reads_need_a_token),
		PUBLIC(a_wrong_token_is_worse_than_none),
		PUBLIC(changes_need_an_operator),
		PUBLIC(an_answer_may_come_later_while_others_are_served),
		PUBLIC(a_client_that_leaves_before_its_answer_harms_nobody),
		PUBLIC(haleds_errors_have_their_http_status),
		PUBLIC(a_process_that_is_not_there_is_404_without_asking_haled),
		PUBLIC(unknown_paths_and_methods_are_told),
		PUBLIC(doubtful_framing_is_refused),
		PUBLIC(a_missing_host_is_refused),
		PUBLIC(headers_beyond_the_limit_are_431),
		PUBLIC(a_body_beyond_the_limit_is_413),
		PUBLIC(garbage_and_half_requests_do_not_stop_the_others),
		PUBLIC(pipelined_requests_are_answered_in_order),
		PUBLIC(the_page_comes_with_its_policy_and_an_etag),
		PUBLIC(only_the_named_files_are_served),
		PUBLIC(bad_history_queries_are_400_and_say_why),
		PUBLIC(history_without_a_store_is_503),
		cmocka_unit_test(history_is_read_from_the_store_in_threads),
		PUBLIC(a_taken_address_is_told_and_taken_when_it_is_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
