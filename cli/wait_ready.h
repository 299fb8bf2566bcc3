/* SPDX-License-Identifier: Apache-2.0 */
/* wait_ready - watches restarted processes until they are ready again, and tells
 *
 * One line for each as it gets there, or why it did not and its last lines (verb_process.c).
 */
#ifndef HALE_CLI_WAIT_READY_H
#define HALE_CLI_WAIT_READY_H

#include "cli.h"

struct wait_ready {
	const json_t *before; /* status from before: a younger generation is waited for */
	int64_t asked_ms;     /* wall: what is said to have taken how long is counted from here */
	int64_t timeout_ms;
	json_t *outcome; /* an array that gets {"name","done","process"} each; NULL: told in words
			  */
};

/* CLI_DONE, CLI_FAILED, or what kept it from looking. */
int wait_ready(struct cli *cli, const json_t *names, const struct wait_ready *w);

#endif
