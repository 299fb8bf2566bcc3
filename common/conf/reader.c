/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include "secret.h"

/* From so many keys on a mapping is searched by hash. */
#define INDEX_FROM 16
#define MERGE_KEY  "<<"

/* A mapping or list that is being read. */
struct frame {
	struct node *node;
	struct node_pair *items; /* grows here, moves into the arena when complete */
	size_t n;
	size_t cap;
	struct map keys; /* of items, if there are many */
	char *key;       /* MAP: read, its value not yet */
	struct conf_mark key_mark;
	bool is_duplicate;   /* the value of key is read and forgotten */
	struct node *merged; /* value of "<<" */
};

struct reader {
	const struct reader_job *job;
	yaml_parser_t parser;
	struct frame frames[TREE_DEPTH_MAX];
	size_t depth;
	struct map anchors; /* name: struct node */
	struct node *root;
	size_t documents;
};

/* ---- Marks and complaints ---- */

static struct conf_mark mark_at(const struct reader *r, const yaml_mark_t *from,
				const yaml_mark_t *to)
{
	struct source *s = r->job->source;
	struct conf_mark mark = {.file = s->name, .length = 1};
	size_t start = source_offset(s, from->index);

	/* Both count lines alike; a position beyond the last line is its end. */
	mark.line = HALE_MIN(from->line, s->n - 1) + 1;
	mark.column = start - HALE_MIN(start, s->starts[mark.line - 1]) + 1;
	if (to != NULL && to->line == from->line && to->index > from->index)
		mark.length = source_offset(s, to->index) - start;
	return mark;
}

HALE_PRINTF(4, 5)
static void complain(const struct reader *r, const struct conf_mark *mark, const char *hint,
		     const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	report_add(r->job->report, mark, source_line(r->job->source, mark->line), hint, "%s",
		   str_text(&text));
}

/* What libyaml says, and what people should do about it. */
/* clang-format off */
static const struct {
	const char *problem; /* part of libyaml's text */
	const char *context; /* part of its context; NULL any */
	const char *message;
	const char *hint;
} syntax_errors[] = {
	{"mapping values are not allowed", NULL, "a ':' cannot stand here",
	 "check the indentation; quote a text that holds ': '"},
	{"did not find expected comment or line break", "block scalar",
	 "a value cannot begin with '>' or '|' like this", "quote it: \"> 90\""},
	{"chomping or indentation indicator", NULL, "a value cannot begin with '>' or '|' like this",
	 "quote it: \"> 90\""},
	{"found an indentation indicator", NULL, "a value cannot begin with '>' or '|' like this",
	 "quote it: \"> 90\""},
	{"could not find expected ':'", NULL, "expected ':' after the key",
	 "write 'key: value'; check the indentation"},
	{"did not find expected key", NULL, "expected a key here",
	 "check the indentation and that every quote and bracket is closed"},
	{"did not find expected '-' indicator", NULL, "expected '- ' here",
	 "list entries begin with '- ' at one indentation"},
	{"did not find expected ',' or '}'", NULL, "expected ',' or '}'",
	 "close the '{' or put a ',' between its entries; quote a text that holds brackets"},
	{"did not find expected ',' or ']'", NULL, "expected ',' or ']'",
	 "close the '[' or put a ',' between its entries; quote a text that holds brackets"},
	{"block sequence entries are not allowed", NULL, "a list entry cannot stand here",
	 "begin the list on a line of its own"},
	{"found unexpected end of stream", "quoted scalar", "the quote is never closed",
	 "close it on the same line"},
	{"cannot start any token", NULL, "a value cannot begin with this character",
	 "quote the text: \"…\""},
	{"unknown escape character", NULL, "unknown escape in a double-quoted text",
	 "write \\\\ for a backslash, or use single quotes"},
	{"control characters are not allowed", NULL, "control characters are not allowed",
	 "remove it, or write it as an escape in double quotes"},
};
/* clang-format on */

static void explain_syntax(const struct reader *r, const struct conf_mark *mark)
{
	const char *problem = r->parser.problem != NULL ? r->parser.problem : "cannot be read";
	const char *context = r->parser.context != NULL ? r->parser.context : "";

	for (size_t i = 0; i < ARRAY_LEN(syntax_errors); i++) {
		if (strstr(problem, syntax_errors[i].problem) == NULL)
			continue;
		if (syntax_errors[i].context != NULL &&
		    strstr(context, syntax_errors[i].context) == NULL)
			continue;
		complain(r, mark, syntax_errors[i].hint, "%s", syntax_errors[i].message);
		return;
	}
	complain(r, mark, NULL, "not YAML: %s", problem);
}

