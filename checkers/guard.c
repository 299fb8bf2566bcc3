/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "target.h"

struct attempt {
	uv_tcp_t tcp;
	uv_connect_t request;
	struct guard *guard; /* NULL: nobody waits for it any more */
};

struct guard {
	uv_loop_t *loop;
	struct strlist targets;
	int64_t timeout_ms;
	int64_t interval_ms;
	void (*on_answer)(void *ctx, enum guard_answer answer);
	void *ctx;
	uv_timer_t timer; /* of the question, or until the next */
	struct attempt *attempts[GUARD_TARGETS_MAX];
	size_t open; /* attempts that may still succeed */
	bool is_asking;
	enum guard_answer last;
	int64_t last_ms;
};

static int parse(const char *target, struct sockaddr_storage *address_r)
{
	struct target t;
	char *end;
	long port;

	if (!target_parse(target, &t))
		return -EINVAL;
	port = strtol(t.port, &end, 10);
	if (end == t.port || *end != '\0' || port < 1 || port > 65535)
		return -EINVAL;
	if (uv_ip4_addr(t.host, (int)port, (struct sockaddr_in *)address_r) == 0)
		return 0;
	return uv_ip6_addr(t.host, (int)port, (struct sockaddr_in6 *)address_r);
}

int guard_check_target(const char *target, struct err *err)
{
	struct sockaddr_storage address;

	if (parse(target, &address) == 0)
		return 0;
	return err_set(err, -EINVAL,
		       "expected an address in figures and a port, like 1.1.1.1:53, not '%s'",
		       target);
}

struct guard *guard_new(uv_loop_t *loop, const struct guard_rule *rule,
			void (*on_answer)(void *ctx, enum guard_answer answer), void *ctx)
{
	struct guard *g = mem_alloc(sizeof(*g));

	HALE_ASSERT(rule->targets.n <= GUARD_TARGETS_MAX);
	g->loop = loop;
	for (size_t i = 0; i < rule->targets.n; i++)
		strlist_add(&g->targets, rule->targets.v[i]);
	g->timeout_ms = rule->timeout_ms;
	g->interval_ms = rule->interval_ms;
	g->on_answer = on_answer;
	g->ctx = ctx;
	uv_timer_init(loop, &g->timer);
	g->timer.data = g;
	return g;
}

/* ---- Attempts ---- */

static void on_attempt_closed(uv_handle_t *tcp)
{
	free(container_of(tcp, struct attempt, tcp));
}

static void forget_attempts(struct guard *g)
{
	for (size_t i = 0; i < g->targets.n; i++) {
		struct attempt *a = TAKE_PTR(g->attempts[i]);

		if (a == NULL)
			continue;
		a->guard = NULL;
		uv_close((uv_handle_t *)&a->tcp, on_attempt_closed);
	}
	g->open = 0;
}

static void ask(struct guard *g);

static void on_interval(uv_timer_t *timer)
{
	ask(timer->data);
}

static void answer(struct guard *g, enum guard_answer word)
{
	forget_attempts(g);
	g->is_asking = false;
	g->last = word;
	g->last_ms = (int64_t)uv_now(g->loop);
	if (word == GUARD_AWAY)
		uv_timer_start(&g->timer, on_interval, (uint64_t)g->interval_ms, 0);
	else
		uv_timer_stop(&g->timer);
	g->on_answer(g->ctx, word);
}

static void on_timeout(uv_timer_t *timer)
{
	answer(timer->data, GUARD_AWAY);
}

static void on_connect(uv_connect_t *request, int status)
{
	struct attempt *a = container_of(request, struct attempt, request);
	struct guard *g = a->guard;

	if (g == NULL)
		return;
	if (status == 0)
		answer(g, GUARD_REACHABLE);
	else if (--g->open == 0)
		answer(g, GUARD_AWAY);
}

static void attempt(struct guard *g, size_t i)
{
	struct sockaddr_storage address;
	struct attempt *a = mem_alloc(sizeof(*a));

	a->guard = g;
	uv_tcp_init(g->loop, &a->tcp);
	g->attempts[i] = a;
	if (parse(g->targets.v[i], &address) == 0 &&
	    uv_tcp_connect(&a->request, &a->tcp, (struct sockaddr *)&address, on_connect) == 0)
		g->open++;
}

static void ask(struct guard *g)
{
	g->is_asking = true;
	for (size_t i = 0; i < g->targets.n; i++)
		attempt(g, i);
	/* Not a route to any of them: the answer is there, and comes from the loop. */
	uv_timer_start(&g->timer, on_timeout, g->open > 0 ? (uint64_t)g->timeout_ms : 0, 0);
}

enum guard_answer guard_ask(struct guard *g)
{
	int64_t age_ms = (int64_t)uv_now(g->loop) - g->last_ms;

	if (!g->is_asking && g->last != GUARD_UNKNOWN && age_ms < GUARD_FRESH_MS)
		return g->last;
	if (!g->is_asking)
		ask(g);
	return GUARD_UNKNOWN;
}

enum guard_answer guard_last(const struct guard *g)
{
	return g->last;
}

bool guard_has(const struct guard *g, const char *name)
{
	for (size_t i = 0; i < g->targets.n; i++) {
		char own[TARGET_NAME_MAX];
		struct target t;

		if (target_parse(g->targets.v[i], &t) && str_eq(target_name(&t, own), name))
			return true;
	}
	return false;
}

void guard_close(struct guard *g)
{
	if (g == NULL)
		return;
	forget_attempts(g);
	uv_close((uv_handle_t *)&g->timer, NULL);
}

void guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	strlist_done(&g->targets);
	free(g);
}
