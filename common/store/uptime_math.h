/* SPDX-License-Identifier: Apache-2.0 */
/* uptime_math - how long a component had which status while somebody watched
 *
 * Pure. First the spans in which it was monitored, then the changes of status in order; no change
 * is kept, so that a year of them takes no memory. All times are ms since 1970.
 *
 * An outage begins with critical or down, ends with healthy or degraded, and lasts as long as it
 * was seen: what was not monitored in between neither ends it nor makes it longer. One that nobody
 * saw is none.
 *
 * Ownership: the caller owns all structs; zero-initialise spans, uptime_spans_done().
 */
#ifndef HALE_STORE_UPTIME_MATH_H
#define HALE_STORE_UPTIME_MATH_H

#include "model/status.h"

#include <stddef.h>
#include <stdint.h>

/* haled was restarted: nobody calls that unmonitored. */
#define UPTIME_GAP_MS     60000
/* A node whose newest line is no older than this is still watched. Idle checks may be this far
 * apart; a machine that went is found out by then. */
#define UPTIME_SILENCE_MS 900000

struct uptime_span { /* [from, to) */
	int64_t from_ms, to_ms;
};

struct uptime_spans { /* ascending; adding joins what touches or is less than a gap apart */
	struct uptime_span *v;
	size_t n, cap;
};

/* From one start of haled after another, in order of from_ms. */
void uptime_spans_add(struct uptime_spans *s, int64_t from_ms, int64_t to_ms);
/* The last one goes on for UPTIME_SILENCE_MS. */
void uptime_spans_extend(struct uptime_spans *s);
/* Takes [from, to) out. */
void uptime_spans_cut(struct uptime_spans *s, int64_t from_ms, int64_t to_ms);
int64_t uptime_spans_total(const struct uptime_spans *s, int64_t from_ms, int64_t to_ms);
void uptime_spans_done(struct uptime_spans *s);

struct uptime_math {
	int64_t ms[STATUS_MAX]; /* unknown stays 0: it is not monitored */
	uint64_t outages;       /* begun, or lasting from before */
	uint64_t repaired;      /* of them, ended */
	int64_t repaired_ms, longest_ms;
	/* in work */
	int status; /* -1: none yet */
	int64_t since_ms, outage_ms;
	size_t span; /* the first that may still matter */
};

/* status: the one at from_ms, -1 if there was none before. */
void uptime_begin(struct uptime_math *m, int64_t from_ms, int status);
/* at_ms never less than before. */
void uptime_change(struct uptime_math *m, const struct uptime_spans *s, int64_t at_ms, int status);
void uptime_end(struct uptime_math *m, const struct uptime_spans *s, int64_t to_ms);

int64_t uptime_monitored(const struct uptime_math *m);
int64_t uptime_bad(const struct uptime_math *m);
double uptime_percent(const struct uptime_math *m); /* NAN: never monitored */
double uptime_mttr(const struct uptime_math *m);    /* ms of a repaired outage; NAN: none */
double uptime_mtbf(const struct uptime_math *m);    /* ms of being well per outage; NAN: none */

#endif
