/* SPDX-License-Identifier: Apache-2.0 */
#include "patience.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct patience {
	uv_timer_t timer;
	struct check *check;
	void (*on_over)(struct check *c);
};

static void on_timer(uv_timer_t *timer)
{
	struct patience *p = timer->data;

	p->on_over(p->check);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct patience *patience_start(struct check *c, int64_t begun_us, void (*on_over)(struct check *c))
{
	int64_t left_ms = check_timeout_ms(c) - (clock_mono_us() - begun_us) / 1000 - PATIENCE_END;
	struct patience *p = mem_alloc(sizeof(*p));

	p->check = c;
	p->on_over = on_over;
	p->timer.data = p;
	HALE_ASSERT(uv_timer_init(check_loop(c), &p->timer) == 0);
	(void)uv_timer_start(&p->timer, on_timer,
			     (uint64_t)HALE_MIN(HALE_MAX(left_ms, 0), PATIENCE_MS), 0);
	return p;
}

void patience_stop(struct patience *p)
{
	if (p != NULL)
		uv_close((uv_handle_t *)&p->timer, on_closed);
}
