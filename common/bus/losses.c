/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/losses.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

struct loss {
	char process[LOSSES_NAME_MAX];
	enum loss_leg leg;
	uint64_t lines;
	uint64_t times;
	uint64_t told;     /* of the lines */
	int64_t due_ms;    /* INT64_MAX: all is told */
	int64_t silent_ms; /* not to be told before */
};

struct losses {
	struct loss *v;
	size_t n;
	uint64_t total[LOSS_LEG_MAX];
};

struct losses *losses_new(void)
{
	return mem_alloc(sizeof(struct losses));
}

void losses_free(struct losses *l)
{
	if (l == NULL)
		return;
	free(l->v);
	free(l);
}

static struct loss *find(struct losses *l, enum loss_leg leg, const char *process)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].leg == leg && strcmp(l->v[i].process, process) == 0)
			return &l->v[i];
	}
	return NULL;
}

static struct loss *add_name(struct losses *l, enum loss_leg leg, const char *process)
{
	struct loss *one;

	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	one = &l->v[l->n++];
	*one = (struct loss){.leg = leg, .due_ms = INT64_MAX, .silent_ms = INT64_MIN};
	memcpy(one->process, process, strlen(process) + 1);
	return one;
}

/* A name for people and metrics; whatever is none counts among the others. */
static bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < LOSSES_NAME_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		       len;
}

static struct loss *entry(struct losses *l, enum loss_leg leg, const char *process)
{
	struct loss *one;

	if (!is_name(process))
		process = LOSSES_OTHER;
	one = find(l, leg, process);
	if (one == NULL && l->n >= LOSSES_NAMES_MAX && strcmp(process, LOSSES_OTHER) != 0)
		return entry(l, leg, LOSSES_OTHER);
	return one != NULL ? one : add_name(l, leg, process);
}

void losses_add(struct losses *l, enum loss_leg leg, const char *process, uint64_t lines,
		int64_t now_ms)
{
	struct loss *one = entry(l, leg, process);

	one->lines += lines;
	one->times++;
	l->total[leg] += lines;
	if (one->due_ms == INT64_MAX)
		one->due_ms = HALE_MAX(now_ms + LOSSES_GATHER_MS, one->silent_ms);
}

int64_t losses_due(const struct losses *l)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < l->n; i++)
		due = HALE_MIN(due, l->v[i].due_ms);
	return due;
}

bool losses_take(struct losses *l, int64_t now_ms, struct loss_report *r_r)
{
	for (size_t i = 0; i < l->n; i++) {
		struct loss *one = &l->v[i];

		if (one->due_ms > now_ms)
			continue;
		*r_r = (struct loss_report){.leg = one->leg,
					    .process = one->process,
					    .lines = one->lines - one->told,
					    .total = one->lines};
		one->told = one->lines;
		one->due_ms = INT64_MAX;
		one->silent_ms = now_ms + LOSSES_QUIET_MS;
		return true;
	}
	return false;
}

uint64_t losses_total(const struct losses *l, enum loss_leg leg)
{
	return l->total[leg];
}

const char *loss_leg_name(enum loss_leg leg)
{
	return leg == LOSS_IN ? "in" : "out";
}

json_t *losses_encode(const struct losses *l)
{
	json_t *all = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct loss *one = &l->v[i];

		(void)json_array_append_new(
			all, json_pack("{s:s, s:s, s:I, s:I}", "leg", loss_leg_name(one->leg),
				       "process", one->process, "lines", (json_int_t)one->lines,
				       "times", (json_int_t)one->times));
	}
	return all;
}
