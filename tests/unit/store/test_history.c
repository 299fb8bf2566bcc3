/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "store/db.h"
#include "store/history.h"

#define T0 INT64_C(1800000000000) /* 2027-01-15 */

struct fixture {
	char dir[64];
	char path[96];
	struct history_options options;
	struct history *h;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-history-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/sub/history.db", f->dir);
	f->options.sqlite.path = f->path;
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

static int teardown(void **state)
{
	struct fixture *f = *state;
	char sub[96];

	history_close(f->h);
	remove_files(f);
	(void)snprintf(sub, sizeof(sub), "%s/sub", f->dir);
	(void)rmdir(sub);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static void must(struct fixture *f, int rc)
{
	if (rc != 0)
		fail_msg("%s (%d)", f->err.text, rc);
}

static void open_writer(struct fixture *f)
{
	history_close(TAKE_PTR(f->h));
	must(f, history_open(&f->options, true, &f->h, &f->err));
}

/* --- looking into the file beside history.h --- */

static struct db *raw_open(struct fixture *f)
{
	struct db_target target = {.where = f->path};
	struct db *db = NULL;

	must(f, db_open(&target, &db, &f->err));
	return db;
}

static void raw_script(struct fixture *f, const char *sql)
{
	struct db *db = raw_open(f);

	must(f, db_script(db, sql, &f->err));
	db_close(db);
}

static bool first_value(void *ctx, const struct db_row *row)
{
	struct str *s = ctx;

	if (row->values[0].type == DB_INT)
		str_addf(s, "%lld", (long long)row->values[0].integer);
	else if (row->values[0].type == DB_TEXT)
		str_add(s, row->values[0].text);
	str_addc(s, ';');
	return true;
}

/* First column of all rows, each with a ";". */
static void expect(struct fixture *f, const char *sql, const char *expected)
{
	struct db *db = raw_open(f);
	struct str s = {0};

	must(f, db_query(db, sql, NULL, 0, first_value, &s, &f->err));
	assert_string_equal(str_text(&s), expected);
	str_done(&s);
	db_close(db);
}

static int64_t count(struct fixture *f, const char *table)
{
	char sql[96];
	struct db *db = raw_open(f);
	struct str s = {0};
	int64_t n;

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	must(f, db_query(db, sql, NULL, 0, first_value, &s, &f->err));
	n = atoll(str_text(&s));
	str_done(&s);
	db_close(db);
	return n;
}

/* --- lines --- */

static struct history_line make_line(const char *topic, uint64_t seq, const char *json)
{
	struct history_line line = {.topic = mem_dup(topic), .epoch = mem_dup("e1"), .seq = seq};
	char at[CLOCK_TEXT_MAX];

	line.object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line.object);
	if (json_object_get(line.object, "at") == NULL)
		(void)json_object_set_new(line.object, "at",
					  json_string(clock_format(T0 + (int64_t)seq * 1000, at)));
	if (json_object_get(line.object, "node") == NULL)
		(void)json_object_set_new(line.object, "node", json_string("web1"));
	return line;
}

static void free_line(struct history_line *line)
{
	free(line->topic);
	free(line->epoch);
	json_decref(line->object);
}

/* Writes one line; returns how many were skipped. */
static size_t put(struct fixture *f, const char *topic, uint64_t seq, const char *json)
{
	struct history_line line = make_line(topic, seq, json);
	size_t skipped = 99;

	must(f, history_write(f->h, &line, 1, "e1", seq, &skipped, &f->err));
	free_line(&line);
	return skipped;
}

#define HEALTHY(extra)                                                                             \
	"{\"component\":\"api\",\"transition\":false,\"previous\":\"healthy\",\"no_data\":false,"  \
	"\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":\"ok\","                \
	"\"message\":\"200\",\"took_ms\":41.2,\"metrics\":{\"status_code\":200.0}" extra "}}"
#define DOWN                                                                                       \
	"{\"component\":\"api\",\"transition\":true,\"previous\":\"healthy\",\"no_data\":false,"   \
	"\"overall\":{\"status\":\"critical\",\"previous\":\"healthy\",\"transition\":true},"      \
	"\"state\":{\"status\":\"down\",\"outcome\":\"down\",\"reason\":\"conn_refused\","         \
	"\"message\":\"Connection refused\",\"took_ms\":1.5,\"metrics\":{},"                       \
	"\"details\":{\"address\":\"::1\"}}}"

/* --- the file --- */

static void a_fresh_store_is_made_with_its_directory(void **state)
{
	struct fixture *f = *state;
	char epoch[64] = "x";
	uint64_t seq = 7;

	open_writer(f);
	must(f, history_cursor(f->h, epoch, sizeof(epoch), &seq, &f->err));
	assert_string_equal(epoch, "");
	assert_int_equal(seq, 0);
	expect(f, "PRAGMA journal_mode", "wal;");
}

static void migrations_are_recorded_and_not_repeated(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	expect(f, "SELECT name FROM schema_migrations WHERE version = 1", "001_initial;");
	open_writer(f);
	expect(f, "SELECT count(*) FROM schema_migrations WHERE version = 1", "1;");
	assert_int_equal(count(f, "results"), 1);
}

static void a_newer_store_is_refused_and_not_touched(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	history_close(TAKE_PTR(f->h));
	raw_script(f, "INSERT INTO schema_migrations VALUES (999, 'x', 0)");
	assert_int_equal(history_open(&f->options, true, &f->h, &f->err), -EINVAL);
	assert_non_null(strstr(f->err.text, "999"));
	assert_non_null(strstr(f->err.text, "newer hale"));
	assert_int_equal(history_open(&f->options, false, &f->h, &f->err), -EINVAL);
	expect(f, "SELECT max(version) FROM schema_migrations", "999;");
}

static void somebody_elses_database_is_refused_and_not_touched(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dir_make(f->dir, 0700, &f->err), 0);
	open_writer(f); /* makes the directory */
	history_close(TAKE_PTR(f->h));
	remove_files(f);
	raw_script(f, "CREATE TABLE orders (id INTEGER)");
	assert_int_equal(history_open(&f->options, true, &f->h, &f->err), -EINVAL);
	assert_non_null(strstr(f->err.text, "something else"));
	expect(f, "SELECT name FROM sqlite_master", "orders;");
	expect(f, "PRAGMA journal_mode", "delete;");
}

