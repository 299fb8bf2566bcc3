/* SPDX-License-Identifier: Apache-2.0 */
/* hale kinds [KIND]: what can be checked, and what a kind takes and tells */
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "catalog.h"
#include "field.h"
#include "table.h"

/* A kind within a kind's options: {expect: {status: …}}. */
#define DEPTH_MAX       8
#define OPTION_NAME_MAX 256

static bool is_kind(const json_t *manifest)
{
	return str_eq(field_text(manifest, "role"), "check");
}

static int compare_kinds(const void *a, const void *b)
{
	return strcmp(field_or(*(json_t *const *)a, "kind", ""),
		      field_or(*(json_t *const *)b, "kind", ""));
}

/* Borrowed manifests, by name. New reference. */
static json_t *all_kinds(const struct catalog *catalog)
{
	const struct manifest_set *set = &catalog->manifests;
	HALE_CLEANUP(cleanup_free) json_t **sorted = mem_array(set->n + 1, sizeof(json_t *));
	json_t *list = json_array();
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (is_kind(set->v[i]))
			sorted[n++] = set->v[i];
	}
	qsort(sorted, n, sizeof(*sorted), compare_kinds);
	for (size_t i = 0; i < n; i++)
		json_array_append(list, sorted[i]);
	return list;
}

static void print_list(struct cli *cli, const json_t *kinds)
{
	static const struct table_column columns[] = {TABLE_LEFT("KIND"),
						      TABLE_FLEXIBLE("WHAT IT DOES")};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *kind;
	size_t i;

	json_array_foreach (kinds, i, kind) {
		table_cell(&t, TONE_BOLD, field_text(kind, "kind"));
		table_cell(&t, TONE_PLAIN, field_or(kind, "summary", ""));
	}
	table_format(&t, cli->has_colour, cli->width, &out);
	table_done(&t);
	cli_print(cli, &out);
}

/* ---- One kind ---- */

static void add_option(struct table *t, const char *name, const json_t *option)
{
	const char *def = field_text(option, "default");

	table_cell(t, TONE_BOLD, name);
	table_cell(t, TONE_DIM, field_or(option, "type", ""));
	if (json_is_true(json_object_get(option, "required")))
		table_cell(t, TONE_PLAIN, "required");
	else
		table_cell(t, TONE_PLAIN, def == NULL || str_eq(def, "{}") ? "" : def);
	table_cell(t, TONE_PLAIN, field_or(option, "help", ""));
}

static void add_options(struct table *t, const json_t *options, const char *prefix, int depth)
{
	const char *name;
	json_t *option;

	json_object_foreach ((json_t *)options, name, option) {
		const char *type = field_or(option, "type", "");
		char full[OPTION_NAME_MAX], inner[OPTION_NAME_MAX];

		(void)snprintf(full, sizeof(full), "%s%s", prefix, name);
		add_option(t, full, option);
		(void)snprintf(inner, sizeof(inner), "%.*s%s.", OPTION_NAME_MAX - 16, full,
			       str_eq(type, "dict")    ? ".NAME"
			       : str_eq(type, "array") ? "[]"
						       : "");
		if (depth < DEPTH_MAX)
			add_options(t, json_object_get(option, "options"), inner, depth + 1);
	}
}

static void print_options(const struct cli *cli, const json_t *options, struct str *out)
{
	static const struct table_column columns[] = {TABLE_LEFT("OPTION"), TABLE_LEFT("TYPE"),
						      TABLE_LEFT("DEFAULT"), TABLE_LEFT("MEANING")};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};

	add_options(&t, options, "", 0);
	str_addc(out, '\n');
	table_format(&t, cli->has_colour, 0, out);
	table_done(&t);
}

/* metrics, details, reasons: what a check may tell. */
static void print_told(const struct cli *cli, const json_t *kind, const char *member,
		       const char *title, const char *key, struct str *out)
{
	const struct table_column columns[] = {TABLE_LEFT(title), TABLE_LEFT(""), TABLE_LEFT("")};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	json_t *entry;
	size_t i;

	json_array_foreach (field_array(kind, member), i, entry) {
		table_cell(&t, TONE_BOLD, field_or(entry, key, "?"));
		table_cell(&t, TONE_DIM, field_or(entry, "outcome", ""));
		table_cell(&t, TONE_PLAIN, field_or(entry, "help", ""));
	}
	if (i > 0)
		str_addc(out, '\n');
	table_format(&t, cli->has_colour, 0, out);
	table_done(&t);
}

static void print_kind(struct cli *cli, const json_t *kind)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const char *about = field_text(kind, "about"), *example = field_text(kind, "example");

	str_addf(&out, "%s: %s\n", field_or(kind, "kind", "?"), field_or(kind, "summary", ""));
	if (about != NULL)
		str_addf(&out, "\n%s\n", about);
	print_options(cli, json_object_get(kind, "options"), &out);
	print_told(cli, kind, "metrics", "METRIC", "name", &out);
	print_told(cli, kind, "details", "DETAIL", "name", &out);
	print_told(cli, kind, "reasons", "REASON", "code", &out);
	if (example != NULL)
		str_addf(&out, "\ncomponents:\n  ");
	for (; example != NULL && *example != '\0'; example++) {
		str_addc(&out, *example);
		if (*example == '\n' && example[1] != '\0')
			str_add(&out, "  ");
	}
	cli_print(cli, &out);
}

static int refuse(struct cli *cli, const json_t *kinds, const char *name)
{
	HALE_CLEANUP(cleanup_free)
	const char **names = mem_array(json_array_size(kinds) + 1, sizeof(*names));
	const char *near;
	json_t *kind;
	size_t i;

	json_array_foreach (kinds, i, kind)
		names[i] = field_or(kind, "kind", "");
	near = suggest_nearest(name, names);
	if (near != NULL)
		return cli_refuse(cli, CLI_USAGE, "no kind '%s' (did you mean '%s'?)", name, near);
	return cli_refuse(cli, CLI_USAGE, "no kind '%s' (see: hale kinds)", name);
}

static int show_kind(struct cli *cli, const json_t *kinds, const char *name)
{
	json_t *kind;
	size_t i;

	json_array_foreach (kinds, i, kind) {
		if (!str_eq(field_text(kind, "kind"), name))
			continue;
		if (cli->is_json)
			cli_json(cli, kind);
		else
			print_kind(cli, kind);
		return CLI_DONE;
	}
	return refuse(cli, kinds, name);
}

int verb_kinds(struct cli *cli, const struct args *args)
{
	const char *name = args_word(args, 0);
	struct catalog catalog = {0};
	json_t *kinds = NULL;
	struct err err = {0};
	int code = CLI_DONE;

	if (catalog_load_known(&catalog, cli, &err) < 0) {
		code = cli_refuse(cli, CLI_FAILED, "%s", err.text);
	} else {
		kinds = all_kinds(&catalog);
		if (name != NULL)
			code = show_kind(cli, kinds, name);
		else if (cli->is_json)
			cli_json(cli, kinds);
		else
			print_list(cli, kinds);
	}
	json_decref(kinds);
	catalog_done(&catalog);
	return code;
}
