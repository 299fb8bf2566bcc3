/* SPDX-License-Identifier: Apache-2.0 */
#include "unit_name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* systemd.unit(5), "Description". */
#define LETTERS                                                                                    \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"                                     \
	"0123456789:-_.\\@"
#define SERVICE ".service"

static const char *const types[] = {"service", "socket", "target", "device", "mount", "automount",
				    "swap",    "timer",  "path",   "slice",  "scope", NULL};

static bool is_type(const char *word)
{
	for (const char *const *t = types; *t != NULL; t++) {
		if (strcmp(*t, word) == 0)
			return true;
	}
	return false;
}

const char *unit_name_type(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && is_type(dot + 1) ? dot + 1 : "";
}

int unit_name_complete(const char *text, char name_r[UNIT_NAME_SIZE], struct err *err)
{
	const char *suffix = *unit_name_type(text) == '\0' ? SERVICE : "";

	if (*text == '\0' || *text == '.' || *text == '@')
		return err_set(err, -EINVAL, "expected the name of a unit, like nginx.service");
	if (text[strspn(text, LETTERS)] != '\0')
		return err_set(err, -EINVAL,
			       "'%s' is no name of a unit: letters, digits and "
			       ":-_.\\@ (systemd-escape(1) makes such names)",
			       text);
	if (strstr(text, "@.") != NULL || str_ends(text, "@"))
		return err_set(err, -EINVAL,
			       "'%s' is a template: name the instance, like getty@tty1", text);
	if (strlen(text) + strlen(suffix) >= UNIT_NAME_SIZE)
		return err_set(err, -EINVAL, "the name of a unit has at most %d bytes",
			       UNIT_NAME_SIZE - 1);
	(void)snprintf(name_r, UNIT_NAME_SIZE, "%s%s", text, suffix);
	return 0;
}

const char *unit_name_short(const char *name, char buf[UNIT_NAME_SIZE])
{
	size_t len = strlen(name);

	if (str_ends(name, SERVICE))
		len -= strlen(SERVICE);
	(void)snprintf(buf, UNIT_NAME_SIZE, "%.*s", (int)len, name);
	return buf;
}
