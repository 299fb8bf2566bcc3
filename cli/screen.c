/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "text.h"

#define ESC            "\033"
#define ENTER          ESC "[?1049h" ESC "[?25l" /* alternate screen, no cursor */
#define LEAVE          ESC "[0m" ESC "[?25h" ESC "[?1049l"
/* For terminals that do not tell their size. */
#define WIDTH_DEFAULT  80
#define HEIGHT_DEFAULT 24

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
static const int crashes[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

/* ---- keys ---- */

static const struct {
	const char *sequence;
	int key;
} sequences[] = {
	{"[A", KEY_UP},       {"[B", KEY_DOWN},       {"OA", KEY_UP},    {"OB", KEY_DOWN},
	{"[5~", KEY_PAGE_UP}, {"[6~", KEY_PAGE_DOWN}, {"[H", KEY_HOME},  {"[F", KEY_END},
	{"OH", KEY_HOME},     {"OF", KEY_END},        {"[1~", KEY_HOME}, {"[4~", KEY_END},
	{"[7~", KEY_HOME},    {"[8~", KEY_END},
};

/* How long the sequence behind ESC is: "[" parameters and a final byte, or "O" and a byte. */
static size_t sequence_len(const char *p, size_t n)
{
	size_t len = 1;

	if (n < 2)
		return n;
	if (p[0] == 'O')
		return 2;
	while (len < n && (unsigned char)p[len] < 0x40)
		len++;
	return len < n ? len + 1 : len;
}

int screen_key_parse(const char *typed, size_t n, size_t *used_r)
{
	*used_r = n > 0;
	if (n == 0)
		return KEY_NONE;
	if (typed[0] != '\033')
		return (unsigned char)typed[0];
	/* A sequence arrives whole: ESC by itself is the key. */
	if (n == 1 || (typed[1] != '[' && typed[1] != 'O'))
		return KEY_ESCAPE;
	*used_r = 1 + sequence_len(typed + 1, n - 1);
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
		if (strlen(sequences[i].sequence) == *used_r - 1 &&
		    memcmp(sequences[i].sequence, typed + 1, *used_r - 1) == 0)
			return sequences[i].key;
	}
	return KEY_NONE;
}

/* ---- lines ---- */

static size_t colour_len(const char *p, size_t n)
{
	size_t len = 2;

	if (n < 3 || p[0] != '\033' || p[1] != '[')
		return 0;
	while (len < n && (unsigned char)p[len] < 0x40)
		len++;
	return len < n ? len + 1 : 0;
}

void screen_line_cut(struct str *out, const char *line, size_t len, size_t columns)
{
	size_t left = columns;

	while (len > 0) {
		size_t n = colour_len(line, len);

		if (n > 0) {
			str_addn(out, line, n); /* also behind the cut: it may end a colour */
		} else {
			HALE_CLEANUP(cleanup_free) char *part = NULL;
			const char *end = memchr(line + 1, '\033', len - 1);

			n = end == NULL ? len : (size_t)(end - line);
			part = mem_dupn(line, n);
			if (left > 0)
				left -= text_add_cut(out, part, left);
		}
		line += n;
		len -= n;
	}
}

/* ---- the terminal ---- */

/* What crash handlers restore; they are given no argument. */
static struct screen *opened;

bool screen_is_possible(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && term != NULL &&
	       *term != '\0' && !str_eq(term, "dumb");
}

static void measure(struct screen *s)
{
	struct winsize size = {0};

	(void)ioctl(fileno(s->out), TIOCGWINSZ, &size);
	s->width = size.ws_col > 0 ? size.ws_col : WIDTH_DEFAULT;
	s->height = size.ws_row > 0 ? size.ws_row : HEIGHT_DEFAULT;
}

static void enter(struct screen *s)
{
	struct termios raw = s->saved;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(s->in_fd, TCSADRAIN, &raw);
	(void)fputs(ENTER, s->out);
	(void)fflush(s->out);
	measure(s);
}

