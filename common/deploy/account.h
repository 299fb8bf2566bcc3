/* SPDX-License-Identifier: Apache-2.0 */
/* account - the user and groups a program runs as, and what a login would tell it of itself
 *
 * Blocking (it reads the user database); only while the configuration is loaded.
 */
#ifndef HALE_DEPLOY_ACCOUNT_H
#define HALE_DEPLOY_ACCOUNT_H

#include "deploy/place.h"
#include "proc/spawn.h"

#include <jansson.h>
#include <stdbool.h>

/* Names or numbers; both may be NULL: haled's own. Fills has_user, user, uid, gid and groups of the
 * rights, and sets HOME, USER, LOGNAME and SHELL in the object `environment`. What is wrong is told
 * at `pointer`/user and `pointer`/group. */
void account_read(const struct place *place, const char *pointer, const char *user,
		  const char *group, struct spawn_rights *rights, json_t *environment);

/* Is that the user this process runs as? */
bool account_is_own(const char *user);

#endif
