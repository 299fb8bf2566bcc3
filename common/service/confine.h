/* SPDX-License-Identifier: Apache-2.0 */
/* confine - what each process may do, in one table
 *
 * Applied by the child once it is set up. What the kernel or a lack of privilege does not allow is
 * reported, never fatal: haled run unprivileged works too, and says what it could not do.
 */
#ifndef HALE_SERVICE_CONFINE_H
#define HALE_SERVICE_CONFINE_H

#include "base/str.h"

/* By service name ("check.http" falls back to "check.*"). Sets no_new_privs, rlimits, non-dumpable.
 * Appends to `report` one line per measure: "no_new_privs: on", "rlimit nofile: 4096", "…: not
 * allowed (EPERM)". */
void service_confine(const char *service, struct str *report);

#endif
