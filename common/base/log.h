/* SPDX-License-Identifier: Apache-2.0 */
/* log - one event per line, with named fields (logfmt), on stderr
 *
 *   log_warn("check failed", KV_S("component", id), KV_I("took_ms", ms));
 *   2026-11-22T01:30:37.123Z warn  check.http check failed component=api took_ms=41
 *
 * Under systemd (JOURNAL_STREAM set) and under haled the line begins with "<N>" as sd-daemon(3)
 * defines and carries no time: the reader stamps it. Library code does not log; it returns. Only a
 * program's top functions do.
 *
 * Ladder: debug, info, warn, error, fatal (environment broken; the program exits soon after).
 * Panic (our bug) is HALE_ASSERT.
 */
#ifndef HALE_BASE_LOG_H
#define HALE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_FATAL
};

enum log_style {
	LOG_STYLE_PLAIN,    /* time level program message … */
	LOG_STYLE_PRIORITY, /* <N>message … */
};

struct log_kv {
	const char *key; /* NULL ends the list */
	const char *text;
	int64_t number;
	double real;
	enum { LOG_KV_TEXT, LOG_KV_NUMBER, LOG_KV_REAL } type;
};

#define KV_S(k, v) ((struct log_kv){.key = (k), .text = (v), .type = LOG_KV_TEXT})
#define KV_I(k, v) ((struct log_kv){.key = (k), .number = (int64_t)(v), .type = LOG_KV_NUMBER})
#define KV_F(k, v) ((struct log_kv){.key = (k), .real = (double)(v), .type = LOG_KV_REAL})

/* `program` is borrowed for ever. The level comes from HALE_LOG_LEVEL if set, else info; the style
 * is LOG_STYLE_PRIORITY when HALE_SERVICE or JOURNAL_STREAM is in the environment. */
void log_init(const char *program);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_style(enum log_style style);
/* "debug" … "error"; false if the name is none. */
bool log_level_parse(const char *name, enum log_level *level_r);
const char *log_level_name(enum log_level level);

/* From now on a reader of stderr that stalls does not hold the caller up: lines are dropped while
 * there is no room, and when there is again a line says how many. For those on whom others depend;
 * a program that only its own work waits for should rather wait than lose what it has to say. */
void log_never_wait(void);
/* Lines dropped so far. */
uint64_t log_lost(void);

void log_event(enum log_level level, const char *message, const struct log_kv *fields);

/* A line that another program wrote, passed on under its name; priority as in syslog(3). */
void log_foreign(const char *program, int priority, const char *text);

#define LOG_FIELDS_(...)    ((const struct log_kv[]){__VA_ARGS__ __VA_OPT__(, ){.key = 0}})
#define log_debug(msg, ...) log_event(LOG_LEVEL_DEBUG, msg, LOG_FIELDS_(__VA_ARGS__))
#define log_info(msg, ...)  log_event(LOG_LEVEL_INFO, msg, LOG_FIELDS_(__VA_ARGS__))
#define log_warn(msg, ...)  log_event(LOG_LEVEL_WARN, msg, LOG_FIELDS_(__VA_ARGS__))
#define log_error(msg, ...) log_event(LOG_LEVEL_ERROR, msg, LOG_FIELDS_(__VA_ARGS__))
#define log_fatal(msg, ...) log_event(LOG_LEVEL_FATAL, msg, LOG_FIELDS_(__VA_ARGS__))

#endif
