/* SPDX-License-Identifier: Apache-2.0 */
/* tree - YAML as a tree of nodes that know where they stand
 *
 * Wraps libyaml. Refused, with a mark: tabs and other syntax errors, duplicate keys, aliases that
 * would make a cycle, more than TREE_NODES_MAX nodes or TREE_DEPTH_MAX levels, non-scalar keys,
 * more than one document, tags other than !!str. `<<: *name` takes over what is missing.
 *
 * `include:` (a glob or list of globs, relative to the file) at the top level of the main file is
 * deep-merged in the order of names: mappings merge, lists append, a scalar given twice is an error
 * that names both places. Included files include no others; a file that several globs match (or
 * the main file itself) is taken once; a glob may match nothing, a plain name must exist.
 *
 * ${…} is expanded in values, quoted or not, never in keys: ${NAME} environment,
 * ${NAME:-default}, ${file:/path} (a regular file not readable by others, nor by a group that is
 * not ours; one trailing newline removed), ${cred:name} ($CREDENTIALS_DIRECTORY), $$ a dollar sign.
 * A missing one is an error at its place. Expanded text is never parsed as YAML again.
 */
#ifndef HALE_CONF_TREE_H
#define HALE_CONF_TREE_H

#include "conf/report.h"

#include <stdbool.h>
#include <stddef.h>

#define TREE_NODES_MAX 2000000
#define TREE_DEPTH_MAX 64

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_type type;
	struct conf_mark mark;
	char *text;        /* SCALAR: after expansion */
	bool is_quoted;    /* SCALAR: "10" is text, 10 may be a number */
	bool is_secret;    /* SCALAR: came from ${…} */
	bool is_broken;    /* SCALAR: a ${…} failed and is reported; judge it no further */
	struct node_pair { /* MAP: key and value; LIST: value only */
		char *key;
		struct conf_mark key_mark;
		struct node *value;
	} * items;
	size_t n;
};

struct tree; /* owns nodes and source texts */

/* Parses path and its includes. NULL if the root could not be read at all; otherwise a tree, maybe
 * with errors in the report. */
struct tree *tree_load(const char *path, struct report *report);
struct tree *tree_load_text(const char *name, const char *text, struct report *report);
void tree_free(struct tree *t);
/* Always a mapping, without "include". */
const struct node *tree_root(const struct tree *t);
/* False if a file could not be read or parsed: what is missing in the tree cannot be judged. */
bool tree_is_complete(const struct tree *t);
/* The text of the line a mark points to, or NULL. Borrowed until the tree goes; NUL-terminated. */
const char *tree_source_line(struct tree *t, const struct conf_mark *mark);

const struct node *node_get(const struct node *map, const char *key);       /* NULL if not there */
const struct node_pair *node_pair(const struct node *map, const char *key); /* the same, with key */
/* A plain empty value, ~ or null: a key that was left open. */
bool node_is_null(const struct node *node);
/* JSON pointer (RFC 6901) from the root; the nearest existing ancestor if the last parts are not
 * there. Used to give marks to errors that children report. */
const struct node *node_at(const struct node *root, const char *pointer);

#endif
