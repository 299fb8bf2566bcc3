/* SPDX-License-Identifier: Apache-2.0 */
/* listener_private - what listener.c and request.c, the two files that know libmicrohttpd, share
 */
#ifndef HALE_WEB_LISTENER_PRIVATE_H
#define HALE_WEB_LISTENER_PRIVATE_H

#include "listener.h"

#include <microhttpd.h>

/* One connection, from accept to close. */
struct peer {
	struct peer *prev, *next;
	struct listener *listener;
	int fd;
	int64_t since_ms; /* of the present phase: receiving, or answering */
	bool is_answering;
	bool is_waiting; /* for us, within the body of an answer: not its fault */
	bool is_upgraded;
	unsigned idle_s; /* its time-out */
};

struct listener *peer_listener(const struct peer *p);
void listener_dispatch(struct listener *l, struct request *rq);
bool listener_is_loopback(const struct listener *l);
bool listener_is_quiescing(const struct listener *l);
bool listener_has_public_details(const struct listener *l);
/* Pumps the daemon in the next turn: never from within one of its callbacks. */
void listener_wake(struct listener *l);
void listener_count_refused(struct listener *l);
void listener_count_deferred(struct listener *l, int by);

/* libmicrohttpd's callbacks, in request.c. */
enum MHD_Result request_access(void *cls, struct MHD_Connection *conn, const char *url,
			       const char *method, const char *version, const char *upload_data,
			       size_t *upload_len, void **con_cls);
void request_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
		       enum MHD_RequestTerminationCode code);

#endif
