/* SPDX-License-Identifier: Apache-2.0 */
/* child_handover - a running process carried over an exec of haled (upgrade.h)
 *
 * Plain JSON: times that are monotonic stay true, for the machine is the same. What is not
 * understood in it is left at what a fresh child has.
 */
#include "child_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "deploy/process_spec.h"

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

/* ---- the machine ---- */

static json_t *machine_encode(const struct child_machine *m)
{
	json_t *fails = json_array();

	for (size_t i = 0; i < PROCESS_BURST_MAX; i++)
		json_array_append_new(fails, json_integer(m->fails_ms[i]));
	return json_pack("{s:s, s:i, s:I, s:b, s:b, s:b, s:I, s:I, s:o, s:I, s:I, s:I}", "state",
			 process_state_name(m->state), "after", (int)m->after, "backoff",
			 (json_int_t)m->backoff.failures, "crash_looping", m->is_crash_looping,
			 "finished", m->is_finished, "ready_by_time", m->is_ready_by_time,
			 "deadline", (json_int_t)m->deadline_ms, "watchdog",
			 (json_int_t)m->watchdog_due_ms, "fails", fails, "fails_n",
			 (json_int_t)m->fails_n, "failures", (json_int_t)m->failures_total,
			 "in_row", (json_int_t)m->failures_in_row);
}

static void machine_decode(struct child_machine *m, const json_t *o)
{
	json_t *fails = json_object_get(o, "fails");

	if (!process_state_from_name(json_string_value(json_object_get(o, "state")), &m->state))
		return;
	m->after = (enum child_after)number(o, "after");
	m->backoff.failures = (uint32_t)number(o, "backoff");
	m->is_crash_looping = flag(o, "crash_looping");
	m->is_finished = flag(o, "finished");
	m->is_ready_by_time = flag(o, "ready_by_time");
	m->deadline_ms = number(o, "deadline");
	m->watchdog_due_ms = number(o, "watchdog");
	for (size_t i = 0; i < PROCESS_BURST_MAX; i++)
		m->fails_ms[i] = json_integer_value(json_array_get(fails, i));
	m->fails_n = (uint32_t)number(o, "fails_n");
	m->failures_total = (uint32_t)number(o, "failures");
	m->failures_in_row = (uint32_t)number(o, "in_row");
}

/* ---- the last exit, and what it wrote ---- */

static json_t *exit_encode(const struct exit_report *r)
{
	return json_pack("{s:I, s:i, s:i, s:b, s:b, s:I, s:s, s:s, s:O?}", "at",
			 (json_int_t)r->at_ms, "code", r->code, "signal", r->signal, "core",
			 r->has_core, "expected", r->is_expected, "uptime",
			 (json_int_t)r->uptime_ms, "text", r->text, "report", r->report, "lines",
			 r->lines);
}

static void exit_decode(struct exit_report *r, const json_t *o)
{
	const char *text = json_string_value(json_object_get(o, "text"));
	const char *report = json_string_value(json_object_get(o, "report"));

	*r = (struct exit_report){.at_ms = number(o, "at"),
				  .code = (int)number(o, "code"),
				  .signal = (int)number(o, "signal"),
				  .has_core = flag(o, "core"),
				  .is_expected = flag(o, "expected"),
				  .uptime_ms = number(o, "uptime"),
				  .lines = json_incref(json_object_get(o, "lines"))};
	if (text != NULL && strlen(text) < sizeof(r->text))
		memcpy(r->text, text, strlen(text) + 1);
	if (report != NULL && strlen(report) < sizeof(r->report))
		memcpy(r->report, report, strlen(report) + 1);
}

static json_t *tail_hand_over(const struct tail *t)
{
	json_t *out = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct tail_line *l =
			&t->lines[(t->next + TAIL_LINES - t->count + i) % TAIL_LINES];

		json_array_append_new(out, json_pack("[I, I, i, s]", (json_int_t)l->n,
						     (json_int_t)l->at_ms, l->priority, l->text));
	}
	return out;
}

static void tail_take_over(struct tail *t, const json_t *lines)
{
	json_t *line;
	size_t i;

	json_array_foreach (lines, i, line) {
		const char *text = json_string_value(json_array_get(line, 3));

		if (text != NULL)
			tail_add(t, (uint64_t)json_integer_value(json_array_get(line, 0)),
				 json_integer_value(json_array_get(line, 1)),
				 (int)json_integer_value(json_array_get(line, 2)), text);
	}
}

/* ---- the whole ---- */

json_t *child_hand_over(const struct child *c)
{
	char print[24];
	json_t *o;

	(void)snprintf(print, sizeof(print), "%016llx",
		       (unsigned long long)process_spec_fingerprint(&c->spec));
	o = json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s?, s:i, s:s, s:i, "
		      "s:i, s:o, s:o, s:o}",
		      "name", c->spec.name, "fingerprint", print, "pid", (int)c->pid, "generation",
		      (json_int_t)c->generation, "starts", (json_int_t)c->starts, "started",
		      (json_int_t)c->started_ms, "since", (json_int_t)c->since_ms, "ready",
		      (json_int_t)c->ready_ms, "first_line", (json_int_t)c->first_line, "timed_out",
		      c->was_timed_out, "status_text", c->status_text, "notify",
		      notify_socket_fd(c->notify), "notify_address",
		      notify_socket_address(c->notify), "output",
		      c->output == NULL ? -1 : c->output_fd, "wish", (int)c->care.wish, "machine",
		      machine_encode(&c->machine), "exit", exit_encode(&c->last_exit), "tail",
		      tail_hand_over(&c->tail));
	HALE_ASSERT(o != NULL);
	/* Bytes of a line that is not finished may be anything; JSON takes only text. */
	if (c->lines.part.len > 0)
		(void)json_object_set_new(o, "part",
					  json_stringn(c->lines.part.data, c->lines.part.len));
	return o;
}

void child_keep_open(struct child *c, bool over_exec)
{
	(void)fcntl(notify_socket_fd(c->notify), F_SETFD, over_exec ? 0 : FD_CLOEXEC);
	if (c->output != NULL)
		(void)fcntl(c->output_fd, F_SETFD, over_exec ? 0 : FD_CLOEXEC);
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
	const char *part = json_string_value(json_object_get(former, "part"));
	const char *print = json_string_value(json_object_get(former, "fingerprint"));
	uint64_t was = print == NULL ? 0 : strtoull(print, NULL, 16);

	c->pid = (pid_t)number(former, "pid");
	c->generation = (uint64_t)number(former, "generation");
	c->starts = (uint64_t)number(former, "starts");
	c->started_ms = number(former, "started");
	c->since_ms = number(former, "since");
	c->ready_ms = number(former, "ready");
	c->first_line = (uint64_t)number(former, "first_line");
	c->was_timed_out = flag(former, "timed_out");
	c->status_text = text_or_null(former, "status_text");
	c->care.wish = (enum child_wish)number(former, "wish");
	machine_decode(&c->machine, json_object_get(former, "machine"));
	exit_decode(&c->last_exit, json_object_get(former, "exit"));
	tail_take_over(&c->tail, json_object_get(former, "tail"));
	if (number(former, "output") >= 0)
		child_open_output(c, (int)number(former, "output"));
	if (part != NULL)
		lines_feed(&c->lines, part, strlen(part));
	child_keep_open(c, false);
	notify_socket_expect(c->notify, c->pid);
	c->is_outdated = was != process_spec_fingerprint(&c->spec);
	child_arm(c);
}