/* libyaml names a tab in many ways, none of which says "tab". */
static bool explain_tab(const struct reader *r, struct conf_mark mark)
{
	for (size_t line = mark.line; line > 0 && line + 1 >= mark.line; line--) {
		const char *text = source_line(r->job->source, line);
		size_t blank = text != NULL ? strspn(text, " \t") : 0;
		const char *tab = blank > 0 ? memchr(text, '\t', blank) : NULL;

		if (tab == NULL || text[blank] == '\0')
			continue;
		mark.line = line;
		mark.column = (size_t)(tab - text) + 1;
		mark.length = strspn(tab, "\t");
		complain(r, &mark, "indent with spaces", "tabs are not allowed for indentation");
		return true;
	}
	return false;
}

static void explain_failure(const struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	struct conf_mark mark = {.file = r->job->source->name, .length = 1};

	if (p->error == YAML_READER_ERROR) {
		mark.line = source_line_of(r->job->source, p->problem_offset, &mark.column);
		if (p->problem != NULL && strstr(p->problem, "UTF-8") != NULL)
			complain(r, &mark, "save the file in UTF-8", "this is not UTF-8 text");
		else
			explain_syntax(r, &mark);
		return;
	}
	/* What was never closed is noticed at the end of the file, but begins elsewhere. */
	if (p->context != NULL &&
	    source_offset(r->job->source, p->problem_mark.index) == r->job->source->len)
		mark = mark_at(r, &p->context_mark, NULL);
	else
		mark = mark_at(r, &p->problem_mark, NULL);
	if (!explain_tab(r, mark))
		explain_syntax(r, &mark);
}

/* ---- Nodes ---- */

static bool count_node(const struct reader *r, const struct conf_mark *mark)
{
	if (*r->job->nodes >= TREE_NODES_MAX) {
		complain(r, mark, "aliases multiply what they name",
			 "the configuration has more than %d nodes", TREE_NODES_MAX);
		return false;
	}
	(*r->job->nodes)++;
	return true;
}

static struct node *new_node(const struct reader *r, enum node_type type, struct conf_mark mark)
{
	struct node *node;

	if (!count_node(r, &mark))
		return NULL;
	node = arena_alloc(r->job->arena, sizeof(*node));
	node->type = type;
	node->mark = mark;
	return node;
}

static struct frame *top(struct reader *r)
{
	return r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
}

static bool wants_key(struct reader *r)
{
	const struct frame *f = top(r);

	return f != NULL && f->node->type == NODE_MAP && f->key == NULL;
}

static const struct node_pair *find_key(const struct frame *f, const char *key)
{
	if (f->keys.n > 0) {
		size_t at = (size_t)(uintptr_t)map_get(&f->keys, key);

		return at > 0 ? &f->items[at - 1] : NULL;
	}
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->items[i].key, key) == 0)
			return &f->items[i];
	}
	return NULL;
}

/* Positions are stored from 1, because a map holds no NULL. */
static void index_key(struct frame *f, size_t at)
{
	map_put(&f->keys, f->items[at].key, (void *)(uintptr_t)(at + 1)); // NOLINT
}

static void push(struct frame *f, struct node_pair pair)
{
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 8 : f->cap * 2;
		f->items = mem_grow(f->items, f->cap, sizeof(*f->items));
	}
	f->items[f->n++] = pair;
	if (f->node->type != NODE_MAP || f->n < INDEX_FROM)
		return;
	if (f->n == INDEX_FROM) {
		for (size_t i = 0; i < f->n; i++)
			index_key(f, i);
		return;
	}
	index_key(f, f->n - 1);
}

/* Puts a complete value where it belongs. */
static void place(struct reader *r, struct node *node)
{
	struct frame *f = top(r);

	if (f == NULL) {
		r->root = node;
	} else if (f->node->type == NODE_LIST) {
		push(f, (struct node_pair){.value = node});
	} else {
		if (f->is_duplicate)
			;
		else if (strcmp(f->key, MERGE_KEY) == 0)
			f->merged = node;
		else
			push(f, (struct node_pair){
					.key = f->key, .key_mark = f->key_mark, .value = node});
		f->key = NULL;
		f->is_duplicate = false;
	}
}

/* ---- Merge keys ---- */

static void merge_mapping(struct frame *f, const struct node *from)
{
	for (size_t i = 0; i < from->n; i++) {
		if (find_key(f, from->items[i].key) == NULL)
			push(f, from->items[i]);
	}
}

