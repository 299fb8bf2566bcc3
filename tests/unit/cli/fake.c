/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "bus/command.h"

#define SERVERS_MAX 4
#define METHODS_MAX 16
#define ANSWERS_MAX 16

struct answer {
	json_t *result;
	int code;
	char *message;
	json_t *data;
};

struct method {
	char *name;
	struct answer answers[ANSWERS_MAX];
	size_t n, next;
	char *asked;
};

struct server {
	struct fake *fake;
	char *name;
	struct method methods[METHODS_MAX];
	size_t n;
	struct command_method table[METHODS_MAX + 1];
	struct command_server *server;
};

struct fake {
	char dir[64];
	struct server servers[SERVERS_MAX];
	size_t n;
	uv_loop_t loop;
	uv_thread_t thread;
	uv_async_t stop;
	uv_mutex_t lock; /* asked, next */
	bool is_running;
	char *out, *err;
	size_t out_len, err_len;
	unsigned writes_left;
	bool is_failing;
};

static struct server *server_of(struct fake *f, const char *process)
{
	for (size_t i = 0; i < f->n; i++) {
		if (str_eq(f->servers[i].name, process))
			return &f->servers[i];
	}
	assert_true(f->n < SERVERS_MAX);
	assert_false(f->is_running);
	f->servers[f->n] = (struct server){.fake = f, .name = mem_dup(process)};
	return &f->servers[f->n++];
}

static struct method *method_of(struct fake *f, const char *process, const char *name)
{
	struct server *s = server_of(f, process);

	for (size_t i = 0; i < s->n; i++) {
		if (str_eq(s->methods[i].name, name))
			return &s->methods[i];
	}
	assert_true(s->n < METHODS_MAX);
	assert_false(f->is_running);
	s->methods[s->n].name = mem_dup(name);
	return &s->methods[s->n++];
}

static void add_answer(struct method *m, struct answer a)
{
	assert_true(m->n < ANSWERS_MAX);
	m->answers[m->n++] = a;
}

void fake_answer(struct fake *f, const char *process, const char *method, const char *json)
{
	json_t *result = json_loads(json, JSON_DECODE_ANY, NULL);

	if (result == NULL)
		fail_msg("no JSON: %s", json);
	add_answer(method_of(f, process, method), (struct answer){.result = result});
}

void fake_refuse(struct fake *f, const char *process, const char *method, int code,
		 const char *message, const char *data_json)
{
	json_t *data = data_json == NULL ? NULL : json_loads(data_json, 0, NULL);

	assert_true(data_json == NULL || data != NULL);
	add_answer(method_of(f, process, method),
		   (struct answer){.code = code, .message = mem_dup(message), .data = data});
}

const char *fake_dir(const struct fake *f)
{
	return f->dir;
}

/* ---- the servers' thread ---- */

static void on_call(void *ctx, struct command_request *rq, const json_t *params)
{
	struct server *s = ctx;
	const struct answer *a = NULL;

	uv_mutex_lock(&s->fake->lock);
	for (size_t i = 0; i < s->n; i++) {
		struct method *m = &s->methods[i];

		if (!str_eq(m->name, command_request_method(rq)))
			continue;
		free(m->asked);
		m->asked =
			params == NULL ? NULL : json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
		a = &m->answers[m->next];
		if (m->next + 1 < m->n)
			m->next++;
	}
	uv_mutex_unlock(&s->fake->lock);
	if (a->result != NULL)
		command_reply(rq, json_deep_copy(a->result));
	else
		command_fail(rq, a->code, json_deep_copy(a->data), "%s", a->message);
}

static void on_stop(uv_async_t *stop)
{
	struct fake *f = stop->data;

	for (size_t i = 0; i < f->n; i++)
		command_close(f->servers[i].server, NULL, NULL);
	uv_close((uv_handle_t *)stop, NULL);
}

static void run_servers(void *arg)
{
	struct fake *f = arg;

	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

static void listen_all(struct fake *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct server *s = &f->servers[i];
		char path[160];

		for (size_t m = 0; m < s->n; m++)
			s->table[m] = (struct command_method){s->methods[m].name, on_call, ""};
		(void)snprintf(path, sizeof(path), "%s/%s.ipc", f->dir, s->name);
		assert_int_equal(
			command_listen(&f->loop, path, NULL, s->table, s, &s->server, NULL), 0);
	}
}

