/* SPDX-License-Identifier: Apache-2.0 */
#include "read_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *read_key_format(const struct read_key *key, char letter, bool is_text,
			    char buf[READ_KEY_MAX])
{
	if (is_text)
		(void)snprintf(buf, READ_KEY_MAX, "%c%lld-%s", letter, (long long)key->at, key->id);
	else
		(void)snprintf(buf, READ_KEY_MAX, "%c%lld-%lld-%lld", letter, (long long)key->at,
			       (long long)key->a, (long long)key->b);
	return buf;
}

/* Digits up to `stop`. NULL if it is something else, else what follows. */
static const char *take_number(const char *p, char stop, int64_t *n_r)
{
	char *end = NULL;

	if (*p < '0' || *p > '9')
		return NULL;
	errno = 0;
	*n_r = strtoll(p, &end, 10);
	if (errno != 0 || *end != stop)
		return NULL;
	return stop != '\0' ? end + 1 : end;
}

static bool take_id(const char *p, char id[READ_ID_MAX])
{
	size_t len = strlen(p);

	if (len == 0 || len >= READ_ID_MAX)
		return false;
	memcpy(id, p, len + 1);
	return true;
}

int read_key_parse(const char *text, char letter, bool is_text, struct read_key *key_r,
		   struct err *err)
{
	struct read_key key = {0};
	const char *p = text;
	bool is_good;

	if (*p++ != letter)
		return err_set(err, -EINVAL, "cursor '%.64s': is not one of this list", text);
	p = take_number(p, '-', &key.at);
	if (is_text)
		is_good = p != NULL && take_id(p, key.id);
	else
		is_good = p != NULL && (p = take_number(p, '-', &key.a)) != NULL &&
			  take_number(p, '\0', &key.b) != NULL;
	if (!is_good)
		return err_set(err, -EINVAL, "cursor '%.64s': was not given out by us", text);
	*key_r = key;
	return 0;
}