static void a_reader_without_a_store_gets_enoent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(history_open(&f->options, false, &f->h, &f->err), -ENOENT);
	open_writer(f);
	history_close(TAKE_PTR(f->h));
	must(f, history_open(&f->options, false, &f->h, &f->err));
}

static void a_deleted_file_is_broken(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_false(history_is_broken(f->h));
	remove_files(f);
	assert_true(history_is_broken(f->h));
}

/* --- what becomes a row --- */

static void an_observation_is_a_result_and_no_transition(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1, HEALTHY("")), 0);
	expect(f,
	       "SELECT node||' '||component||' '||status||' '||outcome||' '||reason||' '||message||"
	       "' '||took_ms||' '||metrics||' '||at_text||' '||epoch||' '||seq FROM v_results",
	       "web1 api healthy pass ok 200 41.2 {\"status_code\":200.0} 2027-01-15T08:00:01.000Z "
	       "e1 1;");
	assert_int_equal(count(f, "transitions"), 0);
}

static void a_change_is_a_result_a_transition_and_the_overalls(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1, DOWN), 0);
	expect(f, "SELECT status||' '||reason||' '||message||' '||details FROM v_results",
	       "down conn_refused Connection refused {\"address\":\"::1\"};");
	expect(f,
	       "SELECT component||' '||from_status||' '||to_status||' '||message FROM v_transitions"
	       " ORDER BY component",
	       "api healthy down Connection refused;overall healthy critical api is down;");
}

static void silence_is_a_transition_without_a_result(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(
		put(f, "health", 1,
		    "{\"component\":\"api\",\"transition\":true,\"previous\":\"healthy\","
		    "\"no_data\":true,\"state\":{\"status\":\"unknown\",\"outcome\":\"pass\","
		    "\"reason\":\"no_data\",\"message\":\"No data\"}}"),
		0);
	assert_int_equal(count(f, "results"), 0);
	expect(f, "SELECT to_status||' '||reason FROM v_transitions", "unknown no_data;");
}

static void a_removed_component_leaves_no_result(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1,
			     "{\"component\":\"api\",\"transition\":false,\"removed\":true,"
			     "\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\"}}"),
			 0);
	assert_int_equal(count(f, "results"), 0);
	assert_int_equal(count(f, "transitions"), 0);
}