static void merge(const struct reader *r, struct frame *f)
{
	const struct node *from = f->merged;

	if (from->type == NODE_MAP) {
		merge_mapping(f, from);
		return;
	}
	for (size_t i = 0; from->type == NODE_LIST && i < from->n; i++) {
		if (from->items[i].value->type != NODE_MAP) {
			complain(r, &from->items[i].value->mark, NULL,
				 "'<<' takes over mappings only");
			return;
		}
		merge_mapping(f, from->items[i].value);
	}
	if (from->type == NODE_SCALAR)
		complain(r, &from->mark, "write '<<: *name', where '&name' marks a mapping",
			 "'<<' takes over mappings only");
}

/* ---- Events ---- */

static int on_key(struct reader *r, const yaml_event_t *e)
{
	struct frame *f = top(r);
	struct conf_mark mark = mark_at(r, &e->start_mark, &e->end_mark);
	const char *text = (const char *)e->data.scalar.value;
	const struct node_pair *first;

	if (memchr(text, '\0', e->data.scalar.length) != NULL) {
		complain(r, &mark, NULL, "a key cannot hold a NUL character");
		return -1;
	}
	f->key = arena_dupn(r->job->arena, text, e->data.scalar.length);
	f->key_mark = mark;
	first = find_key(f, f->key);
	f->is_duplicate = first != NULL || (f->merged != NULL && strcmp(text, MERGE_KEY) == 0);
	if (f->is_duplicate) {
		HALE_CLEANUP(cleanup_free)
		char *hint = first != NULL ? mem_printf("it stands in line %zu already",
							first->key_mark.line)
					   : mem_dup("give it a list of aliases");

		complain(r, &mark, hint, "duplicate key '%s'", f->key);
	}
	return 0;
}

struct expansion {
	const struct reader *reader;
	const struct node *node;
};

/* The caret stands under the ${…} itself where the scalar is written as it reads. */
static void on_secret_problem(void *ctx, size_t offset, size_t length, const char *message,
			      const char *hint)
{
	const struct expansion *x = ctx;
	struct conf_mark mark = x->node->mark;
	const char *line = source_line(x->reader->job->source, mark.line);
	size_t at = mark.column - 1 + offset + x->node->is_quoted;

	if (line != NULL && at + length <= strlen(line) &&
	    strncmp(line + at, x->node->text + offset, length) == 0) {
		mark.column = at + 1;
		mark.length = length;
	}
	complain(x->reader, &mark, hint, "%s", message);
}

static void expand(const struct reader *r, struct node *node)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct expansion x = {.reader = r, .node = node};

	node->is_broken = !secret_expand(node->text, &out, &node->is_secret, on_secret_problem, &x);
	node->text = arena_dupn(r->job->arena, str_text(&out), out.len);
}

static int check_tag(const struct reader *r, const struct conf_mark *mark, const yaml_char_t *tag)
{
	const char *text = (const char *)tag;

	if (text == NULL || strcmp(text, "!") == 0 || strcmp(text, YAML_STR_TAG) == 0)
		return 0;
	complain(r, mark, "remove it; types come from the options", "tags are not supported");
	return -1;
}

static int on_scalar(struct reader *r, const yaml_event_t *e)
{
	struct conf_mark mark = mark_at(r, &e->start_mark, &e->end_mark);
	const char *text = (const char *)e->data.scalar.value;
	struct node *node;

	if (check_tag(r, &mark, e->data.scalar.tag) < 0)
		return -1;
	node = new_node(r, NODE_SCALAR, mark);
	if (node == NULL)
		return -1;
	if (memchr(text, '\0', e->data.scalar.length) != NULL) {
		complain(r, &mark, NULL, "a text cannot hold a NUL character");
		return -1;
	}
	node->text = arena_dupn(r->job->arena, text, e->data.scalar.length);
	node->is_quoted =
		e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || e->data.scalar.tag != NULL;
	if (r->job->expands_secrets && strchr(node->text, '$') != NULL)
		expand(r, node);
	if (e->data.scalar.anchor != NULL)
		map_put(&r->anchors, (const char *)e->data.scalar.anchor, node);
	place(r, node);
	return 0;
}

static int on_start(struct reader *r, const yaml_event_t *e, enum node_type type,
		    const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct conf_mark mark = mark_at(r, &e->start_mark, NULL);
	struct node *node;

	if (check_tag(r, &mark, tag) < 0)
		return -1;
	if (r->depth == TREE_DEPTH_MAX) {
		complain(r, &mark, NULL, "nested deeper than %d levels", TREE_DEPTH_MAX);
		return -1;
	}
	node = new_node(r, type, mark);
	if (node == NULL)
		return -1;
	if (anchor != NULL)
		map_put(&r->anchors, (const char *)anchor, node);
	r->frames[r->depth++] = (struct frame){.node = node};
	return 0;
}

