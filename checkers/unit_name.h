/* SPDX-License-Identifier: Apache-2.0 */
/* unit_name - names of systemd's units, as people write them and as systemd wants them
 *
 * Pure. "nginx" is nginx.service, as systemctl has it.
 */
#ifndef HALE_CHECKERS_UNIT_NAME_H
#define HALE_CHECKERS_UNIT_NAME_H

#include "base/err.h"

#define UNIT_NAME_SIZE 256 /* systemd's limit, with the NUL */

/* The whole name. -EINVAL: systemd has no such names. */
int unit_name_complete(const char *text, char name_r[UNIT_NAME_SIZE], struct err *err);
/* "service", "timer" …: what stands behind the last dot of a whole name. Borrowed. */
const char *unit_name_type(const char *name);
/* The name as people say it: without ".service". Returns buf. */
const char *unit_name_short(const char *name, char buf[UNIT_NAME_SIZE]);

#endif