static void the_first_change_has_no_known_before(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1,
			     "{\"component\":\"api\",\"transition\":true,\"previous\":null,"
			     "\"state\":{\"status\":\"healthy\",\"outcome\":null}}"),
			 0);
	expect(f, "SELECT from_status IS NULL FROM v_transitions", "1;");
}

static void a_healthy_message_is_stored_when_it_changes(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	(void)put(f, "health", 2, HEALTHY(""));
	(void)put(f, "health", 3, HEALTHY(",\"details\":{\"a\":1}"));
	(void)put(f, "health", 4, HEALTHY(",\"details\":{\"a\":1}"));
	(void)put(f, "health", 5, DOWN);
	(void)put(f, "health", 6, DOWN);
	(void)put(f, "health", 7, HEALTHY(""));
	expect(f, "SELECT coalesce(message, '-') FROM v_results ORDER BY seq",
	       "200;-;-;-;Connection refused;Connection refused;200;");
	expect(f, "SELECT coalesce(details, '-') FROM v_results ORDER BY seq",
	       "-;-;{\"a\":1};-;{\"address\":\"::1\"};{\"address\":\"::1\"};-;");
}

static void long_details_are_replaced_by_their_size(void **state)
{
	struct fixture *f = *state;
	char *filler = mem_alloc(20001), *json;

	open_writer(f);
	memset(filler, 'x', 20000);
	json = mem_printf("{\"kind\":\"reload\",\"severity\":\"info\",\"details\":{\"a\":\"%s\"}}",
			  filler);
	assert_int_equal(put(f, "event", 1, json), 0);
	expect(f, "SELECT details FROM events", "{\"truncated\":true,\"bytes\":20008};");
	free(filler);
	free(json);
}

static void processes_events_alerts_and_runs_have_their_rows(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(
		put(f, "process", 1,
		    "{\"event\":\"exit\",\"state\":{\"name\":\"check.http\",\"state\":\"backoff\","
		    "\"pid\":null,\"generation\":3,\"restarts\":2,\"status_text\":\"12 checks\","
		    "\"last_exit\":{\"signal\":\"SIGKILL\",\"last_lines\":[\"boom\"]}}}"),
		0);
	assert_int_equal(put(f, "event", 2,
			     "{\"kind\":\"reload\",\"severity\":\"info\",\"subject\":\"config\","
			     "\"message\":\"3 changed\",\"details\":{}}"),
			 0);
	assert_int_equal(
		put(f, "alert", 3,
		    "{\"event\":\"opened\",\"alert\":{\"id\":\"u\",\"severity\":\"critical\","
		    "\"component\":\"api\",\"message\":\"api is down\"}}"),
		0);
	assert_int_equal(
		put(f, "reconcile", 4,
		    "{\"job\":\"positions\",\"outcome\":\"done\",\"inserted\":1,\"updated\":2,"
		    "\"closed\":0,\"errors\":[],\"plan\":[1,2,3]}"),
		0);
	assert_int_equal(
		put(f, "action", 5,
		    "{\"action\":\"reconnect\",\"outcome\":\"failed\",\"message\":\"503\"}"),
		0);
	expect(f,
	       "SELECT process||' '||event||' '||state||' '||generation||' '||last_exit"
	       " FROM v_process_events",
	       "check.http exit backoff 3 {\"signal\":\"SIGKILL\",\"last_lines\":[\"boom\"]};");
	expect(f,
	       "SELECT topic||' '||kind||' '||severity||' '||subject||' '||message FROM v_events"
	       " ORDER BY seq",
	       "event reload info config 3 changed;alert opened critical api api is down;"
	       "reconcile done info positions 1 inserted, 2 updated, 0 closed;"
	       "action failed warning reconnect 503;");
	expect(f, "SELECT instr(details, 'plan') FROM v_events WHERE topic = 'reconcile'", "0;");
}

