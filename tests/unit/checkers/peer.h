/* SPDX-License-Identifier: Apache-2.0 */
/* peer - the other end of a connection, on the loop of the test: says what it is told
 */
#ifndef HALE_TESTS_CHECKERS_PEER_H
#define HALE_TESTS_CHECKERS_PEER_H

#include <stdbool.h>

struct peer_manner {
	const char *greeting; /* said at once, or NULL */
	const char *answer;   /* said after the first bytes came, or NULL */
	bool is_reset;        /* resets after the first bytes came */
	bool is_closing;      /* closes after having answered (or greeted, without an answer) */
};

/* Listens on 127.0.0.1; returns the port. One at a time, until peer_stop(). */
int peer_start(const struct peer_manner *manner);
/* Stops listening and closes what is open. */
void peer_stop(void);
/* All that came, of the last connection. */
const char *peer_heard(void);

#endif
