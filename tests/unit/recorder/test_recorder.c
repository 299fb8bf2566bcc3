/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder with a real store and a service that is made up here: the test plays the bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "recorder.h"
#include "db/db.h"

#define DEADLINE_MS 20000

/* --- the service, as far as the recorder sees it --- */

struct service {
	uv_loop_t loop;
	const struct feed_ops *feed;
	void *feed_ctx;
	struct feed_cursor opened_from;
	bool is_feed_open, is_stopped, is_paused;
	unsigned pauses;
	int events;
	char status[800];
	enum outcome health;
	enum reason reason;
	char message[600];
};

uv_loop_t *service_loop(struct service *s)
{
	return &s->loop;
}

const char *service_node(const struct service *s)
{
	(void)s;
	return "web1";
}

const char *service_state_dir(const struct service *s)
{
	(void)s;
	return "/nonexistent"; /* the test says where everything is */
}

void service_health(struct service *s, enum outcome outcome, enum reason reason,
		    const char *message, json_t *metrics)
{
	assert_true(json_is_real(json_object_get(metrics, "backlog_lines")));
	json_decref(metrics);
	s->health = outcome;
	s->reason = reason;
	(void)snprintf(s->message, sizeof(s->message), "%s", message);
}

void service_status(struct service *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(s->status, sizeof(s->status), fmt, args);
	va_end(args);
}

void service_fail(struct service *s, int exit_code, const char *fmt, ...)
{
	(void)s;
	fail_msg("service_fail %d: %s", exit_code, fmt);
}

void service_publish(struct service *s, const char *topic, json_t *object)
{
	assert_string_equal(topic, "event");
	assert_string_equal(json_string_value(json_object_get(object, "kind")), "store_loss");
	s->events++;
	json_decref(object);
}

int service_feed_open(struct service *s, enum feed_start from, const struct feed_cursor *cursor,
		      const struct feed_ops *ops, void *ctx, struct err *err)
{
	(void)err;
	assert_int_equal(from, FEED_FROM_CURSOR);
	assert_false(s->is_feed_open);
	s->is_feed_open = true;
	s->opened_from = *cursor;
	s->feed = ops;
	s->feed_ctx = ctx;
	return 0;
}

void service_feed_pause(struct service *s, bool is_paused)
{
	assert_true(s->is_paused != is_paused);
	s->is_paused = is_paused;
	s->pauses += is_paused;
}

struct job {
	uv_work_t request;
	struct service *service;
	void (*work)(void *ctx);
	void (*after)(void *ctx);
	void *ctx;
};

static void job_work(uv_work_t *request)
{
	struct job *j = request->data;

	j->work(j->ctx);
}

static void job_after(uv_work_t *request, int status)
{
	struct job *j = request->data;

	(void)status;
	j->after(j->ctx);
	free(j);
}

void service_work(struct service *s, void (*work)(void *ctx), void (*after)(void *ctx), void *ctx)
{
	struct job *j = mem_alloc(sizeof(*j));

	*j = (struct job){.service = s, .work = work, .after = after, .ctx = ctx};
	j->request.data = j;
	assert_int_equal(uv_queue_work(&s->loop, &j->request, job_work, job_after), 0);
}

/* --- the fixture --- */

struct fixture {
	struct service service;
	struct recorder *recorder;
	char dir[64];
	char path[96];
	char spool[96];
	int64_t results_ms;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	log_set_level(LOG_LEVEL_FATAL); /* troubles are the subject here */
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-recorder-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/history.db", f->dir);
	(void)snprintf(f->spool, sizeof(f->spool), "%s/spool", f->dir);
	assert_int_equal(uv_loop_init(&f->service.loop), 0);
	*state = f;
	return 0;
}

static void remove_files(const struct fixture *f)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		(void)unlink(path);
	}
}

/* With all that is in it. */
static void empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[512];

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		(void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		(void)unlink(name);
	}
	(void)closedir(dir);
	(void)rmdir(path);
}

