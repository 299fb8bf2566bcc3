/* SPDX-License-Identifier: Apache-2.0 */
/* zone - one time zone of many, pure: a TZif file (RFC 8536) as bytes, and what clocks there show
 *
 * The C library knows the zone of the process alone, and setenv("TZ") beside other threads is no
 * way to have a second one. Where the file is read is base/file's affair.
 *
 * "Shown" seconds are what a clock of the zone shows, counted as if it showed UTC: shown = s +
 * offset. Times are seconds since 1970, UTC. Leap seconds are not counted, as in POSIX.
 *
 * Ownership: zone_new/_free. Any thread; a zone does not change.
 * Errors:    -EINVAL for what is no TZif file, or one beyond our bounds.
 */
#ifndef HALE_MODEL_ZONE_H
#define HALE_MODEL_ZONE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The largest file of the time zone database has some 4 KB; those with "right" leap seconds 5. */
#define ZONE_FILE_MAX 65536

struct zone;

struct zone_span {
	int32_t offset_s; /* east of UTC */
	int64_t since_s,
		end_s; /* the offset holds in [since, end); INT64_MIN, INT64_MAX: for ever */
};

/* NULL data: UTC. */
int zone_new(const void *data, size_t len, struct zone **zone_r, struct err *err);
void zone_free(struct zone *z);

struct zone_span zone_at(const struct zone *z, int64_t s);
/* As localtime_r(): all fields but tm_isdst and tm_zone, tm_gmtoff among them. */
void zone_local(const struct zone *z, int64_t s, struct tm *tm_r);
/* The first moment at which clocks show that or, if they jump over it, the moment of the jump. */
int64_t zone_when(const struct zone *z, int64_t shown_s);

#endif
