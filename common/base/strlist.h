/* SPDX-License-Identifier: Apache-2.0 */
/* strlist - an owned list of owned strings
 *
 * Zero-initialised is valid and empty.
 */
#ifndef HALE_BASE_STRLIST_H
#define HALE_BASE_STRLIST_H

#include <stdbool.h>
#include <stddef.h>

struct strlist {
	char **v;
	size_t n;
};

void strlist_done(struct strlist *l);
void strlist_add(struct strlist *l, const char *text);
/* Every such entry; the others keep their order. */
void strlist_drop(struct strlist *l, const char *text);
/* The same texts in the same order. */
bool strlist_equal(const struct strlist *a, const struct strlist *b);
bool strlist_has(const struct strlist *l, const char *text);
/* True if any entry, read as a glob (fnmatch(3): * ? [...]), matches. */
bool strlist_matches(const struct strlist *l, const char *text);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to be
 * what was meant (more than a third of its letters wrong). `candidates` ends in NULL. */
const char *suggest_nearest(const char *word, const char *const *candidates);

#endif
