/* SPDX-License-Identifier: Apache-2.0 */
/* replay - haled's answer to bus.replay (feed.h), from its ring
 *
 * Pure: the command's handler is three lines around it.
 */
#ifndef HALE_BUS_REPLAY_H
#define HALE_BUS_REPLAY_H

#include "base/err.h"
#include "bus/ring.h"

#include <jansson.h>
#include <stdint.h>

/* Lines of one answer, about: below COMMAND_MAX_BYTES even when every byte is escaped, and little
 * enough that no loop turn becomes long (some 15 ms). Who asks gets one answer in a turn of haled's
 * loop, and under load that is ten turns a second: with less than this a recorder that was killed
 * never catches up with 20,000 lines a second. */
#define REPLAY_ANSWER_BYTES (4u << 20)

/* Parameters: {"epoch": text or null, "after": seq, "snapshot": true to be given one in any case,
 * "name": who asks}. epoch and head are haled's own and pub_head(). `snapshot` makes the status
 * object (new reference) when one is needed. New reference, or NULL with err: answer
 * COMMAND_E_PARAMS. */
/* If the answer stands in for lines that the asker had a right to, how many those are: what is
 * known of them, at least one. 0: it is no loss. *who_r is the name, or "other"; borrowed from
 * params. */
uint64_t replay_lost(const json_t *params, const json_t *answer, const char **who_r);
json_t *replay_answer(const struct ring *r, const json_t *params, const char *epoch, uint64_t head,
		      json_t *(*snapshot)(void *ctx), void *ctx, struct err *err);

#endif
