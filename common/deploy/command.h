/* SPDX-License-Identifier: Apache-2.0 */
/* command - a command line of the configuration, with its program found
 *
 * A program without a slash is looked for in PATH, one with a slash in `directory`, once, when the
 * configuration is read: what is missing is told there, not at the first start in the night.
 */
#ifndef HALE_DEPLOY_COMMAND_H
#define HALE_DEPLOY_COMMAND_H

#include "base/strlist.h"
#include "deploy/place.h"

/* Where programs are looked for, unless their own PATH says otherwise; also what they get. */
#define COMMAND_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct command_home {
	const char *path;      /* like $PATH; NULL: COMMAND_PATH */
	const char *directory; /* NULL: none */
};

/* `words` as argv, its first replaced by the path that was found; NULL after an error at `pointer`
 * (the list in the file). Caller frees with command_free. */
char **command_argv(const struct place *place, const char *pointer, const struct strlist *words,
		    const struct command_home *home);
void command_free(char **argv); /* NULL is fine */

#endif
