/* SPDX-License-Identifier: Apache-2.0 */
#include "csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct reader {
	const char *p;
	const char *end;
	char separator;
	size_t line;
	/* The record: where each field begins in `bytes`, which may move until it is complete. */
	struct str bytes;
	struct csv_field *fields;
	size_t *begins;
	size_t n;
};

static bool is_line_end(const struct reader *r)
{
	return r->p == r->end || *r->p == '\n' ||
	       (*r->p == '\r' && (r->p + 1 == r->end || r->p[1] == '\n'));
}

static void skip_line_end(struct reader *r)
{
	if (r->p < r->end && *r->p == '\r')
		r->p++;
	if (r->p < r->end && *r->p == '\n')
		r->p++;
	r->line++;
}

static int read_quoted(struct reader *r, struct err *err)
{
	size_t begin_line = r->line;

	for (r->p++; r->p < r->end; r->p++) {
		if (*r->p == '\n')
			r->line++;
		if (*r->p != '"') {
			str_addc(&r->bytes, *r->p);
			continue;
		}
		if (r->p + 1 < r->end && r->p[1] == '"') {
			str_addc(&r->bytes, '"');
			r->p++;
			continue;
		}
		r->p++;
		if (is_line_end(r) || *r->p == r->separator)
			return 0;
		return err_set(err, -EINVAL, "line %zu: text behind a quoted field", r->line);
	}
	return err_set(err, -EINVAL, "line %zu: a quote that does not end", begin_line);
}

static void read_plain(struct reader *r)
{
	const char *begin = r->p;

	while (!is_line_end(r) && *r->p != r->separator)
		r->p++;
	str_addn(&r->bytes, begin, (size_t)(r->p - begin));
}

static int read_field(struct reader *r, struct err *err)
{
	struct csv_field *field = &r->fields[r->n];
	int rc = 0;

	if (r->n == CSV_FIELDS_MAX)
		return err_set(err, -EINVAL, "line %zu: more than %d fields", r->line,
			       CSV_FIELDS_MAX);
	r->begins[r->n] = r->bytes.len;
	field->is_quoted = r->p < r->end && *r->p == '"';
	if (field->is_quoted)
		rc = read_quoted(r, err);
	else
		read_plain(r);
	field->len = r->bytes.len - r->begins[r->n];
	str_addc(&r->bytes, '\0');
	r->n++;
	return rc;
}

static int read_record(struct reader *r, struct err *err)
{
	int rc;

	str_clear(&r->bytes);
	r->n = 0;
	for (;;) {
		rc = read_field(r, err);
		if (rc != 0 || is_line_end(r))
			break;
		r->p++; /* the separator */
	}
	for (size_t i = 0; rc == 0 && i < r->n; i++)
		r->fields[i].text = r->bytes.data + r->begins[i];
	return rc;
}

static void skip_mark(struct reader *r)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (r->end - r->p >= 3 && memcmp(r->p, mark, 3) == 0)
		r->p += 3;
}

int csv_parse(const char *text, size_t len, char separator, csv_record_fn on_record, void *ctx,
	      struct err *err)
{
	struct reader r = {.p = text, .end = text + len, .separator = separator, .line = 1};
	bool wants_more = true;
	size_t line;
	int rc = 0;

	r.fields = mem_array(CSV_FIELDS_MAX, sizeof(*r.fields));
	r.begins = mem_array(CSV_FIELDS_MAX, sizeof(*r.begins));
	skip_mark(&r);
	while (rc == 0 && wants_more && r.p < r.end) {
		if (is_line_end(&r)) {
			skip_line_end(&r);
			continue;
		}
		line = r.line;
		rc = read_record(&r, err);
		if (rc == 0)
			wants_more = on_record(ctx, r.fields, r.n, line);
		if (rc == 0)
			skip_line_end(&r);
	}
	str_done(&r.bytes);
	free(r.fields);
	free(r.begins);
	return rc;
}
