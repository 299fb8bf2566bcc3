/* SPDX-License-Identifier: Apache-2.0 */
/* handshake - asks whether anyone listens at a socket, without doing harm (internal)
 *
 * nng 1.5.2 goes deaf for ever when a peer has left before it could be sent its eight bytes (nng
 * issue 1518, mended in 1.6): EPIPE ends the listener's, or the dialer's, chain of tries. Linking
 * this file puts a sendmsg() before the C library's which calls that a reset, for these eight bytes
 * only; so a process of ours does not go deaf. A stranger's may, to whom a bare connect and close
 * is an attack. Here the eight bytes are said and awaited. They name a protocol (PAIR) that no
 * socket of the bus speaks: nng counts such a connection and closes it, and no protocol ever sees
 * it. It is nng that must close it: its answer comes before it has read ours, and leaving then is
 * leaving too early.
 *
 * See also: the SP protocol's header, nanomsg rfcs sp-tcp-mapping-01, section 3.
 */
#ifndef HALE_BUS_HANDSHAKE_H
#define HALE_BUS_HANDSHAKE_H

#include <stdint.h>

/* Connects and sends, without waiting. -ENOENT, -ECONNREFUSED (a dead listener's file), -EAGAIN
 * (its queue is full), -EACCES, -ENAMETOOLONG. The caller closes *fd_r, well after the answer. */
int handshake_start(const char *path, int *fd_r);
/* 0: answered; -EAGAIN: not yet; else the peer is gone or speaks something else. */
int handshake_answered(int fd);
/* Both, blocking up to timeout_ms; -ETIMEDOUT when somebody listens but says nothing. */
int handshake_probe(const char *path, uint32_t timeout_ms);

#endif
