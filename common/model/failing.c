/* SPDX-License-Identifier: Apache-2.0 */
#include "model/failing.h"

#include "base/cleanup.h"

static bool is_well(const struct failing_view *view)
{
	return !view->is_wanted || (view->is_ready && !view->is_hopeless);
}

/* When the episode begins (or began), and the pause since the last one is over. */
static int64_t tell_at(const struct failing *f, const struct failing_view *view)
{
	int64_t at =
		view->is_hopeless ? f->down_since_ms : f->down_since_ms + view->failing_after_ms;

	if (f->last_run_ms == 0)
		return at;
	return HALE_MAX(at, f->last_run_ms + FAILING_PAUSE_MS);
}

bool failing_step(struct failing *f, const struct failing_view *view, int64_t now_ms)
{
	if (is_well(view)) {
		f->down_since_ms = 0;
		f->is_told = false;
		return false;
	}
	if (f->down_since_ms == 0)
		f->down_since_ms = now_ms;
	if (f->is_told || f->is_running || now_ms < tell_at(f, view))
		return false;
	f->is_told = f->is_running = true;
	f->last_run_ms = now_ms;
	return true;
}

int64_t failing_due(const struct failing *f, const struct failing_view *view)
{
	if (is_well(view) || f->is_told || f->is_running || f->down_since_ms == 0)
		return INT64_MAX;
	return tell_at(f, view);
}

void failing_ended(struct failing *f)
{
	f->is_running = false;
}

json_t *failing_hand_over(const struct failing *f)
{
	return json_pack("{s:I, s:I, s:b}", "down_since", (json_int_t)f->down_since_ms, "last_run",
			 (json_int_t)f->last_run_ms, "told", f->is_told);
}

/* A command that ran then has ended with the haled that waited for it. */
void failing_take_over(struct failing *f, const json_t *o)
{
	*f = (struct failing){
		.down_since_ms = json_integer_value(json_object_get(o, "down_since")),
		.last_run_ms = json_integer_value(json_object_get(o, "last_run")),
		.is_told = json_is_true(json_object_get(o, "told")),
	};
}
