/* SPDX-License-Identifier: Apache-2.0 */
/* exit_report - how a process ended: cause, time it ran, and what it wrote last
 *
 * Ownership: caller owns the struct; zeroed is "never ended"; exit_report_done() frees what it
 * holds. Errors: none. Loop: any thread; no clock, no I/O.
 */
#ifndef HALE_PROC_EXIT_REPORT_H
#define HALE_PROC_EXIT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What an alert, a mail's subject or a table can show of a crash. */
#define EXIT_REPORT_MAX 512

struct exit_report {
	int64_t at_ms; /* wall; 0: never ended */
	int code;      /* -1: by signal */
	int signal;
	bool has_core;
	bool is_expected; /* somebody had asked for it */
	int64_t uptime_ms;
	json_t *lines;
	char text[256]; /* "killed by SIGKILL after 5.1s"; "" never ended */
	/* The text and the last line it wrote. An end somebody asked for leaves that of a failure.
	 */
	char line[EXIT_REPORT_MAX];
};

/* Of waitpid(2)'s status. `lines` is an array of texts, taken. was_stuck: it was ended because it
 * did not respond; is_expected: because somebody had asked for it. */
void exit_report_set(struct exit_report *r, int wait_status, int64_t at_ms, int64_t uptime_ms,
		     bool was_stuck, bool is_expected, json_t *lines);
/* It could not even be started: exit code 127, as of a shell. */
void exit_report_unstarted(struct exit_report *r, const char *why, int64_t at_ms, json_t *lines);
void exit_report_done(struct exit_report *r);

/* "last_exit" of docs/bus.md. New reference. */
json_t *exit_report_encode(const struct exit_report *r);
/* Everything, for another program of the same process; and back. */
json_t *exit_report_hand_over(const struct exit_report *r);
void exit_report_take_over(struct exit_report *r, const json_t *former);

#endif
