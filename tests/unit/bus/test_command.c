/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/command.h"

#define HELD_MAX 300

struct fixture {
	struct harness h;
	struct command_server *server;
	struct command_client *client;
	struct command_request *held[HELD_MAX]; /* by "hold", until the test answers */
	int64_t held_n[HELD_MAX];
	size_t n_held;
	/* What the callers heard. */
	size_t answers, failures;
	int64_t last_result;
	int last_code;
	char last_message[256];
	char last_data[256];
	size_t wanted;
	int foreign; /* a bare socket */
};

static void method_echo(void *ctx, struct command_request *rq, const json_t *params)
{
	(void)ctx;
	command_reply(rq, json_integer(json_integer_value(json_object_get(params, "n"))));
}

static void method_hold(void *ctx, struct command_request *rq, const json_t *params)
{
	struct fixture *f = ctx;

	assert_true(f->n_held < HELD_MAX);
	f->held_n[f->n_held] = json_integer_value(json_object_get(params, "n"));
	f->held[f->n_held++] = rq;
}

static void method_fail(void *ctx, struct command_request *rq, const json_t *params)
{
	(void)ctx;
	command_fail(rq, COMMAND_E_NOT_FOUND, json_pack("{s:b}", "has_params", params != NULL),
		     "no component \"%s\"", "x");
}

static void method_huge(void *ctx, struct command_request *rq, const json_t *params)
{
	char *text = malloc(COMMAND_MAX_BYTES);

	(void)ctx;
	(void)params;
	assert_non_null(text);
	memset(text, 'x', COMMAND_MAX_BYTES);
	command_reply(rq, json_stringn(text, COMMAND_MAX_BYTES));
	free(text);
}

static const struct command_method methods[] = {
	{"test.echo", method_echo, "echoes n"},
	{"test.hold", method_hold, "answers when the test wants it"},
	{"test.fail", method_fail, "fails"},
	{"test.huge", method_huge, "tries to answer too much"},
	{0},
};

static int setup(void **state)
{
	static struct fixture f;

	(void)signal(SIGPIPE, SIG_IGN);
	memset(&f, 0, sizeof(f));
	harness_open(&f.h);
	*state = &f;
	return 0;
}

static void stop_server(struct fixture *f)
{
	f->h.closing++;
	command_close(f->server, harness_closed, &f->h);
	f->server = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->client != NULL) {
		f->h.closing++;
		call_close(f->client, harness_closed, &f->h);
	}
	if (f->server != NULL)
		stop_server(f);
	harness_close(&f->h);
	return 0;
}

static void serve(struct fixture *f)
{
	assert_int_equal(command_listen(&f->h.loop, f->h.path, NULL, methods, f, &f->server, NULL),
			 0);
}

static void open_client(struct fixture *f)
{
	assert_int_equal(call_open(&f->h.loop, f->h.path, &f->client, NULL), 0);
}

static void on_result(void *ctx, const json_t *result, int code, const char *message,
		      const json_t *data)
{
	struct fixture *f = ctx;
	char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_int_equal(result == NULL, code != 0);
	if (code == 0)
		f->answers++;
	else
		f->failures++;
	f->last_result = json_integer_value(result);
	f->last_code = code;
	(void)snprintf(f->last_message, sizeof(f->last_message), "%s", code == 0 ? "" : message);
	(void)snprintf(f->last_data, sizeof(f->last_data), "%s", text == NULL ? "" : text);
	free(text);
}

static void call(struct fixture *f, const char *method, int n, uint32_t timeout_ms)
{
	command_call(f->client, method, json_pack("{s:i}", "n", n), timeout_ms, on_result, f);
}

static bool has_ended(void *ctx)
{
	struct fixture *f = ctx;

	return f->answers + f->failures >= f->wanted;
}

static void until_ended(struct fixture *f, size_t n)
{
	f->wanted = n;
	harness_until(&f->h, has_ended, f);
	assert_int_equal(f->answers + f->failures, n);
}

static bool is_held(void *ctx)
{
	struct fixture *f = ctx;

	return f->n_held >= f->wanted;
}

static void until_held(struct fixture *f, size_t n)
{
	f->wanted = n;
	harness_until(&f->h, is_held, f);
}

