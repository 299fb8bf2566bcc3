/* SPDX-License-Identifier: Apache-2.0 */
#include "past.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bus/command.h"
#include "conf/option.h"

struct past {
	struct store_options options;
	struct store *history;
};

static int refuse(struct cli *cli, bool is_quiet, const char *text)
{
	return is_quiet ? CLI_FAILED : cli_refuse(cli, CLI_FAILED, "%s", text);
}

static int ask_section(struct cli *cli, bool is_quiet, json_t **section_r)
{
	struct err err = {0};
	int code = cli_try(cli, "haled", "config.section", json_pack("{s:s}", "name", "store"),
			   CLI_TIMEOUT_MS, section_r, NULL, &err);

	if (code == COMMAND_E_NOT_FOUND)
		return refuse(cli, is_quiet,
			      "this hale keeps no history: there is no store in its configuration");
	return code == 0 ? 0 : cli_tell_failure(cli, "haled", code, &err);
}

int past_open(struct cli *cli, bool is_quiet, struct past **past_r)
{
	struct past *p;
	json_t *section = NULL;
	struct err err = {0};
	int code = ask_section(cli, is_quiet, &section);

	if (code != 0)
		return code;
	p = mem_alloc(sizeof(*p));
	if (conf_decode(store_items, section, &p->options, &err) < 0 ||
	    store_open(&p->options, STORE_READER, &p->history, &err) < 0)
		code = refuse(cli, is_quiet, err.text);
	json_decref(section);
	if (code == 0)
		*past_r = TAKE_PTR(p);
	past_close(p);
	return code;
}

/* A URI or conninfo, and not a file of that name. */
static bool is_dsn(const char *where)
{
	return str_starts(where, "postgres://") || str_starts(where, "postgresql://") ||
	       (strchr(where, '=') != NULL && access(where, F_OK) != 0);
}

int past_open_at(struct cli *cli, const char *where, struct past **past_r)
{
	struct past *p = mem_alloc(sizeof(*p));
	struct err err = {0};

	if (is_dsn(where))
		p->options.postgres.dsn = mem_dup(where);
	else
		p->options.sqlite.path = mem_dup(where);
	if (store_open(&p->options, STORE_READER, &p->history, &err) < 0) {
		past_close(p);
		return cli_refuse(cli, CLI_FAILED, "%s", err.text);
	}
	*past_r = p;
	return 0;
}

void past_close(struct past *p)
{
	if (p == NULL)
		return;
	store_close(p->history);
	conf_free(store_items, &p->options);
	free(p);
}

struct store *past_history(struct past *p)
{
	return p->history;
}

/* Newest first, onto the end. */
static int read_page(struct past *p, const struct read_query *q, json_t *rows, char **cursor_r,
		     struct err *err)
{
	json_t *answer = NULL;
	const char *cursor;
	int rc = read_rows(p->history, q, &answer, err);

	if (rc < 0)
		return rc;
	cursor = json_string_value(json_object_get(answer, "cursor"));
	*cursor_r = cursor == NULL ? NULL : mem_dup(cursor);
	(void)json_array_extend(rows, json_object_get(answer, "rows"));
	json_decref(answer);
	return 0;
}

static json_t *reversed(const json_t *rows)
{
	json_t *out = json_array();

	for (size_t i = json_array_size(rows); i-- > 0;)
		json_array_append(out, json_array_get(rows, i));
	return out;
}

int past_read(struct cli *cli, struct past *p, const struct read_query *q, json_t **rows_r,
	      bool *has_more_r)
{
	HALE_CLEANUP(cleanup_free) char *cursor = NULL;
	struct read_query page = *q;
	json_t *rows = json_array();
	struct err err = {0};
	int rc;

	do {
		char *next = NULL;

		page.limit = HALE_MIN(q->limit - json_array_size(rows), (size_t)READ_ROWS_MAX);
		page.cursor = cursor;
		rc = read_page(p, &page, rows, &next, &err);
		free(cursor);
		cursor = next;
	} while (rc == 0 && cursor != NULL && json_array_size(rows) < q->limit);
	if (rc == 0) {
		*rows_r = reversed(rows);
		*has_more_r = cursor != NULL;
	}
	json_decref(rows);
	return rc == 0 ? 0 : cli_refuse(cli, CLI_FAILED, "%s", err.text);
}
