/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_left.h"

#include <stdlib.h>
#include <sys/prctl.h>

#include "base/mem.h"
#include "exec_spawn.h"
#include "proc/orphans.h"

/* A killed parent dies within milliseconds, and then its children are ours to be seen. */
#define SWEEP_AGAIN_MS 50
#define SWEEPS_MAX     10

struct ended {
	char *mark;
	pid_t group;
	int sweeps;
	struct ended *next;
};

struct exec_left {
	uint64_t runs;
	pid_t *leaders;
	size_t leaders_n;
	struct ended *ended;
	uv_timer_t timer;
	bool is_closed;
};

static bool is_leader(void *ctx, pid_t pid)
{
	const struct exec_left *l = ctx;

	for (size_t i = 0; i < l->leaders_n; i++) {
		if (l->leaders[i] == pid)
			return true;
	}
	return false;
}

static void drop(struct ended **link)
{
	struct ended *ended = *link;

	*link = ended->next;
	free(ended->mark);
	free(ended);
}

/* Only the clock counts sweeps: of many commands that end at once, none may use up the time that
 * another's children need to be born. */
static void sweep(struct exec_left *l)
{
	struct ended **link = &l->ended;

	while (*link != NULL) {
		(void)orphans_kill((*link)->mark, (*link)->group, is_leader, l);
		if (++(*link)->sweeps >= SWEEPS_MAX)
			drop(link);
		else
			link = &(*link)->next;
	}
	(void)orphans_reap(is_leader, l);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct exec_left *l)
{
	if (l->ended != NULL && !uv_is_active((uv_handle_t *)&l->timer))
		(void)uv_timer_start(&l->timer, on_timer, SWEEP_AGAIN_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct exec_left *l = timer->data;

	sweep(l);
	arm(l);
}

static void *left_make(const struct check *c)
{
	struct exec_left *l = mem_alloc(sizeof(*l));

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	HALE_ASSERT(uv_timer_init(check_loop(c), &l->timer) == 0);
	l->timer.data = l;
	return l;
}

static void left_close(void *thing)
{
	struct exec_left *l = thing;

	sweep(l);
	l->is_closed = true;
	uv_close((uv_handle_t *)&l->timer, NULL);
}

static void left_free(void *thing)
{
	struct exec_left *l = thing;

	while (l->ended != NULL)
		drop(&l->ended);
	free(l->leaders);
	free(l);
}

struct exec_left *exec_left_of(const struct check *c)
{
	return check_shared_open(c, left_make, left_close, left_free);
}

char *exec_left_mark(struct exec_left *l, const char *component)
{
	return mem_printf(EXEC_MARK "=%s#%llu", component, (unsigned long long)++l->runs);
}

void exec_left_add(struct exec_left *l, pid_t leader)
{
	l->leaders = mem_grow(l->leaders, l->leaders_n + 1, sizeof(*l->leaders));
	l->leaders[l->leaders_n++] = leader;
}

void exec_left_end(struct exec_left *l, pid_t leader, char *mark)
{
	struct ended *ended;

	for (size_t i = 0; i < l->leaders_n; i++) {
		if (l->leaders[i] == leader) {
			l->leaders[i] = l->leaders[--l->leaders_n];
			break;
		}
	}
	if (orphans_reap(is_leader, l) == 0 || l->is_closed) {
		free(mark);
		return;
	}
	ended = mem_alloc(sizeof(*ended));
	*ended = (struct ended){.mark = mark, .group = leader, .next = l->ended};
	l->ended = ended;
	(void)orphans_kill(ended->mark, leader, is_leader, l);
	arm(l);
}
