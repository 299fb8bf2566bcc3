/* SPDX-License-Identifier: Apache-2.0 */
/* hale - the operator's command */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli.h"

/* A narrower terminal is not one that tables are read on; they then keep their width. */
#define WIDTH_MIN 40

static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR"); /* no-color.org: set and not empty */
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || *no_color == '\0') &&
	       term != NULL && !str_eq(term, "dumb");
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col >= WIDTH_MIN ? size.ws_col : 0;
}

static const char *run_dir(void)
{
	const char *dir = getenv("HALE_RUN_DIR");

	return dir != NULL && *dir != '\0' ? dir : CLI_DEFAULT_RUN_DIR;
}

int main(int argc, char **argv)
{
	HALE_CLEANUP(cleanup_free) char *exe_dir = path_exe_dir();
	struct cli cli = {.run_dir = run_dir(),
			  .exe_dir = exe_dir,
			  .has_colour = wants_colour(),
			  .width = terminal_width(),
			  .out = stdout,
			  .err = stderr};

	log_init("hale");
	return cli_main(&cli, argc, argv);
}
