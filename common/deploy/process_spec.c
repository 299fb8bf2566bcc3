/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/process_spec.h"

#include <stdlib.h>
#include <string.h>

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

static bool texts_equal(char *const *a, char *const *b)
{
	size_t i = 0;

	if (a == NULL || b == NULL)
		return a == b;
	while (a[i] != NULL && b[i] != NULL && strcmp(a[i], b[i]) == 0)
		i++;
	return a[i] == NULL && b[i] == NULL;
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

static bool rights_equal(const struct spawn_rights *a, const struct spawn_rights *b)
{
	if (a->has_user != b->has_user || a->uid != b->uid || a->gid != b->gid ||
	    a->groups_n != b->groups_n || a->has_umask != b->has_umask || a->umask != b->umask ||
	    a->limits_n != b->limits_n || !str_eq(a->directory, b->directory) ||
	    !str_eq(a->stdin_path, b->stdin_path))
		return false;
	for (size_t i = 0; i < a->groups_n; i++) {
		if (a->groups[i] != b->groups[i])
			return false;
	}
	for (size_t i = 0; i < a->limits_n; i++) {
		if (a->limits[i].resource != b->limits[i].resource ||
		    a->limits[i].value != b->limits[i].value)
			return false;
	}
	return true;
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

bool process_spec_runs_alike(const struct process_spec *a, const struct process_spec *b)
{
	bool a_notifies = a->policy.ready_after_ms < 0, b_notifies = b->policy.ready_after_ms < 0;

	return str_eq(a->program, b->program) && texts_equal(a->argv, b->argv) &&
	       texts_equal(a->env, b->env) && str_eq(a->slice, b->slice) &&
	       str_eq(a->log_level, b->log_level) && a_notifies == b_notifies &&
	       a->policy.watchdog_ms == b->policy.watchdog_ms &&
	       rights_equal(&a->rights, &b->rights);
}
