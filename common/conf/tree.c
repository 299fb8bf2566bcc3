/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/tree.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "arena.h"
#include "merge.h"
#include "reader.h"
#include "source.h"

/* A hundred thousand components fit; more text than this is not a configuration. */
#define TREE_BYTES_MAX    (64 * 1024 * 1024)
/* A glob that matches more files than this points to the wrong directory. */
#define INCLUDE_FILES_MAX 1000
#define INCLUDE_KEY       "include"

struct tree {
	struct arena arena;
	struct source **sources;
	size_t sources_n;
	struct node *root;
	size_t nodes;
	size_t bytes;
	bool is_complete;
	struct strlist loaded; /* real paths, so that no file is taken twice */
};

/* ---- Access ---- */

bool node_is_null(const struct node *node)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (node->type != NODE_SCALAR || node->is_quoted || node->is_secret)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(node->text, words[i]) == 0)
			return true;
	}
	return false;
}

const struct node_pair *node_pair(const struct node *map, const char *key)
{
	for (size_t i = 0; map != NULL && map->type == NODE_MAP && i < map->n; i++) {
		if (strcmp(map->items[i].key, key) == 0)
			return &map->items[i];
	}
	return NULL;
}

const struct node *node_get(const struct node *map, const char *key)
{
	const struct node_pair *pair = node_pair(map, key);

	return pair != NULL ? pair->value : NULL;
}

static const struct node *node_index(const struct node *list, const char *digits)
{
	char *end;
	unsigned long long i;

	if (*digits < '0' || *digits > '9')
		return NULL;
	i = strtoull(digits, &end, 10);
	return *end == '\0' && i < list->n ? list->items[i].value : NULL;
}

/* RFC 6901: ~1 is a slash, ~0 a tilde. */
static char *pointer_word(const char *from, size_t len)
{
	struct str word = {0};

	for (size_t i = 0; i < len; i++) {
		bool is_escape =
			from[i] == '~' && i + 1 < len && (from[i + 1] == '0' || from[i + 1] == '1');

		str_addc(&word, !is_escape ? from[i] : from[i + 1] == '1' ? '/' : '~');
		i += is_escape;
	}
	str_add(&word, "");
	return str_take(&word);
}

const struct node *node_at(const struct node *root, const char *pointer)
{
	const struct node *node = root;

	while (node != NULL && *pointer == '/') {
		size_t len = strcspn(pointer + 1, "/");
		HALE_CLEANUP(cleanup_free) char *word = pointer_word(pointer + 1, len);
		const struct node *next =
			node->type == NODE_LIST ? node_index(node, word) : node_get(node, word);

		if (next == NULL)
			break;
		node = next;
		pointer += len + 1;
	}
	return node;
}

const struct node *tree_root(const struct tree *t)
{
	return t->root;
}

bool tree_is_complete(const struct tree *t)
{
	return t->is_complete;
}

const char *tree_source_line(struct tree *t, const struct conf_mark *mark)
{
	for (size_t i = 0; mark->file != NULL && i < t->sources_n; i++) {
		if (strcmp(t->sources[i]->name, mark->file) == 0)
			return source_line(t->sources[i], mark->line);
	}
	return NULL;
}

/* ---- Loading ---- */

static void problem(struct tree *t, struct report *report, const struct conf_mark *mark,
		    const char *hint, const char *message)
{
	report_add(report, mark, tree_source_line(t, mark), hint, "%s", message);
}

static struct node *read_text(struct tree *t, const char *name, const char *text, size_t len,
			      struct report *report)
{
	struct reader_job job = {
		.arena = &t->arena, .report = report, .nodes = &t->nodes, .expands_secrets = true};
	struct node *root;

	t->sources = mem_grow(t->sources, t->sources_n + 1, sizeof(*t->sources));
	job.source = source_new(name, text, len);
	t->sources[t->sources_n++] = job.source;
	root = reader_read(&job);
	if (root == NULL) {
		t->is_complete = false;
		return NULL;
	}
	if (node_is_null(root))
		root->type = NODE_MAP;
	if (root->type != NODE_MAP) {
		problem(t, report, &root->mark, "write sections, such as 'components:'",
			"the file must be a mapping");
		t->is_complete = false;
		return NULL;
	}
	return root;
}

/* NULL if the file cannot be read or was read before. `mark` is where it is asked for. */
static struct node *read_path(struct tree *t, const char *path, const struct conf_mark *mark,
			      struct report *report)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	HALE_CLEANUP(cleanup_free) char *real = realpath(path, NULL);
	HALE_CLEANUP(cleanup_free) char *message = NULL;
	int rc;

	if (real != NULL && strlist_has(&t->loaded, real))
		return NULL;
	rc = file_read(path, TREE_BYTES_MAX - t->bytes, &text, NULL);
	if (rc == 0) {
		strlist_add(&t->loaded, real != NULL ? real : path);
		t->bytes += text.len;
		return read_text(t, path, str_text(&text), text.len, report);
	}
	t->is_complete = false;
	message = mem_printf("cannot read %s: %s", path, strerror(-rc));
	problem(t, report, mark, NULL, message);
	return NULL;
}