static void start(struct fixture *f)
{
	struct store_options options = {0};

	options.sqlite.path = mem_dup(f->path);
	options.spool.path = mem_dup(f->spool);
	options.retention.results_ms = f->results_ms;
	f->service.is_feed_open = f->service.is_stopped = f->service.is_paused = false;
	f->recorder = recorder_new(&f->service, &options);
	assert_null(options.sqlite.path);
	recorder_start(f->recorder);
}

/* Turns the loop until it is true, with a deadline instead of a nap. */
static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void until(struct fixture *f, bool (*is_true)(struct fixture *f))
{
	int64_t deadline = clock_mono_ms() + DEADLINE_MS;
	uv_timer_t tick;

	(void)uv_timer_init(&f->service.loop, &tick);
	(void)uv_timer_start(&tick, on_tick, 10, 10);
	while (!is_true(f)) {
		if (clock_mono_ms() > deadline)
			fail_msg("nothing happened in time; error: %s",
				 recorder_status_get(f->recorder).error);
		(void)uv_run(&f->service.loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&tick, NULL);
	(void)uv_run(&f->service.loop, UV_RUN_NOWAIT);
}

static bool is_following(struct fixture *f)
{
	return f->service.is_feed_open;
}

static bool is_stored(struct fixture *f)
{
	return recorder_status_get(f->recorder).backlog.lines == 0;
}

static bool has_stopped(struct fixture *f)
{
	return f->service.is_stopped;
}

static bool has_error(struct fixture *f)
{
	return recorder_status_get(f->recorder).error != NULL;
}

static void on_stopped(struct service *s)
{
	s->is_stopped = true;
}

static void stop(struct fixture *f)
{
	recorder_stop(f->recorder, on_stopped);
	until(f, has_stopped);
	recorder_free(TAKE_PTR(f->recorder));
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->recorder != NULL)
		stop(f);
	(void)uv_run(&f->service.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->service.loop), 0);
	remove_files(f);
	empty_dir(f->spool);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* As haled writes them. */
static void line_of(struct fixture *f, uint64_t seq, bool is_transition, size_t message_len)
{
	static char text[8192];
	char at[CLOCK_TEXT_MAX];
	int len =
		snprintf(text, sizeof(text),
			 "{\"at\":\"%s\",\"node\":\"web1\",\"component\":\"api\",\"transition\":%s,"
			 "\"previous\":\"healthy\",\"no_data\":false,\"state\":{\"status\":\"%s\","
			 "\"outcome\":\"pass\",\"message\":\"%0*d\"}}",
			 clock_format(INT64_C(1800000000000) + (int64_t)seq, at),
			 is_transition ? "true" : "false", is_transition ? "down" : "healthy",
			 (int)message_len, (int)seq);

	assert_true(f->service.feed->on_text(f->service.feed_ctx, "health", "e1", seq, text,
					     (size_t)len));
}

static void line(struct fixture *f, uint64_t seq, bool is_transition)
{
	line_of(f, seq, is_transition, 1);
}

static bool first_int(void *ctx, const struct db_row *row)
{
	*(int64_t *)ctx = row->values[0].integer;
	return false;
}

static int64_t ask(struct fixture *f, const char *sql)
{
	struct db_target target = {.where = f->path};
	struct db *db = NULL;
	struct err err = {0};
	int64_t n = -1;

	if (db_open(&target, &db, &err) != 0 ||
	    db_query(db, sql, NULL, 0, first_int, &n, &err) != 0)
		fail_msg("%s", err.text);
	db_close(db);
	return n;
}

static struct db *lock_store(struct fixture *f)
{
	struct db_target target = {.where = f->path, .timeout_ms = 10000};
	struct db *db = NULL;
	struct err err = {0};

	assert_int_equal(db_open(&target, &db, &err), 0);
	assert_int_equal(db_begin(db, &err), 0);
	return db;
}

/* --- tests --- */

static void an_empty_store_follows_the_bus_from_the_oldest_line(void **state)
{
	struct fixture *f = *state;

	start(f);
	until(f, is_following);
	assert_string_equal(f->service.opened_from.epoch, "");
	assert_int_equal(f->service.opened_from.seq, 0);
	assert_non_null(strstr(f->service.status, f->path));
}

