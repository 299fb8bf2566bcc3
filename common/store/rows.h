/* SPDX-License-Identifier: Apache-2.0 */
/* rows - what one line of the bus becomes: typed rows, the same for both databases
 *
 * Pure. A line is read once; the sink gets its rows, with texts that are borrowed from the line or
 * from the reader and valid until the callback returns. Names stand where the tables have numbers:
 * finding those is the backend's business. docs/bus.md has the lines, docs/store.md the rows.
 */
#ifndef HALE_STORE_ROWS_H
#define HALE_STORE_ROWS_H

#include "store/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Details of one row: enough for a crash report's last lines, little enough for a year of them. */
#define ROW_DETAILS_MAX 16384
/* Names longer than this are nobody's; they would only fill the name tables. */
#define ROW_NAME_MAX    255

struct row_text { /* NULL: none */
	const char *text;
	size_t len;
};

struct row_component { /* what is known of the component that a row is about */
	struct row_text node, name, kind, label;
};

struct row_result {
	struct row_component component;
	int64_t at_ms;
	int status, outcome;              /* codes of the tables */
	struct row_text reason;           /* none: ok */
	struct row_text message, details; /* details: JSON object */
	int64_t took_us;                  /* -1: not known */
	struct row_text metric_names;     /* ["a","b"]; none: see metrics */
	struct row_text metrics;          /* values 1,2.5; without names: a JSON object; or none */
	/* Rows of one reader with the same number, which is not 0, differ in at_ms, took_us,
	 * metrics and measures in the message: what was found for one of them holds for all. */
	uint64_t shape;
	bool is_routine; /* no state() comes with it: see rows_read_state() */
};

struct row_transition {
	struct row_component component; /* name COMPONENT_OVERALL: the whole */
	int64_t at_ms;
	int from_status; /* -1: not known */
	int to_status;
	struct row_text reason, message;
};

/* The present state: from every health line, but of a routine one only when it is asked for. */
struct row_state {
	struct row_component component;
	int64_t at_ms;
	int status;
	int64_t since_ms, last_check_ms, last_success_ms; /* -1: not known */
	int64_t consecutive_failures, error_count, recovery_attempts;
	struct row_text reason, message, last_error, metrics, details; /* metrics: JSON object */
	int64_t took_us;
	bool is_removed; /* there is no such component any more */
};
struct row_process {
	struct row_text node, process, event, state, status_text, last_exit;
	int64_t at_ms, pid, generation, restarts; /* -1: none */
};
struct row_event {
	struct row_text node, topic, kind, severity, subject, message, details;
	int64_t at_ms;
};
struct row_alert {
	struct row_text node, id, key, rule, severity, state, component, message;
	int64_t at_ms, opened_ms, resolved_ms, count; /* resolved -1: open */
};
struct row_delivery {
	struct row_text id, alert_id, channel, state, error;
	int64_t at_ms, attempt;
};
struct row_run {
	struct row_text node, run, job, trigger, outcome, errors;
	int64_t started_ms, ended_ms, inserted, updated, closed, skipped, took_us;
	bool is_dry;
};
struct row_recovery {
	struct row_text node, component, action, trigger, outcome, message;
	int64_t at_ms, took_us;
};

/* Each returns 0 or a negative errno, which ends the line and is returned. None may be NULL. */
struct row_sink {
	int (*result)(void *ctx, const struct row_result *row);
	int (*transition)(void *ctx, const struct row_transition *row);
	int (*state)(void *ctx, const struct row_state *row);
	int (*process)(void *ctx, const struct row_process *row);
	int (*event)(void *ctx, const struct row_event *row);
	int (*alert)(void *ctx, const struct row_alert *row);
	int (*delivery)(void *ctx, const struct row_delivery *row);
	int (*run)(void *ctx, const struct row_run *row);
	int (*recovery)(void *ctx, const struct row_recovery *row);
	/* A component of a snapshot: a transition if it differs from the last one stored. */
	int (*standing)(void *ctx, const struct row_transition *row);
	/* Behind a snapshot's states: this of each component of the node (it has no name) that has
	 * a state from before at_ms. It is none any more. */
	int (*vanished)(void *ctx, const struct row_transition *row);
};

/* A line whose shape is not understood: not an error of the store. */
#define ROWS_NOT_UNDERSTOOD (-EBADMSG)

struct rows_reader; /* keeps buffers from line to line */
struct rows_reader *rows_reader_new(void);
void rows_reader_free(struct rows_reader *r);
int rows_read(struct rows_reader *r, const struct store_line *line, const struct row_sink *sink,
	      void *ctx);
/* The state that a routine line tells; its texts are valid until the reader's next call. False if
 * it is not such a line. */
bool rows_read_state(struct rows_reader *r, const struct store_line *line,
		     struct row_state *state_r);

#endif
