/* SPDX-License-Identifier: Apache-2.0 */
/* args - a verb's words and flags
 *
 * Flags are declared in tables, from which parsing and help come. They may stand before and behind
 * the words: -n 5, -n5, -fn5, --lines 5, --lines=5; "--" ends them.
 *
 * Ownership: words are copied, texts borrowed from argv.
 * Errors:    -EINVAL with what is wrong and the nearest flag there is.
 */
#ifndef HALE_CLI_ARGS_H
#define HALE_CLI_ARGS_H

#include "base/err.h"
#include "base/str.h"
#include "base/strlist.h"

#include <stdbool.h>
#include <stdint.h>

/* More flags than any verb has, with room for repetitions; beyond it the last ones count. */
#define ARGS_SET_MAX 32

enum flag_type {
	FLAG_SWITCH,
	FLAG_TEXT,
	FLAG_COUNT,    /* 0 to a million */
	FLAG_DURATION, /* ms */
};

struct flag {
	const char *name; /* "lines"; NULL ends a table */
	char letter;      /* 'n', or 0 */
	enum flag_type type;
	const char
		*value; /* "N", "FILE", "text|json": how help names it, and completion reads it */
	const char *help;
};

struct args {
	struct strlist words;
	struct args_set {
		const struct flag *flag;
		const char *text;
		int64_t number;
	} set[ARGS_SET_MAX];
	size_t set_n;
};

/* Reads argv from *next on; with stop_at_word it ends before the first word. *next is where it
 * ended. `tables` ends in NULL. */
int args_parse(struct args *a, const struct flag *const *tables, int argc, char **argv, int *next,
	       bool stop_at_word, struct err *err);
void args_done(struct args *a);

bool args_is(const struct args *a, const char *name);
const char *args_text(const struct args *a, const char *name); /* NULL: not given */
int64_t args_number(const struct args *a, const char *name, int64_t otherwise);
/* The word, or NULL. */
const char *args_word(const struct args *a, size_t i);

/* "  -n, --lines N   help" for each flag. */
void args_help(struct str *out, const struct flag *flags);

#endif
