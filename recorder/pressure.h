/* SPDX-License-Identifier: Apache-2.0 */
/* pressure - where lines wait that cannot be stored yet
 *
 * Pure. In order of what it costs: in memory; in haled's ring, by pausing the feed, for as long as
 * the store, or the disk, will soon have caught up; on disk.
 */
#ifndef HALE_RECORDER_PRESSURE_H
#define HALE_RECORDER_PRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* About 40,000 lines. Beyond it the oldest results go (when disk does not help either). */
#define PRESSURE_MEMORY_MAX  ((size_t)32 << 20)
/* A burst, as after a start: the store works, and the ring holds more than this. */
#define PRESSURE_PAUSE_BYTES ((size_t)16 << 20)
#define PRESSURE_GO_BYTES    ((size_t)4 << 20)
/* While lines wait on disk those behind them follow when there are enough to be worth it. */
#define PRESSURE_SPILL_BYTES ((size_t)8 << 20)
/* The ring of 64 MB is through in five seconds at 20,000 lines a second: the feed cannot be paused
 * for longer than a part of that. */
#define PRESSURE_PAUSE_MS    1500
/* A commit that takes longer than this is no commit that is merely slow. */
#define PRESSURE_SLOW_MS     3000

struct pressure_view {
	bool has_error;      /* the store refused the last try */
	bool is_spooling;    /* lines wait on disk */
	bool has_spool;      /* disk can be used at all */
	bool is_paused;      /* the feed */
	int64_t paused_ms;   /* for how long */
	int64_t call_ms;     /* age of the call that the store has in hand; 0: none */
	size_t memory_bytes; /* of the lines that wait there, or are being written to disk */
};

struct pressure {
	bool is_slow; /* the store does not answer, or not soon enough */
	bool spills;  /* what is in memory shall go to disk */
	bool pauses;  /* the feed shall be paused, or stay so */
};

struct pressure pressure_of(const struct pressure_view *v);

#endif
