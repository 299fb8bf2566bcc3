/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a ping from a socket to the checker's command, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define TOKEN "token-of-the-backup-01"

static const char conf[] = "{\"listen\":[{\"address\":\"127.0.0.1:0\"}]}";
static const char snapshot[] = "{\"status\":\"healthy\",\"score\":100.0,\"node\":\"n1\",\"epoch\":"
			       "\"e\",\"head\":5,\"components\":[],\"processes\":[{\"name\":"
			       "\"check.heartbeat\",\"state\":\"ready\"},{\"name\":\"check.http\","
			       "\"state\":\"ready\"}]}";

static int open_it(void **state)
{
	*state = harness_new(conf, NULL);
	harness_snapshot(*state, snapshot);
	return 0;
}

static int close_it(void **state)
{
	harness_free(*state);
	return 0;
}

static struct answer ping_it(struct harness *h, const char *head, const char *body)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int fd = client_open(h);
	struct answer a;

	str_addf(&text, "%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s", head,
		 strlen(body), body);
	client_text(fd, str_text(&text));
	a = client_answer(h, fd);
	close(fd);
	return a;
}

static const char *param(const struct harness *h, const char *name)
{
	return json_string_value(json_object_get(h->haled.params, name));
}

static void expect(struct harness *h, const char *head, int status, const char *body)
{
	struct answer a = ping_it(h, head, "");

	if (a.status != status || !strstr(str_text(&a.body), body))
		fail_msg("%s: %d %s", head, a.status, str_text(&a.body));
	answer_done(&a);
}

static void a_ping_is_handed_over_with_all_it_says(void **state)
{
	struct harness *h = *state;
	struct answer a = ping_it(h, "POST /ping/" TOKEN "/3?rid=run-1", "one\ntwo\n");

	assert_int_equal(a.status, 200);
	assert_string_equal(str_text(&a.body), "OK");
	answer_done(&a);
	assert_string_equal(h->haled.method, "heartbeat.ping");
	assert_string_equal(param(h, "token"), TOKEN);
	assert_string_equal(param(h, "signal"), "3");
	assert_string_equal(param(h, "rid"), "run-1");
	assert_string_equal(param(h, "log"), "one\ntwo\n");
	assert_string_equal(param(h, "source"), "127.0.0.1");
	assert_int_equal(strlen(param(h, "key")), 36);
	expect(h, "GET /ping/" TOKEN, 200, "OK");
	assert_string_equal(param(h, "signal"), "");
	assert_null(param(h, "log"));
}

static void what_the_checker_says_becomes_a_status(void **state)
{
	struct harness *h = *state;

	h->haled.code = COMMAND_E_NOT_FOUND;
	expect(h, "GET /ping/" TOKEN, 404, "no heartbeat has this token");
	h->haled.code = COMMAND_E_PARAMS;
	expect(h, "GET /ping/" TOKEN "/begin", 404, "exit code");
}

static void without_a_checker_no_token_is_known(void **state)
{
	struct harness *h = *state;

	harness_snapshot(h,
			 "{\"status\":\"healthy\",\"score\":100.0,\"node\":\"n1\",\"epoch\":\"e\","
			 "\"head\":5,\"components\":[],\"processes\":[{\"name\":"
			 "\"check.heartbeats\",\"state\":\"ready\"}]}");
	expect(h, "GET /ping/" TOKEN, 404, "no heartbeat");
	assert_null(h->haled.method);
}

static void a_checker_that_comes_back_is_asked_again_with_the_same_key(void **state)
{
	struct harness *h = *state;
	int fd = client_open(h);
	struct answer a;
	char key[64];

	h->haled.code = COMMAND_E_NO_PEER;
	client_text(fd, "GET /ping/" TOKEN " HTTP/1.1\r\nHost: a\r\n\r\n");
	while (!h->haled.method)
		uv_run(&h->loop, UV_RUN_ONCE);
	(void)snprintf(key, sizeof(key), "%s", param(h, "key"));
	h->haled.code = 0;
	a = client_answer(h, fd);
	assert_int_equal(a.status, 200);
	assert_string_equal(param(h, "key"), key);
	answer_done(&a);
	close(fd);
}

static void a_stop_does_not_wait_for_a_checker_that_is_away(void **state)
{
	struct harness *h = *state;
	int fd = client_open(h);

	h->haled.code = COMMAND_E_TIMEOUT;
	client_text(fd, "GET /ping/" TOKEN " HTTP/1.1\r\nHost: a\r\n\r\n");
	while (!h->haled.method)
		uv_run(&h->loop, UV_RUN_ONCE);
	harness_stop(h);
	close(fd);
}

static void who_pings_too_often_is_told_when_to_come_again(void **state)
{
	struct harness *h = *state;
	int limited = 0;

	for (int i = 0; i < 40; i++) {
		struct answer a = ping_it(h, "GET /ping/" TOKEN, "");

		if (a.status == 429) {
			limited++;
			assert_non_null(strstr(str_text(&a.head), "Retry-After: 1"));
		}
		answer_done(&a);
	}
	assert_true(limited > 0 && limited <= 10);
	/* Another's pings are let through. */
	expect(h, "GET /ping/another-token-00000001", 200, "OK");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_ping_is_handed_over_with_all_it_says, open_it,
						close_it),
		cmocka_unit_test_setup_teardown(what_the_checker_says_becomes_a_status, open_it,
						close_it),
		cmocka_unit_test_setup_teardown(without_a_checker_no_token_is_known, open_it,
						close_it),
		cmocka_unit_test_setup_teardown(
			a_checker_that_comes_back_is_asked_again_with_the_same_key, open_it,
			close_it),
		cmocka_unit_test_setup_teardown(a_stop_does_not_wait_for_a_checker_that_is_away,
						open_it, close_it),
		cmocka_unit_test_setup_teardown(who_pings_too_often_is_told_when_to_come_again,
						open_it, close_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
