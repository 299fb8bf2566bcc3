/* SPDX-License-Identifier: Apache-2.0 */
/* resolve - from a name to its addresses, without holding up the loop
 *
 * Numbers are addresses at once. Names are asked for by getaddrinfo in a thread (threads.h), so all
 * that the system's configuration knows (hosts, DNS, mDNS) is known here too. Checks that ask for
 * one name at the same time share one thread. What was found is kept RESOLVE_KEEP_MS, what was not
 * is asked for again by the next check.
 *
 * Ownership: resolver_new/_free; addresses are copied out. Who asked cancels before it goes.
 * Errors:    the resolver's own text.
 * Loop:      all on the loop thread; on_answer comes from it, never from within resolve_start().
 */
#ifndef HALE_CHECKERS_RESOLVE_H
#define HALE_CHECKERS_RESOLVE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As curl keeps them: long enough to matter, short enough to follow a move. */
#define RESOLVE_KEEP_MS       60000
/* A few hundred bytes each; one process has seldom more names. */
#define RESOLVE_KEEP_MAX      4096
/* Who has more of them does not need us to try each. */
#define RESOLVE_ADDRESSES_MAX 16

struct threads;
struct resolver;
struct resolve_wait; /* one who asked and waits */

union resolve_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct resolve_answer {
	const char *error;                      /* why there is none, or NULL */
	const union resolve_address *addresses; /* without port; in order of preference */
	size_t n;
};

typedef void (*resolve_fn)(void *ctx, const struct resolve_answer *answer);

struct resolver *resolver_new(struct threads *threads);
/* After the threads are closed (threads_close()). What a thread still works on is left to it. */
void resolver_free(struct resolver *r);

/* "10.0.0.1", "::1", "fe80::1%eth0". */
bool resolve_number(const char *host, union resolve_address *address_r);
/* The answer that is still good, borrowed until the loop goes on; false if there is none. */
bool resolve_kept(struct resolver *r, const char *host, int64_t now_ms,
		  struct resolve_answer *answer_r);
struct resolve_wait *resolve_start(struct resolver *r, const char *host, resolve_fn on_answer,
				   void *ctx);
void resolve_cancel(struct resolve_wait *wait); /* NULL is fine */
/* Nothing answers there: ask anew next time. */
void resolve_forget(struct resolver *r, const char *host);

#endif
