/* SPDX-License-Identifier: Apache-2.0 */
/* screen - the whole terminal for a page that is drawn again and again, and single keys
 *
 * However the program ends, the terminal is as it was: by screen_close(), when it is stopped
 * (Ctrl-Z) for as long as that lasts, when a signal ends it, and when it crashes. Only SIGKILL
 * leaves it; `reset` then helps.
 *
 * Ownership: the caller's struct; one at a time (crash handlers have no argument).
 * Errors:    screen_open: negative errno, and nothing was changed.
 */
#ifndef HALE_CLI_SCREEN_H
#define HALE_CLI_SCREEN_H

#include "base/str.h"

#include <stddef.h>
#include <stdio.h>
#include <termios.h>

/* Characters are themselves. */
enum screen_key {
	KEY_NONE = 0, /* nothing was typed in time */
	KEY_UP = 0x100,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_ESCAPE,
	KEY_REDRAW,       /* another size, or back from being stopped */
	KEY_END_OF_INPUT, /* the terminal has gone, or Ctrl-C */
};

struct screen {
	FILE *out;
	int in_fd;
	int signal_fd;
	struct termios saved;
	size_t width, height;
	char typed[64]; /* read and not used yet */
	size_t typed_n;
};

/* Whether there is a terminal to draw on and to type at. */
bool screen_is_possible(void);
int screen_open(struct screen *s, FILE *out);
/* At most `height` lines, each cut to the width. */
void screen_draw(struct screen *s, const char *page);
/* Waits so long for a key. A signal that ends the program does so in here. */
int screen_wait(struct screen *s, int timeout_ms);
void screen_close(struct screen *s);

/* Pure. One key out of what was typed; KEY_NONE for nothing, and for a sequence nobody knows. */
int screen_key_parse(const char *typed, size_t n, size_t *used_r);
/* Pure. One line that holds colours, cut to so many columns; cut ones end in "…". */
void screen_line_cut(struct str *out, const char *line, size_t len, size_t columns);

#endif