static void clear_frame(struct frame *f)
{
	free(f->items);
	map_done(&f->keys);
	*f = (struct frame){0};
}

static int on_end(struct reader *r)
{
	struct frame *f = top(r);
	struct node *node = f->node;

	if (f->merged != NULL)
		merge(r, f);
	if (f->n > 0) {
		node->items = arena_alloc(r->job->arena, f->n * sizeof(*node->items));
		memcpy(node->items, f->items, f->n * sizeof(*node->items));
		node->n = f->n;
	}
	clear_frame(f);
	r->depth--;
	place(r, node);
	return 0;
}

/* `depth` collections are open around the copy. */
static struct node *copy(struct reader *r, const struct node *from, size_t depth,
			 const struct conf_mark *alias)
{
	struct node *node;

	if (from->type != NODE_SCALAR && depth == TREE_DEPTH_MAX) {
		complain(r, alias, NULL, "nested deeper than %d levels", TREE_DEPTH_MAX);
		return NULL;
	}
	if (!count_node(r, alias))
		return NULL;
	node = arena_alloc(r->job->arena, sizeof(*node));
	*node = *from;
	if (from->n == 0)
		return node;
	node->items = arena_alloc(r->job->arena, from->n * sizeof(*node->items));
	for (size_t i = 0; i < from->n; i++) {
		node->items[i] = from->items[i];
		node->items[i].value = copy(r, from->items[i].value, depth + 1, alias);
		if (node->items[i].value == NULL)
			return NULL;
	}
	return node;
}

static int on_alias(struct reader *r, const yaml_event_t *e)
{
	struct conf_mark mark = mark_at(r, &e->start_mark, &e->end_mark);
	const char *name = (const char *)e->data.alias.anchor;
	const struct node *from = map_get(&r->anchors, name);
	struct node *node;

	if (from == NULL) {
		complain(r, &mark, "an anchor must stand before its aliases",
			 "there is no anchor '&%s'", name);
		return -1;
	}
	for (size_t i = 0; i < r->depth; i++) {
		if (r->frames[i].node == from) {
			complain(r, &mark, NULL, "'*%s' stands inside of what it names", name);
			return -1;
		}
	}
	node = copy(r, from, r->depth, &mark);
	if (node == NULL)
		return -1;
	place(r, node);
	return 0;
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
	struct conf_mark mark;
	bool is_value = e->type == YAML_MAPPING_START_EVENT ||
			e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_ALIAS_EVENT;

	if (is_value && wants_key(r)) {
		mark = mark_at(r, &e->start_mark, NULL);
		complain(r, &mark, "quote a text that begins with { [ or *",
			 "a key must be plain text");
		return -1;
	}
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->documents++ == 0)
			return 0;
		mark = mark_at(r, &e->start_mark, &e->end_mark);
		complain(r, &mark, "use include: for a second file", "more than one document");
		return -1;
	case YAML_SCALAR_EVENT:
		return wants_key(r) ? on_key(r, e) : on_scalar(r, e);
	case YAML_ALIAS_EVENT:
		return on_alias(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(r, e, NODE_LIST, e->data.sequence_start.anchor,
				e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_start(r, e, NODE_MAP, e->data.mapping_start.anchor,
				e->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(r);
	default:
		return 0;
	}
}

static int read_events(struct reader *r)
{
	for (bool is_done = false; !is_done;) {
		yaml_event_t e;
		int rc;

		if (!yaml_parser_parse(&r->parser, &e)) {
			explain_failure(r);
			return -1;
		}
		is_done = e.type == YAML_STREAM_END_EVENT;
		rc = on_event(r, &e);
		yaml_event_delete(&e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct node *reader_read(const struct reader_job *job)
{
	struct reader r = {.job = job};
	int rc;

	HALE_ASSERT(yaml_parser_initialize(&r.parser));
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)job->source->text,
				     job->source->len);
	rc = read_events(&r);
	while (r.depth > 0)
		clear_frame(&r.frames[--r.depth]);
	map_done(&r.anchors);
	yaml_parser_delete(&r.parser);
	if (rc < 0)
		return NULL;
	if (r.root == NULL)
		r.root = new_node(&r, NODE_MAP, (struct conf_mark){.file = job->source->name});
	return r.root;
}
