/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

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
#include "model/frame.h"

int store_setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-history-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/sub/history.db", f->dir);
	f->options.sqlite.path = f->path;
	assert_int_equal(uv_loop_init(&f->loop), 0);
	*state = f;
	return 0;
}

void remove_files(const struct fixture *f)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		(void)unlink(path);
	}
}

int store_teardown(void **state)
{
	struct fixture *f = *state;
	char sub[96];

	close_writer(f);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	store_close(f->h);
	if (f->is_postgres)
		raw_script(f, "DROP SCHEMA IF EXISTS hale CASCADE");
	remove_files(f);
	(void)snprintf(sub, sizeof(sub), "%s/sub", f->dir);
	(void)rmdir(sub);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

void must(struct fixture *f, int rc)
{
	if (rc != 0)
		fail_msg("%s (%d)", f->err.text, rc);
}

static void on_done(void *ctx, const struct writer_done *done)
{
	struct fixture *f = ctx;

	f->rc = done->rc;
	f->is_done = true;
	f->skipped = done->skipped;
	f->repeated = done->repeated;
	(void)snprintf(f->epoch, sizeof(f->epoch), "%s", done->epoch);
	f->seq = done->seq;
	if (done->rc != 0)
		f->err = *done->err;
}

static int wait_for_call(struct fixture *f)
{
	/* It never comes from within the call. */
	assert_false(f->is_done);
	while (!f->is_done)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	return f->rc;
}

void close_writer(struct fixture *f)
{
	if (f->w == NULL)
		return;
	writer_close(TAKE_PTR(f->w), NULL, NULL);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

int try_open_writer(struct fixture *f)
{
	int rc;

	close_writer(f);
	store_close(TAKE_PTR(f->h));
	rc = store_open(&f->options, STORE_KEEPER, &f->h, &f->err);
	if (rc != 0)
		return rc;
	f->w = writer_new(&f->loop, &f->options, "web1");
	f->is_done = false;
	writer_open(f->w, on_done, f);
	return wait_for_call(f);
}

void open_writer(struct fixture *f)
{
	must(f, try_open_writer(f));
}

int write_lines(struct fixture *f, const struct store_line *lines, size_t n)
{
	f->is_done = false;
	writer_write(f->w, lines, n, on_done, f);
	return wait_for_call(f);
}

/* --- looking into the file beside history.h --- */

struct db *raw_open(struct fixture *f)
{
	struct db_target target = {.engine = f->is_postgres ? DB_POSTGRES : DB_SQLITE,
				   .where = f->is_postgres ? f->options.postgres.dsn : f->path};
	struct db *db = NULL;

	must(f, db_open(&target, &db, &f->err));
	if (f->is_postgres)
		must(f, db_script(db, "SET search_path = hale", &f->err));
	return db;
}

void raw_script(struct fixture *f, const char *sql)
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

/* jsonb is written with blanks. */
static void tighten(struct str *s)
{
	struct str tight = {0};

	for (const char *p = str_text(s); *p != '\0'; p++) {
		const char *before = str_text(&tight) + tight.len;
		bool is_blank = *p == ' ' && tight.len >= 2 &&
				((before[-1] == ':' && before[-2] == '"') ||
				 (before[-1] == ',' && (p[1] == '"' || p[1] == '{')));

		if (!is_blank)
			str_addc(&tight, *p);
	}
	str_done(s);
	*s = tight;
}

/* First column of all rows, each with a ";". */
void expect(struct fixture *f, const char *sql, const char *expected)
{
	struct db *db = raw_open(f);
	struct str s = {0};

	must(f, db_query(db, sql, NULL, 0, first_value, &s, &f->err));
	if (f->is_postgres && strchr(expected, '{') != NULL)
		tighten(&s);
	assert_string_equal(str_text(&s), expected);
	str_done(&s);
	db_close(db);
}

int64_t count(struct fixture *f, const char *table)
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

struct store_line make_line(const char *topic, uint64_t seq, const char *json)
{
	struct store_line line = {.topic = topic, .epoch = "e1", .seq = seq};
	json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	char at[CLOCK_TEXT_MAX];

	assert_non_null(object);
	if (json_object_get(object, "at") == NULL)
		(void)json_object_set_new(object, "at",
					  json_string(clock_format(T0 + (int64_t)seq * 1000, at)));
	if (json_object_get(object, "node") == NULL)
		(void)json_object_set_new(object, "node", json_string("web1"));
	/* haled writes the state last. */
	if (json_object_get(object, "state") != NULL) {
		json_t *state = json_incref(json_object_get(object, "state"));

		(void)json_object_del(object, "state");
		(void)json_object_set_new(object, "state", state);
	}
	line.text = json_dumps(object, JSON_WIRE_FLAGS);
	line.len = strlen(line.text);
	json_decref(object);
	return line;
}

void free_line(struct store_line *line)
{
	free((char *)line->text);
}

size_t put(struct fixture *f, const char *topic, uint64_t seq, const char *json)
{
	struct store_line line = make_line(topic, seq, json);

	must(f, write_lines(f, &line, 1));
	free_line(&line);
	return f->skipped;
}

struct store_line nth_line(uint64_t seq)
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

int write_range(struct fixture *f, uint64_t from, uint64_t to)
{
	size_t n = (size_t)(to - from + 1);
	struct store_line *lines = mem_array(n, sizeof(*lines));
	int rc;

	for (size_t i = 0; i < n; i++)
		lines[i] = nth_line(from + i);
	rc = write_lines(f, lines, n);
	for (size_t i = 0; i < n; i++)
		free_line(&lines[i]);
	free(lines);
	return rc;
}
