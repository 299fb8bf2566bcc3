/* SPDX-License-Identifier: Apache-2.0 */
/* hale import: an NDJSON export back into the store, through the recorder
 *
 * Rows go in pieces, each a transaction of the recorder's. Whatever ends it, it may be run again:
 * what is there already is passed over.
 */
#include "verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/command.h"
#include "field.h"
#include "store/transfer.h"

/* As the recorder takes (store/import.h), and few enough that one piece is stored in a moment. */
#define PIECE_ROWS    1000
#define PIECE_BYTES   (1 << 20)
/* A recorder that restarts, or whose store is locked, is waited for. */
#define PATIENCE_MS   30000
#define AGAIN_MS      500
/* Storing a piece while the database is busy. */
#define ANSWER_MS     60000
/* More of the same helps nobody. */
#define BAD_SHOWN_MAX 20

struct import {
	struct cli *cli;
	const char *name; /* of the file, in texts */
	FILE *file;
	struct str line;
	uint64_t number; /* of the line, from 1 */
	bool is_too_long;

	json_t *rows; /* the piece that is being gathered */
	uint64_t lines[PIECE_ROWS];
	size_t bytes;

	bool has_head, has_end;
	uint64_t read[TRANSFER_WHAT_MAX];     /* since the head */
	uint64_t imported[TRANSFER_WHAT_MAX]; /* in all */
	uint64_t present, ahead, bad;
};

static void tell_bad(struct import *im, uint64_t number, const char *why)
{
	if (im->bad++ < BAD_SHOWN_MAX)
		(void)fprintf(im->cli->err, "hale: %s:%llu: %s\n", im->name,
			      (unsigned long long)number, why);
}

/* ---- lines ---- */

/* One line without its newline; what is too long is read to its end and told. False: no more. */
static bool next_line(struct import *im)
{
	int c;

	str_clear(&im->line);
	im->is_too_long = false;
	while ((c = getc(im->file)) != EOF && c != '\n') {
		if (im->line.len < TRANSFER_LINE_MAX)
			str_addc(&im->line, (char)c);
		else
			im->is_too_long = true;
	}
	if (c == EOF && im->line.len == 0)
		return false;
	im->number++;
	return true;
}

/* ---- pieces ---- */

static void take_answer(struct import *im, const json_t *answer)
{
	const json_t *imported = json_object_get(answer, "imported");
	json_t *bad;
	size_t i;

	for (int what = 0; what < TRANSFER_WHAT_MAX; what++)
		im->imported[what] += (uint64_t)field_int(imported, transfer_what_name(what), 0);
	im->present += (uint64_t)field_int(answer, "present", 0);
	im->ahead += (uint64_t)field_int(answer, "ahead", 0);
	json_array_foreach (field_array(answer, "bad"), i, bad) {
		size_t row = (size_t)field_int(bad, "row", 0);

		tell_bad(im, row < PIECE_ROWS ? im->lines[row] : 0, field_or(bad, "error", "?"));
	}
}

static bool is_worth_waiting(int code)
{
	return code == COMMAND_E_NO_PEER || code == COMMAND_E_BUSY || code == COMMAND_E_TIMEOUT;
}

/* 0, or an exit code after telling. */
static int send_piece(struct import *im)
{
	int64_t give_up_ms = clock_mono_ms() + PATIENCE_MS;
	json_t *answer = NULL;
	struct err err;
	int code;

	if (json_array_size(im->rows) == 0)
		return 0;
	for (;;) {
		code = cli_try(im->cli, "recorder", "store.import",
			       json_pack("{s:O}", "rows", im->rows), ANSWER_MS, &answer, NULL,
			       &err);
		/* Nothing was begun yet: then nobody needs to wait. */
		if (!is_worth_waiting(code) || im->number <= PIECE_ROWS ||
		    clock_mono_ms() >= give_up_ms)
			break;
		cli_pause(AGAIN_MS);
	}
	if (code != 0)
		return cli_tell_failure(im->cli, "recorder", code, &err);
	take_answer(im, answer);
	json_decref(answer);
	json_array_clear(im->rows);
	im->bytes = 0;
	return 0;
}

static int add_row(struct import *im, json_t *row /* taken */)
{
	im->read[transfer_what_of(field_or(row, "what", ""))]++;
	im->lines[json_array_size(im->rows)] = im->number;
	json_array_append_new(im->rows, row);
	im->bytes += im->line.len;
	return json_array_size(im->rows) == PIECE_ROWS || im->bytes >= PIECE_BYTES ? send_piece(im)
										   : 0;
}

/* ---- what the first and the last line say ---- */

static void take_head(struct import *im)
{
	im->has_head = true;
	im->has_end = false;
	memset(im->read, 0, sizeof(im->read));
}

