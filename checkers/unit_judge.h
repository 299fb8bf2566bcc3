/* SPDX-License-Identifier: Apache-2.0 */
/* unit_judge - are the units as they should be?
 *
 * Pure. As with systemctl is-active, what reloads is active. The texts for several units are those
 * that people know from their own scripts: "All 3 services running", "2 services down: a, b".
 */
#ifndef HALE_CHECKERS_UNIT_JUDGE_H
#define HALE_CHECKERS_UNIT_JUDGE_H

#include "base/str.h"
#include "base/strlist.h"
#include "model/reason.h"
#include "unit_status.h"

#include <stddef.h>

enum unit_verdict {
	UNIT_RUNNING,  /* in a wanted state */
	UNIT_CHANGING, /* on its way from one to another */
	UNIT_STOPPED,
};

struct unit_seen {
	const char *name; /* as the configuration has it */
	struct unit_status status;
	enum unit_verdict verdict; /* of unit_verdict_of() */
};

enum unit_verdict unit_verdict_of(const struct unit_status *status, const struct strlist *wanted);
/* "failed (exit-code)", "activating (auto-restart)", "not found". Appends. */
void unit_describe(const struct unit_status *status, struct str *out);
/* Of all together, by their verdicts; n > 0. The message is appended. */
enum reason unit_judge(const struct unit_seen *units, size_t n, const struct strlist *wanted,
		       struct str *message);

#endif