static void start(struct fake *f)
{
	if (f->is_running)
		return;
	assert_int_equal(uv_async_init(&f->loop, &f->stop, on_stop), 0);
	f->stop.data = f;
	listen_all(f);
	assert_int_equal(uv_thread_create(&f->thread, run_servers, f), 0);
	f->is_running = true;
}

int fake_setup(void **state)
{
	struct fake *f = mem_alloc(sizeof(*f));

	(void)setenv("TZ", "UTC", 1);
	tzset();
	strcpy(f->dir, "/tmp/hale-cli-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	assert_int_equal(uv_mutex_init(&f->lock), 0);
	*state = f;
	return 0;
}

static void free_server(struct server *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct method *m = &s->methods[i];

		for (size_t a = 0; a < m->n; a++) {
			json_decref(m->answers[a].result);
			json_decref(m->answers[a].data);
			free(m->answers[a].message);
		}
		free(m->name);
		free(m->asked);
	}
	free(s->name);
}

int fake_teardown(void **state)
{
	struct fake *f = *state;
	char command[128];

	if (f->is_running) {
		assert_int_equal(uv_async_send(&f->stop), 0);
		assert_int_equal(uv_thread_join(&f->thread), 0);
	}
	assert_int_equal(uv_loop_close(&f->loop), 0);
	uv_mutex_destroy(&f->lock);
	for (size_t i = 0; i < f->n; i++)
		free_server(&f->servers[i]);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f->out);
	free(f->err);
	free(f);
	return 0;
}

/* ---- running the command ---- */

/* An output that breaks after some writes, as a closed pipe does. */
static ssize_t write_out(void *cookie, const char *data, size_t len)
{
	struct fake *f = cookie;

	if (f->is_failing && f->writes_left == 0)
		return 0; /* an error, for fopencookie(3) */
	f->out = mem_grow(f->out, f->out_len + len + 1, 1);
	memcpy(f->out + f->out_len, data, len);
	f->out_len += len;
	f->out[f->out_len] = '\0';
	if (f->is_failing)
		f->writes_left--;
	return (ssize_t)len;
}

void fake_fail_output_after(struct fake *f, unsigned writes)
{
	f->is_failing = true;
	f->writes_left = writes;
}

static int run(struct fake *f, const char *words, struct cli *cli)
{
	HALE_CLEANUP(strlist_done) struct strlist argv = {0};
	HALE_CLEANUP(cleanup_free) char *copy = mem_dup(words);
	char *word, *rest = NULL;
	char **pointers;
	int code;

	start(f);
	strlist_add(&argv, "hale");
	for (word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		strlist_add(&argv, word);
	pointers = mem_array(argv.n + 1, sizeof(*pointers));
	memcpy(pointers, argv.v, argv.n * sizeof(*pointers));
	free(f->out);
	free(f->err);
	f->out = mem_dup("");
	f->out_len = 0;
	f->err = NULL;
	cli->out = fopencookie(f, "w", (cookie_io_functions_t){.write = write_out});
	cli->err = open_memstream(&f->err, &f->err_len);
	cli->run_dir = f->dir;
	assert_int_equal(clock_parse(FAKE_NOW, &cli->now_ms), 0);
	code = cli_main(cli, (int)argv.n, pointers);
	(void)fclose(cli->out);
	(void)fclose(cli->err);
	free(pointers);
	return code;
}

int fake_run(struct fake *f, const char *words)
{
	struct cli cli = {.exe_dir = f->dir};

	return run(f, words, &cli);
}

int fake_run_on_terminal(struct fake *f, const char *words, size_t width)
{
	struct cli cli = {.has_colour = true, .width = width};

	return run(f, words, &cli);
}

const char *fake_out(const struct fake *f)
{
	return f->out;
}

const char *fake_err(const struct fake *f)
{
	return f->err;
}

const char *fake_asked(struct fake *f, const char *process, const char *method)
{
	struct method *m = method_of(f, process, method);

	return m->asked == NULL ? "" : m->asked;
}
