/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/exit_report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"

/* What a shell says of a command it cannot run. */
#define CODE_UNSTARTED 127

static const char *signal_name(int sig, char buf[24])
{
	const char *abbrev = sigabbrev_np(sig);

	if (abbrev != NULL)
		(void)snprintf(buf, 24, "SIG%s", abbrev);
	else
		(void)snprintf(buf, 24, "signal %d", sig);
	return buf;
}

/* "exit code 1 after 5 ms: cannot bind to port 80" */
static void sum_up(struct exit_report *r)
{
	size_t n = json_array_size(r->lines);
	const char *last = n == 0 ? NULL : json_string_value(json_array_get(r->lines, n - 1));
	char line[EXIT_REPORT_MAX - sizeof(r->text) - 2];

	(void)str_clean(line, sizeof(line), last == NULL ? "" : last);
	(void)snprintf(r->line, sizeof(r->line), last == NULL ? "%s" : "%s: %s", r->text, line);
}

void exit_report_set(struct exit_report *r, int wait_status, int64_t at_ms, int64_t uptime_ms,
		     bool was_stuck, bool is_expected, json_t *lines)
{
	char uptime[UNITS_TEXT_MAX], sig[24];
	bool is_line_kept = is_expected && r->line[0] != '\0';

	json_decref(r->lines);
	r->at_ms = at_ms;
	r->code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
	r->signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	r->has_core = WIFSIGNALED(wait_status) && WCOREDUMP(wait_status);
	r->is_expected = is_expected;
	r->uptime_ms = uptime_ms;
	r->lines = lines;
	(void)duration_format_short(r->uptime_ms, uptime);
	if (r->signal != 0)
		(void)snprintf(r->text, sizeof(r->text), "killed by %s%s after %s%s",
			       signal_name(r->signal, sig), r->has_core ? " (core dumped)" : "",
			       uptime, was_stuck ? ": it did not respond" : "");
	else
		(void)snprintf(r->text, sizeof(r->text), "exit code %d after %s", r->code, uptime);
	if (!is_line_kept)
		sum_up(r);
}

void exit_report_unstarted(struct exit_report *r, const char *why, int64_t at_ms, json_t *lines)
{
	exit_report_done(r);
	r->at_ms = at_ms;
	r->code = CODE_UNSTARTED;
	r->lines = lines;
	(void)snprintf(r->text, sizeof(r->text), "could not be started: %s", why);
	(void)str_clean(r->line, sizeof(r->line), r->text);
}

void exit_report_done(struct exit_report *r)
{
	json_decref(r->lines);
	*r = (struct exit_report){0};
}

json_t *exit_report_encode(const struct exit_report *r)
{
	char at[CLOCK_TEXT_MAX], sig[24];

	if (r->at_ms == 0)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:b, s:b, s:O}", "at",
			 clock_format(r->at_ms, at), "text", r->text, "code",
			 r->code < 0 ? json_null() : json_integer(r->code), "signal",
			 r->signal == 0 ? json_null() : json_string(signal_name(r->signal, sig)),
			 "uptime_ms", (json_int_t)r->uptime_ms, "expected", r->is_expected, "core",
			 r->has_core, "last_lines", r->lines);
}

json_t *exit_report_hand_over(const struct exit_report *r)
{
	return json_pack("{s:I, s:i, s:i, s:b, s:b, s:I, s:s, s:s, s:O?}", "at",
			 (json_int_t)r->at_ms, "code", r->code, "signal", r->signal, "core",
			 r->has_core, "expected", r->is_expected, "uptime",
			 (json_int_t)r->uptime_ms, "text", r->text, "line", r->line, "lines",
			 r->lines);
}

static void take_text(char *to, size_t size, const json_t *text)
{
	if (json_string_length(text) > 0 && json_string_length(text) < size)
		memcpy(to, json_string_value(text), json_string_length(text) + 1);
}

void exit_report_take_over(struct exit_report *r, const json_t *former)
{
	exit_report_done(r);
	r->at_ms = json_integer_value(json_object_get(former, "at"));
	r->code = (int)json_integer_value(json_object_get(former, "code"));
	r->signal = (int)json_integer_value(json_object_get(former, "signal"));
	r->has_core = json_is_true(json_object_get(former, "core"));
	r->is_expected = json_is_true(json_object_get(former, "expected"));
	r->uptime_ms = json_integer_value(json_object_get(former, "uptime"));
	r->lines = json_incref(json_object_get(former, "lines"));
	take_text(r->text, sizeof(r->text), json_object_get(former, "text"));
	take_text(r->line, sizeof(r->line), json_object_get(former, "line"));
}
