/* SPDX-License-Identifier: Apache-2.0 */
/* notify - sd_notify(3) as a child needs it: READY, STATUS, STOPPING, WATCHDOG
 *
 * Written here and not taken from libsystemd: it is one datagram, and the library would bring five
 * more into every checker, which must be up again within a millisecond or two of a crash. The
 * socket is opened once; a lost or full one is not an error for the service, because the
 * supervisor notices silence by itself.
 *
 * Ownership: caller owns struct notify; zero-initialised with fd -1 means "nobody listens".
 * Loop:      any thread, never blocks.
 * See also:  sd_notify(3), service/child_proto.h
 */
#ifndef HALE_SERVICE_NOTIFY_H
#define HALE_SERVICE_NOTIFY_H

#include "base/cleanup.h"

#include <stdint.h>

/* A status is one line on a screen; a longer one is cut. */
#define NOTIFY_STATUS_MAX 256

struct notify {
	int fd;                         /* -1: nobody listens */
	uint64_t watchdog_us;           /* promised interval of WATCHDOG=1; 0 none */
	char status[NOTIFY_STATUS_MAX]; /* the last one sent: an equal one is not sent again */
};

/* From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. 0 when nobody listens; an address that does
 * not work is -errno, and n is then "nobody listens". */
int notify_open(struct notify *n);
void notify_close(struct notify *n);
/* One message, "READY=1". 0 or -errno. */
int notify_send(struct notify *n, const char *message);
int notify_status(struct notify *n, const char *text);

#endif
