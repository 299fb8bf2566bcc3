/* SPDX-License-Identifier: Apache-2.0 */
/* child_private - what the files of a child share of it (internal)
 *
 * child.c lives it, child_handover.c carries it over an exec.
 */
#ifndef HALE_SUPERVISOR_CHILD_PRIVATE_H
#define HALE_SUPERVISOR_CHILD_PRIVATE_H

#include "child.h"
#include "proc/exit_report.h"
#include "proc/notify_socket.h"
#include "proc/output.h"

struct child {
	struct process_spec spec; /* its own copy */
	struct child_care care;
	const struct child_home *home;
	struct child_hooks hooks;

	struct child_machine machine;
	uv_loop_t *loop;
	uv_timer_t timer;
	pid_t pid;
	uint64_t generation;
	uint64_t restarts;   /* those under former haleds too */
	int64_t started_ms;  /* mono */
	int64_t since_ms;    /* wall: state entered */
	int64_t ready_ms;    /* mono: last became ready */
	uint64_t first_line; /* those with a greater number are of this run */
	bool was_timed_out;  /* this run was ended by us for being stuck */
	bool is_outdated;    /* it runs what a former haled was told, and not this one */
	char *status_text;
	struct exit_report last_exit;

	struct notify_socket *notify;
	struct output output;
};

/* child.c: sets the timer to what the machine waits for. */
void child_arm(struct child *c);
/* child_handover.c: the notify socket that child_hand_over() told of, NULL none; all the rest. */
struct notify_socket *child_former_notify(struct child *c, const json_t *former,
					  notify_fn on_notify);
void child_take_over(struct child *c, const json_t *former);

#endif
