/* SPDX-License-Identifier: Apache-2.0 */
/* pg_server - a real PostgreSQL for one test executable
 *
 * A fresh cluster in a directory of its own, on a unix socket only; as root it runs as "postgres".
 * It dies with the test. Two roles: "postgres" (trusted) and "guest", whose password is
 * PG_SERVER_PASSWORD and who must give it.
 */
#ifndef HALE_TESTS_PG_SERVER_H
#define HALE_TESTS_PG_SERVER_H

#include <sys/types.h>

#define PG_SERVER_PASSWORD "Tr0ub4dor-secret"

struct pg_server {
	char dir[64];
	pid_t pid;
	char conninfo[160]; /* as postgres */
	char guest[200];    /* as guest, with the right password */
};

/* Fails the running test with what went wrong if there is no server within a minute. */
void pg_server_start(struct pg_server *s);
void pg_server_stop(struct pg_server *s);

#endif