static void leave(struct screen *s)
{
	(void)fputs(LEAVE, s->out);
	(void)fflush(s->out);
	(void)tcsetattr(s->in_fd, TCSADRAIN, &s->saved);
}

/* Only what may be called in a handler. */
static void on_crash(int signum)
{
	if (opened != NULL) {
		ssize_t n = write(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1);

		(void)n;
		(void)tcsetattr(opened->in_fd, TCSANOW, &opened->saved);
	}
	(void)raise(signum); /* its own way again: SA_RESETHAND */
}

static void set_crash_handlers(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};

	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		(void)sigaction(crashes[i], &action, NULL);
}

static void watched_set(sigset_t *set)
{
	(void)sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		(void)sigaddset(set, watched[i]);
}

int screen_open(struct screen *s, FILE *out)
{
	sigset_t set;

	*s = (struct screen){.out = out, .in_fd = STDIN_FILENO};
	if (tcgetattr(s->in_fd, &s->saved) < 0)
		return -errno;
	watched_set(&set);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return -errno;
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	opened = s;
	set_crash_handlers(on_crash);
	enter(s);
	return 0;
}

void screen_close(struct screen *s)
{
	sigset_t set;

	leave(s);
	opened = NULL;
	set_crash_handlers(SIG_DFL);
	(void)close(s->signal_fd);
	watched_set(&set);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void screen_draw(struct screen *s, const char *page)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	str_add(&out, ESC "[H");
	for (size_t row = 0; row < s->height && *page != '\0'; row++) {
		size_t len = strcspn(page, "\n");

		/* No newline behind the last line: the terminal would scroll. */
		str_add(&out, row > 0 ? "\r\n" : "");
		screen_line_cut(&out, page, len, s->width);
		str_add(&out, ESC "[0m" ESC "[K");
		page += len + (page[len] == '\n');
	}
	str_add(&out, ESC "[J");
	(void)fwrite(str_text(&out), 1, out.len, s->out);
	(void)fflush(s->out);
}

/* ---- waiting ---- */

/* As if it had not been caught. Returns only from a stop that is over, or that nobody noticed. */
static void suffer(int signum)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signum);
	(void)raise(signum);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int on_signal(struct screen *s, int signum)
{
	switch (signum) {
	case SIGINT:
		return KEY_END_OF_INPUT;
	case SIGWINCH:
		measure(s);
		return KEY_REDRAW;
	case SIGCONT:
		/* Whoever had the terminal meanwhile left it in a state of its own. */
		enter(s);
		return KEY_REDRAW;
	case SIGTSTP:
		leave(s);
		suffer(SIGTSTP);
		enter(s);
		return KEY_REDRAW;
	default:
		leave(s);
		suffer(signum);
		return KEY_END_OF_INPUT;
	}
}

static int take_key(struct screen *s)
{
	size_t used;
	int key = screen_key_parse(s->typed, s->typed_n, &used);

	memmove(s->typed, s->typed + used, s->typed_n - used);
	s->typed_n -= used;
	return key;
}

static int read_input(struct screen *s)
{
	ssize_t n = read(s->in_fd, s->typed + s->typed_n, sizeof(s->typed) - s->typed_n);

	if (n > 0)
		s->typed_n += (size_t)n;
	return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN) ? KEY_END_OF_INPUT
								      : take_key(s);
}

int screen_wait(struct screen *s, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
			       {.fd = s->in_fd, .events = POLLIN}};
	struct signalfd_siginfo info;

	if (s->typed_n > 0)
		return take_key(s);
	if (poll(fds, ARRAY_LEN(fds), timeout_ms) <= 0)
		return KEY_NONE;
	if (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		return on_signal(s, (int)info.ssi_signo);
	return fds[1].revents != 0 ? read_input(s) : KEY_NONE;
}
