/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Between the parts of a key; a text of a database cannot hold it, one of JSON loses it. */
#define PART_END '\0'

/* In the block: the key's bytes and a NUL, then for each column a type, a length, and text with its
 * NUL. */
struct row {
	uint32_t at;
	uint32_t key_len;
};

struct compare_side {
	const struct compare_spec *spec;
	struct str block;
	struct row *rows;
	size_t n, cap;
	size_t skipped, absent;
};

struct compare_side *compare_side_new(const struct compare_spec *spec)
{
	struct compare_side *side = mem_alloc(sizeof(*side));

	side->spec = spec;
	return side;
}

void compare_side_free(struct compare_side *side)
{
	if (side == NULL)
		return;
	str_done(&side->block);
	free(side->rows);
	free(side);
}

/* ---- Taking rows ---- */

static void add_key_part(struct str *block, const struct cell *cell, bool is_first)
{
	char buf[DECIMAL_TEXT_MAX];
	struct decimal d;

	if (!is_first)
		str_addc(block, PART_END);
	if (cell->type == CELL_NUMBER && decimal_parse(cell->text, &d)) {
		str_add(block, decimal_text(d, buf));
		return;
	}
	for (size_t i = 0; i < cell->len; i++)
		str_addc(block, cell->text[i] == PART_END ? '?' : cell->text[i]);
}

static void add_cell(struct str *block, const struct cell *cell)
{
	uint32_t len = cell->type == CELL_NULL ? 0 : (uint32_t)cell->len;

	str_addc(block, (char)cell->type);
	str_addn(block, (const char *)&len, sizeof(len));
	if (cell->type != CELL_NULL)
		str_addn(block, cell->text, len);
	str_addc(block, '\0');
}

static int check_key(const struct compare_side *side, const struct cell *cells, struct err *err)
{
	for (size_t i = 0; i < side->spec->key_n; i++)
		if (cells[i].type == CELL_NULL)
			return err_set(err, -EINVAL, "row %zu has no key",
				       side->n + side->skipped + side->absent + 1);
	return 0;
}

/* True if the row takes no part. */
static bool is_left_out(struct compare_side *side, const struct cell *cells)
{
	const struct compare_spec *spec = side->spec;
	int sign = spec->has_quantity ? cell_sign(&cells[spec->key_n + spec->columns_n]) : 2;

	if (sign == 0 && spec->zero_is_absent)
		side->absent++;
	else if (sign == -1 && spec->skips_negative)
		side->skipped++;
	else
		return false;
	return true;
}

int compare_side_add(struct compare_side *side, const struct cell *cells, struct err *err)
{
	const struct compare_spec *spec = side->spec;
	struct row row;
	int rc = check_key(side, cells, err);

	if (rc != 0 || is_left_out(side, cells))
		return rc;
	if (side->n == spec->rows_max)
		return err_set(err, -EFBIG, "more than %zu rows", spec->rows_max);
	row.at = (uint32_t)side->block.len;
	for (size_t i = 0; i < spec->key_n; i++)
		add_key_part(&side->block, &cells[i], i == 0);
	row.key_len = (uint32_t)side->block.len - row.at;
	str_addc(&side->block,
		 '\0'); /* no row is without a byte, so none begins where another does */
	for (size_t i = 0; i < spec->columns_n; i++)
		add_cell(&side->block, &cells[spec->key_n + i]);
	if (side->block.len > COMPARE_BYTES_MAX)
		return err_set(err, -EFBIG, "more than %u MB of rows", COMPARE_BYTES_MAX >> 20);
	if (side->n == side->cap) {
		side->cap = HALE_MAX(side->cap * 2, (size_t)64);
		side->rows = mem_grow(side->rows, side->cap, sizeof(*side->rows));
	}
	side->rows[side->n++] = row;
	return 0;
}

/* ---- Comparing ---- */

static const char *key_of(const struct compare_side *side, const struct row *row)
{
	return side->block.data + row->at;
}