static void what_is_not_understood_is_counted_and_passed_over(void **state)
{
	static const struct {
		const char *topic, *json;
	} bad[] = {
		{"health", "{}"},
		{"health", "{\"component\":\"\",\"state\":{\"status\":\"healthy\"}}"},
		{"health", "{\"component\":\"a\",\"state\":{\"status\":\"purple\"}}"},
		{"health", "{\"component\":7,\"state\":[]}"},
		{"health", "{\"component\":\"a\",\"state\":{\"status\":\"down\"},\"at\":\"noon\"}"},
		{"health", "{\"component\":\"a\",\"state\":{\"status\":\"down\"},\"node\":\"\"}"},
		{"process", "{\"event\":\"exit\"}"},
		{"event", "{\"kind\":\"x\"}"},
		{"alert", "{\"event\":\"opened\"}"},
		{"weather", "{}"},
	};
	struct fixture *f = *state;
	char *long_name = mem_alloc(301), *json;

	open_writer(f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(put(f, bad[i].topic, i + 1, bad[i].json), 1);
	memset(long_name, 'n', 300);
	json = mem_printf("{\"component\":\"%s\",\"state\":{\"status\":\"down\"}}", long_name);
	assert_int_equal(put(f, "health", 50, json), 1);
	assert_int_equal(count(f, "results") + count(f, "transitions") + count(f, "events"), 0);
	expect(f, "SELECT value FROM meta WHERE key = 'cursor_seq'", "50;");
	free(long_name);
	free(json);
}

static void a_snapshot_tells_only_what_differs(void **state)
{
	struct fixture *f = *state;
	const char *snapshot =
		"{\"status\":\"critical\",\"components\":["
		"{\"id\":\"api\",\"status\":\"down\",\"since\":\"2027-01-15T07:00:00.000Z\"},"
		"{\"id\":\"db\",\"status\":\"degraded\",\"since\":\"2027-01-15T09:00:00.000Z\","
		"\"message\":\"slow\"}]}";

	open_writer(f);
	(void)put(f, "health", 1, DOWN);
	assert_int_equal(put(f, HISTORY_TOPIC_SNAPSHOT, 90, snapshot), 0);
	assert_int_equal(put(f, HISTORY_TOPIC_SNAPSHOT, 90, snapshot), 0);
	expect(f,
	       "SELECT component||' '||coalesce(from_status,'-')||' '||to_status||' '||at_text"
	       " FROM v_transitions WHERE seq = 90",
	       "db - degraded 2027-01-15T09:00:00.000Z;");
}

/* --- exactly once --- */

static void a_failed_batch_leaves_nothing_and_can_be_written_again(void **state)
{
	struct fixture *f = *state;
	struct history_line lines[2] = {make_line("health", 1, HEALTHY("")),
					make_line("health", 2, DOWN)};
	size_t skipped = 0;

	open_writer(f);
	raw_script(f, "CREATE TRIGGER refuse BEFORE INSERT ON transitions"
		      " BEGIN SELECT RAISE(ABORT, 'disk on fire'); END");
	assert_int_not_equal(history_write(f->h, lines, 2, "e1", 2, &skipped, &f->err), 0);
	assert_non_null(strstr(f->err.text, "disk on fire"));
	assert_int_equal(count(f, "results") + count(f, "components") + count(f, "epochs") +
				 count(f, "meta"),
			 0);
	raw_script(f, "DROP TRIGGER refuse");
	must(f, history_write(f->h, lines, 2, "e1", 2, &skipped, &f->err));
	assert_int_equal(count(f, "results"), 2);
	/* The message cache did not believe the failed batch. */
	expect(f, "SELECT message FROM v_results WHERE seq = 1", "200;");
	free_line(&lines[0]);
	free_line(&lines[1]);
}

/* Line number seq of an endless history, always the same. */
static struct history_line nth_line(uint64_t seq)
{
	switch (seq % 5) {
	case 0:
		return make_line("health", seq, DOWN);
	case 1:
		return make_line(
			"process", seq,
			"{\"event\":\"start\",\"state\":{\"name\":\"p\",\"state\":\"starting\"}}");
	case 2:
		return make_line("event", seq, "{\"kind\":\"start\",\"severity\":\"info\"}");
	default:
		return make_line("health", seq, HEALTHY(""));
	}
}

static int write_range(struct history *h, uint64_t from, uint64_t to, struct err *err)
{
	size_t n = (size_t)(to - from + 1), skipped = 0;
	struct history_line *lines = mem_array(n, sizeof(*lines));
	int rc;

	for (size_t i = 0; i < n; i++)
		lines[i] = nth_line(from + i);
	rc = history_write(h, lines, n, "e1", to, &skipped, err);
	for (size_t i = 0; i < n; i++)
		free_line(&lines[i]);
	free(lines);
	return rc;
}

/* Lines 1..n are there, each once, and nothing else. */
static void expect_exactly(struct fixture *f, uint64_t n)
{
	uint64_t fives = n / 5, rest = n % 5;
	uint64_t results = fives * 3 + (rest > 2 ? rest - 2 : 0);

	assert_int_equal(count(f, "results"), results);
	assert_int_equal(count(f, "transitions"), fives * 2);
	assert_int_equal(count(f, "process_events"), fives + (rest >= 1));
	assert_int_equal(count(f, "events"), fives + (rest >= 2));
}

static void lines_handed_in_again_are_stored_once(void **state)
{
	struct fixture *f = *state;
	uint64_t head = 0;

	open_writer(f);
	for (int round = 0; round < 60; round++) {
		uint64_t from = head - rnd_u32() % (head + 1) + 1;
		uint64_t to = HALE_MAX(from, head) + rnd_u32() % 7;

		if (rnd_u32() % 8 == 0)
			open_writer(f);
		must(f, write_range(f->h, from, to, &f->err));
		head = to;
	}
	expect_exactly(f, head);
}

/* Writes until it is killed; tells each committed seq on fd. */
static void write_for_ever(struct fixture *f, int fd)
{
	struct err err = {0};
	struct history *h = NULL;
	char epoch[64];
	uint64_t seq = 0;

	if (history_open(&f->options, true, &h, &err) != 0 ||
	    history_cursor(h, epoch, sizeof(epoch), &seq, &err) != 0)
		_exit(1);
	for (;;) {
		uint64_t to = seq + 1 + rnd_u32() % 40;

		if (write_range(h, seq + 1, to, &err) != 0)
			_exit(2);
		seq = to;
		if (write(fd, &seq, sizeof(seq)) != (ssize_t)sizeof(seq))
			_exit(3);
	}
}

static void kill_a_writer(struct fixture *f, uint64_t *acknowledged)
{
	struct timespec pause;
	uint64_t seq = 0;
	int fds[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_for_ever(f, fds[1]);
	(void)close(fds[1]);
	/* From the first commit on, at any moment. */
	assert_int_equal(read(fds[0], &seq, sizeof(seq)), sizeof(seq));
	pause = (struct timespec){.tv_nsec = (long)(rnd_u32() % 30) * 1000000};
	(void)nanosleep(&pause, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	do
		*acknowledged = seq;
	while (read(fds[0], &seq, sizeof(seq)) == (ssize_t)sizeof(seq));
	(void)close(fds[0]);
}

static void kill_9_in_the_middle_loses_and_repeats_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t acknowledged = 0, cursor = 0;
	char epoch[64];

	for (int round = 0; round < 12; round++) {
		kill_a_writer(f, &acknowledged);
		open_writer(f);
		expect(f, "PRAGMA integrity_check", "ok;");
		must(f, history_cursor(f->h, epoch, sizeof(epoch), &cursor, &f->err));
		assert_string_equal(epoch, "e1");
		assert_true(cursor >= acknowledged);
		expect_exactly(f, cursor);
		history_close(TAKE_PTR(f->h));
	}
}

/* --- reading --- */

static json_t *read_page(struct fixture *f, const struct history_query *q)
{
	json_t *out = NULL;

	must(f, history_read(f->h, q, &out, &f->err));
	return out;
}

static void rows_come_newest_first_with_their_shape(void **state)
{
	struct fixture *f = *state;
	struct history_query q = {.what = HISTORY_RESULTS};
	json_t *out, *expected;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	(void)put(f, "health", 2, DOWN);
	out = read_page(f, &q);
	expected = json_loads(
		"{\"truncated\":false,\"cursor\":null,\"rows\":["
		"{\"at\":\"2027-01-15T08:00:02.000Z\",\"node\":\"web1\",\"component\":\"api\","
		"\"status\":\"down\",\"outcome\":\"down\",\"reason\":\"conn_refused\","
		"\"message\":\"Connection refused\",\"took_ms\":1.5,\"metrics\":{},"
		"\"details\":{\"address\":\"::1\"}},"
		"{\"at\":\"2027-01-15T08:00:01.000Z\",\"node\":\"web1\",\"component\":\"api\","
		"\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":\"ok\",\"message\":\"200\","
		"\"took_ms\":41.2,\"metrics\":{\"status_code\":200.0},\"details\":null}]}",
		0, NULL);
	assert_non_null(expected);
	if (!json_equal(out, expected))
		fail_msg("%s", json_dumps(out, JSON_INDENT(1)));
	json_decref(out);
	json_decref(expected);
	q.what = HISTORY_TRANSITIONS;
	q.component = "overall";
	out = read_page(f, &q);
	expected = json_loads(
		"{\"truncated\":false,\"cursor\":null,\"rows\":["
		"{\"at\":\"2027-01-15T08:00:02.000Z\",\"node\":\"web1\",\"component\":\"overall\","
		"\"from\":\"healthy\",\"to\":\"critical\",\"reason\":null,\"message\":\"api is "
		"down\"}]}",
		0, NULL);
	assert_true(json_equal(out, expected));
	json_decref(out);
	json_decref(expected);
}

static void events_and_processes_have_their_shape(void **state)
{
	struct fixture *f = *state;
	struct history_query q = {.what = HISTORY_EVENTS};
	json_t *out, *row;

	open_writer(f);
	must(f, write_range(f->h, 1, 2, &f->err));
	out = read_page(f, &q);
	row = json_array_get(json_object_get(out, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "topic")), "event");
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "start");
	assert_true(json_is_null(json_object_get(row, "subject")));
	assert_true(json_is_object(json_object_get(row, "details")));
	json_decref(out);
	q.what = HISTORY_PROCESSES;
	q.component = "p";
	out = read_page(f, &q);
	row = json_array_get(json_object_get(out, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "process")), "p");
	assert_string_equal(json_string_value(json_object_get(row, "node")), "web1");
	assert_true(json_is_null(json_object_get(row, "last_exit")));
	json_decref(out);
}

