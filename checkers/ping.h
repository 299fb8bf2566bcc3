/* SPDX-License-Identifier: Apache-2.0 */
/* ping - what a job tells of itself, what is remembered of that, and what it means
 *
 * The signals are those of Healthchecks' ping URLs. A success or a failure ends the run that the
 * newest start began, if it carries the same run id (or neither has one); its time is the run's.
 * Signals that only say something (log) change nothing but what is shown.
 *
 * Ownership: ping_state_done() frees the log. struct ping is borrowed.
 * Errors:    -EINVAL from the parsers.
 * Loop:      pure. Times are wall ms; 0: never.
 */
#ifndef HALE_CHECKERS_PING_H
#define HALE_CHECKERS_PING_H

#include "base/err.h"
#include "duty.h"
#include "model/reason.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Run ids are UUIDs; keys are 32 hex digits; addresses are IPv6 at most. */
#define PING_WORD_MAX 64
#define PING_LOG_MAX  10240

enum ping_signal { PING_SUCCESS, PING_START, PING_FAIL, PING_LOG };

struct ping {
	enum ping_signal signal;
	int exit_code; /* -1: none was given */
	int64_t at_ms;
	const char *rid;    /* "": none */
	const char *key;    /* of this very ping: it may be handed over twice; "": none */
	const char *source; /* who sent it */
	const char *log;    /* NULL: none was sent, that of the last one stays */
};

/* "" or "success", "start", "fail", "log", "0" to "255": 0 is success, others are failures. */
int ping_signal_parse(const char *text, enum ping_signal *signal_r, int *exit_code_r);

struct ping_state {
	int64_t last_ms; /* any signal */
	int64_t success_ms;
	int64_t start_ms;
	int64_t fail_ms;
	int64_t run_ms; /* of the last run that ended; -1: not known */
	int exit_code;  /* of the last end; -1: none */
	bool is_failed;
	bool is_running;
	uint64_t pings;
	char rid[PING_WORD_MAX]; /* of the newest start */
	char key[PING_WORD_MAX];
	char source[PING_WORD_MAX];
	char *log; /* or NULL */
};

#define PING_STATE_NEW ((struct ping_state){.run_ms = -1, .exit_code = -1})

void ping_state_done(struct ping_state *s);
/* False: this very ping was taken already, and nothing changed. */
bool ping_take(struct ping_state *s, const struct ping *p);
struct ping_state ping_state_dup(const struct ping_state *s);
/* As it stands in a file. New reference; and back. */
json_t *ping_state_encode(const struct ping_state *s);
int ping_state_decode(const json_t *object, struct ping_state *s_r, struct err *err);

struct ping_rule {
	const struct duty_plan *plan; /* its grace is how late is overdue */
	int64_t late_after_ms;        /* below the grace */
	int64_t max_run_ms;           /* 0: any */
};

struct ping_verdict {
	enum reason reason;
	int64_t due_ms;     /* when the next ping is (or was) expected; -1: not at all */
	int64_t overdue_ms; /* since due_ms; 0: not yet due, or it does not matter */
	int64_t running_ms; /* of a run under way; -1: there is none */
};

struct ping_verdict ping_judge(const struct ping_state *s, const struct ping_rule *rule,
			       int64_t now_ms);

#endif
