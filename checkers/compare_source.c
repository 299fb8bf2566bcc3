/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_source.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "csv.h"
#include "sql_session.h"

/* A count beyond it is none. */
#define COUNT_MAX 1e15

struct compare_source {
	const struct compare_shape *shape;
	struct check *check;
	void (*on_fetched)(void *ctx);
	void *ctx;
	int64_t begin_us;
	double ms;

	struct http_call *call;
	struct sql_session *session;
	bool is_asked;   /* the query was handed out */
	bool is_counted; /* and its answer was one count */
	long status;
	struct str body;

	struct compare_side *side; /* NULL: rows are only counted */
	size_t rows;
	char *error;
	json_t *shown; /* NULL: nobody looks on */

	/* Of the row in hand. */
	size_t *columns; /* where each cell is found: in a query's row, in a line */
	bool has_columns;
	size_t width; /* of a CSV line */
	struct cell cells[COMPARE_CELLS_MAX];
	char numbers[COMPARE_CELLS_MAX][DECIMAL_TEXT_MAX];
	char *owned[COMPARE_CELLS_MAX];
};

#define NOT_THERE ((size_t)-1)

HALE_PRINTF(2, 3)
static void fail(struct compare_source *s, const char *fmt, ...)
{
	char text[400], clean[400];
	va_list args;

	if (s->error != NULL)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)str_clean(clean, sizeof(clean), text);
	s->error = mem_dup(clean);
}

static size_t cells_n(const struct compare_source *s)
{
	return s->shape->spec != NULL ? compare_cells(s->shape->spec) : 0;
}

static bool wants_to_show(const struct compare_source *s)
{
	return s->shown != NULL && json_array_size(s->shown) < COMPARE_SHOWN_MAX;
}

/* False if the source ends here. */
static bool take_row(struct compare_source *s)
{
	struct err err = {0};

	s->rows++;
	if (s->side == NULL || compare_side_add(s->side, s->cells, &err) == 0)
		return true;
	fail(s, "%s", err.text);
	return false;
}

static void take_count(struct compare_source *s, double n)
{
	if (!(n >= 0 && n <= COUNT_MAX) || n != floor(n))
		fail(s, "the count is %g", n);
	else
		s->rows = (size_t)n;
}

/* ---- Rows of a query ---- */

static const char *on_next(void *ctx)
{
	struct compare_source *s = ctx;

	if (s->is_asked)
		return NULL;
	s->is_asked = true;
	return s->shape->o->sql.query;
}

static size_t find_name(const struct db_row *row, const char *name)
{
	for (size_t i = 0; i < row->columns; i++)
		if (strcmp(row->names[i], name) == 0)
			return i;
	return NOT_THERE;
}

/* Is this the answer of a SELECT count(*)? */
static bool is_count(const struct compare_source *s, const struct db_row *row)
{
	const char *how = s->shape->o->count;

	if (s->side != NULL || row->columns == 0)
		return false;
	if (strcmp(how, "auto") != 0)
		return strcmp(how, "value") == 0;
	return row->columns == 1 && (strcasecmp(row->names[0], "count") == 0 ||
				     strncasecmp(row->names[0], "count(", 6) == 0);
}

static bool take_sql_count(struct compare_source *s, const struct db_value *v)
{
	if (v->type == DB_INT)
		take_count(s, (double)v->integer);
	else if (v->type == DB_REAL)
		take_count(s, v->real);
	else
		fail(s, "the count is no number");
	s->is_counted = true;
	return s->error == NULL;
}

static bool find_columns(struct compare_source *s, const struct db_row *row)
{
	for (size_t i = 0; i < cells_n(s); i++) {
		s->columns[i] = find_name(row, s->shape->names[i]);
		if (s->columns[i] == NOT_THERE) {
			fail(s, "the query has no column '%s'", s->shape->names[i]);
			return false;
		}
	}
	s->has_columns = true;
	return true;
}

static struct cell sql_cell(struct compare_source *s, size_t i, const struct db_value *v)
{
	struct cell cell = {.type = CELL_TEXT, .text = v->text, .len = v->len};

