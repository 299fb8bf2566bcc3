/* SPDX-License-Identifier: Apache-2.0 */
/* A whole service against a haled played here: starts itself again as the service (double). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/command.h"
#include "bus/finish.h"
#include "bus/pub.h"
#include "bus/sub.h"
#include "service/child_proto.h"
#include "service_double.h"

/* Under sanitizers and a loaded machine a start takes a while; nothing takes this long. */
#define GIVE_UP_MS 20000

struct world {
	char dir[64];
	uv_loop_t *loop;
	uv_timer_t give_up;
	uv_poll_t poll;
	int notify_fd;
	struct sub *results;
	struct pub *bus;
	pid_t pid;
	int output;       /* the child's stdout and stderr */
	struct str told;  /* what it notified, one a line */
	struct str lines; /* what it published, frame headers left out */
	uint64_t seq;     /* newest seen */
	size_t watchdogs;
	bool acks; /* answer with sync frames */
};

/* ---- haled's side ---- */

static void on_notify(uv_poll_t *poll, int status, int events)
{
	struct world *w = poll->data;
	char message[512];
	ssize_t len;

	(void)status;
	(void)events;
	while ((len = recv(w->notify_fd, message, sizeof(message), MSG_DONTWAIT)) >= 0) {
		if (len == 10 && memcmp(message, "WATCHDOG=1", 10) == 0) {
			w->watchdogs++;
		} else {
			str_addn(&w->told, message, (size_t)len);
			str_addc(&w->told, '\n');
		}
	}
}

static void acknowledge(struct world *w)
{
	if (w->acks)
		pub_sync(w->bus, json_pack("{s:{s:I}}", "acks", "double:3", (json_int_t)w->seq));
}

static void on_results(void *ctx, const struct frame *frame)
{
	struct world *w = ctx;
	uint64_t last = frame->first_seq + frame->count - 1;
	uint64_t seq = frame->first_seq;
	size_t cursor = 0;
	const char *line;
	size_t len;

	assert_string_equal(frame->epoch, "double:3");
	while (frame_line(frame, &cursor, &line, &len)) {
		if (seq++ <= w->seq)
			continue; /* a repeat */
		str_addn(&w->lines, line, len);
		str_addc(&w->lines, '\n');
	}
	w->seq = HALE_MAX(w->seq, last);
	acknowledge(w);
}

static void on_give_up(uv_timer_t *timer)
{
	struct world *w = timer->data;
	char output[4096] = "";
	ssize_t len = 0;

	if (w->output >= 0 && fcntl(w->output, F_SETFL, O_NONBLOCK) == 0)
		len = read(w->output, output, sizeof(output) - 1);
	fail_msg("waited too long; told: %s; lines up to %d; output (%d): %s", str_text(&w->told),
		 (int)w->seq, (int)len, output);
}

static char *in_dir(const struct world *w, const char *name)
{
	return mem_printf("%s/%s", w->dir, name);
}

static void listen_notify(struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	HALE_CLEANUP(cleanup_free) char *path = in_dir(w, "notify");

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	w->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(w->notify_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	uv_poll_init(w->loop, &w->poll, w->notify_fd);
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, on_notify);
}

static void listen_bus(struct world *w)
{
	HALE_CLEANUP(cleanup_free) char *results = in_dir(w, CHILD_SOCKET_RESULTS);
	HALE_CLEANUP(cleanup_free) char *bus = in_dir(w, CHILD_SOCKET_BUS);
	struct err err = {0};

	if (sub_listen(w->loop, results, NULL, on_results, w, &w->results, &err) < 0 ||
	    pub_listen(w->loop, bus, NULL, "epoch", NULL, &w->bus, &err) < 0)
		fail_msg("%s", err.text);
}

