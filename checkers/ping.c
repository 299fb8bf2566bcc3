/* SPDX-License-Identifier: Apache-2.0 */
#include "ping.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define FILE_VERSION 1
/* Beyond the year 9999 there is no time of ours. */
#define TIME_MAX_MS  INT64_C(253402300799000)

int ping_signal_parse(const char *text, enum ping_signal *signal_r, int *exit_code_r)
{
	static const struct {
		const char *name;
		enum ping_signal signal;
	} names[] = {
		{"", PING_SUCCESS},  {"success", PING_SUCCESS}, {"start", PING_START},
		{"fail", PING_FAIL}, {"log", PING_LOG},
	};
	size_t len = strlen(text);
	int code = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(text, names[i].name)) {
			*signal_r = names[i].signal;
			*exit_code_r = -1;
			return 0;
		}
	}
	for (size_t i = 0; i < len && i < 4; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		code = code * 10 + (text[i] - '0');
	}
	if (len > 3 || code > 255)
		return -EINVAL;
	*signal_r = code == 0 ? PING_SUCCESS : PING_FAIL;
	*exit_code_r = code;
	return 0;
}

void ping_state_done(struct ping_state *s)
{
	free(s->log);
	*s = PING_STATE_NEW;
}

struct ping_state ping_state_dup(const struct ping_state *s)
{
	struct ping_state copy = *s;

	copy.log = mem_dup(s->log);
	return copy;
}

/* ---- Taking one ---- */

static void take_end(struct ping_state *s, const struct ping *p)
{
	s->is_failed = p->signal == PING_FAIL;
	s->exit_code = p->exit_code;
	if (s->is_failed)
		s->fail_ms = p->at_ms;
	else
		s->success_ms = p->at_ms;
	s->run_ms = -1;
	if (!s->is_running || !str_eq(s->rid, p->rid))
		return;
	s->is_running = false;
	s->run_ms = HALE_MAX(p->at_ms - s->start_ms, 0);
}

/* How many bytes of a text are at most max, and end with a character. */
static size_t cut_at(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

bool ping_take(struct ping_state *s, const struct ping *p)
{
	if (p->key[0] != '\0' && str_eq(p->key, s->key))
		return false;
	(void)str_clean(s->key, sizeof(s->key), p->key);
	(void)str_clean(s->source, sizeof(s->source), p->source);
	s->last_ms = p->at_ms;
	s->pings++;
	if (p->signal == PING_START) {
		s->start_ms = p->at_ms;
		s->is_running = true;
		(void)str_clean(s->rid, sizeof(s->rid), p->rid);
	} else if (p->signal != PING_LOG) {
		take_end(s, p);
	}
	if (p->log != NULL) {
		free(s->log);
		s->log = mem_dupn(p->log, cut_at(p->log, PING_LOG_MAX));
	}
	return true;
}

/* ---- As JSON ---- */

json_t *ping_state_encode(const struct ping_state *s)
{
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:b, s:b, s:I, s:s, s:s, s:s, s:s*}",
			 "version", FILE_VERSION, "last", (json_int_t)s->last_ms, "success",
			 (json_int_t)s->success_ms, "start", (json_int_t)s->start_ms, "fail",
			 (json_int_t)s->fail_ms, "run_ms", (json_int_t)s->run_ms, "exit_code",
			 s->exit_code, "failed", s->is_failed, "running", s->is_running, "pings",
			 (json_int_t)s->pings, "rid", s->rid, "key", s->key, "source", s->source,
			 "log", s->log);
}

static int64_t number(const json_t *object, const char *name, int64_t min, int64_t max, bool *is_ok)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max) {
		*is_ok = false;
		return min;
	}
	return json_integer_value(value);
}

static bool flag(const json_t *object, const char *name, bool *is_ok)
{
	const json_t *value = json_object_get(object, name);

	*is_ok = *is_ok && json_is_boolean(value);
	return json_is_true(value);
}