	if (v->type == DB_NULL)
		return (struct cell){.type = CELL_NULL};
	if (v->type != DB_TEXT)
		cell.type = CELL_NUMBER;
	if (v->text != NULL)
		return cell;
	if (v->type == DB_INT)
		(void)snprintf(s->numbers[i], sizeof(s->numbers[i]), "%lld", (long long)v->integer);
	else
		(void)decimal_real_text(v->real, s->numbers[i]);
	cell.text = s->numbers[i];
	cell.len = strlen(cell.text);
	return cell;
}

static bool on_row(void *ctx, const struct db_row *row)
{
	struct compare_source *s = ctx;

	if (wants_to_show(s))
		json_array_append_new(s->shown, sql_row_json(row));
	if (s->is_counted) {
		fail(s, "the query gave more than one count");
		return false;
	}
	if (s->rows == 0 && is_count(s, row))
		return take_sql_count(s, &row->values[0]);
	if (!s->has_columns && !find_columns(s, row))
		return false;
	for (size_t i = 0; i < cells_n(s); i++)
		s->cells[i] = sql_cell(s, i, &row->values[s->columns[i]]);
	return take_row(s);
}

static void on_answer(void *ctx, const struct pg_answer *a)
{
	if (a->reason != REASON_OK)
		fail(ctx, "%s", a->error);
}

static void fetched(struct compare_source *s)
{
	s->ms = (double)(clock_mono_us() - s->begin_us) / 1000.0;
	s->on_fetched(s->ctx);
}

static void on_end(void *ctx, enum reason reason, const char *error, double connect_ms HALE_UNUSED)
{
	struct compare_source *s = ctx;

	s->session = NULL;
	/* Too much is what we say to end it, and why we did is told already. */
	if (reason != REASON_OK && reason != REASON_TOO_LARGE)
		fail(s, "%s", error);
	fetched(s);
}

/* ---- JSON ---- */

static struct cell json_cell(struct compare_source *s, size_t i, const json_t *value)
{
	struct cell cell = {.type = CELL_NUMBER, .text = s->numbers[i]};

