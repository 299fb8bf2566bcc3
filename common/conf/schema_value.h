/* SPDX-License-Identifier: Apache-2.0 */
/* schema_value - one node held against one option: its normalised JSON, or errors
 */
#ifndef HALE_CONF_SCHEMA_VALUE_H
#define HALE_CONF_SCHEMA_VALUE_H

#include "conf/tree.h"
#include "spec.h"

/* A name that must exist elsewhere; looked up when everything was read. */
struct schema_ref {
	const char *where; /* "alerts.channels", borrowed from the manifest */
	const struct node *node;
};

struct schema {
	struct tree *tree;
	struct report *report;
	struct spec *spec;
	struct schema_ref *refs;
	size_t refs_n;
	size_t refs_cap;
	bool is_default; /* reading the default of an option: no references */
	bool is_hidden;  /* inside a secret option: no source lines, no values in messages */
};

HALE_PRINTF(4, 5)
void schema_problem(struct schema *s, const struct conf_mark *mark, const char *hint,
		    const char *fmt, ...);
/* "did you mean 'x'?" or NULL. Caller frees. */
char *schema_suggest(const char *word, const char *const *names);
void schema_unknown_key(struct schema *s, const struct node_pair *pair, const char *const *names);

/* `at` is where a complaint about the whole value belongs (its key). New reference; NULL after an
 * error in the value itself. */
json_t *schema_value(struct schema *s, struct spec_option *option, const struct node *node,
		     const struct conf_mark *at);
/* The options of `table` that the mapping gives (unknown keys are the caller's if `extra` takes
 * them: it returns true for a key it knows) and the defaults of the others. Never NULL. */
typedef bool (*schema_extra_fn)(void *ctx, const struct node_pair *pair);
json_t *schema_table(struct schema *s, const struct spec_table *table, const struct node *node,
		     const struct conf_mark *at, schema_extra_fn extra, void *ctx);
/* New reference to the normalised default, NULL if the option has none. */
json_t *schema_default(struct schema *s, struct spec_option *option);
/* JSON as YAML's core schema types it. New reference. */
json_t *schema_natural(const struct node *node);

#endif
