/* SPDX-License-Identifier: Apache-2.0 */
/* lineup - which of the checks that are due begins next: limits in all and for each host
 *
 * Pure: no clock, no I/O; what waits and what runs are the caller's structs. Times are monotonic
 * ms.
 *
 * In all at most `running_max` checks are under way. A thousand checks of one host must not hit it
 * in one moment, so of one host (and port) at most `host_max` are begun at once: the next one
 * begins when one of these has ended, or has been under way for LINEUP_HOLD_MS. A check that hangs
 * so gives up its turn, and hung answers of one service (behind a proxy, say) do not stop the
 * checks of the others there; but a host has never more than LINEUP_HOST_FACTOR times host_max
 * under way, so that one that hangs as a whole is not buried under connections.
 *
 * Order: as they came. One whose host is busy steps aside and keeps its rank: it goes before all
 * that came later, hosts with a free place taking turns.
 *
 * Ownership: lineup_new/_free; hosts are the lineup's. Items and places are the caller's, zeroed at
 *            first, and stay while they are in it.
 * Errors:    none; out of memory is fatal, wrong use is a bug (assert).
 */
#ifndef HALE_CHECKERS_LINEUP_H
#define HALE_CHECKERS_LINEUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A good answer in a data centre takes less; and a host's queue moves on fifty times a second even
 * if nothing answers. */
#define LINEUP_HOLD_MS     20
#define LINEUP_HOST_FACTOR 4

struct lineup;
struct lineup_host;

struct lineup_item {
	struct lineup_host *host; /* NULL: no limit but that in all */
	struct lineup_item *next;
};

struct lineup_place {
	struct lineup_host *host;
	struct lineup_place *prev, *next; /* among the fresh ones */
	int64_t since_ms;
	bool is_taken;
	bool is_fresh; /* counts against host_max */
};

struct lineup *lineup_new(size_t running_max, size_t host_max);
void lineup_free(struct lineup *l);
/* The host of that name, the same for the same name. Borrowed, as long as the lineup is. */
struct lineup_host *lineup_host(struct lineup *l, const char *name);

/* To the end. */
void lineup_add(struct lineup *l, struct lineup_item *item);
/* The one to begin now, or NULL; lineup_begin must follow before anything else. */
struct lineup_item *lineup_take(struct lineup *l, int64_t now_ms);
void lineup_begin(struct lineup *l, const struct lineup_item *item, struct lineup_place *place,
		  int64_t now_ms);
/* It has ended, or must not count any more. Nothing happens if it has before. */
void lineup_end(struct lineup *l, struct lineup_place *place);
/* Forgets all who wait. */
void lineup_clear(struct lineup *l);
/* When to ask again though nothing ends; INT64_MAX if that would be of no use. */
int64_t lineup_next(const struct lineup *l);

size_t lineup_waiting(const struct lineup *l); /* all who wait … */
size_t lineup_aside(const struct lineup *l);   /* … those of them whose host is busy */
size_t lineup_running(const struct lineup *l);

#endif
