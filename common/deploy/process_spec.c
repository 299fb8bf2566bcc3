/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/process_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- NULL-terminated lists of texts ---- */

static char **texts_copy(char *const *from)
{
	char **to;
	size_t n = 0;

	if (from == NULL)
		return NULL;
	while (from[n] != NULL)
		n++;
	to = mem_array(n + 1, sizeof(*to));
	for (size_t i = 0; i < n; i++)
		to[i] = mem_dup(from[i]);
	return to;
}

static void texts_free(char **texts)
{
	for (char **t = texts; t != NULL && *t != NULL; t++)
		free(*t);
	free(texts);
}

static uint64_t texts_hash(uint64_t h, char *const *texts)
{
	for (char *const *t = texts; t != NULL && *t != NULL; t++)
		h = hash_text(h, *t);
	return hash_text(h, NULL);
}

static struct strlist list_copy(const struct strlist *from)
{
	struct strlist to = {0};

	for (size_t i = 0; i < from->n; i++)
		strlist_add(&to, from->v[i]);
	return to;
}

/* ---- rights ---- */

static void rights_copy(struct spawn_rights *to, const struct spawn_rights *from)
{
	*to = *from;
	to->user = mem_dup(from->user);
	to->directory = mem_dup(from->directory);
	to->stdin_path = mem_dup(from->stdin_path);
	to->groups = NULL;
	if (from->groups_n > 0) {
		to->groups = mem_array(from->groups_n, sizeof(*to->groups));
		memcpy(to->groups, from->groups, from->groups_n * sizeof(*to->groups));
	}
}

static void rights_done(struct spawn_rights *r)
{
	free(r->user);
	free(r->groups);
	free(r->directory);
	free(r->stdin_path);
}

static uint64_t rights_hash(uint64_t h, const struct spawn_rights *r)
{
	h = hash_text(hash_text(h, r->directory), r->stdin_path);
	if (r->has_user) {
		h = hash_number(hash_number(h, r->uid), r->gid);
		for (size_t i = 0; i < r->groups_n; i++)
			h = hash_number(h, r->groups[i]);
	}
	for (size_t i = 0; i < r->limits_n; i++)
		h = hash_number(hash_number(h, (uint64_t)r->limits[i].resource),
				r->limits[i].value);
	return hash_number(h, r->has_umask ? r->umask : UINT64_MAX);
}

/* ---- the whole ---- */

void process_spec_copy(struct process_spec *to, const struct process_spec *from)
{
	*to = *from;
	to->name = mem_dup(from->name);
	to->component = mem_dup(from->component);
	to->program = mem_dup(from->program);
	to->argv = texts_copy(from->argv);
	to->env = texts_copy(from->env);
	to->slice = mem_dup(from->slice);
	to->log_level = mem_dup(from->log_level);
	rights_copy(&to->rights, &from->rights);
	to->log.path = mem_dup(from->log.path);
	to->after = list_copy(&from->after);
	to->requires = list_copy(&from->requires);
	to->forward = list_copy(&from->forward);
	to->on_failing = texts_copy(from->on_failing);
	to->on_check_failure.components = list_copy(&from->on_check_failure.components);
}

void process_spec_done(struct process_spec *p)
{
	free(p->name);
	free(p->component);
	free(p->program);
	texts_free(p->argv);
	texts_free(p->env);
	free(p->slice);
	free(p->log_level);
	rights_done(&p->rights);
	free(p->log.path);
	strlist_done(&p->after);
	strlist_done(&p->requires);
	strlist_done(&p->forward);
	texts_free(p->on_failing);
	strlist_done(&p->on_check_failure.components);
	*p = (struct process_spec){0};
}

uint64_t process_spec_fingerprint(const struct process_spec *p)
{
	uint64_t h = hash_text(HASH_START, p->program);

	h = texts_hash(texts_hash(h, p->argv), p->env);
	h = hash_text(hash_text(h, p->slice), p->log_level);
	h = hash_number(h, p->policy.ready_after_ms < 0);
	h = hash_number(h, (uint64_t)p->policy.watchdog_ms);
	return rights_hash(h, &p->rights);
}

bool process_spec_runs_alike(const struct process_spec *a, const struct process_spec *b)
{
	return process_spec_fingerprint(a) == process_spec_fingerprint(b);
}
