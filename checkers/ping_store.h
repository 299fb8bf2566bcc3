/* SPDX-License-Identifier: Apache-2.0 */
/* ping_store - the states of heartbeats in files, so that they outlive their process
 *
 * <state directory>/heartbeat/<component>.json, written whole and renamed, before anybody is told
 * that a ping was taken. Kind heartbeat writes them, kind schedule reads them.
 *
 * Errors: negative errno with a text; -ENOENT: there is none yet. -EINVAL: it is none of ours.
 * Loop:   small local files, read and written where they stand.
 */
#ifndef HALE_CHECKERS_PING_STORE_H
#define HALE_CHECKERS_PING_STORE_H

#include "ping.h"

/* A log of which every byte is escaped, and the rest. */
#define PING_FILE_MAX (PING_LOG_MAX * 6 + 4096)

int ping_store_load(const char *state_dir, const char *component, struct ping_state *s_r,
		    struct err *err);
int ping_store_save(const char *state_dir, const char *component, const struct ping_state *s,
		    struct err *err);

#endif