static void time_and_name_filter(void **state)
{
	struct fixture *f = *state;
	struct history_query q = {.what = HISTORY_RESULTS};
	json_t *out;

	open_writer(f);
	must(f, write_range(f->h, 1, 20, &f->err));
	q.from_ms = T0 + 5000; /* line 5 is in */
	q.to_ms = T0 + 9000;   /* line 9 is not */
	out = read_page(f, &q);
	assert_int_equal(json_array_size(json_object_get(out, "rows")), 2); /* 5 and 8 */
	json_decref(out);
	q.component = "nobody";
	out = read_page(f, &q);
	assert_int_equal(json_array_size(json_object_get(out, "rows")), 0);
	assert_true(json_is_null(json_object_get(out, "cursor")));
	json_decref(out);
}

/* Whatever the page size, the pages together are the one list. */
static void pages_together_are_the_whole(void **state)
{
	struct fixture *f = *state;
	json_t *whole, *pages, *out;

	open_writer(f);
	must(f, write_range(f->h, 1, 83, &f->err));
	for (enum history_what what = HISTORY_RESULTS; what <= HISTORY_PROCESSES; what++) {
		for (size_t limit = 1; limit < 60; limit += 7) {
			struct history_query q = {.what = what, .limit = 1000};
			char cursor[96] = "";

			out = read_page(f, &q);
			whole = json_incref(json_object_get(out, "rows"));
			json_decref(out);
			pages = json_array();
			q.limit = limit;
			do {
				bool is_more;

				q.cursor = cursor[0] != '\0' ? cursor : NULL;
				out = read_page(f, &q);
				(void)json_array_extend(pages, json_object_get(out, "rows"));
				is_more = json_is_true(json_object_get(out, "truncated"));
				assert_int_equal(is_more,
						 json_is_string(json_object_get(out, "cursor")));
				(void)snprintf(
					cursor, sizeof(cursor), "%s",
					is_more ? json_string_value(json_object_get(out, "cursor"))
						: "");
				json_decref(out);
			} while (cursor[0] != '\0');
			assert_true(json_equal(whole, pages));
			json_decref(whole);
			json_decref(pages);
		}
	}
}