static void on_own_result(void *ctx, const json_t *result, int code, const char *message,
			  const json_t *data)
{
	int64_t *slot = ctx;

	(void)message;
	(void)data;
	assert_int_equal(code, 0);
	*slot = json_integer_value(result);
}

static bool is_last_filled(void *ctx)
{
	int64_t *results = ctx;

	for (int i = 0; i < 200; i++) {
		if (results[i] == 0)
			return false;
	}
	return true;
}

/* Answered in one go and backwards. */
static void two_hundred_calls_answered_out_of_order_find_their_callers(void **state)
{
	struct fixture *f = *state;
	static int64_t results[200];

	memset(results, 0, sizeof(results));
	serve(f);
	open_client(f);
	for (int i = 0; i < 200; i++)
		command_call(f->client, "test.hold", json_pack("{s:i}", "n", i + 1), 20000,
			     on_own_result, &results[i]);
	until_held(f, 200);
	for (size_t i = 200; i-- > 0;)
		command_reply(f->held[i], json_integer(f->held_n[i] * 10));
	harness_until(&f->h, is_last_filled, results);
	for (int i = 0; i < 200; i++)
		assert_int_equal(results[i], (i + 1) * 10);
}

static void more_open_requests_than_the_limit_are_answered_busy(void **state)
{
	struct fixture *f = *state;

	serve(f);
	open_client(f);
	for (int i = 0; i < COMMAND_OPEN_MAX; i++)
		call(f, "test.hold", i, 20000);
	until_held(f, COMMAND_OPEN_MAX);
	call(f, "test.echo", 1, 20000);
	until_ended(f, 1);
	assert_int_equal(f->last_code, COMMAND_E_BUSY);
	assert_int_equal(command_stats_get(f->server)->busy, 1);
	command_reply(f->held[0], json_integer(5));
	until_ended(f, 2);
	call(f, "test.echo", 7, 20000);
	until_ended(f, 3);
	assert_int_equal(f->last_result, 7);
	for (size_t i = 1; i < f->n_held; i++)
		command_reply(f->held[i], json_null());
	until_ended(f, COMMAND_OPEN_MAX + 2);
}

static void a_failure_carries_code_message_and_data(void **state)
{
	struct fixture *f = *state;

	serve(f);
	open_client(f);
	call(f, "test.fail", 1, 20000);
	until_ended(f, 1);
	assert_int_equal(f->last_code, COMMAND_E_NOT_FOUND);
	assert_string_equal(f->last_message, "no component \"x\"");
	assert_string_equal(f->last_data, "{\"has_params\":true}");
}

static void an_unknown_method_is_answered_with_the_nearest(void **state)
{
	struct fixture *f = *state;

	serve(f);
	open_client(f);
	call(f, "test.ehco", 1, 20000);
	until_ended(f, 1);
	assert_int_equal(f->last_code, COMMAND_E_METHOD);
	assert_string_equal(f->last_message,
			    "unknown method \"test.ehco\": did you mean \"test.echo\"?");
	assert_int_equal(command_stats_get(f->server)->unknown, 1);
}

static void an_answer_too_long_becomes_an_error(void **state)
{
	struct fixture *f = *state;

	serve(f);
	open_client(f);
	call(f, "test.huge", 1, 20000);
	until_ended(f, 1);
	assert_int_equal(f->last_code, COMMAND_E_FAILED);
	assert_string_equal(f->last_message, "the answer is longer than 16 MB");
}

static void a_call_not_answered_times_out(void **state)
{
	struct fixture *f = *state;

	serve(f);
	open_client(f);
	call(f, "test.echo", 1, 20000);
	until_ended(f, 1);
	call(f, "test.hold", 1, 30);
	until_ended(f, 2);
	assert_int_equal(f->last_code, COMMAND_E_TIMEOUT);
	until_held(f, 1);
	/* The late answer goes nowhere and disturbs nobody. */
	command_reply(f->held[0], json_integer(1));
	call(f, "test.echo", 3, 20000);
	until_ended(f, 3);
	assert_int_equal(f->last_result, 3);
}

static void a_call_with_nobody_there_ends_as_no_peer(void **state)
{
	struct fixture *f = *state;

	open_client(f);
	call(f, "test.echo", 1, 30);
	until_ended(f, 1);
	assert_int_equal(f->last_code, COMMAND_E_NO_PEER);
	assert_non_null(strstr(f->last_message, "nobody listens at /tmp/hale-bus-"));
}

