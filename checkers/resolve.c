/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "threads.h"

struct resolve_wait {
	struct lookup *lookup;
	resolve_fn on_answer;
	void *ctx;
	struct resolve_wait *next;
};

/* A name being asked for. */
struct lookup {
	struct resolver *resolver;
	char *host;
	struct job job;
	struct resolve_wait *waits;
	/* The resolver and the thread: the last to go frees it, if the thread comes back to nobody.
	 */
	atomic_int owners;
	/* The thread's result. */
	int rc;
	size_t n;
	union resolve_address addresses[RESOLVE_ADDRESSES_MAX];
};

/* A name that was found. All are kept equally long, so their order is the order of their end. */
struct kept {
	char *host;
	int64_t until_ms;
	struct kept *next; /* the next to end */
	bool is_forgotten;
	size_t n;
	union resolve_address addresses[];
};

struct resolver {
	struct threads *threads;
	struct map asking;  /* host: struct lookup */
	struct map by_host; /* host: struct kept */
	struct kept *first;
	struct kept **end;
	size_t kept_n;
};

/* ---- What is kept ---- */

static void drop_first(struct resolver *r)
{
	struct kept *k = r->first;

	r->first = k->next;
	if (r->first == NULL)
		r->end = &r->first;
	r->kept_n--;
	if (!k->is_forgotten)
		(void)map_take(&r->by_host, k->host);
	free(k->host);
	free(k);
}

static void keep(struct resolver *r, const struct lookup *l)
{
	struct kept *k;

	resolve_forget(r, l->host);
	if (r->kept_n == RESOLVE_KEEP_MAX)
		drop_first(r);
	k = mem_alloc(sizeof(*k) + l->n * sizeof(k->addresses[0]));
	k->host = mem_dup(l->host);
	k->until_ms = clock_mono_ms() + RESOLVE_KEEP_MS;
	k->n = l->n;
	memcpy(k->addresses, l->addresses, l->n * sizeof(k->addresses[0]));
	*r->end = k;
	r->end = &k->next;
	r->kept_n++;
	(void)map_put(&r->by_host, k->host, k);
}

bool resolve_kept(struct resolver *r, const char *host, int64_t now_ms,
		  struct resolve_answer *answer_r)
{
	const struct kept *k;

	while (r->first != NULL && r->first->until_ms <= now_ms)
		drop_first(r);
	k = map_get(&r->by_host, host);
	if (k == NULL)
		return false;
	*answer_r = (struct resolve_answer){.addresses = k->addresses, .n = k->n};
	return true;
}

void resolve_forget(struct resolver *r, const char *host)
{
	struct kept *k = map_take(&r->by_host, host);

	if (k != NULL)
		k->is_forgotten = true;
}

/* ---- Asking ---- */

bool resolve_number(const char *host, union resolve_address *address_r)
{
	return uv_ip4_addr(host, 0, &address_r->v4) == 0 ||
	       uv_ip6_addr(host, 0, &address_r->v6) == 0;
}

static void take_addresses(struct lookup *l, const struct addrinfo *found)
{
	for (; found != NULL && l->n < RESOLVE_ADDRESSES_MAX; found = found->ai_next) {
		if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
			continue;
		memcpy(&l->addresses[l->n++], found->ai_addr,
		       HALE_MIN((size_t)found->ai_addrlen, sizeof(l->addresses[0])));
	}
}

static void look_up(void *data)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct lookup *l = data;

	l->rc = getaddrinfo(l->host, NULL, &hints, &found);
	if (l->rc != 0)
		return;
	take_addresses(l, found);
	freeaddrinfo(found);
	if (l->n == 0)
		l->rc = EAI_NODATA;
}

static void free_lookup(struct lookup *l)
{
	while (l->waits != NULL) {
		struct resolve_wait *wait = l->waits;

		l->waits = wait->next;
		free(wait);
	}
	free(l->host);
	free(l);
}

/* Each is taken off the list before it is told: it, or one that goes with it, may cancel. */
static void tell(struct lookup *l, const struct resolve_answer *answer)
{
	while (l->waits != NULL) {
		struct resolve_wait *wait = l->waits;

		l->waits = wait->next;
		wait->on_answer(wait->ctx, answer);
		free(wait);
	}
}

static void on_looked_up(struct job *job)
{
	struct lookup *l = container_of(job, struct lookup, job);
	struct resolver *r = l->resolver;

	(void)map_take(&r->asking, l->host);
	if (l->rc == 0)
		keep(r, l);
	tell(l, &(struct resolve_answer){.error = l->rc == 0 ? NULL : gai_strerror(l->rc),
					 .addresses = l->addresses,
					 .n = l->n});
	free_lookup(l);
}

static void let_go(struct lookup *l)
{
	if (atomic_fetch_sub(&l->owners, 1) == 1)
		free_lookup(l);
}

static void on_orphaned(struct job *job)
{
	let_go(container_of(job, struct lookup, job));
}

struct resolve_wait *resolve_start(struct resolver *r, const char *host, resolve_fn on_answer,
				   void *ctx)
{
	struct lookup *l = map_get(&r->asking, host);
	struct resolve_wait *wait = mem_alloc(sizeof(*wait));

	if (l == NULL) {
		l = mem_alloc(sizeof(*l));
		l->resolver = r;
		l->host = mem_dup(host);
		atomic_init(&l->owners, 2);
		l->job = (struct job){
			.work = look_up, .after = on_looked_up, .orphaned = on_orphaned, .data = l};
		(void)map_put(&r->asking, host, l);
		threads_run(r->threads, &l->job);
	}
	*wait = (struct resolve_wait){
		.lookup = l, .on_answer = on_answer, .ctx = ctx, .next = l->waits};
	l->waits = wait;
	return wait;
}

void resolve_cancel(struct resolve_wait *wait)
{
	struct resolve_wait **at;

	if (wait == NULL)
		return;
	for (at = &wait->lookup->waits; *at != wait; at = &(*at)->next)
		;
	*at = wait->next;
	free(wait);
}

/* ---- Making and ending ---- */

struct resolver *resolver_new(struct threads *threads)
{
	struct resolver *r = mem_alloc(sizeof(*r));

	r->threads = threads;
	r->end = &r->first;
	return r;
}

void resolver_free(struct resolver *r)
{
	struct lookup *l;
	const char *host;
	size_t at = 0;

	if (r == NULL)
		return;
	while (map_each(&r->asking, &at, &host, (void **)&l)) {
		if (l->job.is_out)
			let_go(l);
		else
			free_lookup(l);
	}
	map_done(&r->asking);
	while (r->first != NULL)
		drop_first(r);
	map_done(&r->by_host);
	free(r);
}
