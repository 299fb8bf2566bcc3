/* SPDX-License-Identifier: Apache-2.0 */
/* user_id - a user as people name one: a name, or a number, known or not
 *
 * Errors: -ENOENT for a name that nobody has, -EINVAL for a number that can be nobody's.
 * Loop:   blocks (user database): for validation and preparation.
 */
#ifndef HALE_CHECKERS_USER_ID_H
#define HALE_CHECKERS_USER_ID_H

#include <sys/types.h>

int user_id_parse(const char *text, uid_t *uid_r);

#endif