static void a_call_made_early_waits_for_the_server(void **state)
{
	struct fixture *f = *state;

	open_client(f);
	call(f, "test.echo", 1, 20000);
	call(f, "test.echo", 2, 20000);
	serve(f);
	until_ended(f, 2);
	assert_int_equal(f->answers, 2);
	assert_int_equal(f->last_result, 2);
}

/* A call made before the client has noticed its loss ends as lost; one asks again. */
static bool calls_until_answered(void *ctx)
{
	struct fixture *f = ctx;

	if (f->answers > 0)
		return true;
	if (has_ended(f)) {
		f->wanted = f->answers + f->failures + 1;
		call(f, "test.echo", 9, 20000);
	}
	return false;
}

static void a_server_that_goes_answers_and_a_new_one_is_found(void **state)
{
	struct fixture *f = *state;

	serve(f);
	open_client(f);
	call(f, "test.hold", 1, 20000);
	until_held(f, 1);
	stop_server(f);
	until_ended(f, 1);
	assert_int_equal(f->last_code, COMMAND_E_REFUSED);
	assert_string_equal(f->last_message, "shutting down");
	harness_until_closed(&f->h);
	command_reply(f->held[0], json_integer(1)); /* nobody hears it */
	serve(f);
	harness_until(&f->h, calls_until_answered, f);
	assert_int_equal(f->last_result, 9);
}

static void closing_the_client_ends_its_calls(void **state)
{
	struct fixture *f = *state;

	serve(f);
	open_client(f);
	call(f, "test.hold", 1, 20000);
	call(f, "test.hold", 2, 20000);
	f->h.closing++;
	call_close(f->client, harness_closed, &f->h);
	f->client = NULL;
	assert_int_equal(f->failures, 2);
	assert_int_equal(f->last_code, COMMAND_E_NO_PEER);
}

static int bare_socket(const char *path, struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", path);
	return fd;
}

static bool has_request(void *ctx)
{
	struct fixture *f = ctx;
	char buf[256];

	return recv(f->foreign, buf, sizeof(buf), MSG_DONTWAIT) > 0;
}

