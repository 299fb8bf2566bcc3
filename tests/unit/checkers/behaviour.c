/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "behaviour.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "certs.h"
#include "kind.h"
#include "runner.h"

/* For what ends by itself. */
#define LONG_MS 20000

/* For what ends by the deadline. A machine that is too busy to come to the point by then gets four
 * times as long, up to LONG_MS. */
#define SHORT_MS 250

/* Of an endless answer a check keeps little: at most the megabyte that http allows by default, and
 * twice that while its buffer grows. */
#define MEMORY_MAX (3u << 20)

/* How often one asks a server that is well again. */
#define RECOVER_TRIES    40
#define RECOVER_EVERY_MS 50

static struct {
	const struct behaviour *b;
	const char *what; /* the scenario, for messages */
	size_t step;
	int port;
	char ca_path[64];
	struct runner *runner;
	int verdicts;
	json_t *observation; /* the last; NULL: the runner stopped before there was one */
	bool is_stopping;
	bool is_stopped;
} bench;

/* The program ends: what is open of server and runner would keep the loop of other tests busy. */
HALE_PRINTF(1, 2) HALE_NORETURN static void complain(const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	if (bench.step == SCRIPT_TLS)
		print_error("%s in the handshake: %s\n", bench.what, str_text(&text));
	else
		print_error("%s at step %zu: %s\n", bench.what, bench.step, str_text(&text));
	(void)fflush(NULL);
	_exit(EXIT_FAILURE);
}

/* ---- The kind in a runner ---- */

static void on_publish(void *ctx, json_t *observation)
{
	(void)ctx;
	json_decref(observation);
	complain("published what nobody asked for");
}

static void on_status(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void on_result(void *ctx, const json_t *observation, const json_t *saw)
{
	(void)ctx;
	(void)saw;
	bench.verdicts++;
	json_decref(bench.observation);
	bench.observation = observation != NULL ? json_deep_copy(observation) : NULL;
	uv_stop(&kind_loop);
}

static char *with(const char *text, const char *mark, const char *value)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const char *at;

	while ((at = strstr(text, mark)) != NULL) {
		str_addn(&out, text, (size_t)(at - text));
		str_add(&out, value);
		text = at + strlen(mark);
	}
	str_add(&out, text);
	return str_take(&out);
}

static json_t *options_for(int port)
{
	HALE_CLEANUP(cleanup_free) char *number = mem_printf("%d", port);
	HALE_CLEANUP(cleanup_free) char *ported = with(bench.b->options, "PORT", number);
	HALE_CLEANUP(cleanup_free) char *text = with(ported, "CA", bench.ca_path);
	json_t *options = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (options == NULL)
		fail_msg("not JSON: %s", text);
	return options;
}

static void start_runner(int port, int64_t timeout_ms)
{
	json_t *options = options_for(port);
	struct err err = {0};

	bench.runner = runner_new(&check_ops, &(struct runner_host){.loop = &kind_loop,
								    .node = "n1",
								    .concurrent_max = 1,
								    .publish = on_publish,
								    .status = on_status});
	if (runner_add(bench.runner, "a", 600000, timeout_ms, options, &err) < 0)
		fail_msg("%s", err.text);
	bench.verdicts = 0;
	bench.is_stopping = false;
	json_decref(options);
}

