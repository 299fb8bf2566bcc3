/* SPDX-License-Identifier: Apache-2.0 */
#include "service/confine.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

/* libpq's options that name files stand inside of the connection string, as "sslrootcert=/path" or
 * "&sslrootcert=%2Fpath"; whatever follows "=" and begins with a slash is one. A socket directory
 * (host=/run/postgresql) does no harm among them. */
static void take_conninfo(struct confine_needs *n, const char *text)
{
	for (const char *p = strchr(text, '='); p != NULL; p = strchr(p, '=')) {
		HALE_CLEANUP(str_done) struct str path = {0};

		p++;
		p += *p == '\'';
		if (*p != '/' && strncasecmp(p, "%2F", 3) != 0)
			continue;
		for (; *p != '\0' && strchr(" '&\t\n", *p) == NULL; p++) {
			if (strncasecmp(p, "%2F", 3) == 0) {
				str_addc(&path, '/');
				p += 2;
			} else {
				str_addc(&path, *p);
			}
		}
		strlist_add(&n->files, str_text(&path));
	}
}

static void take_text(struct confine_needs *n, const struct conf_item *item, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	if ((item->flags & CONF_F_READ_FILE) != 0)
		strlist_add(&n->files, text);
	if ((item->flags & CONF_F_READ_BESIDE) != 0)
		strlist_add(&n->besides, text);
	if ((item->flags & CONF_F_WRITE) != 0)
		strlist_add(&n->writes, text);
	if ((item->flags & CONF_F_CONNECT) != 0) {
		n->connects = true;
		take_conninfo(n, text);
	}
}

static void take_value(struct confine_needs *n, const struct conf_item *item, const json_t *value)
{
	const char *key;
	json_t *entry;
	size_t i;

	switch (item->type) {
	case CONF_T_MAP:
		if (json_is_object(value))
			confine_needs_add(n, item->items, value);
		break;
	case CONF_T_DICT:
		json_object_foreach ((json_t *)value, key, entry)
			confine_needs_add(n, item->items, entry);
		break;
	case CONF_T_ARRAY:
		json_array_foreach (value, i, entry)
			confine_needs_add(n, item->items, entry);
		break;
	case CONF_T_LIST:
		json_array_foreach (value, i, entry)
			take_text(n, item, json_string_value(entry));
		break;
	default:
		/* An absent option takes its default, as it does when it is decoded. */
		take_text(n, item, json_is_string(value) ? json_string_value(value) : item->def);
	}
}

void confine_needs_add(struct confine_needs *n, const struct conf_item *items,
		       const json_t *options)
{
	for (; items != NULL && items->type != CONF_T_END; items++)
		take_value(n, items, json_object_get(options, items->name));
}

void confine_needs_sections(struct confine_needs *n, const struct conf_section *sections,
			    const json_t *slice)
{
	for (; sections != NULL && sections->name != NULL; sections++) {
		json_t *section = json_object_get(slice, sections->name);
		const char *key;
		json_t *entry;

		if (sections->shape != CONF_T_DICT) {
			confine_needs_add(n, sections->items, section);
			continue;
		}
		json_object_foreach (section, key, entry)
			confine_needs_add(n, sections->items, entry);
	}
}

void confine_needs_done(struct confine_needs *n)
{
	strlist_done(&n->files);
	strlist_done(&n->besides);
	strlist_done(&n->writes);
	*n = (struct confine_needs){0};
}
