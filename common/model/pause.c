/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pause.h"

#include <errno.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/component.h"

void pause_begin(struct pause *p, int64_t for_ms, const char *reason, int64_t now_ms)
{
	if (!p->is_active)
		p->since_ms = now_ms;
	p->is_active = true;
	p->until_ms = for_ms > 0 ? now_ms + for_ms : 0;
	p->told_ms = now_ms;
	(void)str_clean(p->reason, sizeof(p->reason), reason == NULL ? "" : reason);
}

void pause_end(struct pause *p)
{
	*p = (struct pause){0};
}

enum pause_event pause_tick(struct pause *p, int64_t now_ms)
{
	if (!p->is_active)
		return PAUSE_NOTHING;
	if (p->until_ms != 0 && now_ms >= p->until_ms)
		return PAUSE_OVER;
	/* The clock was set back: an hour from now, not from then. */
	if (p->told_ms > now_ms)
		p->told_ms = now_ms;
	if (now_ms - p->told_ms < PAUSE_REMIND_MS)
		return PAUSE_NOTHING;
	p->told_ms = now_ms;
	return PAUSE_REMIND;
}

json_t *pause_encode(const struct pause *p)
{
	return json_pack("{s:b, s:o, s:o, s:o}", "active", !p->is_active, "since",
			 component_time(p->since_ms), "until", component_time(p->until_ms),
			 "reason", p->reason[0] == '\0' ? json_null() : json_string(p->reason));
}

int pause_decode(struct pause *p, const json_t *saved)
{
	const char *since = json_string_value(json_object_get(saved, "since"));
	const char *until = json_string_value(json_object_get(saved, "until"));
	const char *reason = json_string_value(json_object_get(saved, "reason"));
	struct pause read = {.is_active = true};

	if (!json_is_false(json_object_get(saved, "active")) || since == NULL ||
	    clock_parse(since, &read.since_ms) < 0 ||
	    (until != NULL && clock_parse(until, &read.until_ms) < 0))
		return -EINVAL;
	(void)str_clean(read.reason, sizeof(read.reason), reason == NULL ? "" : reason);
	*p = read;
	return 0;
}
