/* SPDX-License-Identifier: Apache-2.0 */
/* order - who may start now, and who has to be gone before whom
 *
 * `requires`: starts once that is ready (or has finished well), goes down when that is taken down
 * on purpose or held, and comes again with it; that it crashes and is restarted changes nothing.
 * `after`: only the order, where both start or both stop.
 *
 * Pure: a picture of all processes in, a word about one of them out. A name that is not in the
 * picture holds nobody back; the configuration refuses such names, and circles.
 */
#ifndef HALE_MODEL_ORDER_H
#define HALE_MODEL_ORDER_H

#include "base/strlist.h"
#include "model/process.h"

#include <stdbool.h>
#include <stddef.h>

struct order_node {
	const char *name;
	const struct strlist *after;
	const struct strlist *requires;
	enum process_state state;
	bool is_finished; /* stopped, after a clean end */
	/* On its way down, or about to be told so: by command, reload or shutdown. */
	bool is_leaving;
};

/* The first that keeps i from starting now; NULL: it may start. */
const struct order_node *order_blocker(const struct order_node *v, size_t n, size_t i);
/* True if i is up (or tries to be), and what it requires is not any more. */
bool order_must_go(const struct order_node *v, size_t n, size_t i);
/* True if nobody who needs i is still running. */
bool order_may_stop(const struct order_node *v, size_t n, size_t i);
/* True if i waits for what will not come by itself: stopped, held, failing, or stuck in turn. */
bool order_is_stuck(const struct order_node *v, size_t n, size_t i);

#endif
