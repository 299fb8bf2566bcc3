/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fixture.h"

static const char base_job[] =
	"{'source': {'http': {'url': 'http://localhost/positions', 'rows': '.positions[]'}},"
	" 'target': {'sqlite': {'path': '/nonexistent/t.db'}, 'table': 'positions'},"
	" 'key': ['symbol'],"
	" 'columns': {'qty': {}, 'price': {'from': 'avg_cost', 'tolerance': 0.01}},"
	" 'scope': \"status = 'open'\","
	" 'insert': {'values': {'status': 'open', 'stop_price': '= .avg_cost * 0.5',"
	"                       'opened_at': '= $now'}},"
	" 'close': {'mode': 'update', 'set': {'status': 'closed', 'closed_at': '= $now'}},"
	" 'guards': {'min_interval': 0, 'max_changes': 1000, 'max_change_percent': 100}}";

json_t *fixture_json(const char *text)
{
	char *copy = mem_dup(text);
	json_error_t why;
	json_t *value;

	/* A text that is quoted with " may hold ' as itself. */
	for (char *p = copy, quote = '\0'; *p != '\0'; p++) {
		if (*p == '"')
			quote = quote == '\0' ? '"' : '\0';
		else if (*p == '\'' && quote == '\0')
			*p = '"', quote = '\'';
		else if (*p == '\'' && quote == '\'')
			*p = '"', quote = '\0';
	}
	value = json_loads(copy, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
	if (value == NULL)
		fail_msg("%s: %s", why.text, copy);
	free(copy);
	return value;
}

static void merge(json_t *into, json_t *more)
{
	const char *name;
	json_t *value;

	json_object_foreach (more, name, value) {
		json_t *old = json_object_get(into, name);

		if (json_is_object(old) && json_is_object(value))
			merge(old, value);
		else if (json_is_null(value))
			json_object_del(into, name);
		else
			json_object_set(into, name, value);
	}
}

void fixture_spec(struct job_spec *spec, const char *more)
{
	json_t *job = fixture_json(base_job);
	struct err err = {0};

	if (more != NULL) {
		json_t *extra = fixture_json(more);

		merge(job, extra);
		json_decref(extra);
	}
	if (spec_decode("positions", job, spec, &err) != 0)
		fail_msg("%s", err.text);
	json_decref(job);
}

void fixture_plan(const struct job_spec *spec, const char *source, const char *target,
		  struct plan *plan)
{
	json_t *vars = mapping_vars("2026-11-22T01:30:37.000Z", "run-1", "positions");
	json_t *s = fixture_json(source);
	json_t *t = fixture_json(target);

	*plan = (struct plan){0};
	plan_make(&spec->plan, s, t, vars, plan);
	json_decref(s);
	json_decref(t);
	json_decref(vars);
}

char *fixture_summary(const struct plan *plan)
{
	struct str out = {0};

	for (size_t i = 0; i < plan->n; i++)
		str_addf(&out, "%s%s %s", i > 0 ? "; " : "", plan_op_name(plan->rows[i].op),
			 plan->rows[i].key);
	return out.data != NULL ? str_take(&out) : mem_dup("");
}

const struct plan_row *fixture_row(const struct plan *plan, const char *key)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (str_eq(plan->rows[i].key, key))
			return &plan->rows[i];
	}
	return NULL;
}

bool fixture_list_has(const struct strlist *list, const char *part)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strstr(list->v[i], part) != NULL)
			return true;
	}
	return false;
}

/* ---- databases ---- */

static struct db *open_db(const struct fixture_db *f)
{
	struct db_target target = {.engine = DB_SQLITE, .where = f->path};
	struct err err = {0};
	struct db *db = NULL;

	if (db_open(&target, &db, &err) != 0)
		fail_msg("%s", err.text);
	return db;
}

void fixture_db_script(const struct fixture_db *f, const char *sql)
{
	struct db *db = open_db(f);
	struct err err = {0};

	if (db_script(db, sql, &err) != 0)
		fail_msg("%s", err.text);
	db_close(db);
}

void fixture_db_make(struct fixture_db *f, const char *sql)
{
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-rec-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
	fixture_db_script(f, sql);
}

void fixture_db_remove(struct fixture_db *f)
{
	static const char *const tails[] = {"", "-journal", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		char *path = mem_printf("%s%s", f->path, tails[i]);

		(void)unlink(path);
		free(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
}

static bool on_row(void *ctx, const struct db_row *row)
{
	json_t *object = value_row(row);
	size_t i = 0;
	const char *name;
	json_t *value;

	json_object_foreach (object, name, value) {
		if (i++ > 0)
			str_addc(ctx, '|');
		if (json_is_null(value))
			str_addc(ctx, '-');
		else
			value_text(value, ctx);
	}
	str_addc(ctx, '\n');
	json_decref(object);
	return true;
}

char *fixture_db_text(const struct fixture_db *f, const char *sql)
{
	struct db *db = open_db(f);
	struct err err = {0};
	struct str out = {0};

	if (db_query(db, sql, NULL, 0, on_row, &out, &err) != 0)
		fail_msg("%s", err.text);
	db_close(db);
	return out.data != NULL ? str_take(&out) : mem_dup("");
}