static bool has_caller(void *ctx)
{
	struct fixture *f = ctx;
	int fd = accept4(f->foreign, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	(void)close(f->foreign);
	f->foreign = fd;
	return true;
}

/* A server that dies with a request in hand. */
static void a_server_that_dies_ends_the_call_at_once(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr;

	f->foreign = bare_socket(f->h.path, &addr);
	assert_int_equal(bind(f->foreign, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->foreign, 1), 0);
	open_client(f);
	/* Longer than the harness waits, so that it is not the timeout that ends it. */
	call(f, "test.echo", 1, 10 * HARNESS_DEADLINE_MS);
	harness_until(&f->h, has_caller, f);
	harness_until(&f->h, has_request, f);
	(void)close(f->foreign);
	until_ended(f, 1);
	(void)unlink(f->h.path);
	assert_int_equal(f->last_code, COMMAND_E_NO_PEER);
	assert_non_null(strstr(f->last_message, "it may have been done"));
}

struct foreign {
	struct fixture *f;
	int fd;
	char answer[1024];
};

static bool has_answer(void *ctx)
{
	struct foreign *x = ctx;
	ssize_t got = recv(x->fd, x->answer, sizeof(x->answer) - 1, MSG_DONTWAIT);

	if (got <= 0)
		return false;
	x->answer[got] = '\0';
	return true;
}

static void say(struct foreign *x, const char *text)
{
	assert_int_equal(send(x->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void connect_foreign(struct foreign *x)
{
	struct sockaddr_un addr;

	x->fd = bare_socket(x->f->h.path, &addr);
	assert_int_equal(connect(x->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static void assert_answered(struct foreign *x, const char *request, const char *expected)
{
	say(x, request);
	say(x, "\n");
	harness_until(&x->f->h, has_answer, x);
	if (strstr(x->answer, expected) == NULL)
		fail_msg("%s answered by %s", request, x->answer);
}

static void what_is_no_request_is_answered_as_json_rpc_says(void **state)
{
	struct foreign x = {.f = *state};

	serve(x.f);
	connect_foreign(&x);
	assert_answered(&x, "hello",
			"\"id\":null,\"error\":{\"code\":-32700,\"message\":\"not JSON: line 1");
	assert_answered(&x, "{\"a\":1,\"a\":2}", "-32700");
	assert_answered(&x, "[]", "-32600");
	assert_answered(&x, "17", "-32600");
	assert_answered(&x, "{\"id\":4,\"method\":\"test.echo\"}",
			"\"id\":4,\"error\":{\"code\":-32600");
	assert_answered(
		&x, "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"test.echo\",\"params\":[1]}",
		"\"id\":\"a\",\"error\":{\"code\":-32602");
	assert_answered(&x, "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"test.echo\"}",
			"{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"result\":0}");
	assert_int_equal(command_stats_get(x.f->server)->bad, 6);
	assert_int_equal(command_stats_get(x.f->server)->requests, 7);
	(void)close(x.fd);
}

static bool is_hung_up(void *ctx)
{
	struct foreign *x = ctx;

	return recv(x->fd, x->answer, sizeof(x->answer), MSG_DONTWAIT) == 0;
}

static void a_request_in_pieces_is_put_together_and_an_endless_one_is_cut(void **state)
{
	struct foreign x = {.f = *state};
	static char flood[1u << 20];
	size_t sent = 0;

	serve(x.f);
	connect_foreign(&x);
	say(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,");
	harness_turn(&x.f->h);
	assert_answered(&x, "\"method\":\"test.echo\"}", "\"result\":0");
	memset(flood, 'x', sizeof(flood));
	while (sent <= COMMAND_MAX_BYTES + sizeof(flood)) {
		ssize_t put = send(x.fd, flood, sizeof(flood), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put > 0)
			sent += (size_t)put;
		else if (errno != EAGAIN)
			break;
		harness_turn(&x.f->h);
	}
	harness_until(&x.f->h, is_hung_up, &x);
	(void)close(x.fd);
}

static void a_caller_that_leaves_with_a_request_open_harms_nobody(void **state)
{
	struct foreign x = {.f = *state};
	struct fixture *f = x.f;

	serve(f);
	connect_foreign(&x);
	say(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\"}\n");
	until_held(f, 1);
	(void)close(x.fd);
	open_client(f);
	call(f, "test.echo", 1, 20000);
	until_ended(f, 1);
	command_reply(f->held[0], json_integer(1));
	call(f, "test.echo", 2, 20000);
	until_ended(f, 2);
	assert_int_equal(f->last_result, 2);
}

/* Operators' commands come, ask and go, now and then without waiting. */
static void two_thousand_callers_that_come_and_go_leave_it_answering(void **state)
{
	struct foreign x = {.f = *state};

	serve(x.f);
	for (int i = 0; i < 2000; i++) {
		connect_foreign(&x);
		if (i % 3 == 1)
			say(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.echo\"}\n");
		else if (i % 3 == 2)
			say(&x, "{\"jsonrpc");
		if (i % 7 == 0)
			harness_turn(&x.f->h);
		(void)close(x.fd);
		if (i % 50 == 0)
			harness_turn(&x.f->h);
	}
	connect_foreign(&x);
	assert_answered(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.echo\"}",
			"\"result\":0");
	(void)close(x.fd);
}

/* ---- without a loop: the server needs a thread of its own ---- */

struct server_thread {
	uv_thread_t thread;
	uv_loop_t loop;
	uv_async_t stop;
	uv_sem_t is_ready;
	struct command_server *server;
	struct fixture *f;
};

static void on_stop(uv_async_t *stop)
{
	struct server_thread *t = stop->data;

	command_close(t->server, NULL, NULL);
	uv_close((uv_handle_t *)stop, NULL);
}

static void run_server(void *arg)
{
	struct server_thread *t = arg;

	uv_sem_post(&t->is_ready);
	(void)uv_run(&t->loop, UV_RUN_DEFAULT);
}

static void start_server_thread(struct server_thread *t, struct fixture *f)
{
	t->f = f;
	assert_int_equal(uv_loop_init(&t->loop), 0);
	assert_int_equal(uv_async_init(&t->loop, &t->stop, on_stop), 0);
	t->stop.data = t;
	assert_int_equal(uv_sem_init(&t->is_ready, 0), 0);
	assert_int_equal(command_listen(&t->loop, f->h.path, NULL, methods, f, &t->server, NULL),
			 0);
	assert_int_equal(uv_thread_create(&t->thread, run_server, t), 0);
	uv_sem_wait(&t->is_ready);
}

static void stop_server_thread(struct server_thread *t)
{
	assert_int_equal(uv_async_send(&t->stop), 0);
	assert_int_equal(uv_thread_join(&t->thread), 0);
	assert_int_equal(uv_loop_close(&t->loop), 0);
	uv_sem_destroy(&t->is_ready);
}

static void a_synchronous_call_gets_result_or_error(void **state)
{
	struct fixture *f = *state;
	struct server_thread t;
	struct err err = {.text = ""};
	json_t *result = NULL, *data = NULL;

	start_server_thread(&t, f);
	assert_int_equal(command_call_sync(f->h.path, "test.echo", json_pack("{s:i}", "n", 42),
					   20000, &result, NULL, &err),
			 0);
	assert_int_equal(json_integer_value(result), 42);
	json_decref(result);
	assert_int_equal(
		command_call_sync(f->h.path, "test.fail", NULL, 20000, &result, &data, &err),
		COMMAND_E_NOT_FOUND);
	assert_string_equal(err.text, "no component \"x\"");
	assert_true(json_is_false(json_object_get(data, "has_params")));
	json_decref(data);
	assert_int_equal(command_call_sync(f->h.path, "test.hold", NULL, 30, &result, NULL, &err),
			 COMMAND_E_TIMEOUT);
	assert_non_null(strstr(err.text, "no answer in time from "));
	stop_server_thread(&t);
	for (size_t i = 0; i < f->n_held; i++)
		command_reply(f->held[i], json_null());
}

static void assert_nobody(const char *path, const char *text)
{
	struct err err = {.text = ""};
	json_t *result = NULL;
	int64_t start_ms = clock_mono_ms();

	assert_int_equal(command_call_sync(path, "test.echo", NULL, 60000, &result, NULL, &err),
			 COMMAND_E_NO_PEER);
	if (strstr(err.text, text) == NULL)
		fail_msg("%s", err.text);
	assert_null(result);
	/* Told at once, not at the timeout. */
	assert_true(clock_mono_ms() - start_ms < 30000);
}

static void a_synchronous_call_with_nobody_there_fails_at_once(void **state)
{
	struct fixture *f = *state;
	char long_path[200], expected[160];

	(void)snprintf(expected, sizeof(expected), "no hale is running at %s", f->h.path);
	assert_nobody(f->h.path, expected);
	/* A socket file that a killed hale left behind. */
	serve(f);
	(void)snprintf(long_path, sizeof(long_path), "ln '%s' '%s/stale.ipc'", f->h.path, f->h.dir);
	assert_int_equal(system(long_path), 0);
	stop_server(f);
	harness_until_closed(&f->h);
	(void)snprintf(long_path, sizeof(long_path), "%s/stale.ipc", f->h.dir);
	(void)snprintf(expected, sizeof(expected), "no hale is running at %s", long_path);
	assert_nobody(long_path, expected);
	memset(long_path, 'x', sizeof(long_path));
	long_path[150] = '\0';
	assert_nobody(long_path, "choose a shorter run directory");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(two_hundred_calls_answered_out_of_order_find_their_callers),
		T(more_open_requests_than_the_limit_are_answered_busy),
		T(a_failure_carries_code_message_and_data),
		T(an_unknown_method_is_answered_with_the_nearest),
		T(an_answer_too_long_becomes_an_error),
		T(a_call_not_answered_times_out),
		T(a_call_with_nobody_there_ends_as_no_peer),
		T(a_call_made_early_waits_for_the_server),
		T(a_server_that_goes_answers_and_a_new_one_is_found),
		T(closing_the_client_ends_its_calls),
		T(a_server_that_dies_ends_the_call_at_once),
		T(what_is_no_request_is_answered_as_json_rpc_says),
		T(a_request_in_pieces_is_put_together_and_an_endless_one_is_cut),
		T(a_caller_that_leaves_with_a_request_open_harms_nobody),
		T(two_thousand_callers_that_come_and_go_leave_it_answering),
		T(a_synchronous_call_gets_result_or_error),
		T(a_synchronous_call_with_nobody_there_fails_at_once),
	};

	return cmocka_run_group_tests_name("bus.command", tests, NULL, harness_finish);
}
