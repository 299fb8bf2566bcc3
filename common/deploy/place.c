/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/place.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* The pair at a pointer whose last part is a key that exists; else NULL. */
static const struct node_pair *pair_at(const struct place *p, const char *pointer)
{
	const char *slash = strrchr(pointer, '/');
	HALE_CLEANUP(cleanup_free) char *parent = NULL;

	if (slash == NULL)
		return NULL;
	parent = mem_dupn(pointer, (size_t)(slash - pointer));
	return node_pair(node_at(tree_root(p->tree), parent), slash + 1);
}

bool place_is_given(const struct place *p, const char *pointer)
{
	return pair_at(p, pointer) != NULL;
}

static struct conf_mark mark_at(const struct place *p, const char *pointer)
{
	const struct node *node = node_at(tree_root(p->tree), pointer);

	return node != NULL ? node->mark : (struct conf_mark){0};
}

void place_error(const struct place *p, const char *pointer, const char *hint, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct conf_mark mark = mark_at(p, pointer);
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	report_add(p->report, &mark, tree_source_line(p->tree, &mark), hint, "%s", str_text(&text));
}

void place_error_key(const struct place *p, const char *pointer, const char *hint, const char *fmt,
		     ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	const struct node_pair *pair = pair_at(p, pointer);
	struct conf_mark mark = pair != NULL ? pair->key_mark : mark_at(p, pointer);
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	report_add(p->report, &mark, tree_source_line(p->tree, &mark), hint, "%s", str_text(&text));
}

void place_warn(const struct place *p, const char *pointer, const char *hint, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct conf_mark mark = mark_at(p, pointer);
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	report_warn(p->report, &mark, tree_source_line(p->tree, &mark), hint, "%s",
		    str_text(&text));
}
