/* SPDX-License-Identifier: Apache-2.0 */
/* system_tell - a machine as metrics, details and one line */
#ifndef HALE_CHECKERS_SYSTEM_TELL_H
#define HALE_CHECKERS_SYSTEM_TELL_H

#include "check.h"
#include "system_read.h"

extern const struct metric_doc system_metrics[];
extern const struct metric_doc system_details[];

/* Ends in check_done(). */
void system_tell(struct check *c, const struct system_where *where,
		 const struct system_sample *before, const struct system_reading *now);

#endif
