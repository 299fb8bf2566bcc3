/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/place.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

char *place_pointer(const char *parent, const char *key)
{
	struct str out = {0};

	str_addf(&out, "%s/", parent);
	for (; *key != '\0'; key++) {
		if (*key == '~')
			str_add(&out, "~0");
		else if (*key == '/')
			str_add(&out, "~1");
		else
			str_addc(&out, *key);
	}
	return str_take(&out);
}

static char *unescaped(const char *word)
{
	struct str out = {0};

	for (; *word != '\0'; word++) {
		if (word[0] == '~' && (word[1] == '0' || word[1] == '1'))
			str_addc(&out, *++word == '0' ? '~' : '/');
		else
			str_addc(&out, *word);
	}
	return out.len > 0 ? str_take(&out) : mem_dup("");
}

/* The pair at a pointer whose last part is a key that exists; else NULL. */
static const struct node_pair *pair_at(const struct place *p, const char *pointer)
{
	const char *slash = strrchr(pointer, '/');
	HALE_CLEANUP(cleanup_free) char *parent = NULL;
	HALE_CLEANUP(cleanup_free) char *key = NULL;

	if (slash == NULL)
		return NULL;
	parent = mem_dupn(pointer, (size_t)(slash - pointer));
	key = unescaped(slash + 1);
	return node_pair(node_at(tree_root(p->tree), parent), key);
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
