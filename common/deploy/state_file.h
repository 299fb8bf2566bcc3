/* SPDX-License-Identifier: Apache-2.0 */
/* state_file - what a restarted haled knows of before, as one file in the state directory
 *
 * {"version", "epoch", "head", "health", "processes"}, replaced as a whole: a crash leaves the old
 * one or the new one. Blocking, and not fsynced: a round of checks brings everything again.
 *
 * Ownership: the caller owns struct state_file; zeroed is empty, state_file_done() frees.
 */
#ifndef HALE_DEPLOY_STATE_FILE_H
#define HALE_DEPLOY_STATE_FILE_H

#include "base/err.h"
#include "base/str.h"
#include "model/frame.h"

#include <jansson.h>
#include <stdint.h>

#define STATE_FILE_NAME      "health.state"
#define STATE_FILE_VERSION   1
/* 100,000 components at a kilobyte, and then some. */
#define STATE_FILE_BYTES_MAX (128u << 20)

struct state_file {
	char epoch[FRAME_EPOCH_MAX]; /* "": there was none */
	uint64_t head;               /* the last line of the bus that is in it */
	json_t *health, *processes;  /* NULL: nothing is known */
};

/* No file is the first start: 0, and f_r stays empty. -EBADMSG: it is not understood. */
int state_file_read(const char *dir, struct state_file *f_r, struct err *err);
void state_file_done(struct state_file *f);
/* `health` is JSON text, health_save(); `processes` is taken. */
int state_file_write(const char *dir, const char *epoch, uint64_t head, const struct str *health,
		     json_t *processes, struct err *err);

#endif
