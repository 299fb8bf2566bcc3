/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

/* A field is a clue, not a payload; a longer one is cut with an ellipsis. */
#define LOG_FIELD_MAX 1024

static struct {
	const char *program;
	enum log_level level;
	enum log_style style;
	bool is_patient; /* waits for a reader that stalls, as stderr does by itself */
	bool is_torn;    /* the reader stalled in the middle of a line */
	uint64_t lost;   /* lines since the reader stalled */
	uint64_t lost_total;
} self = {.program = "hale", .level = LOG_LEVEL_INFO, .style = LOG_STYLE_PLAIN, .is_patient = true};

static const struct {
	const char *name;
	const char *padded;
	int priority; /* syslog(3) */
} levels[] = {
	[LOG_LEVEL_DEBUG] = {"debug", "debug", 7}, [LOG_LEVEL_INFO] = {"info", "info ", 6},
	[LOG_LEVEL_WARN] = {"warn", "warn ", 4},   [LOG_LEVEL_ERROR] = {"error", "error", 3},
	[LOG_LEVEL_FATAL] = {"fatal", "fatal", 2},
};

void log_init(const char *program)
{
	const char *level = getenv("HALE_LOG_LEVEL");

	self.program = program;
	if (getenv("HALE_SERVICE") != NULL || getenv("JOURNAL_STREAM") != NULL)
		self.style = LOG_STYLE_PRIORITY;
	if (level != NULL)
		(void)log_level_parse(level, &self.level);
}

void log_set_level(enum log_level level)
{
	self.level = level;
}

enum log_level log_get_level(void)
{
	return self.level;
}

void log_set_style(enum log_style style)
{
	self.style = style;
}

bool log_level_parse(const char *name, enum log_level *level_r)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*level_r = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

static bool needs_quotes(const char *text)
{
	if (*text == '\0')
		return true;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
			return true;
	}
	return false;
}

static void add_text(struct str *line, const char *text)
{
	size_t len = strlen(text);

	if (!needs_quotes(text) && len <= LOG_FIELD_MAX) {
		str_add(line, text);
		return;
	}
	str_addc(line, '"');
	for (size_t i = 0; i < len && i < LOG_FIELD_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			str_addf(line, "\\%c", c);
		else if (c == '\n')
			str_add(line, "\\n");
		else if (c < ' ' || c == 0x7f)
			str_addf(line, "\\x%02x", c);
		else
			str_addc(line, (char)c);
	}
	str_add(line, len > LOG_FIELD_MAX ? "...\"" : "\"");
}

static void add_field(struct str *line, const struct log_kv *kv)
{
	str_addf(line, " %s=", kv->key);
	switch (kv->type) {
	case LOG_KV_TEXT:
		add_text(line, kv->text == NULL ? "" : kv->text);
		break;
	case LOG_KV_NUMBER:
		str_addf(line, "%lld", (long long)kv->number);
		break;
	case LOG_KV_REAL:
		str_addf(line, "%g", kv->real);
		break;
	}
}

/* Before the message: priority, or time, level and program. */
static void begin(struct str *line, size_t level, const char *program)
{
	char now[CLOCK_TEXT_MAX];

	if (self.style == LOG_STYLE_PLAIN)
		str_addf(line, "%s %s %s ", clock_now_text(now), levels[level].padded, program);
	else if (program == self.program)
		str_addf(line, "<%d>", levels[level].priority);
	else
		str_addf(line, "<%d>%s: ", levels[level].priority, program);
}

/* A pipe or terminal that poll(2) calls writable takes PIPE_BUF bytes without blocking; its flags
 * are not touched, because they are shared with whoever else has it open. False when the reader
 * stalls; one that went away is no reason to fail. */
static bool put(const char *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
		size_t n = self.is_patient ? len - done : HALE_MIN(len - done, (size_t)PIPE_BUF);
		ssize_t wrote;

		if (!self.is_patient && poll(&p, 1, 0) == 0) {
			self.is_torn = self.is_torn || done > 0;
			return false;
		}
		wrote = write(STDERR_FILENO, data + done, n);
		if (wrote < 0)
			return errno != EAGAIN;
		done += (size_t)wrote;
	}
	return true;
}

static void emit(const struct str *line)
{
	HALE_CLEANUP(str_done) struct str note = {0};

	if (self.lost > 0) {
		str_add(&note, self.is_torn ? "\n" : "");
		begin(&note, LOG_LEVEL_WARN, self.program);
		str_addf(&note, "%llu lines lost: nobody was reading them\n",
			 (unsigned long long)self.lost);
		if (put(note.data, note.len)) {
			self.lost = 0;
			self.is_torn = false;
		}
	}
	if (self.lost > 0 || !put(line->data, line->len)) {
		self.lost++;
		self.lost_total++;
	}
}

void log_never_wait(void)
{
	self.is_patient = false;
}

uint64_t log_lost(void)
{
	return self.lost_total;
}

void log_event(enum log_level level, const char *message, const struct log_kv *fields)
{
	HALE_CLEANUP(str_done) struct str line = {0};

	if (level < self.level)
		return;
	begin(&line, level, self.program);
	str_add(&line, message);
	for (; fields->key != NULL; fields++)
		add_field(&line, fields);
	str_addc(&line, '\n');
	/* One write per line, so that lines of several processes do not mix. */
	emit(&line);
}

void log_foreign(const char *program, int priority, const char *text)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	size_t i = 0;

	while (i < LOG_LEVEL_FATAL && levels[i].priority > priority)
		i++;
	begin(&line, i, program);
	str_add(&line, text);
	str_addc(&line, '\n');
	emit(&line);
}