static void ask(void)
{
	int before = bench.verdicts;

	assert_int_equal(runner_run(bench.runner, "a", on_result, NULL), 0);
	while (bench.verdicts == before)
		(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
	if (bench.verdicts != before + 1)
		complain("%d verdicts instead of one", bench.verdicts - before);
	assert_non_null(bench.observation);
}

static void on_stopped(void *ctx)
{
	(void)ctx;
	bench.is_stopped = true;
	uv_stop(&kind_loop);
}

static void begin_stop(void)
{
	bench.is_stopping = true;
	bench.is_stopped = false;
	runner_stop(bench.runner, on_stopped, NULL);
}

/* A kind with several connections comes to the point several times. */
static void on_reached(void)
{
	if (!bench.is_stopping)
		begin_stop();
}

/* A kind that does not come back is left behind after RUNNER_STOP_MS. */
static void end_runner(void)
{
	int64_t begun_ms = clock_mono_ms();

	while (!bench.is_stopped)
		(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
	if (clock_mono_ms() - begun_ms >= RUNNER_STOP_MS)
		complain("did not come back when it was cancelled");
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
	runner_free(bench.runner);
	json_decref(bench.observation);
	bench.observation = NULL;
}

static void stop_runner(void)
{
	begin_stop();
	end_runner();
}

/* ---- Judging verdicts ---- */

static const char *text_of(const char *member)
{
	return kind_text(bench.observation, member);
}

static bool is_pass(void)
{
	return strcmp(text_of("outcome"), "pass") == 0;
}

static bool is_timeout(enum reason reason)
{
	return str_starts(reason_code(reason), "timeout");
}

/* Of what could be seen at once: a kind with one reason for all does not say that it waited. */
static bool was_long(void)
{
	return json_real_value(json_object_get(bench.observation, "took_ms")) > LONG_MS / 2.0;
}

static bool is_declared(enum reason reason)
{
	const struct reason_doc *doc = check_ops.reasons;

	/* Any kind may run out of time. That it cannot work, or was stopped, is not so here. */
	if (reason == REASON_TIMEOUT)
		return true;
	for (; doc != NULL && doc->reason != REASON_MAX; doc++) {
		if (doc->reason == reason)
			return true;
	}
	return false;
}

static enum reason judge_failure(void)
{
	enum reason reason = REASON_OK;

	if (is_pass())
		complain("passed: %s", text_of("message"));
	if (!reason_from_code(text_of("reason"), &reason) || !is_declared(reason))
		complain("%s is no reason that the kind declares (%s)", text_of("reason"),
			 text_of("message"));
	return reason;
}

static void judge_reason(enum reason expected)
{
	enum reason reason = judge_failure();

	if (bench.b->only_reason != REASON_OK)
		expected = bench.b->only_reason;
	if (reason != expected)
		complain("%s (%s) instead of %s", text_of("reason"), text_of("message"),
			 reason_code(expected));
}

static void judge_nobody_there(void)
{
	judge_reason(REASON_CONN_REFUSED);
	if (bench.b->only_reason == REASON_OK)
		assert_string_equal(text_of("outcome"), "down");
}

static void judge_pass(void)
{
	if (!is_pass())
		complain("%s: %s", text_of("reason"), text_of("message"));
}

static void uv_wake(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void wait_ms(uint64_t ms)
{
	uv_timer_t timer;

	assert_int_equal(uv_timer_init(&kind_loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, uv_wake, ms, 0), 0);
	(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&kind_loop, UV_RUN_NOWAIT);
}

/* The same component, now that its server is well: nothing of the failure may be left over. A
 * thread that is still out, or a short time limit on a busy machine, make it a matter of several
 * tries. */
static void expect_recovery(void)
{
	script_behave(&(struct script_manner){0});
	for (int i = 0; i < RECOVER_TRIES; i++) {
		ask();
		if (is_pass())
			return;
		wait_ms(RECOVER_EVERY_MS);
	}
	complain("does not recover: %s: %s", text_of("reason"), text_of("message"));
}

/* ---- Scenarios ---- */

enum ends_by {
	BY_EVENT,    /* the server did something that is seen at once */
	BY_DEADLINE, /* nothing came any more: the timeout of that stage */
	BY_EITHER,
};

static const struct scenario {
	const char *what;
	enum script_fault fault;
	enum ends_by ends_by;
	unsigned kinds; /* of garbage */
} scenarios[] = {
	{"silence", FAULT_SILENCE, BY_DEADLINE, 1},
	{"garbage", FAULT_GARBAGE, BY_EITHER, SCRIPT_GARBAGE_KINDS},
	{"half an answer and the end", FAULT_HALF, BY_EVENT, 1},
	{"half an answer and silence", FAULT_HALF_SILENCE, BY_EITHER, 1},
	{"an endless answer", FAULT_ENDLESS, BY_EITHER, 1},
	{"closing", FAULT_FIN, BY_EVENT, 1},
	{"reset", FAULT_RST, BY_EVENT, 1},
};

static void begin_scenario(const char *what, size_t step)
{
	bench.what = what;
	bench.step = step;
}

/* What a timeout at this step is. */
static enum reason stage_reason(void)
{
	if (bench.step == SCRIPT_TLS)
		return REASON_TIMEOUT_TLS;
	if (bench.b->dialogue.steps[bench.step].silence != REASON_OK)
		return bench.b->dialogue.steps[bench.step].silence;
	return REASON_TIMEOUT_READ;
}

static void judge(const struct scenario *s)
{
	enum reason reason = judge_failure();
	enum reason stage = stage_reason();
	bool is_late = is_timeout(reason) || reason == stage || was_long();

	if (s->ends_by == BY_DEADLINE)
		judge_reason(stage);
	else if (s->ends_by == BY_EVENT && is_late)
		complain("seen only when the time was over (%s)", text_of("reason"));
	else if (is_late)
		judge_reason(stage);
}

static void fail_at(const struct scenario *s, size_t step, unsigned kind)
{
	int64_t timeout_ms = s->ends_by == BY_EVENT ? LONG_MS : SHORT_MS;
	size_t memory;

	begin_scenario(s->what, step);
	for (;;) {
		start_runner(bench.port, timeout_ms);
		memory = script_memory_now();
		script_behave(
			&(struct script_manner){.fault = s->fault, .step = step, .kind = kind});
		ask();
		if (script_was_reached())
			break;
		if (timeout_ms >= LONG_MS)
			complain("not reached: %s: %s", text_of("reason"), text_of("message"));
		stop_runner();
		timeout_ms = HALE_MIN(timeout_ms * 4, LONG_MS);
	}
	judge(s);
	if (script_memory_peak() > memory + MEMORY_MAX)
		complain("took %zu KB of memory", (script_memory_peak() - memory) >> 10);
	expect_recovery();
	stop_runner();
}

/* The runner stops at this very point; nobody is told anything but that. */
static void cancel_at(size_t step)
{
	begin_scenario("cancel", step);
	start_runner(bench.port, LONG_MS);
	script_behave(&(struct script_manner){
		.fault = FAULT_CALL, .step = step, .on_reached = on_reached});
	bench.is_stopped = false;
	assert_int_equal(runner_run(bench.runner, "a", on_result, NULL), 0);
	while (bench.verdicts == 0)
		(void)uv_run(&kind_loop, UV_RUN_DEFAULT);
	if (bench.verdicts != 1 || bench.observation != NULL)
		complain("ended by itself: %s: %s", text_of("reason"), text_of("message"));
	end_runner();
}

static void cancel_at_once(void)
{
	begin_scenario("cancel before all", 0);
	start_runner(bench.port, LONG_MS);
	script_behave(&(struct script_manner){0});
	assert_int_equal(runner_run(bench.runner, "a", on_result, NULL), 0);
	stop_runner();
	assert_int_equal(bench.verdicts, 1);
}

static SSL_CTX *server_ctx;

static void restart_at(size_t step)
{
	begin_scenario("a restart of the server", step);
	start_runner(bench.port, LONG_MS);
	script_behave(&(struct script_manner){.fault = FAULT_VANISH, .step = step});
	ask();
	if (is_timeout(judge_failure()))
		complain("seen only when the time was over (%s)", text_of("reason"));
	ask();
	judge_nobody_there();
	(void)script_start(&bench.b->dialogue, server_ctx, bench.port);
	expect_recovery();
	stop_runner();
}

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static void success(void)
{
	size_t files = 0;

	begin_scenario("success", 0);
	start_runner(bench.port, LONG_MS);
	script_behave(&(struct script_manner){0});
	for (int i = 0; i < 6; i++) {
		ask();
		judge_pass();
		wait_ms(0);
		if (i == 1)
			files = open_files();
	}
	if (open_files() > files)
		complain("%zu open files after four more runs, %zu before", open_files(), files);
	stop_runner();
}

static void small_pieces(void)
{
	begin_scenario("an answer in small pieces", 0);
	start_runner(bench.port, LONG_MS);
	script_behave(&(struct script_manner){.is_dripping = true});
	ask();
	judge_pass();
	stop_runner();
}

/* ---- Without a server ---- */

static int listen_raw(int *fd_r)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*fd_r = fd;
	return ntohs(address.sin_port);
}

static int knock(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static void refused(void)
{
	int fd, port = listen_raw(&fd);

	(void)close(fd);
	begin_scenario("a closed port", 0);
	start_runner(port, LONG_MS);
	ask();
	judge_nobody_there();
	stop_runner();
}

static void stop_later(uv_timer_t *timer)
{
	begin_stop();
	uv_close((uv_handle_t *)timer, NULL);
}

/* A listener whose queue is full answers to no packet, as a host that is down. */
static void black_hole(void)
{
	int fd, knocking[4], port = listen_raw(&fd);
	uv_timer_t timer;

	for (size_t i = 0; i < ARRAY_LEN(knocking); i++)
		knocking[i] = knock(port);
	begin_scenario("a host that swallows packets", 0);
	start_runner(port, SHORT_MS);
	ask();
	judge_reason(REASON_TIMEOUT_CONNECT);
	stop_runner();

	begin_scenario("cancel while connecting", 0);
	start_runner(port, LONG_MS);
	assert_int_equal(uv_timer_init(&kind_loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, stop_later, SHORT_MS / 10, 0), 0);
	bench.is_stopped = false;
	assert_int_equal(runner_run(bench.runner, "a", on_result, NULL), 0);
	end_runner();
	assert_int_equal(bench.verdicts, 1);
	for (size_t i = 0; i < ARRAY_LEN(knocking); i++)
		(void)close(knocking[i]);
	(void)close(fd);
}

/* ---- TLS ---- */

static const struct cert_spec own_spec = {
	.name = "localhost", .alt_names = "DNS:localhost,IP:127.0.0.1", .is_authority = true};

static void show_certificate(const char *what, const struct cert_spec *spec, enum reason reason)
{
	struct cert cert = cert_new(spec);
	SSL_CTX *ctx = cert_server(&cert, NULL);
	int port;

	begin_scenario(what, SCRIPT_TLS);
	script_stop();
	port = script_start(&bench.b->dialogue, ctx, 0);
	start_runner(port, LONG_MS);
	script_behave(&(struct script_manner){0});
	ask();
	judge_reason(reason);
	stop_runner();
	script_stop();
	wait_ms(0);
	SSL_CTX_free(ctx);
	cert_free(&cert);
}

static void certificates(const struct cert *own)
{
	struct cert_spec signed_spec = {
		.name = "server", .alt_names = "DNS:localhost,IP:127.0.0.1", .issuer = own};
	struct cert_spec expired = signed_spec, other = signed_spec, alone = own_spec;

	expired.begin_s = -7200;
	expired.end_s = -3600;
	other.alt_names = "DNS:other.test,IP:127.0.0.2";
	show_certificate("an unknown certificate", &alone, REASON_TLS_CERT);
	show_certificate("an expired certificate", &expired, REASON_TLS_EXPIRED);
	show_certificate("another host's certificate", &other, REASON_TLS_CERT);
}

/* ---- All of it ---- */

static void at_each_step(const struct script_dialogue *d)
{
	for (size_t i = 0; i < d->steps_n + d->is_tls; i++) {
		size_t step = i < d->steps_n ? i : SCRIPT_TLS;

		for (size_t j = 0; j < ARRAY_LEN(scenarios); j++) {
			for (unsigned kind = 0; kind < scenarios[j].kinds; kind++)
				fail_at(&scenarios[j], step, kind);
		}
		cancel_at(step);
		restart_at(step);
	}
}

void behaviour_check(const struct behaviour *b)
{
	struct cert cert = {0};

	(void)signal(SIGPIPE, SIG_IGN); /* as every program of ours does */
	bench.b = b;
	server_ctx = NULL;
	if (b->dialogue.is_tls) {
		cert = cert_new(&own_spec);
		(void)snprintf(bench.ca_path, sizeof(bench.ca_path), "/tmp/hale-behaviour-%ld.pem",
			       (long)getpid());
		(void)cert_write(&cert, false, bench.ca_path);
		server_ctx = cert_server(&cert, NULL);
	}
	bench.port = script_start(&b->dialogue, server_ctx, 0);
	success();
	small_pieces();
	refused();
	black_hole();
	cancel_at_once();
	at_each_step(&b->dialogue);
	if (b->dialogue.is_tls && !b->trusts_all)
		certificates(&cert);
	else
		script_stop();
	wait_ms(0);
	if (b->dialogue.is_tls) {
		SSL_CTX_free(server_ctx);
		cert_free(&cert);
		(void)unlink(bench.ca_path);
	}
}