static int world_init(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	strcpy(w->dir, "/tmp/hale-service-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->loop = mem_alloc(sizeof(*w->loop));
	uv_loop_init(w->loop);
	uv_timer_init(w->loop, &w->give_up);
	w->give_up.data = w;
	uv_timer_start(&w->give_up, on_give_up, GIVE_UP_MS, 0);
	listen_notify(w);
	listen_bus(w);
	w->acks = true;
	w->output = -1;
	*state = w;
	return 0;
}

/* Who does not end by the book leaves it; the next start takes it over. */
static int remove_socket(const struct world *w)
{
	HALE_CLEANUP(cleanup_free) char *path = in_dir(w, "double.ipc");

	return unlink(path);
}

static int world_done(void **state)
{
	struct world *w = *state;
	HALE_CLEANUP(cleanup_free) char *notify = in_dir(w, "notify");

	if (w->pid > 0) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	uv_close((uv_handle_t *)&w->give_up, NULL);
	uv_close((uv_handle_t *)&w->poll, NULL);
	sub_close(w->results, NULL, NULL);
	pub_close(w->bus, NULL, NULL);
	uv_run(w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(w->loop), 0);
	close(w->notify_fd);
	cleanup_fd(&w->output);
	unlink(notify);
	(void)remove_socket(w); /* there only if closing ran into its limit */
	str_done(&w->told);
	str_done(&w->lines);
	free(w->loop);
	assert_int_equal(rmdir(w->dir), 0); /* nothing else is left there */
	free(w);
	return 0;
}

/* ---- The child ---- */

static int memfd_with(const char *text)
{
	int fd = memfd_create("slice", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void become_child(const struct world *w, int slice, int output, const char *watchdog_us,
			 const char *option)
{
	HALE_CLEANUP(cleanup_free) char *notify = in_dir(w, "notify");
	const char *const sanitizer = getenv("ASAN_OPTIONS");
	char *argv[] = {(char[]){"double"}, option != NULL ? mem_dup(option) : NULL, NULL};

	/* High numbers first: the slice's place may be one of these fds. */
	slice = fcntl(slice, F_DUPFD, 20);
	output = fcntl(output, F_DUPFD, 20);
	dup2(slice, CHILD_SLICE_FD);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	clearenv();
	if (sanitizer != NULL)
		setenv("ASAN_OPTIONS", sanitizer, 1);
	setenv("HALE_TEST_DOUBLE", "1", 1);
	setenv(CHILD_ENV_SERVICE, "double", 1);
	setenv(CHILD_ENV_GENERATION, "3", 1);
	setenv(CHILD_ENV_RUN_DIR, w->dir, 1);
	setenv(CHILD_ENV_NODE, "n1", 1);
	setenv("HALE_LOG_LEVEL", "debug", 1);
	setenv("NOTIFY_SOCKET", notify, 1);
	if (watchdog_us != NULL)
		setenv("WATCHDOG_USEC", watchdog_us, 1);
	execv("/proc/self/exe", argv);
	_exit(99);
}

static void spawn_with(struct world *w, const char *slice, const char *watchdog_us,
		       const char *option)
{
	int fd = memfd_with(slice);
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	w->pid = fork();
	if (w->pid == 0)
		become_child(w, fd, out[1], watchdog_us, option);
	close(fd);
	close(out[1]);
	w->output = out[0];
}

static void spawn(struct world *w, const char *slice)
{
	spawn_with(w, slice, NULL, NULL);
}

static void until_told(struct world *w, const char *message)
{
	while (strstr(str_text(&w->told), message) == NULL)
		uv_run(w->loop, UV_RUN_ONCE);
}

static void read_output(struct world *w, struct str *output)
{
	char buffer[4096];
	ssize_t len;

	while ((len = read(w->output, buffer, sizeof(buffer))) > 0)
		str_addn(output, buffer, (size_t)len);
}

/* Turns the loop until the child has ended; its exit code. */
static int wait_exit(struct world *w)
{
	int status;

	while (waitpid(w->pid, &status, WNOHANG) == 0) {
		uv_run(w->loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	w->pid = 0;
	if (!WIFEXITED(status)) {
		HALE_CLEANUP(str_done) struct str output = {0};

		read_output(w, &output);
		fail_msg("signal %d\n%s", WTERMSIG(status), str_text(&output));
	}
	return WEXITSTATUS(status);
}

static void expect_exit(struct world *w, int code)
{
	HALE_CLEANUP(str_done) struct str output = {0};
	int got = wait_exit(w);

	read_output(w, &output);
	if (got != code)
		fail_msg("exit %d, expected %d\n%s", got, code, str_text(&output));
}

static void stop(struct world *w)
{
	kill(w->pid, SIGTERM);
	expect_exit(w, CHILD_EXIT_DONE);
}

/* ---- Commands ---- */

struct answer {
	bool is_there;
	int code;
	json_t *result;
};

static void on_answer(void *ctx, const json_t *result, int code, const char *message,
		      const json_t *data)
{
	struct answer *a = ctx;

	(void)message;
	(void)data;
	a->is_there = true;
	a->code = code;
	a->result = json_deep_copy(result);
}

static void on_closed(void *ctx)
{
	*(bool *)ctx = true;
}

static struct command_client *dial(struct world *w)
{
	HALE_CLEANUP(cleanup_free) char *path = in_dir(w, "double.ipc");
	struct command_client *client;
	struct err err = {0};

	if (call_open(w->loop, path, &client, &err) < 0)
		fail_msg("%s", err.text);
	return client;
}

static void until_answered(struct world *w, struct command_client *client, struct answer *a)
{
	bool is_closed = false;

	while (!a->is_there)
		uv_run(w->loop, UV_RUN_ONCE);
	call_close(client, on_closed, &is_closed);
	while (!is_closed)
		uv_run(w->loop, UV_RUN_ONCE);
}

static struct answer ask(struct world *w, const char *method, json_t *params)
{
	struct command_client *client = dial(w);
	struct answer a = {0};

	command_call(client, method, params, GIVE_UP_MS, on_answer, &a);
	until_answered(w, client, &a);
	return a;
}

/* ---- Tests ---- */

static void it_is_ready_says_how_it_is_and_stops_when_asked(void **state)
{
	struct world *w = *state;

	spawn(w, "{\"mode\": \"ready\"}");
	until_told(w, "READY=1");
	stop(w);
	until_told(w, "STOPPING=1");
	assert_string_equal(str_text(&w->told), "STATUS=double of n1\nREADY=1\nSTOPPING=1\n");
}

static void a_wrong_slice_is_78_and_anything_else_75(void **state)
{
	struct world *w = *state;

	spawn(w, "{\"mode\": \"wrong\"}");
	expect_exit(w, CHILD_EXIT_CONFIG);
	cleanup_fd(&w->output);
	spawn(w, "{\"mode\": ");
	expect_exit(w, CHILD_EXIT_CONFIG);
	cleanup_fd(&w->output);
	spawn(w, "{\"mode\": \"broken\"}");
	expect_exit(w, CHILD_EXIT_TEMPFAIL);
	assert_null(strstr(str_text(&w->told), "READY=1"));
	assert_int_equal(remove_socket(w), 0);
}

static void who_refuses_to_start_leaves_a_socket_that_the_next_start_takes_over(void **state)
{
	struct world *w = *state;

	spawn(w, "{\"mode\": \"wrong\"}");
	expect_exit(w, CHILD_EXIT_CONFIG);
	cleanup_fd(&w->output);
	spawn(w, "{\"mode\": \"ready\"}");
	until_told(w, "READY=1");
	stop(w);
}

static void the_watchdog_beats_while_it_is_alive(void **state)
{
	struct world *w = *state;

	spawn_with(w, "{\"mode\": \"ready\"}", "30000", NULL);
	while (w->watchdogs < 5)
		uv_run(w->loop, UV_RUN_ONCE);
	stop(w);
}

static void the_watchdog_is_silent_without_progress(void **state)
{
	struct world *w = *state;
	json_t *pong;

	spawn_with(w, "{\"mode\": \"silent\"}", "3000", NULL);
	until_told(w, "READY=1");
	/* Its loop turns, more than long enough for many beats of 1 ms. */
	for (int i = 0; i < 20; i++) {
		pong = ask(w, "ping", NULL).result;
		assert_non_null(pong);
		json_decref(pong);
	}
	stop(w);
	assert_int_equal(w->watchdogs, 0);
}

static void lines_have_a_time_and_a_node_and_arrive_once(void **state)
{
	struct world *w = *state;
	json_t *line;

	spawn(w, "{\"mode\": \"ready\", \"publish\": 3}");
	while (w->seq < 3)
		uv_run(w->loop, UV_RUN_ONCE);
	stop(w);
	assert_int_equal(w->seq, 3);
	line = json_loads(str_text(&w->lines), JSON_DISABLE_EOF_CHECK, NULL);
	assert_string_equal(json_string_value(json_object_get(line, "node")), "n1");
	assert_int_equal(json_integer_value(json_object_get(line, "line")), 1);
	assert_int_equal(clock_parse(json_string_value(json_object_get(line, "at")), &(int64_t){0}),
			 0);
	json_decref(line);
}

static void acknowledged_lines_do_not_delay_a_stop_others_do(void **state)
{
	struct world *w = *state;
	int64_t begun;

	w->acks = false;
	spawn(w, "{\"mode\": \"ready\", \"publish\": 3}");
	while (w->seq < 3)
		uv_run(w->loop, UV_RUN_ONCE);
	begun = clock_mono_ms();
	stop(w);
	assert_true(clock_mono_ms() - begun >= SERVICE_STOP_FLUSH_MS);
}

static void a_stopping_service_goes_as_soon_as_haled_has_acknowledged(void **state)
{
	struct world *w = *state;

	w->acks = false;
	spawn(w, "{\"mode\": \"ready\", \"publish\": 3}");
	while (w->seq < 3)
		uv_run(w->loop, UV_RUN_ONCE);
	kill(w->pid, SIGTERM);
	until_told(w, "STOPPING=1");
	w->acks = true;
	/* Not before: repeats are sent until this arrives. */
	expect_exit(w, CHILD_EXIT_DONE);
	assert_int_equal(w->seq, 3);
}

static void common_and_own_commands_are_answered(void **state)
{
	struct world *w = *state;
	struct answer a;

	spawn(w, "{\"mode\": \"ready\"}");
	until_told(w, "READY=1");
	a = ask(w, "ping", NULL);
	assert_string_equal(json_string_value(json_object_get(a.result, "service")), "double");
	assert_int_equal(json_integer_value(json_object_get(a.result, "generation")), 3);
	assert_int_equal(json_integer_value(json_object_get(a.result, "pid")), w->pid);
	json_decref(a.result);
	a = ask(w, "echo", json_pack("{s:i}", "x", 1));
	assert_string_equal(json_string_value(json_object_get(a.result, "mode")), "ready");
	json_decref(a.result);
	a = ask(w, "methods", NULL);
	assert_int_equal(json_array_size(json_object_get(a.result, "methods")), 7);
	json_decref(a.result);
	a = ask(w, "log.level", json_pack("{s:s}", "level", "loud"));
	assert_int_equal(a.code, COMMAND_E_PARAMS);
	a = ask(w, "log.level", json_pack("{s:s}", "level", "debug"));
	assert_int_equal(a.code, 0);
	json_decref(a.result);
	stop(w);
}

static void work_happens_elsewhere_and_a_stop_waits_for_it(void **state)
{
	struct world *w = *state;
	struct command_client *client;
	struct answer a = {0};

	spawn(w, "{\"mode\": \"ready\"}");
	until_told(w, "READY=1");
	client = dial(w);
	command_call(client, "work", NULL, GIVE_UP_MS, on_answer, &a);
	while (strstr(str_text(&w->lines), "\"work\":\"begun\"") == NULL)
		uv_run(w->loop, UV_RUN_ONCE);
	kill(w->pid, SIGTERM);
	until_answered(w, client, &a);
	assert_true(json_is_true(json_object_get(a.result, "elsewhere")));
	json_decref(a.result);
	expect_exit(w, CHILD_EXIT_DONE);
	assert_non_null(strstr(str_text(&w->lines), "\"work\":\"done\""));
}

static void a_failing_service_flushes_and_says_why(void **state)
{
	HALE_CLEANUP(str_done) struct str output = {0};
	struct world *w = *state;

	spawn(w, "{\"mode\": \"fail_later\", \"publish\": 2}");
	assert_int_equal(wait_exit(w), 7);
	read_output(w, &output);
	assert_non_null(strstr(str_text(&output), "the disk is gone"));
	assert_int_equal(w->seq, 2);
	assert_int_equal(remove_socket(w), 0);
}

static void a_check_prints_json_lines(void **state)
{
	HALE_CLEANUP(str_done) struct str output = {0};
	struct world *w = *state;

	spawn_with(w, "{}", NULL, "--check");
	assert_int_equal(wait_exit(w), CHILD_EXIT_CONFIG);
	read_output(w, &output);
	assert_string_equal(str_text(&output),
			    "{\"path\":\"/mode\",\"message\":\"is \\\"missing\\\"\"}\n");
	cleanup_fd(&w->output);
	spawn_with(w, "{\"mode\": \"ready\"}", NULL, "--check");
	expect_exit(w, CHILD_EXIT_DONE);
}

static void a_description_is_printed_without_anything_set_up(void **state)
{
	HALE_CLEANUP(str_done) struct str output = {0};
	struct world *w = *state;

	spawn_with(w, "no slice at all", NULL, "--describe");
	assert_int_equal(wait_exit(w), 0);
	read_output(w, &output);
	assert_string_equal(str_text(&output),
			    "{\n  \"manifest\": 1,\n  \"service\": \"double\"\n}\n");
}

static void no_child_outlives_its_parent(void **state)
{
	struct world *w = *state;
	char buffer[4096];
	pid_t haled;
	int out[2];
	int fd = memfd_with("{\"mode\": \"ready\"}");

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	haled = fork();
	if (haled == 0) {
		/* No nng here: it does not live over a fork. */
		if (fork() == 0)
			become_child(w, fd, out[1], NULL, NULL);
		for (;;)
			pause();
	}
	close(out[1]);
	close(fd);
	until_told(w, "READY=1");
	kill(haled, SIGKILL);
	waitpid(haled, NULL, 0);
	/* The pipe ends with the last process that holds it. */
	while (read(out[0], buffer, sizeof(buffer)) > 0)
		continue;
	close(out[0]);
	assert_int_equal(remove_socket(w), 0);
}

static int finish(void **state)
{
	(void)state;
	bus_finish();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_ready_says_how_it_is_and_stops_when_asked,
						world_init, world_done),
		cmocka_unit_test_setup_teardown(
			who_refuses_to_start_leaves_a_socket_that_the_next_start_takes_over,
			world_init, world_done),
		cmocka_unit_test_setup_teardown(the_watchdog_beats_while_it_is_alive, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(the_watchdog_is_silent_without_progress, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(lines_have_a_time_and_a_node_and_arrive_once,
						world_init, world_done),
		cmocka_unit_test_setup_teardown(acknowledged_lines_do_not_delay_a_stop_others_do,
						world_init, world_done),
		cmocka_unit_test_setup_teardown(
			a_stopping_service_goes_as_soon_as_haled_has_acknowledged, world_init,
			world_done),
		cmocka_unit_test_setup_teardown(common_and_own_commands_are_answered, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(work_happens_elsewhere_and_a_stop_waits_for_it,
						world_init, world_done),
		cmocka_unit_test_setup_teardown(a_failing_service_flushes_and_says_why, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(a_check_prints_json_lines, world_init, world_done),
		cmocka_unit_test_setup_teardown(a_description_is_printed_without_anything_set_up,
						world_init, world_done),
		cmocka_unit_test_setup_teardown(no_child_outlives_its_parent, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(a_wrong_slice_is_78_and_anything_else_75,
						world_init, world_done),
	};

	if (getenv("HALE_TEST_DOUBLE") != NULL)
		return service_main(argc, argv, &double_ops);
	return cmocka_run_group_tests(tests, NULL, finish);
}
