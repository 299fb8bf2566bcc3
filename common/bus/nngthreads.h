/* SPDX-License-Identifier: Apache-2.0 */
/* nngthreads - how many threads nng starts in a process
 *
 * By itself nng 1.5.2 starts two task threads for each processor, up to sixteen, and has no option
 * for that. A process of ours has a handful of connections: more than two threads only contend for
 * their queue, and each costs its stack and wake-ups.
 */
#ifndef HALE_BUS_NNGTHREADS_H
#define HALE_BUS_NNGTHREADS_H

/* Around the first use of nng by a process (any later one: no effect). Not nested. */
void nngthreads_begin(void);
void nngthreads_end(void);

#endif
