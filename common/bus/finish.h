/* SPDX-License-Identifier: Apache-2.0 */
/* finish - the last word to the bus: ends nng's threads before the process does
 *
 * nng takes closed connections apart in threads of its own. A process that returns from main()
 * while they are at it reports what they hold as leaked (LeakSanitizer), by chance. Called once,
 * when all sockets were closed and no other thread uses the bus; nothing of the bus may be used
 * after.
 */
#ifndef HALE_BUS_FINISH_H
#define HALE_BUS_FINISH_H

void bus_finish(void);

#endif
