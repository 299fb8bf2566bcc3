/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static bool copy(char *to, size_t size, const char *from, size_t len)
{
	if (len == 0 || len >= size)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

/* "host", "host:port", "[v6]:port", "v6" up to `end`. */
static bool take_authority(const char *text, const char *end, struct target *t)
{
	const char *at = memchr(text, '@', (size_t)(end - text));
	const char *host = at != NULL ? at + 1 : text;
	const char *host_end = end, *colon;

	if (host < end && *host == '[') {
		host++;
		host_end = memchr(host, ']', (size_t)(end - host));
		if (host_end == NULL)
			return false;
		colon = host_end + 1;
	} else {
		colon = memchr(host, ':', (size_t)(end - host));
		/* Two of them: an IPv6 address and no port. */
		if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) == NULL)
			host_end = colon;
		else
			colon = end;
	}
	if (!copy(t->host, sizeof(t->host), host, (size_t)(host_end - host)))
		return false;
	if (colon < end && *colon == ':')
		(void)copy(t->port, sizeof(t->port), colon + 1, (size_t)(end - colon - 1));
	return true;
}

/* libpq's "host=a port=5432": the value of the first of that name. */
static bool take_word(const char *text, const char *name, char *to, size_t size)
{
	size_t len = strlen(name);

	for (const char *p = strstr(text, name); p != NULL; p = strstr(p + 1, name)) {
		const char *value = p + len + 1;

		if ((p > text && p[-1] != ' ') || p[len] != '=')
			continue;
		value += *value == '\'';
		return copy(to, size, value, strcspn(value, " ',"));
	}
	return false;
}

static bool take_words(const char *text, struct target *t)
{
	if (!take_word(text, "hostaddr", t->host, sizeof(t->host)) &&
	    !take_word(text, "host", t->host, sizeof(t->host)))
		return false;
	(void)take_word(text, "port", t->port, sizeof(t->port));
	return t->host[0] != '/';
}

bool target_parse(const char *text, struct target *t_r)
{
	struct target t = {0};
	const char *scheme = text == NULL ? NULL : strstr(text, "://");
	bool is_there;

	if (text == NULL || text[0] == '/' || str_starts(text, "unix:"))
		return false;
	if (scheme != NULL) {
		const char *rest = scheme + 3;

		is_there = take_authority(rest, rest + strcspn(rest, "/?#"), &t);
		if (is_there && t.port[0] == '\0')
			(void)copy(t.port, sizeof(t.port), text, (size_t)(scheme - text));
	} else if (strchr(text, '=') != NULL) {
		is_there = take_words(text, &t);
	} else {
		is_there = take_authority(text, text + strlen(text), &t);
	}
	if (is_there)
		*t_r = t;
	return is_there;
}

/* What is looked at need not be a host: it may be a file, or the name of a process. A host has a
 * port or a scheme, or its option says that it is connected to. */
static bool of_text(const struct conf_item *item, const char *text, struct target *t_r)
{
	const unsigned files = CONF_F_READ_FILE | CONF_F_READ_BESIDE | CONF_F_WRITE;
	struct target t;

	if ((item->flags & (CONF_F_CONNECT | CONF_F_TARGET)) == 0 || (item->flags & files) != 0 ||
	    !target_parse(text, &t))
		return false;
	if ((item->flags & CONF_F_CONNECT) == 0 && t.port[0] == '\0')
		return false;
	*t_r = t;
	return true;
}

static bool of_value(const struct conf_item *item, const json_t *value, struct target *t_r)
{
	const json_t *first = json_is_array(value) ? json_array_get(value, 0) : value;

	if (item->type == CONF_T_MAP && json_is_object(value))
		return target_of_options(item->items, value, t_r);
	if (item->type == CONF_T_ARRAY && json_is_object(first))
		return target_of_options(item->items, first, t_r);
	return of_text(item, json_is_string(first) ? json_string_value(first) : item->def, t_r);
}

bool target_of_options(const struct conf_item *items, const json_t *options, struct target *t_r)
{
	for (; items != NULL && items->type != CONF_T_END; items++) {
		if (of_value(items, json_object_get(options, items->name), t_r))
			return true;
	}
	return false;
}

const char *target_name(const struct target *t, char buf[TARGET_NAME_MAX])
{
	(void)snprintf(buf, TARGET_NAME_MAX, "%s:%s", t->host, t->port);
	return buf;
}

bool target_is_local(const struct target *t)
{
	size_t len = strlen(t->host);

	return strncmp(t->host, "127.", 4) == 0 || str_eq(t->host, "::1") ||
	       strcasecmp(t->host, "localhost") == 0 ||
	       (len > 10 && strcasecmp(t->host + len - 10, ".localhost") == 0);
}
