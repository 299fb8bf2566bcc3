/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <errno.h>

#include "expr/jq.h"

struct reading {
	json_t *rows;
	bool is_bad_text;
};

static int too_many(struct err *err)
{
	return err_set(err, -EFBIG, "more than %d rows, which is more than a run can hold",
		       PLAN_ROWS_MAX);
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct reading *r = ctx;
	json_t *object = value_row(row);

	if (object == NULL) {
		r->is_bad_text = true;
		return false;
	}
	json_array_append_new(r->rows, object);
	return json_array_size(r->rows) <= PLAN_ROWS_MAX;
}

int rows_query(struct db *db, const char *sql, json_t **rows_r, struct err *err)
{
	struct reading r = {.rows = json_array()};
	int rc = db_query(db, sql, NULL, 0, on_row, &r, err);

	if (rc == 0 && r.is_bad_text)
		rc = err_set(err, -EBADMSG, "row %zu holds a text that is not UTF-8",
			     json_array_size(r.rows) + 1);
	if (rc == 0 && json_array_size(r.rows) > PLAN_ROWS_MAX)
		rc = too_many(err);
	if (rc == 0)
		*rows_r = r.rows;
	else
		json_decref(r.rows);
	return rc;
}

static int ask_expect(const struct job_spec *spec, const json_t *answer, struct err *err)
{
	json_t *value = NULL;
	bool is_true;
	int rc;

	if (spec->expect == NULL)
		return 0;
	rc = jq_first(spec->expect, answer, NULL, &value, err);
	if (rc != 0) {
		err_prefix(err, "expect");
		return rc;
	}
	is_true = jq_is_true(value);
	json_decref(value);
	return is_true ? 0
		       : err_set(err, -EPERM, "expect: the answer does not fulfil '%s'",
				 spec->o.source.http.expect);
}

int rows_from_body(const struct job_spec *spec, const char *body, size_t len, json_t **rows_r,
		   struct err *err)
{
	json_error_t why;
	json_t *rows = NULL;
	json_t *answer = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	int rc;

	if (answer == NULL)
		return err_set(err, -EBADMSG, "the answer is not JSON: %s (line %d)", why.text,
			       why.line);
	rc = ask_expect(spec, answer, err);
	if (rc == 0) {
		rc = jq_all(spec->rows, answer, NULL, &rows, err);
		if (rc != 0)
			err_prefix(err, "rows");
	}
	json_decref(answer);
	if (rc == 0 && json_array_size(rows) > PLAN_ROWS_MAX) {
		json_decref(rows);
		return too_many(err);
	}
	if (rc == 0)
		*rows_r = rows;
	return rc;
}

int rows_from_sql(const struct job_spec *spec, struct control *control, json_t **rows_r,
		  struct err *err)
{
	struct db_target place = spec_source_place(spec);
	struct db *db = NULL;
	int rc = control_open(control, &place, &db, err);

	if (rc == 0)
		rc = rows_query(db, spec->o.source.sql.query, rows_r, err);
	control_close(control, db);
	return rc;
}