static void lines_are_stored_within_the_second(void **state)
{
	struct fixture *f = *state;
	struct recorder_status st;

	start(f);
	until(f, is_following);
	line(f, 1, false);
	line(f, 2, true);
	assert_int_equal(recorder_status_get(f->recorder).backlog.lines, 2);
	until(f, is_stored);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 2);
	assert_int_equal(ask(f, "SELECT count(*) FROM transitions"), 1);
	st = recorder_status_get(f->recorder);
	assert_int_equal(st.rows_written, 2);
	assert_string_equal(st.cursor.epoch, "e1");
	assert_int_equal(st.cursor.seq, 2);
	assert_true(st.last_commit_ms > 0);
	assert_null(st.error);
}

static void many_lines_do_not_wait_for_the_second(void **state)
{
	struct fixture *f = *state;
	int64_t begin;

	start(f);
	until(f, is_following);
	begin = clock_mono_ms();
	for (uint64_t seq = 1; seq <= 2000; seq++)
		line(f, seq, false);
	until(f, is_stored);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 2000);
	assert_true(clock_mono_ms() - begin < DEADLINE_MS);
}

static void a_new_start_goes_on_where_the_store_ends(void **state)
{
	struct fixture *f = *state;

	start(f);
	until(f, is_following);
	for (uint64_t seq = 1; seq <= 5; seq++)
		line(f, seq, false);
	stop(f); /* writes what is queued, at once */
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 5);
	start(f);
	until(f, is_following);
	assert_string_equal(f->service.opened_from.epoch, "e1");
	assert_int_equal(f->service.opened_from.seq, 5);
}

static bool has_spool_error(struct fixture *f)
{
	return recorder_status_get(f->recorder).backlog.spool_error != NULL;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Nor if the disk is full at the same time: that a note of what was stored before succeeds says
 * nothing of the lines. */
static void a_locked_store_holds_lines_back_and_loses_none(void **state)
{
	struct fixture *f = *state;
	struct db *lock;

	start(f);
	until(f, is_following);
	line(f, 1, false);
	until(f, is_stored);
	lock = lock_store(f);
	limit_files(2048);
	for (uint64_t seq = 2; seq <= 30; seq++)
		line(f, seq, seq % 10 == 0);
	until(f, has_error);
	assert_non_null(strstr(f->service.status, "locked"));
	for (uint64_t seq = 31; seq <= 40; seq++)
		line(f, seq, false);
	until(f, has_spool_error);
	assert_int_equal(recorder_status_get(f->recorder).backlog.unsaved_lines, 39);
	limit_files(RLIM_INFINITY);
	db_close(lock);
	until(f, is_stored);
	assert_null(recorder_status_get(f->recorder).error);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 40);
	assert_int_equal(ask(f, "SELECT count(*) FROM transitions"), 3);
	assert_null(strstr(f->service.status, "locked"));
}

static void stopping_with_a_locked_store_ends_in_time(void **state)
{
	struct fixture *f = *state;
	int64_t begin;
	struct db *lock;

	start(f);
	until(f, is_following);
	line(f, 1, false);
	until(f, is_stored);
	lock = lock_store(f);
	line(f, 2, false);
	begin = clock_mono_ms();
	stop(f);
	assert_true(clock_mono_ms() - begin < 15000);
	db_close(lock);
	/* The line waits on disk, and the bus is followed from there. */
	assert_int_equal(ask(f, "SELECT seq FROM cursors"), 1);
	start(f);
	until(f, is_following);
	assert_int_equal(f->service.opened_from.seq, 2);
	until(f, is_stored);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 2);
}

static void a_store_that_cannot_be_opened_is_tried_again(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	for (int i = 0; i < 500; i++)
		(void)fputs("not a database\n", file);
	(void)fclose(file);
	start(f);
	until(f, has_error);
	assert_non_null(strstr(f->service.status, "no SQLite database"));
	/* The bus is followed all the same: lines wait here, haled does not keep them for long. */
	assert_true(f->service.is_feed_open);
	line(f, 1, false);
	remove_files(f);
	until(f, is_stored);
	assert_null(recorder_status_get(f->recorder).error);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 1);
}

