/* SPDX-License-Identifier: Apache-2.0 */
#include "process_judge.h"

#include <inttypes.h>

#include "base/units.h"

static void add_zombies(const struct process_tally *t, struct str *message)
{
	if (t->zombies > 0)
		str_addf(message, ", %" PRId64 " zombie%s", t->zombies, t->zombies == 1 ? "" : "s");
}

static enum reason judge_none(const struct process_tally *t, struct str *message)
{
	if (t->missing != NULL)
		str_addf(message, "%s is not running: %s", t->what, t->missing);
	else if (t->zombies > 0)
		str_addf(message, "%s is dead, its parent has not noticed (zombie)", t->what);
	else
		str_addf(message, "%s is not running", t->what);
	return REASON_PROCESS_DOWN;
}

static void add_count(const struct process_tally *t, struct str *message)
{
	str_addf(message, "%" PRId64 " process%s of %s", t->count, t->count == 1 ? "" : "es",
		 t->what);
	add_zombies(t, message);
}

static enum reason judge_number(const struct process_tally *t, struct str *message)
{
	add_count(t, message);
	if (t->count < t->min)
		str_addf(message, ", expected at least %" PRId64, t->min);
	else if (t->max == 0)
		str_add(message, ", expected none");
	else
		str_addf(message, ", expected at most %" PRId64, t->max);
	return REASON_PROCESS_COUNT;
}

static void add_life(const struct process_tally *t, struct str *message)
{
	char up[UNITS_TEXT_MAX];
	const int64_t seconds = (int64_t)t->uptime_seconds;

	if (t->count == 1)
		str_addf(message, "%s is running, pid %" PRId64, t->what, t->first_pid);
	else
		str_addf(message, "%s is running, %" PRId64 " processes", t->what, t->count);
	str_addf(message, ", up %s", duration_format_short(seconds * 1000, up));
	add_zombies(t, message);
	if (t->blocked > 0)
		str_addf(message, ", %" PRId64 " waiting for a disk", t->blocked);
}

enum reason process_judge(const struct process_tally *t, struct str *message)
{
	if (t->is_unreadable) {
		str_add(message, t->missing);
		return REASON_FILE_UNREADABLE;
	}
	if (t->count == 0 && t->min > 0)
		return judge_none(t, message);
	if (t->count < t->min || (t->max >= 0 && t->count > t->max))
		return judge_number(t, message);
	if (t->count == 0) {
		str_addf(message, "%s is not running, as expected", t->what);
		return REASON_OK;
	}
	if (t->stopped == t->count) {
		str_addf(message, "%s is stopped (SIGSTOP, or a debugger)", t->what);
		return REASON_PROCESS_DOWN;
	}
	add_life(t, message);
	return REASON_OK;
}
