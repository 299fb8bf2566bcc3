/* SPDX-License-Identifier: Apache-2.0 */
/* cli - the operator's command: options, verbs, and asking hale's processes
 *
 * cli_main() reads the arguments, finds the verb in verbs.h and runs it. A verb asks through
 * cli_ask(), which has already told the operator when it does not return 0.
 *
 * Exit codes (docs/cli.md): 0 done, 1 failed or refused, 2 usage or no such name, 3 no hale is
 * running. Verbs that give a verdict (status, show, check) are Nagios plugins: 0 healthy,
 * 1 degraded, 2 critical or down, and 3 for everything else that may happen.
 *
 * Ownership: struct cli is the caller's; texts in it are borrowed.
 * Loop:      none; verbs block. Only `events -f` runs one of its own.
 */
#ifndef HALE_CLI_CLI_H
#define HALE_CLI_CLI_H

#include "base/err.h"
#include "base/str.h"
#include "paint.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_DEFAULT_RUN_DIR "/run/hale"
/* haled and its children answer from memory; longer than this and something is wrong. */
#define CLI_TIMEOUT_MS      10000

enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,   /* also: no such name */
	CLI_NO_HALE = 3, /* also: no verdict */
};

struct verb;

struct cli {
	const char *run_dir;
	const char *exe_dir; /* where haled is; NULL: not known */
	bool is_json;
	bool has_colour; /* on out */
	size_t width;    /* of the terminal in columns; 0: none, lines are as long as they are */
	int64_t now_ms;  /* wall time that counts as now; 0: the clock */
	FILE *out, *err;
	const struct verb *verb; /* the one that runs */
};

/* The caller has filled in what it knows of terminal and surroundings. */
int cli_main(struct cli *cli, int argc, char **argv);

int64_t cli_now(const struct cli *cli);
/* Waits without a loop; a signal ends it early. */
void cli_pause(uint32_t ms);

/* Result of a command to <service>.ipc, or an exit code after telling why there is none. */
int cli_ask(struct cli *cli, const char *service, const char *method, json_t *params /* taken */,
	    uint32_t timeout_ms, json_t **result_r);
/* The same without telling: 0 or the JSON-RPC code of command.h. data_r may be NULL. */
int cli_try(const struct cli *cli, const char *service, const char *method,
	    json_t *params /* taken */, uint32_t timeout_ms, json_t **result_r, json_t **data_r,
	    struct err *err);
/* What cli_ask does with a code that is not 0. */
int cli_tell_failure(struct cli *cli, const char *service, int code, const struct err *err);

/* "hale: message" on err; returns the code, or CLI_NO_HALE if the verb gives a verdict. */
int cli_refuse(struct cli *cli, enum cli_exit code, const char *fmt, ...) HALE_PRINTF(3, 4);
void cli_print(struct cli *cli, const struct str *text);
/* Painted and cleaned, to out. */
void cli_say(struct cli *cli, enum tone tone, const char *text);
void cli_json(struct cli *cli, const json_t *value);      /* indented */
void cli_json_line(struct cli *cli, const json_t *value); /* NDJSON */

#endif