static void a_store_deleted_under_us_is_made_anew(void **state)
{
	struct fixture *f = *state;

	start(f);
	until(f, is_following);
	line(f, 1, false);
	until(f, is_stored);
	remove_files(f);
	line(f, 2, false);
	until(f, is_stored);
	assert_int_equal(ask(f, "SELECT min(seq) FROM results"), 2);
}

static bool is_spooling(struct fixture *f)
{
	return recorder_status_get(f->recorder).backlog.spool_lines > 0;
}

static bool is_degraded(struct fixture *f)
{
	return f->service.health == OUTCOME_WARN;
}

static bool is_well(struct fixture *f)
{
	return f->service.health == OUTCOME_PASS;
}

static bool is_spool_empty(struct fixture *f)
{
	return recorder_status_get(f->recorder).backlog.spool_bytes == 0;
}

static void what_waits_for_a_store_in_trouble_goes_to_disk_and_is_told(void **state)
{
	struct fixture *f = *state;
	struct db *lock;

	start(f);
	until(f, is_following);
	line(f, 1, false);
	until(f, is_stored);
	until(f, is_well);
	lock = lock_store(f);
	for (uint64_t seq = 2; seq <= 5000; seq++)
		line(f, seq, seq % 10 == 0);
	until(f, is_spooling);
	until(f, is_degraded);
	assert_int_equal(recorder_status_get(f->recorder).backlog.lines, 4999);
	assert_non_null(strstr(f->service.message, "lines wait"));
	assert_non_null(strstr(f->service.message, f->spool));
	db_close(lock);
	until(f, is_stored);
	until(f, is_well);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 5000);
	until(f, is_spool_empty);
	assert_int_equal(f->service.events, 0);
}

static bool says_the_disk_fails(struct fixture *f)
{
	return strstr(f->service.message, "the disk cannot keep them") != NULL;
}

static void what_does_not_fit_is_dropped_counted_and_told(void **state)
{
	struct fixture *f = *state;
	struct recorder_status st;
	struct db *lock;
	uint64_t seq = 1;

	/* A file where the directory should be: lines wait in memory only. */
	(void)fclose(fopen(f->spool, "w"));
	start(f);
	until(f, is_following);
	line_of(f, seq++, true, 1);
	until(f, is_stored);
	lock = lock_store(f);
	while (recorder_status_get(f->recorder).backlog.dropped[LINE_RESULT] < 500) {
		line_of(f, seq, seq % 10 == 0, 4000);
		seq++;
		assert_true(seq < 1000000);
	}
	until(f, says_the_disk_fails);
	assert_int_equal(f->service.health, OUTCOME_WARN);
	assert_int_equal(f->service.reason, REASON_STORE_LOST);
	assert_int_equal(f->service.events, 1); /* once a minute, not once a line */
	db_close(lock);
	until(f, is_stored);
	st = recorder_status_get(f->recorder);
	assert_int_equal(st.backlog.dropped[LINE_RESULT], 500);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), (int64_t)(seq - 1 - 500));
	/* Not one transition is missing. */
	assert_int_equal(ask(f, "SELECT count(*) FROM transitions"), (int64_t)(1 + (seq - 1) / 10));
	(void)unlink(f->spool);
}

static bool has_room_again(struct fixture *f)
{
	return !f->service.is_paused;
}

/* The store works, only not as fast as they come: haled keeps them meanwhile. */
static void a_burst_pauses_the_feed_and_drops_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t seq = 0;

	start(f);
	until(f, is_following);
	while (!f->service.is_paused)
		line_of(f, ++seq, false, 4000);
	assert_true(seq > 1000);
	until(f, has_room_again);
	assert_int_equal(f->service.pauses, 1);
	line(f, ++seq, false);
	stop(f);
	assert_true(f->service.is_paused);
	assert_int_equal(f->service.events, 0);
	/* What could not be written in time before the end is on disk. */
	start(f);
	until(f, is_following);
	until(f, is_stored);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), (int64_t)seq);
}

