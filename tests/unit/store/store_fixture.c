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

int store_setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-history-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/sub/history.db", f->dir);
	f->options.sqlite.path = f->path;
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

	store_close(f->h);
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

void open_writer(struct fixture *f)
{
	store_close(TAKE_PTR(f->h));
	must(f, store_open(&f->options, STORE_KEEPER, &f->h, &f->err));
}

/* --- looking into the file beside history.h --- */

struct db *raw_open(struct fixture *f)
{
	struct db_target target = {.where = f->path};
	struct db *db = NULL;

	must(f, db_open(&target, &db, &f->err));
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

/* First column of all rows, each with a ";". */
void expect(struct fixture *f, const char *sql, const char *expected)
{
	struct db *db = raw_open(f);
	struct str s = {0};

	must(f, db_query(db, sql, NULL, 0, first_value, &s, &f->err));
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

struct store_entry make_line(const char *topic, uint64_t seq, const char *json)
{
	struct store_entry line = {.topic = mem_dup(topic), .epoch = mem_dup("e1"), .seq = seq};
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

void free_line(struct store_entry *line)
{
	free(line->topic);
	free(line->epoch);
	json_decref(line->object);
	free(line->text);
}

/* Writes one line; returns how many were skipped. */
size_t put(struct fixture *f, const char *topic, uint64_t seq, const char *json)
{
	struct store_entry line = make_line(topic, seq, json);
	size_t skipped = 99;

	must(f, store_write(f->h, &line, 1, "e1", seq, &skipped, &f->err));
	free_line(&line);
	return skipped;
}

/* Line number seq of an endless history, always the same. */
struct store_entry nth_line(uint64_t seq)
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

int write_range(struct store *h, uint64_t from, uint64_t to, struct err *err)
{
	size_t n = (size_t)(to - from + 1), skipped = 0;
	struct store_entry *lines = mem_array(n, sizeof(*lines));
	int rc;

	for (size_t i = 0; i < n; i++)
		lines[i] = nth_line(from + i);
	rc = store_write(h, lines, n, "e1", to, &skipped, err);
	for (size_t i = 0; i < n; i++)
		free_line(&lines[i]);
	free(lines);
	return rc;
}
