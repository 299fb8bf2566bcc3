/* SPDX-License-Identifier: Apache-2.0 */
#include "user_id.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>

int user_id_parse(const char *text, uid_t *uid_r)
{
	const struct passwd *user;
	char *end;
	unsigned long uid = strtoul(text, &end, 10);

	if (isdigit((unsigned char)*text) && *end == '\0') {
		/* The greatest stands for none. */
		if (uid >= (uid_t)-1)
			return -EINVAL;
		*uid_r = (uid_t)uid;
		return 0;
	}
	user = getpwnam(text);
	if (user == NULL)
		return -ENOENT;
	*uid_r = user->pw_uid;
	return 0;
}
