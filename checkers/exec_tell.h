/* SPDX-License-Identifier: Apache-2.0 */
/* exec_tell - what a command said, as an observation
 *
 * In one of three manners: that of Nagios plugins (perfdata.h), a JSON object, or plain text.
 */
#ifndef HALE_CHECKERS_EXEC_TELL_H
#define HALE_CHECKERS_EXEC_TELL_H

#include "base/str.h"
#include "check.h"
#include "exec_codes.h"

#include <stdbool.h>

/* A program's measurements are shown, stored and judged one by one. */
#define EXEC_METRICS_MAX 256

enum exec_format { EXEC_NAGIOS, EXEC_JSON, EXEC_TEXT };

struct exec_said {
	enum exec_format format;
	const struct exec_codes *codes;
	const char *out, *err; /* both streams, no NUL within */
	bool is_cut;           /* more was said than is kept */
	int how;               /* of waitid: CLD_EXITED …; 0: nobody knows */
	int status;            /* code or signal */
};

/* Metrics, details, and check_done(). */
void exec_tell(struct check *c, const struct exec_said *said);

#endif
