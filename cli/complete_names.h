/* SPDX-License-Identifier: Apache-2.0 */
/* complete_names - the names that only a running hale knows
 *
 * One table says which name in a usage is asked of whom. Somebody waits at a keyboard: an answer
 * that takes long is none, and nothing is ever told.
 */
#ifndef HALE_CLI_COMPLETE_NAMES_H
#define HALE_CLI_COMPLETE_NAMES_H

#include "complete.h"

/* Adds candidates for what complete_line() left open; ":files" and ":directories" ask the shell. */
void complete_names(struct cli *cli, const struct complete *c, struct str *out);
/* Whether a name in capitals in a usage is known here: each verb's and flag's must be. */
bool complete_knows(const char *name, size_t len);

#endif
