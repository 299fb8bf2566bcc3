/* SPDX-License-Identifier: Apache-2.0 */
/* child_handover - a running process carried over an exec of haled (upgrade.h)
 *
 * Plain JSON: times that are monotonic stay true, for the machine is the same. What is not
 * understood in it is left at what a fresh child has.
 */
#include "child_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "deploy/process_spec.h"
#include "proc/reexec.h"

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static char *text_or_null(const json_t *o, const char *key)
{
	return mem_dup(json_string_value(json_object_get(o, key)));
}

json_t *child_hand_over(const struct child *c)
{
	char print[24];
	json_t *o;

	(void)snprintf(print, sizeof(print), "%016llx",
		       (unsigned long long)process_spec_fingerprint(&c->spec));
	o = json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s?, s:i, s:s, s:i, "
		      "s:o, s:o, s:o, s:o, s:o}",
		      "name", c->spec.name, "fingerprint", print, "pid", (int)c->pid, "generation",
		      (json_int_t)c->generation, "restarts", (json_int_t)c->restarts, "started",
		      (json_int_t)c->started_ms, "since", (json_int_t)c->since_ms, "ready",
		      (json_int_t)c->ready_ms, "first_line", (json_int_t)c->first_line, "timed_out",
		      c->was_timed_out, "status_text", c->status_text, "notify",
		      notify_socket_fd(c->notify), "notify_address",
		      notify_socket_address(c->notify), "wish", (int)c->care.wish, "machine",
		      child_machine_hand_over(&c->machine), "exit",
		      exit_report_hand_over(&c->last_exit), "output", output_hand_over(&c->output),
		      "failing", failing_hand_over(&c->care.failing), "check",
		      check_watch_hand_over(&c->care.check));
	HALE_ASSERT(o != NULL);
	return o;
}

json_t *child_remember(const struct child *c)
{
	return json_pack("{s:I, s:o, s:o}", "restarts", (json_int_t)c->restarts, "exit",
			 exit_report_hand_over(&c->last_exit), "machine",
			 child_machine_hand_over(&c->machine));
}

void child_recall(struct child *c, const json_t *former)
{
	c->restarts = (uint64_t)number(former, "restarts");
	exit_report_take_over(&c->last_exit, json_object_get(former, "exit"));
	child_machine_recall(&c->machine, json_object_get(former, "machine"));
}

void child_keep_open(struct child *c, bool over_exec)
{
	reexec_keep_open(notify_socket_fd(c->notify), over_exec);
	reexec_keep_open(c->output.fd, over_exec);
}

struct notify_socket *child_former_notify(struct child *c, const json_t *former,
					  notify_fn on_notify)
{
	const char *address = json_string_value(json_object_get(former, "notify_address"));

	if (address == NULL)
		return NULL;
	return notify_socket_adopt(c->loop, address, (int)number(former, "notify"), on_notify, c);
}

void child_take_over(struct child *c, const json_t *former)
{
	const char *print = json_string_value(json_object_get(former, "fingerprint"));
	uint64_t was = print == NULL ? 0 : strtoull(print, NULL, 16);

	c->pid = (pid_t)number(former, "pid");
	c->generation = (uint64_t)number(former, "generation");
	c->restarts = (uint64_t)number(former, "restarts");
	c->started_ms = number(former, "started");
	c->since_ms = number(former, "since");
	c->ready_ms = number(former, "ready");
	c->first_line = (uint64_t)number(former, "first_line");
	c->was_timed_out = flag(former, "timed_out");
	c->status_text = text_or_null(former, "status_text");
	c->care.wish = (enum child_wish)number(former, "wish");
	failing_take_over(&c->care.failing, json_object_get(former, "failing"));
	check_watch_take_over(&c->care.check, json_object_get(former, "check"));
	child_machine_take_over(&c->machine, json_object_get(former, "machine"));
	exit_report_take_over(&c->last_exit, json_object_get(former, "exit"));
	output_take_over(&c->output, json_object_get(former, "output"));
	child_keep_open(c, false);
	notify_socket_expect(c->notify, c->pid);
	c->is_outdated = was != process_spec_fingerprint(&c->spec);
	child_arm(c);
}