static void word(const json_t *object, const char *name, char out[PING_WORD_MAX], bool *is_ok)
{
	const char *text = json_string_value(json_object_get(object, name));

	*is_ok = *is_ok && text != NULL && strlen(text) < PING_WORD_MAX;
	(void)str_clean(out, PING_WORD_MAX, text != NULL ? text : "");
}

int ping_state_decode(const json_t *object, struct ping_state *s_r, struct err *err)
{
	const json_t *log = json_object_get(object, "log");
	struct ping_state s = PING_STATE_NEW;
	bool is_ok = true;

	(void)number(object, "version", FILE_VERSION, FILE_VERSION, &is_ok);
	s.last_ms = number(object, "last", 0, TIME_MAX_MS, &is_ok);
	s.success_ms = number(object, "success", 0, TIME_MAX_MS, &is_ok);
	s.start_ms = number(object, "start", 0, TIME_MAX_MS, &is_ok);
	s.fail_ms = number(object, "fail", 0, TIME_MAX_MS, &is_ok);
	s.run_ms = number(object, "run_ms", -1, TIME_MAX_MS, &is_ok);
	s.exit_code = (int)number(object, "exit_code", -1, 255, &is_ok);
	s.is_failed = flag(object, "failed", &is_ok);
	s.is_running = flag(object, "running", &is_ok);
	s.pings = (uint64_t)number(object, "pings", 0, INT64_MAX, &is_ok);
	word(object, "rid", s.rid, &is_ok);
	word(object, "key", s.key, &is_ok);
	word(object, "source", s.source, &is_ok);
	if (log != NULL && (!json_is_string(log) || json_string_length(log) > PING_LOG_MAX))
		is_ok = false;
	if (!is_ok)
		return err_set(err, -EINVAL, "is not the state of a heartbeat (version %d)",
			       FILE_VERSION);
	s.log = mem_dup(json_string_value(log));
	*s_r = s;
	return 0;
}

/* ---- Judging ---- */

static bool has_begun(const struct ping_state *s)
{
	return s->success_ms > 0 || s->start_ms > 0 || s->fail_ms > 0;
}

static void judge_time(const struct ping_state *s, const struct ping_rule *rule, int64_t now_ms,
		       struct ping_verdict *v)
{
	/* A run that began in time is not late: its end will be. */
	int64_t ended_ms = HALE_MAX(s->success_ms, s->fail_ms);
	int64_t last_ms = HALE_MAX(ended_ms, s->is_running ? s->start_ms : 0);

	v->due_ms = duty_due(rule->plan, last_ms, now_ms);
	if (!duty_is_open(rule->plan, now_ms)) {
		v->reason = REASON_OUTSIDE_SCHEDULE;
		return;
	}
	if (v->due_ms < 0 || now_ms <= v->due_ms)
		return;
	v->overdue_ms = now_ms - v->due_ms;
	if (now_ms > duty_missed_from(rule->plan, v->due_ms))
		v->reason = REASON_OVERDUE;
	else if (v->overdue_ms > rule->late_after_ms)
		v->reason = REASON_LATE;
}

struct ping_verdict ping_judge(const struct ping_state *s, const struct ping_rule *rule,
			       int64_t now_ms)
{
	struct ping_verdict v = {.reason = REASON_OK, .due_ms = -1, .running_ms = -1};

	if (s->is_running)
		v.running_ms = HALE_MAX(now_ms - s->start_ms, 0);
	if (!has_begun(s)) {
		v.reason = REASON_NO_PING;
		return v;
	}
	judge_time(s, rule, now_ms, &v);
	/* What a job said itself, and a run without end, count at any time of day. */
	if (s->is_failed)
		v.reason = REASON_JOB_FAILED;
	else if (rule->max_run_ms > 0 && v.running_ms > rule->max_run_ms)
		v.reason = REASON_OVERDUE;
	return v;
}