	if (value == NULL || json_is_null(value))
		return (struct cell){.type = CELL_NULL};
	if (json_is_integer(value)) {
		(void)snprintf(s->numbers[i], sizeof(s->numbers[i]), "%lld",
			       (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		(void)decimal_real_text(json_real_value(value), s->numbers[i]);
	} else if (json_is_boolean(value)) {
		cell.type = CELL_BOOL;
		cell.text = json_is_true(value) ? "true" : "false";
	} else {
		cell.type = CELL_TEXT;
		if (!json_is_string(value))
			s->owned[i] = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
		cell.text = json_is_string(value) ? json_string_value(value) : s->owned[i];
	}
	cell.len = strlen(cell.text);
	return cell;
}

static const json_t *member(const json_t *row, const char *name)
{
	if (json_is_object(row))
		return json_object_get(row, name);
	/* Rows that are bare values have one column. */
	return strcmp(name, "value") == 0 ? row : NULL;
}

static bool take_json_row(struct compare_source *s, const json_t *row)
{
	bool is_good;

	if (wants_to_show(s))
		json_array_append(s->shown, (json_t *)(uintptr_t)row);
	for (size_t i = 0; i < cells_n(s); i++) {
		const json_t *value = member(row, s->shape->names[i]);

		if (value == NULL && i < s->shape->spec->key_n) {
			fail(s, "row %zu has no '%s'", s->rows + 1, s->shape->names[i]);
			return false;
		}
		s->cells[i] = json_cell(s, i, value);
	}
	is_good = take_row(s);
	for (size_t i = 0; i < cells_n(s); i++) {
		free(s->owned[i]);
		s->owned[i] = NULL;
	}
	return is_good;
}

/* What one result of the program stands for. */
static void take_single(struct compare_source *s, const json_t *result)
{
	bool is_value = s->side == NULL && strcmp(s->shape->o->count, "rows") != 0;

	if (json_is_number(result) && is_value)
		take_count(s, json_number_value(result));
	else if (json_is_object(result))
		(void)take_json_row(s, result);
	else
		fail(s, "the jq program gave %s, not rows",
		     json_is_null(result)      ? "null"
		     : json_is_number(result)  ? "a number"
		     : json_is_boolean(result) ? "true or false"
					       : "a text");
}

static void take_results(struct compare_source *s, const json_t *results)
{
	const json_t *first = json_array_get(results, 0);
	const json_t *rows = results;
	const json_t *row;
	size_t i;

	if (json_array_size(results) == 1 && json_is_array(first)) {
		rows = first;
	} else if (json_array_size(results) == 1 && !json_is_object(first)) {
		take_single(s, first);
		return;
	}
	if (s->side == NULL && strcmp(s->shape->o->count, "value") == 0) {
		fail(s, "the jq program gave rows, not one number");
		return;
	}
	json_array_foreach (rows, i, row)
		if (!take_json_row(s, row))
			return;
}

static bool is_believed(struct compare_source *s, const json_t *answer)
{
	json_t *value = NULL;
	struct err err = {0};
	bool is_true;

	if (s->shape->expect == NULL)
		return true;
	if (jq_first(s->shape->expect, answer, NULL, &value, &err) != 0) {
		fail(s, "expect: %s", err.text);
		return false;
	}
	is_true = jq_is_true(value);
	json_decref(value);
	if (!is_true)
		fail(s, "the answer does not fulfil '%s'", s->shape->o->http.expect);
	return is_true;
}

static void read_json(struct compare_source *s)
{
	json_error_t why;
	json_t *results = NULL;
	struct err err = {0};
	json_t *answer =
		json_loadb(str_text(&s->body), s->body.len,
			   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	str_done(&s->body);
	if (answer == NULL) {
		fail(s, "not JSON: %s (line %d)", why.text, why.line);
		return;
	}
	if (is_believed(s, answer)) {
		if (jq_all(s->shape->jq, answer, NULL, &results, &err) != 0)
			fail(s, "jq: %s", err.text);
		else
			take_results(s, results);
	}
	json_decref(results);
	json_decref(answer);
}

/* ---- CSV ---- */

static bool take_header(struct compare_source *s, const struct csv_field *fields, size_t n)
{
	s->has_columns = true;
	s->width = n;
	for (size_t i = 0; i < cells_n(s); i++) {
		s->columns[i] = NOT_THERE;
		for (size_t k = n; k-- > 0;)
			if (strcmp(fields[k].text, s->shape->names[i]) == 0)
				s->columns[i] = k;
		if (s->columns[i] == NOT_THERE) {
			fail(s, "the file has no column '%s'", s->shape->names[i]);
			return false;
		}
	}
	return true;
}

static void show_record(struct compare_source *s, const struct csv_field *fields, size_t n)
{
	json_t *record = json_array();
	char shown[200];

	for (size_t i = 0; i < n; i++) {
		(void)str_clean(shown, sizeof(shown), fields[i].text);
		json_array_append_new(record, json_string(shown));
	}
	json_array_append_new(s->shown, record);
}

static bool on_record(void *ctx, const struct csv_field *fields, size_t n, size_t line)
{
	struct compare_source *s = ctx;

	if (wants_to_show(s))
		show_record(s, fields, n);
	if (!s->has_columns)
		return take_header(s, fields, n);
	/* A file that is being written, or not what it was. */
	if (n != s->width) {
		fail(s, "line %zu has %zu fields, not %zu", line, n, s->width);
		return false;
	}
	for (size_t i = 0; i < cells_n(s); i++) {
		const struct csv_field *field = &fields[s->columns[i]];

		if (field->len == 0 && !field->is_quoted)
			s->cells[i] = (struct cell){.type = CELL_NULL};
		else
			s->cells[i] = (struct cell){
				.type = CELL_UNTYPED, .text = field->text, .len = field->len};
	}
	return take_row(s);
}

static void read_csv(struct compare_source *s)
{
	struct err err = {0};

	if (csv_parse(str_text(&s->body), s->body.len, s->shape->o->file.separator[0], on_record, s,
		      &err) != 0)
		fail(s, "%s", err.text);
	else if (!s->has_columns)
		fail(s, "the file has no line of names");
	str_done(&s->body);
}

void compare_source_read(struct compare_source *s)
{
	const struct compare_file_opts *file = &s->shape->o->file;
	struct err err = {0};

	if (s->error != NULL || s->shape->kind == SOURCE_SQL)
		return;
	if (s->shape->kind == SOURCE_FILE &&
	    file_read(file->path, (size_t)file->size_max, &s->body, &err) != 0)
		fail(s, "%s", err.text);
	else if (s->shape->kind == SOURCE_FILE && compare_file_is_csv(file))
		read_csv(s);
	else
		read_json(s);
}

/* ---- HTTP ---- */

static void on_http(void *ctx, const struct http_response *r)
{
	struct compare_source *s = ctx;

	s->call = NULL;
	s->status = r->status;
	if (r->reason != REASON_OK)
		fail(s, "%s", r->error);
	else if (r->status < 200 || r->status > 299)
		fail(s, "HTTP %ld", r->status);
	else
		str_addn(&s->body, r->body, r->body_len);
	fetched(s);
}

static void start_http(struct compare_source *s, int64_t timeout_ms)
{
	const struct compare_http_opts *o = &s->shape->o->http;
	struct http_request rq = {
		.method = o->method,
		.url = o->url,
		.headers = o->headers,
		.body = o->body,
		.body_len = o->body == NULL ? 0 : strlen(o->body),
		.timeout_ms = timeout_ms,
		.body_max = (size_t)o->body_max,
		.follow_redirects = true,
		.fresh_connection = true,
		.compressed = true,
		.skip_tls_verify = !o->verify,
		.ca_file = o->ca,
		.username = o->username,
		.password = o->password,
		.bearer_token = o->bearer_token,
	};

	s->call = http_start(check_http(s->check), &rq, on_http, s);
}

/* ---- From outside ---- */

struct compare_source *compare_source_new(const struct compare_shape *shape, struct check *c)
{
	struct compare_source *s = mem_alloc(sizeof(*s));

	s->shape = shape;
	s->check = c;
	s->columns = mem_array(cells_n(s) + 1, sizeof(*s->columns));
	if (shape->spec != NULL)
		s->side = compare_side_new(shape->spec);
	if (check_is_watched(c))
		s->shown = json_array();
	return s;
}

void compare_source_free(struct compare_source *s)
{
	if (s == NULL)
		return;
	compare_side_free(s->side);
	json_decref(s->shown);
	str_done(&s->body);
	free(s->columns);
	free(s->error);
	free(s);
}

bool compare_source_start(struct compare_source *s, int64_t timeout_ms,
			  void (*on_fetched)(void *ctx), void *ctx)
{
	static const struct pg_script script = {
		.next = on_next, .on_row = on_row, .on_answer = on_answer, .on_end = on_end};
	const struct compare_sql_opts *sql = &s->shape->o->sql;

	s->on_fetched = on_fetched;
	s->ctx = ctx;
	s->begin_us = clock_mono_us();
	if (s->shape->kind == SOURCE_HTTP)
		start_http(s, timeout_ms);
	else if (s->shape->kind == SOURCE_SQL)
		s->session = sql_session_start(s->check, sql_place_of(&sql->sqlite, &sql->postgres),
					       &script, timeout_ms, s);
	return s->shape->kind != SOURCE_FILE;
}

void compare_source_cancel(struct compare_source *s)
{
	if (s->call != NULL)
		http_cancel(s->call);
	else if (s->session != NULL)
		sql_session_cancel(s->session);
}

const char *compare_source_error(const struct compare_source *s)
{
	return s->error;
}

size_t compare_source_rows(const struct compare_source *s)
{
	return s->rows;
}

struct compare_side *compare_source_side(struct compare_source *s)
{
	return s->side;
}

double compare_source_ms(const struct compare_source *s)
{
	return s->ms;
}

json_t *compare_source_saw(const struct compare_source *s)
{
	json_t *saw = json_object();

	if (s->status != 0)
		json_object_set_new(saw, "status", json_integer(s->status));
	if (s->error != NULL)
		json_object_set_new(saw, "error", json_string(s->error));
	json_object_set_new(saw, "rows", json_integer((json_int_t)s->rows));
	json_object_set_new(saw, "ms", json_real(s->ms));
	if (s->shown != NULL)
		json_object_set(saw, "first", s->shown);
	return saw;
}