static void a_bad_cursor_is_einval(void **state)
{
	static const char *const bad[] = {
		"",       "r",      "r1-2",    "r1-2-3-4", "r-1-2-3",
		"t1-2-3", "rx-2-3", "r1-2-3 ", "r1--2-3",  "r99999999999999999999-1-1"};
	struct fixture *f = *state;
	json_t *out = NULL;

	open_writer(f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct history_query q = {.what = HISTORY_RESULTS, .cursor = bad[i]};

		assert_int_equal(history_read(f->h, &q, &out, &f->err), -EINVAL);
		assert_null(out);
	}
}

static void a_reader_reads_while_the_writer_writes(void **state)
{
	struct fixture *f = *state;
	struct history_query q = {.what = HISTORY_RESULTS};
	struct history *reader = NULL;
	json_t *out = NULL;

	open_writer(f);
	must(f, history_open(&f->options, false, &reader, &f->err));
	must(f, write_range(f->h, 1, 10, &f->err));
	must(f, history_read(reader, &q, &out, &f->err));
	assert_int_equal(json_array_size(json_object_get(out, "rows")), 6);
	json_decref(out);
	history_close(reader);
}

/* --- purge --- */

static void purge_deletes_what_is_old_in_small_batches(void **state)
{
	struct fixture *f = *state;
	int64_t now = T0 + 100000; /* line 100 is now */
	size_t deleted = 0, total = 0;

	f->options.retention.results_ms = 50000;
	f->options.retention.transitions_ms = 80000;
	f->options.retention.events_ms = 95000;
	open_writer(f);
	must(f, write_range(f->h, 1, 100, &f->err));
	do {
		must(f, history_purge(f->h, &f->options, now, 7, &deleted, &f->err));
		assert_in_range(deleted, 0, 7);
		total += deleted;
	} while (deleted == 7);
	/* Lines 1 to 49 hold 29 results; 1 to 19 hold 3 changes of two; 1 to 4 one process, one
	 * event. */
	assert_int_equal(total, 29 + 6 + 2);
	expect(f, "SELECT min(seq) FROM results", "50;");
	expect(f, "SELECT min(seq) FROM transitions", "20;");
	expect(f, "SELECT min(seq) FROM process_events", "6;");
	expect(f, "SELECT min(seq) FROM events", "7;");
	must(f, history_purge(f->h, &f->options, now, 7, &deleted, &f->err));
	assert_int_equal(deleted, 0);
}

