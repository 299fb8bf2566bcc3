/* SPDX-License-Identifier: Apache-2.0 */
/* patience - how long a check that has its verdict waits for a peer's goodbye
 *
 * A timer with memory of its own, so that the run may end while it closes. QUIT and close frames
 * are answered in a round trip; what comes later than PATIENCE_MS is of no interest, and a timeout
 * then would be a false one.
 *
 * Ownership: patience_start() to patience_stop(), also after on_over.
 */
#ifndef HALE_CHECKERS_PATIENCE_H
#define HALE_CHECKERS_PATIENCE_H

#include "check.h"

#define PATIENCE_MS  500
/* Of the check's own time so much is left over, for the verdict to be told in. */
#define PATIENCE_END 50

struct patience;

/* on_over comes once, from the loop, and before the deadline of a run that began at begun_us. */
struct patience *patience_start(struct check *c, int64_t begun_us,
				void (*on_over)(struct check *c));
void patience_stop(struct patience *p); /* takes NULL */

#endif