static int compare_keys(const struct compare_side *a, const struct row *x,
			const struct compare_side *b, const struct row *y)
{
	size_t len = HALE_MIN(x->key_len, y->key_len);
	int order = memcmp(key_of(a, x), key_of(b, y), len);

	if (order != 0)
		return order;
	return (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* Rows with one key stay in the order they came in. */
static int sort_order(const void *x, const void *y, void *ctx)
{
	const struct compare_side *side = ctx;
	const struct row *a = x, *b = y;
	int order = compare_keys(side, a, side, b);

	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static void sort(struct compare_side *side)
{
	if (side->n > 1)
		qsort_r(side->rows, side->n, sizeof(*side->rows), sort_order, side);
}

static struct cell next_cell(const char **p)
{
	struct cell cell = {.type = (enum cell_type) * *p};
	uint32_t len;

	memcpy(&len, *p + 1, sizeof(len));
	if (cell.type != CELL_NULL) {
		cell.text = *p + 1 + sizeof(len);
		cell.len = len;
	}
	*p += 1 + sizeof(len) + len + 1;
	return cell;
}

struct comparison {
	struct compare_result *r;
	void (*on_found)(void *ctx, const struct compare_found *f);
	void *ctx;
};

static void found(struct comparison *c, const struct compare_side *side, const struct row *row,
		  struct compare_found f)
{
	HALE_CLEANUP(str_done) struct str key = {0};
	size_t at = c->r->found[f.what]++;

	if (at >= COMPARE_LISTED_MAX)
		return;
	str_addn(&key, key_of(side, row), row->key_len);
	for (size_t i = 0; i < key.len; i++)
		if (key.data[i] == PART_END)
			key.data[i] = '/';
	f.key = str_text(&key);
	c->on_found(c->ctx, &f);
}

static void compare_pair(struct comparison *c, const struct compare_side *a, const struct row *x,
			 const struct compare_side *b, const struct row *y)
{
	const char *p = key_of(a, x) + x->key_len + 1;
	const char *q = key_of(b, y) + y->key_len + 1;

	for (size_t i = 0; i < a->spec->columns_n; i++) {
		struct cell u = next_cell(&p), v = next_cell(&q);

		if (compare_values(&a->spec->rules[i], &u, &v))
			continue;
		found(c, a, x,
		      (struct compare_found){
			      .what = COMPARE_DIFFERENT, .column = i, .a = u, .b = v});
		return;
	}
}

/* The index behind the rows that have the key of row i; more than one of them is found. */
static size_t behind(struct comparison *c, const struct compare_side *side, size_t i,
		     enum compare_what what)
{
	size_t end = i + 1;

	while (end < side->n && compare_keys(side, &side->rows[i], side, &side->rows[end]) == 0)
		end++;
	if (end - i > 1)
		found(c, side, &side->rows[i], (struct compare_found){.what = what});
	return end;
}

void compare_sides(struct compare_side *a, struct compare_side *b, struct compare_result *r,
		   void (*on_found)(void *ctx, const struct compare_found *f), void *ctx)
{
	struct comparison c = {.r = r, .on_found = on_found, .ctx = ctx};
	size_t i = 0, j = 0;

	*r = (struct compare_result){.rows_a = a->n,
				     .rows_b = b->n,
				     .skipped_a = a->skipped,
				     .skipped_b = b->skipped,
				     .absent_a = a->absent,
				     .absent_b = b->absent};
	sort(a);
	sort(b);
	while (i < a->n || j < b->n) {
		int order = i == a->n   ? 1
			    : j == b->n ? -1
					: compare_keys(a, &a->rows[i], b, &b->rows[j]);

		if (order < 0)
			found(&c, a, &a->rows[i],
			      (struct compare_found){.what = COMPARE_MISSING_B});
		else if (order > 0)
			found(&c, b, &b->rows[j],
			      (struct compare_found){.what = COMPARE_MISSING_A});
		else
			compare_pair(&c, a, &a->rows[i], b, &b->rows[j]);
		if (order <= 0)
			i = behind(&c, a, i, COMPARE_DUPLICATE_A);
		if (order >= 0)
			j = behind(&c, b, j, COMPARE_DUPLICATE_B);
	}
}

bool compare_is_same(const struct compare_result *r)
{
	for (size_t i = 0; i < COMPARE_WHAT_MAX; i++)
		if (r->found[i] > 0)
			return false;
	return true;
}
