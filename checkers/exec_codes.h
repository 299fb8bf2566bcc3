/* SPDX-License-Identifier: Apache-2.0 */
/* exec_codes - what exit codes mean
 *
 * Pure. By default those of Nagios plugins (0 pass, 1 warn, 2 fail, others error), or those of
 * plain programs (0 pass, others fail); a map of the configuration comes first: {3: fail, 10-19:
 * warn}.
 */
#ifndef HALE_CHECKERS_EXEC_CODES_H
#define HALE_CHECKERS_EXEC_CODES_H

#include "base/err.h"
#include "model/reason.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* More ranges than these nobody can keep apart. */
#define EXEC_CODES_MAX 32

struct exec_codes {
	struct {
		int from, to;
		enum outcome outcome;
	} v[EXEC_CODES_MAX];
	size_t n;
	bool is_plain; /* no Nagios plugin */
};

/* map: text -> text, or NULL. -EINVAL says which entry is wrong. */
int exec_codes_parse(const json_t *map, bool is_plain, struct exec_codes *codes_r, struct err *err);
enum outcome exec_codes_outcome(const struct exec_codes *codes, int exit_code);
/* The exec_… reason that goes with it. */
enum reason exec_reason(enum outcome outcome);
/* Outcomes by the words that programs use: pass ok healthy up | warn warning degraded | fail
 * critical error unhealthy | down | unknown. False: it is none of them. */
bool exec_outcome_parse(const char *word, enum outcome *outcome_r);

#endif