static void purge_without_settings_keeps_seven_days_and_an_hour(void **state)
{
	struct fixture *f = *state;
	const int64_t keep = (7 * 24 + 1) * INT64_C(3600000);
	size_t deleted = 0;

	open_writer(f);
	must(f, write_range(f->h, 3, 4, &f->err)); /* two results, at T0 + 3 s and 4 s */
	must(f, history_purge(f->h, &f->options, T0 + 4000 + keep, 100, &deleted, &f->err));
	assert_int_equal(deleted, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fresh_store_is_made_with_its_directory),
		TEST(migrations_are_recorded_and_not_repeated),
		TEST(a_newer_store_is_refused_and_not_touched),
		TEST(somebody_elses_database_is_refused_and_not_touched),
		TEST(a_reader_without_a_store_gets_enoent),
		TEST(a_deleted_file_is_broken),
		TEST(an_observation_is_a_result_and_no_transition),
		TEST(a_change_is_a_result_a_transition_and_the_overalls),
		TEST(silence_is_a_transition_without_a_result),
		TEST(a_removed_component_leaves_no_result),
		TEST(the_first_change_has_no_known_before),
		TEST(a_healthy_message_is_stored_when_it_changes),
		TEST(long_details_are_replaced_by_their_size),
		TEST(processes_events_alerts_and_runs_have_their_rows),
		TEST(what_is_not_understood_is_counted_and_passed_over),
		TEST(a_snapshot_tells_only_what_differs),
		TEST(a_failed_batch_leaves_nothing_and_can_be_written_again),
		TEST(lines_handed_in_again_are_stored_once),
		TEST(kill_9_in_the_middle_loses_and_repeats_nothing),
		TEST(rows_come_newest_first_with_their_shape),
		TEST(events_and_processes_have_their_shape),
		TEST(time_and_name_filter),
		TEST(pages_together_are_the_whole),
		TEST(a_bad_cursor_is_einval),
		TEST(a_reader_reads_while_the_writer_writes),
		TEST(purge_deletes_what_is_old_in_small_batches),
		TEST(purge_without_settings_keeps_seven_days_and_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
