/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void add_name(struct str *out, const char *name)
{
	HALE_CLEANUP(cleanup_free) char *quoted = db_quote_name(name);

	str_add(out, quoted);
}

void statement_table(const char *table, struct str *out)
{
	const char *dot = strchr(table, '.');

	if (dot != NULL) {
		HALE_CLEANUP(cleanup_free) char *schema = mem_dupn(table, (size_t)(dot - table));

		add_name(out, schema);
		str_addc(out, '.');
	}
	add_name(out, dot != NULL ? dot + 1 : table);
}

static void add_scope(const struct job_spec *spec, struct str *out)
{
	if (spec->o.scope != NULL)
		str_addf(out, "(%s)", spec->o.scope);
	else
		str_add(out, "1 = 1");
}

/* ---- SELECT ---- */

static void add_column(struct strlist *names, const char *name)
{
	if (!strlist_has(names, name))
		strlist_add(names, name);
}

/* What is compared, and what a change would replace: audit keeps both. */
static void columns_of(const struct plan_spec *p, struct strlist *names)
{
	for (size_t i = 0; i < p->keys.n; i++)
		add_column(names, p->keys.v[i].name);
	for (size_t i = 0; i < p->columns.n; i++)
		add_column(names, p->columns.v[i].name);
	for (size_t i = 0; i < p->update.n; i++)
		add_column(names, p->update.v[i].name);
	for (size_t i = 0; i < p->close.n; i++)
		add_column(names, p->close.v[i].name);
}

/* Formulas may look at any column of $target, and a deleted row is kept as a whole. */
static bool wants_all(const struct plan_spec *p)
{
	bool has_formula = false;

	for (size_t i = 0; i < p->columns.n; i++)
		has_formula = has_formula || p->columns.v[i].from.formula != NULL;
	for (size_t i = 0; i < p->update.n; i++)
		has_formula = has_formula || p->update.v[i].value.formula != NULL;
	for (size_t i = 0; i < p->close.n; i++)
		has_formula = has_formula || p->close.v[i].value.formula != NULL;
	return has_formula || p->close_mode == PLAN_CLOSE_DELETE;
}

void statement_select(const struct job_spec *spec, bool is_locking, struct str *out)
{
	struct strlist names = {0};

	columns_of(&spec->plan, &names);
	str_add(out, "SELECT ");
	if (wants_all(&spec->plan))
		str_add(out, "*");
	for (size_t i = 0; i < names.n && !wants_all(&spec->plan); i++) {
		if (i > 0)
			str_add(out, ", ");
		add_name(out, names.v[i]);
	}
	strlist_done(&names);
	str_add(out, " FROM ");
	statement_table(spec->o.target.table, out);
	str_add(out, " WHERE ");
	add_scope(spec, out);
	/* SQLite locks the file as a whole when the transaction begins. */
	if (is_locking && spec_engine(spec) == DB_POSTGRES)
		str_add(out, " FOR UPDATE");
}

/* ---- changes ---- */

static void add_insert(const json_t *after, struct str *out)
{
	const char *separator = " (";
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach ((json_t *)after, name, value) {
		str_add(out, separator);
		add_name(out, name);
		separator = ", ";
		n++;
	}
	str_add(out, ") VALUES (");
	for (size_t i = 1; i <= n; i++)
		str_addf(out, "%s$%zu", i > 1 ? ", " : "", i);
	str_addc(out, ')');
}

/* Returns the number of placeholders so far. */
static size_t add_set(const json_t *after, struct str *out)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	str_add(out, " SET ");
	json_object_foreach ((json_t *)after, name, value) {
		if (n > 0)
			str_add(out, ", ");
		add_name(out, name);
		str_addf(out, " = $%zu", ++n);
	}
	return n;
}

static void add_where(const struct job_spec *spec, size_t placeholders, struct str *out)
{
	str_add(out, " WHERE ");
	for (size_t i = 0; i < spec->plan.keys.n; i++) {
		add_name(out, spec->plan.keys.v[i].name);
		str_addf(out, " = $%zu AND ", placeholders + i + 1);
	}
	add_scope(spec, out);
}

void statement_change(const struct job_spec *spec, const struct plan_row *row, struct str *out)
{
	size_t placeholders = 0;

	str_add(out, row->op == PLAN_INSERT ? "INSERT INTO "
		     : row->after != NULL   ? "UPDATE "
					    : "DELETE FROM ");
	statement_table(spec->o.target.table, out);
	if (row->op == PLAN_INSERT) {
		add_insert(row->after, out);
		return;
	}
	if (row->after != NULL)
		placeholders = add_set(row->after, out);
	add_where(spec, placeholders, out);
}