static void take_end(struct import *im, const json_t *end)
{
	const json_t *counts = json_object_get(end, "counts");

	im->has_end = true;
	for (int what = 0; what < TRANSFER_WHAT_MAX; what++) {
		const char *name = transfer_what_name(what);
		uint64_t n = (uint64_t)field_int(counts, name, 0);
		HALE_CLEANUP(str_done) struct str why = {0};

		if (n == im->read[what])
			continue;
		str_addf(&why, "the export had %llu %s, of which %llu stand here",
			 (unsigned long long)n, name, (unsigned long long)im->read[what]);
		tell_bad(im, im->number, str_text(&why));
	}
}

/* 0, or an exit code after telling. */
static int take_line(struct import *im)
{
	enum transfer_line kind;
	json_t *object = NULL;
	struct err err = {0};
	int rc;

	if (im->is_too_long) {
		tell_bad(im, im->number, "is longer than any row");
		return 0;
	}
	rc = transfer_line_read(str_text(&im->line), im->line.len, &kind, &object, &err);
	if (rc == -EPROTONOSUPPORT)
		return cli_refuse(im->cli, CLI_FAILED, "%s:%llu: %s", im->name,
				  (unsigned long long)im->number, err.text);
	if (!im->has_head && (rc != 0 || kind != TRANSFER_LINE_HEAD)) {
		json_decref(object);
		return cli_refuse(im->cli, CLI_FAILED,
				  "%s is no NDJSON export of hale: its first line does not say so",
				  im->name);
	}
	if (rc != 0) {
		tell_bad(im, im->number, err.text);
		return 0;
	}
	if (kind == TRANSFER_LINE_ROW)
		return add_row(im, object);
	if (kind == TRANSFER_LINE_HEAD)
		take_head(im);
	else
		take_end(im, object);
	json_decref(object);
	return 0;
}

/* ---- how it went ---- */

static void print_json(struct import *im)
{
	json_t *imported = json_object();

	for (int what = 0; what < TRANSFER_WHAT_MAX; what++) {
		if (im->imported[what] > 0)
			(void)json_object_set_new(imported, transfer_what_name(what),
						  json_integer((json_int_t)im->imported[what]));
	}
	imported = json_pack("{s:o, s:I, s:I, s:I, s:I, s:b}", "imported", imported, "present",
			     (json_int_t)im->present, "ahead", (json_int_t)im->ahead, "bad",
			     (json_int_t)im->bad, "lines", (json_int_t)im->number, "is_whole",
			     im->has_end);
	cli_json(im->cli, imported);
	json_decref(imported);
}

static void print_text(struct import *im)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	for (int what = 0; what < TRANSFER_EPOCHS; what++) {
		if (im->imported[what] > 0)
			str_addf(&text, "%s%llu %s", text.len > 0 ? ", " : "",
				 (unsigned long long)im->imported[what], transfer_what_name(what));
	}
	(void)fprintf(im->cli->out, "imported %s\n", text.len > 0 ? str_text(&text) : "nothing");
	if (im->present > 0)
		(void)fprintf(im->cli->out, "%llu were there already\n",
			      (unsigned long long)im->present);
	if (im->ahead > 0)
		(void)fprintf(im->cli->out, "%llu are left to the bus, which will bring them\n",
			      (unsigned long long)im->ahead);
}

static int finish(struct import *im)
{
	if (im->cli->is_json)
		print_json(im);
	else
		print_text(im);
	(void)fflush(im->cli->out);
	if (im->bad > BAD_SHOWN_MAX)
		(void)fprintf(im->cli->err, "hale: and %llu more like these\n",
			      (unsigned long long)(im->bad - BAD_SHOWN_MAX));
	if (!im->has_end)
		return cli_refuse(im->cli, CLI_FAILED,
				  "%s ends before its last line: it is a part of an export",
				  im->name);
	if (im->bad > 0)
		return cli_refuse(im->cli, CLI_FAILED, "%llu lines are wrong; all others are in",
				  (unsigned long long)im->bad);
	return CLI_DONE;
}

static int run(struct import *im)
{
	int code = 0;

	while (code == 0 && next_line(im))
		code = im->line.len == 0 ? 0 : take_line(im);
	if (code == 0 && ferror(im->file) != 0)
		code = cli_refuse(im->cli, CLI_FAILED, "%s: %s", im->name, strerror(errno));
	if (code == 0 && !im->has_head)
		code = cli_refuse(im->cli, CLI_FAILED, "%s: is empty", im->name);
	if (code == 0)
		code = send_piece(im);
	if (code != 0 && im->number > PIECE_ROWS)
		(void)fprintf(im->cli->err,
			      "hale: ended at line %llu; run it again: what is there is passed "
			      "over\n",
			      (unsigned long long)im->number);
	return code == 0 ? finish(im) : code;
}

int verb_import(struct cli *cli, const struct args *args)
{
	const char *path = args_word(args, 0);
	bool is_stdin = str_eq(path, "-");
	struct import im = {.cli = cli, .name = is_stdin ? "standard input" : path};
	int code;

	im.file = is_stdin ? stdin : fopen(path, "re");
	if (im.file == NULL)
		return cli_refuse(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
	im.rows = json_array();
	code = run(&im);
	json_decref(im.rows);
	str_done(&im.line);
	if (!is_stdin)
		(void)fclose(im.file);
	return code;
}
