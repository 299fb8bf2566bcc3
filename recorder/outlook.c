/* SPDX-License-Identifier: Apache-2.0 */
#include "outlook.h"

#include <inttypes.h>

#include "base/clock.h"

#define KILOBYTE 1024.0
#define MEGABYTE 1048576.0

void outlook_counts(const uint64_t counts[LINE_CLASS_MAX], struct str *out)
{
	static const char *const names[LINE_CLASS_MAX][2] = {
		[LINE_RESULT] = {"result", "results"},
		[LINE_OTHER] = {"other line", "other lines"},
		[LINE_TRANSITION] = {"transition", "transitions"},
	};
	const char *comma = "";

	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		if (counts[c] == 0)
			continue;
		str_addf(out, "%s%" PRIu64 " %s", comma, counts[c], names[c][counts[c] != 1]);
		comma = ", ";
	}
}

static void add_backlog(const struct outlook_view *v, struct str *out)
{
	bool is_small = (double)v->spool_bytes < MEGABYTE;

	str_addf(out, "; %zu %s", v->lines, v->lines == 1 ? "line waits" : "lines wait");
	if (v->spool_lines > 0)
		str_addf(out, ", %zu of them on disk (%.1f %s in %s)", v->spool_lines,
			 (double)v->spool_bytes / (is_small ? KILOBYTE : MEGABYTE),
			 is_small ? "KB" : "MB", v->spool_path);
	if (v->spool_error != NULL)
		str_addf(out, ", and the disk cannot keep them: %s", v->spool_error);
}

static void add_dropped(const struct outlook_view *v, struct str *out)
{
	str_add(out, "; dropped for want of room: ");
	outlook_counts(v->dropped, out);
}

static void add_set_aside(const struct outlook_view *v, struct str *out)
{
	str_addf(out,
		 "The store was damaged and a new one begun. Get back what can be read with 'hale "
		 "export --store %s | hale import -', then move that file away",
		 v->set_aside);
}

struct outlook outlook_of(const struct outlook_view *v, struct str *message)
{
	bool is_troubled = v->trouble_ms >= OUTLOOK_GRACE_MS;
	bool has_dropped = v->dropped_ms >= 0 && v->dropped_ms < OUTLOOK_DROPPED_MS;
	struct outlook o = {OUTCOME_WARN, REASON_STORE_BACKLOG};
	char at[CLOCK_TEXT_MAX];

	str_clear(message);
	if (!is_troubled && !has_dropped && v->set_aside != NULL) {
		add_set_aside(v, message);
		return (struct outlook){OUTCOME_WARN, REASON_STORE_LOST};
	}
	if (!is_troubled && !has_dropped) {
		str_add(message, "Running");
		return (struct outlook){OUTCOME_PASS, REASON_OK};
	}
	if (is_troubled && v->error != NULL) {
		o.reason = REASON_STORE_UNAVAILABLE;
		str_addf(message, "The store cannot be used since %s: %s",
			 clock_format(v->trouble_since_ms, at), v->error);
	} else if (is_troubled) {
		str_addf(message, "The store %s since %s",
			 v->is_slow ? "does not answer in time" : "has not caught up",
			 clock_format(v->trouble_since_ms, at));
	} else {
		str_add(message, "History was lost");
	}
	if (v->trouble_ms >= 0)
		add_backlog(v, message);
	if (has_dropped) {
		o.reason = REASON_STORE_LOST;
		add_dropped(v, message);
	}
	return o;
}