struct including {
	struct tree *tree;
	struct report *report;
};

static void on_clash(void *ctx, const char *key, const struct conf_mark *second,
		     const struct conf_mark *first)
{
	struct including *x = ctx;
	HALE_CLEANUP(cleanup_free) char *message = mem_printf("'%s' is given twice", key);
	HALE_CLEANUP(cleanup_free)
	char *hint = mem_printf("it stands in %s:%zu:%zu already", first->file, first->line,
				first->column);

	problem(x->tree, x->report, second, hint, message);
}

static bool is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || S_ISREG(st.st_mode);
}

static void include_file(struct including *x, const char *path, const struct conf_mark *mark)
{
	struct node *root = NULL;
	const struct node_pair *nested;

	if (is_regular(path))
		root = read_path(x->tree, path, mark, x->report);
	else
		problem(x->tree, x->report, mark, "name files, such as conf.d/*.yaml",
			"this includes what is not a file");
	if (root == NULL)
		return;
	nested = node_pair(root, INCLUDE_KEY);
	if (nested != NULL) {
		problem(x->tree, x->report, &nested->key_mark, "list this file in the main file",
			"only the main file may include others");
		return;
	}
	merge_nodes(x->tree->root, root, &x->tree->arena, on_clash, x);
}

static void include_glob(struct including *x, const char *dir, const struct node *pattern)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, pattern->text);
	glob_t found;
	int rc = glob(path, 0, NULL, &found);

	if (rc == GLOB_NOMATCH) {
		/* conf.d/\*.yaml may match nothing yet; a plain name that is not there is a
		 * mistake. */
		if (strpbrk(pattern->text, "*?[") == NULL)
			include_file(x, path, &pattern->mark);
		return;
	}
	if (rc != 0) {
		problem(x->tree, x->report, &pattern->mark, NULL,
			"this cannot be searched for files");
		return;
	}
	if (found.gl_pathc > INCLUDE_FILES_MAX) {
		problem(x->tree, x->report, &pattern->mark,
			"name a directory that holds nothing else", "this matches too many files");
		x->tree->is_complete = false;
	}
	for (size_t i = 0; i < found.gl_pathc && found.gl_pathc <= INCLUDE_FILES_MAX; i++)
		include_file(x, found.gl_pathv[i], &pattern->mark);
	globfree(&found);
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_dup(".");
	return mem_dupn(path, slash == path ? 1 : (size_t)(slash - path));
}

static void include_all(struct including *x, const char *dir, const struct node *what)
{
	if (what->type == NODE_SCALAR && !node_is_null(what) && !what->is_broken)
		include_glob(x, dir, what);
	for (size_t i = 0; what->type == NODE_LIST && i < what->n; i++) {
		const struct node *entry = what->items[i].value;

		if (entry->type == NODE_SCALAR && !entry->is_broken)
			include_glob(x, dir, entry);
		else if (entry->type != NODE_SCALAR)
			problem(x->tree, x->report, &entry->mark, "write include: [conf.d/*.yaml]",
				"expected the name of a file");
	}
	if (what->type == NODE_MAP)
		problem(x->tree, x->report, &what->mark, "write include: [conf.d/*.yaml]",
			"expected names of files");
}

/* Takes "include" out of the root, so that nobody else needs to know of it. */
static struct node *take_include(struct node *root)
{
	for (size_t i = 0; i < root->n; i++) {
		struct node *what = root->items[i].value;

		if (strcmp(root->items[i].key, INCLUDE_KEY) != 0)
			continue;
		memmove(&root->items[i], &root->items[i + 1],
			(root->n - i - 1) * sizeof(*root->items));
		root->n--;
		return what;
	}
	return NULL;
}

static struct tree *finish(struct tree *t, struct node *root, const char *path,
			   struct report *report)
{
	struct including x = {.tree = t, .report = report};
	HALE_CLEANUP(cleanup_free) char *dir = directory_of(path);
	const struct node *what;

	if (root == NULL) {
		root = arena_alloc(&t->arena, sizeof(*root));
		root->type = NODE_MAP;
		root->mark.file = t->sources_n > 0 ? t->sources[0]->name : NULL;
	}
	t->root = root;
	what = take_include(root);
	if (what != NULL)
		include_all(&x, dir, what);
	return t;
}

static struct tree *tree_new(void)
{
	struct tree *t = mem_alloc(sizeof(*t));

	t->is_complete = true;
	return t;
}

struct tree *tree_load(const char *path, struct report *report)
{
	struct tree *t = tree_new();
	struct conf_mark mark = {.file = path};
	struct node *root = read_path(t, path, &mark, report);

	if (t->sources_n == 0) {
		tree_free(t);
		return NULL;
	}
	return finish(t, root, path, report);
}

struct tree *tree_load_text(const char *name, const char *text, struct report *report)
{
	struct tree *t = tree_new();

	return finish(t, read_text(t, name, text, strlen(text), report), name, report);
}

void tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->sources_n; i++)
		source_free(t->sources[i]);
	free(t->sources);
	strlist_done(&t->loaded);
	arena_done(&t->arena);
	free(t);
}
