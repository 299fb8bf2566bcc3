/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "reader.h"
#include "store/store_private.h"
#include "web.h"

#define LIMIT_MS 300

/* A store with nothing in it, and a reader of it. */
struct bench {
	uv_loop_t loop;
	char dir[32];
	struct store_options store;
	struct reader *reader;
	size_t done;
	char *text[READER_QUEUE_MAX + 8]; /* of the answers, in the order they came */
	int rc[READER_QUEUE_MAX + 8];
	struct err err; /* of the last that failed */
	/* Threads that are in hold_on(), and may go on. */
	uv_sem_t go;
	size_t failures; /* of fail_once() */
	size_t held;
};

struct work {
	uv_work_t rq;
	void (*work)(void *arg);
	void (*after)(void *arg);
	void *arg;
};

static void work_run(uv_work_t *rq)
{
	struct work *w = rq->data;
	w->work(w->arg);
}

static void work_after(uv_work_t *rq, int status)
{
	struct work *w = rq->data;
	(void)status;
	w->after(w->arg);
	free(w);
}

static void fake_work(void *ctx, void (*work)(void *arg), void (*after)(void *arg), void *arg)
{
	struct bench *t = ctx;
	struct work *w = mem_alloc(sizeof(*w));
	*w = (struct work){.work = work, .after = after, .arg = arg};
	w->rq.data = w;
	assert_int_equal(uv_queue_work(&t->loop, &w->rq, work_run, work_after), 0);
}

static void make_store(struct bench *t)
{
	struct store *s;
	struct err err = {0};
	if (store_open(&t->store, STORE_KEEPER, &s, &err))
		fail_msg("%s", err.text);
	store_close(s);
}

static int open_empty(void **state)
{
	struct bench *t = mem_alloc(sizeof(*t));
	strcpy(t->dir, "/tmp/hale-reader-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t->store.sqlite.path = mem_printf("%s/history.db", t->dir);
	assert_int_equal(uv_loop_init(&t->loop), 0);
	assert_int_equal(uv_sem_init(&t->go, 0), 0);
	const struct web_backend backend = {.work = fake_work, .ctx = t};
	t->reader = reader_new(&t->loop, &t->store, &backend, LIMIT_MS);
	*state = t;
	return 0;
}

static int open_bench(void **state)
{
	int rc = open_empty(state);
	make_store(*state);
	return rc;
}

static void remove_store(struct bench *t)
{
	static const char *const files[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		HALE_CLEANUP(cleanup_free)
		char *path = mem_printf("%s%s", t->store.sqlite.path, files[i]);
		unlink(path);
	}
}

static int close_bench(void **state)
{
	struct bench *t = *state;
	assert_true(reader_is_idle(t->reader));
	reader_close(t->reader);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t->loop), 0);
	reader_free(t->reader);
	remove_store(t);
	assert_int_equal(rmdir(t->dir), 0);
	for (size_t i = 0; i < ARRAY_LEN(t->text); i++)
		free(t->text[i]);
	free(t->store.sqlite.path);
	uv_sem_destroy(&t->go);
	free(t);
	return 0;
}

static void on_done(void *arg, char *text, int rc, const struct err *err)
{
	struct bench *t = arg;
	assert_true(!text == !!rc);
	t->text[t->done] = text;
	t->rc[t->done++] = rc;
	if (rc)
		t->err = *err;
}

static int say_hello(void *arg, struct store *s, struct str *out, struct err *err)
{
	(void)arg;
	(void)s;
	(void)err;
	str_add(out, "{\"says\":\"hello\"}");
	return 0;
}

/* Until somebody posts. */
static int hold_on(void *arg, struct store *s, struct str *out, struct err *err)
{
	struct bench *t = arg;
	uv_sem_wait(&t->go);
	return say_hello(arg, s, out, err);
}

static int never_end(void *arg, struct store *s, struct str *out, struct err *err)
{
	(void)arg;
	(void)out;
	return db_query(s->db,
			"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
			" SELECT count(*) FROM c",
			NULL, 0, store_read_int, &(int64_t){0}, err);
}

static int fail_badly(void *arg, struct store *s, struct str *out, struct err *err)
{
	(void)arg;
	(void)s;
	(void)out;
	return err_set(err, -EIO, "it broke");
}

/* As of a connection whose database was restarted. */
static int fail_once(void *arg, struct store *s, struct str *out, struct err *err)
{
	struct bench *t = arg;
	if (t->failures++ == 0) {
		str_add(out, "[1,");
		return err_set(err, -EIO, "the connection broke");
	}
	return say_hello(arg, s, out, err);
}

static int find_nothing(void *arg, struct store *s, struct str *out, struct err *err)
{
	(void)arg;
	(void)s;
	(void)out;
	return err_set(err, -ENOENT, "no such component");
}

static void ask(struct bench *t,
		int (*how)(void *arg, struct store *s, struct str *out, struct err *err))
{
	reader_ask(t->reader, &(struct reader_question){how, on_done, t});
}

