/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strlist.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Longer words are not misspelt options; they bound the table on the stack. */
#define SUGGEST_WORD_MAX 63

void strlist_done(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strlist){0};
}

void strlist_add(struct strlist *l, const char *text)
{
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = mem_dup(text);
}

void strlist_drop(struct strlist *l, const char *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i], text) == 0)
			free(l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
}

bool strlist_has(const struct strlist *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i], text) == 0)
			return true;
	}
	return false;
}

bool strlist_matches(const struct strlist *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++) {
		if (fnmatch(l->v[i], text, 0) == 0)
			return true;
	}
	return false;
}

/* Optimal string alignment distance: insert, delete, replace, swap neighbours. */
static size_t distance(const char *a, size_t la, const char *b, size_t lb)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1];
	size_t *before = rows[0], *prev = rows[1], *cur = rows[2];

	for (size_t j = 0; j <= lb; j++)
		prev[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *spare;

		cur[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = prev[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);

			best = HALE_MIN(best, prev[j] + 1);
			best = HALE_MIN(best, cur[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = HALE_MIN(best, before[j - 2] + 1);
			cur[j] = best;
		}
		spare = before;
		before = prev;
		prev = cur;
		cur = spare;
	}
	return prev[lb];
}

const char *suggest_nearest(const char *word, const char *const *candidates)
{
	size_t len = strlen(word);
	size_t best = HALE_MAX((size_t)1, len / 3) + 1;
	const char *found = NULL;

	if (len == 0 || len > SUGGEST_WORD_MAX)
		return NULL;
	for (; *candidates != NULL; candidates++) {
		size_t other = strlen(*candidates);
		size_t d;

		if (other > SUGGEST_WORD_MAX)
			continue;
		d = distance(word, len, *candidates, other);
		if (d < best) {
			best = d;
			found = *candidates;
		}
	}
	return found;
}

bool strlist_equal(const struct strlist *a, const struct strlist *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && str_eq(a->v[i], b->v[i]))
		i++;
	return i == a->n && i == b->n;
}