static void a_snapshot_moves_the_cursor_and_tells_the_difference(void **state)
{
	struct fixture *f = *state;
	json_t *snapshot = json_pack("{s:s, s:s, s:i, s:[{s:s, s:s, s:s}]}", "status", "critical",
				     "epoch", "e9", "head", 77, "components", "id", "api", "status",
				     "down", "since", "2027-01-15T07:00:00.000Z");

	start(f);
	until(f, is_following);
	f->service.feed->on_snapshot(f->service.feed_ctx, snapshot);
	until(f, is_stored);
	assert_string_equal(recorder_status_get(f->recorder).cursor.epoch, "e9");
	assert_int_equal(recorder_status_get(f->recorder).cursor.seq, 77);
	assert_int_equal(ask(f, "SELECT count(*) FROM v_transitions WHERE to_status IN"
				" ('down', 'critical')"),
			 2); /* api and overall */
	json_decref(snapshot);
}

struct purged {
	int calls;
	uint64_t deleted;
	char error[256];
};

static struct purged purged;

static void on_purged(void *ctx, uint64_t deleted, const char *error)
{
	struct purged *p = ctx;

	p->calls++;
	p->deleted = deleted;
	(void)snprintf(p->error, sizeof(p->error), "%s", error != NULL ? error : "");
}

static bool is_purged(struct fixture *f)
{
	(void)f;
	return purged.calls > 0;
}

static void purge_deletes_in_steps_and_answers_once(void **state)
{
	struct fixture *f = *state;

	purged = (struct purged){0};
	/* The lines are of 2027; whenever this runs, nothing younger than a day is near them. */
	start(f);
	until(f, is_following);
	for (uint64_t seq = 1; seq <= 2500; seq++)
		line(f, seq, false);
	until(f, is_stored);
	(void)ask(f, "SELECT 1");
	{
		struct db *db = lock_store(f);
		struct err err = {0};

		assert_int_equal(
			db_script(db, "UPDATE results SET at = seq WHERE seq <= 2300", &err), 0);
		assert_int_equal(db_commit(db, &err), 0);
		db_close(db);
	}
	assert_true(recorder_purge(f->recorder, on_purged, &purged));
	assert_false(recorder_purge(f->recorder, on_purged, &purged));
	until(f, is_purged);
	assert_int_equal(purged.calls, 1);
	assert_string_equal(purged.error, "");
	assert_int_equal(purged.deleted, 2300);
	assert_int_equal(ask(f, "SELECT count(*) FROM results"), 200);
	assert_int_equal(recorder_status_get(f->recorder).keeper.rows_purged, 2300);
}

static void purge_of_an_unreachable_store_is_answered_with_the_error(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	purged = (struct purged){0};
	assert_non_null(file);
	for (int i = 0; i < 500; i++)
		(void)fputs("not a database\n", file);
	(void)fclose(file);
	start(f);
	until(f, has_error);
	assert_true(recorder_purge(f->recorder, on_purged, &purged));
	until(f, is_purged);
	assert_non_null(strstr(purged.error, "no SQLite database"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_follows_the_bus_from_the_oldest_line),
		TEST(lines_are_stored_within_the_second),
		TEST(many_lines_do_not_wait_for_the_second),
		TEST(a_new_start_goes_on_where_the_store_ends),
		TEST(a_locked_store_holds_lines_back_and_loses_none),
		TEST(stopping_with_a_locked_store_ends_in_time),
		TEST(a_store_that_cannot_be_opened_is_tried_again),
		TEST(a_store_deleted_under_us_is_made_anew),
		TEST(what_waits_for_a_store_in_trouble_goes_to_disk_and_is_told),
		TEST(what_does_not_fit_is_dropped_counted_and_told),
		TEST(a_burst_pauses_the_feed_and_drops_nothing),
		TEST(a_snapshot_moves_the_cursor_and_tells_the_difference),
		TEST(purge_deletes_in_steps_and_answers_once),
		TEST(purge_of_an_unreachable_store_is_answered_with_the_error),
	};

	(void)signal(SIGXFSZ, SIG_IGN); /* of limit_files() */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