static void wait_done(struct bench *t, size_t n)
{
	int64_t until = clock_mono_ms() + 15000;
	while (t->done < n) {
		assert_true(clock_mono_ms() < until);
		uv_run(&t->loop, UV_RUN_ONCE);
	}
}

static void an_answer_is_json_text(void **state)
{
	struct bench *t = *state;
	ask(t, say_hello);
	assert_int_equal(t->done, 0); /* never from within */
	wait_done(t, 1);
	assert_string_equal(t->text[0], "{\"says\":\"hello\"}");
}

static void one_that_is_slow_lets_the_others_pass(void **state)
{
	struct bench *t = *state;
	ask(t, hold_on);
	for (size_t i = 0; i < 10; i++)
		ask(t, say_hello);
	wait_done(t, 10);
	assert_int_equal(t->done, 10);
	uv_sem_post(&t->go);
	wait_done(t, 11);
	assert_int_equal(t->rc[10], 0);
}

static void one_that_never_ends_is_ended(void **state)
{
	struct bench *t = *state;
	for (size_t i = 0; i < READER_CONNECTIONS; i++)
		ask(t, never_end);
	ask(t, say_hello); /* has to wait for that */
	wait_done(t, READER_CONNECTIONS + 1);
	assert_int_equal(t->rc[0], -ETIMEDOUT);
	assert_non_null(strstr(t->err.text, "did not answer within 300ms"));
	size_t answered = 0;
	for (size_t i = 0; i <= READER_CONNECTIONS; i++)
		answered += t->rc[i] == 0;
	assert_int_equal(answered, 1);
}

static void more_than_may_wait_are_told_at_once(void **state)
{
	struct bench *t = *state;
	size_t all = READER_CONNECTIONS + READER_QUEUE_MAX;
	for (size_t i = 0; i < all; i++)
		ask(t, hold_on);
	assert_int_equal(t->done, 0);
	ask(t, say_hello);
	assert_int_equal(t->done, 1);
	assert_int_equal(t->rc[0], -EAGAIN);
	for (size_t i = 0; i < all; i++)
		uv_sem_post(&t->go);
	wait_done(t, all + 1);
}

static void errors_are_told_and_the_next_question_is_answered(void **state)
{
	struct bench *t = *state;
	ask(t, fail_badly);
	wait_done(t, 1);
	assert_int_equal(t->rc[0], -EIO);
	assert_string_equal(t->err.text, "it broke");
	ask(t, find_nothing);
	wait_done(t, 2);
	assert_int_equal(t->rc[1], -ENOENT);
	ask(t, say_hello);
	wait_done(t, 3);
	assert_int_equal(t->rc[2], 0);
}

static void a_connection_that_broke_meanwhile_is_made_anew(void **state)
{
	struct bench *t = *state;
	ask(t, say_hello);
	wait_done(t, 1);
	ask(t, fail_once);
	wait_done(t, 2);
	assert_int_equal(t->failures, 2);
	assert_string_equal(t->text[1], "{\"says\":\"hello\"}");
}

static void a_store_that_is_not_there_yet_is_found_once_it_is(void **state)
{
	struct bench *t = *state;
	ask(t, say_hello);
	wait_done(t, 1);
	assert_int_equal(t->rc[0], -ENODATA);
	make_store(t);
	ask(t, say_hello);
	wait_done(t, 2);
	assert_int_equal(t->rc[1], 0);
}

/* As it is for a moment while the recorder brings it up to date. */
static void a_store_of_another_version_is_no_mistake_of_who_asks(void **state)
{
	struct bench *t = *state;
	struct db_target target = {.engine = DB_SQLITE, .where = t->store.sqlite.path};
	struct db *db = NULL;
	if (db_open(&target, &db, &t->err) ||
	    db_script(db, "DELETE FROM schema_migrations WHERE version > 1", &t->err))
		fail_msg("%s", t->err.text);
	db_close(db);
	ask(t, say_hello);
	wait_done(t, 1);
	assert_int_equal(t->rc[0], -ENODATA);
}

static void a_store_that_was_made_anew_is_opened_anew(void **state)
{
	struct bench *t = *state;
	ask(t, say_hello);
	wait_done(t, 1);
	remove_store(t);
	ask(t, say_hello);
	wait_done(t, 2);
	assert_int_equal(t->rc[1], -ENODATA);
	make_store(t);
	ask(t, say_hello);
	wait_done(t, 3);
	assert_int_equal(t->rc[2], 0);
}

#define BENCH(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(an_answer_is_json_text),
		BENCH(one_that_is_slow_lets_the_others_pass),
		BENCH(one_that_never_ends_is_ended),
		BENCH(more_than_may_wait_are_told_at_once),
		BENCH(a_connection_that_broke_meanwhile_is_made_anew),
		BENCH(errors_are_told_and_the_next_question_is_answered),
		cmocka_unit_test_setup_teardown(a_store_that_is_not_there_yet_is_found_once_it_is,
						open_empty, close_bench),
		BENCH(a_store_of_another_version_is_no_mistake_of_who_asks),
		BENCH(a_store_that_was_made_anew_is_opened_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
