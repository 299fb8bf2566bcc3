/* SPDX-License-Identifier: Apache-2.0 */
/* period - from when to when: --since, --from and --to of all that looks back
 *
 * A time is one of: how long ago ("7d", "90m"), "now", a date or a date and time as text_date()
 * shows them (local), or RFC 3339 with its zone.
 *
 * Pure: now is an argument; the time zone is the process's.
 *
 * Errors: -EINVAL, with the option and what would be right.
 */
#ifndef HALE_CLI_PERIOD_H
#define HALE_CLI_PERIOD_H

#include "args.h"

struct period {
	int64_t from_ms, to_ms; /* [from, to); 0: open */
};

/* Without any of the options: the last default_ms, or with 0 all of the past. */
int period_of(const struct args *a, int64_t now_ms, int64_t default_ms, struct period *p_r,
	      struct err *err);
/* Behind "no change of status of api ": "in the last 24h", "from … to …". */
void period_add(struct str *out, const struct args *a, const struct period *p, int64_t now_ms);

#endif
