/* SPDX-License-Identifier: Apache-2.0 */
#include "paint.h"

#include "text.h"

#define DOT       "\xe2\x97\x8f " /* ● */
#define DOT_EMPTY "\xe2\x97\x8b " /* ○ */

static const char *const sequences[TONE_MAX] = {
	[TONE_PLAIN] = "",       [TONE_GOOD] = "\033[32m",    [TONE_WARN] = "\033[33m",
	[TONE_BAD] = "\033[31m", [TONE_WORST] = "\033[1;31m", [TONE_DIM] = "\033[2m",
	[TONE_BOLD] = "\033[1m",
};

static const enum tone status_tones[STATUS_MAX] = {
	[STATUS_HEALTHY] = TONE_GOOD, [STATUS_UNKNOWN] = TONE_DIM, [STATUS_DEGRADED] = TONE_WARN,
	[STATUS_CRITICAL] = TONE_BAD, [STATUS_DOWN] = TONE_WORST,
};

static const enum tone outcome_tones[OUTCOME_MAX] = {
	[OUTCOME_PASS] = TONE_GOOD,  [OUTCOME_WARN] = TONE_WARN, [OUTCOME_FAIL] = TONE_BAD,
	[OUTCOME_DOWN] = TONE_WORST, [OUTCOME_ERROR] = TONE_DIM,
};

static const struct severity_tone {
	const char *name;
	enum tone tone;
} severity_tones[] = {
	{"info", TONE_PLAIN},
	{"warning", TONE_WARN},
	{"high", TONE_BAD},
	{"critical", TONE_WORST},
};

const char *paint_on(bool has_colour, enum tone tone)
{
	return has_colour ? sequences[tone] : "";
}

const char *paint_off(bool has_colour, enum tone tone)
{
	return has_colour && tone != TONE_PLAIN ? "\033[0m" : "";
}

void paint_add(struct str *out, bool has_colour, enum tone tone, const char *text)
{
	str_add(out, paint_on(has_colour, tone));
	text_add(out, text);
	str_add(out, paint_off(has_colour, tone));
}

enum tone tone_of_status(enum status s)
{
	return status_tones[s];
}

enum tone tone_of_outcome(enum outcome o)
{
	return outcome_tones[o];
}

enum tone tone_of_severity(const char *severity)
{
	for (size_t i = 0; i < ARRAY_LEN(severity_tones); i++) {
		if (str_eq(severity_tones[i].name, severity))
			return severity_tones[i].tone;
	}
	return TONE_PLAIN;
}

static void dot(struct str *out, const char *word, enum tone tone)
{
	str_add(out, tone == TONE_DIM ? DOT_EMPTY : DOT);
	str_add(out, word == NULL ? "unknown" : word);
}

void dot_status(struct str *out, const char *status, enum tone *tone_r)
{
	enum status s;

	*tone_r = status_from_name(status, &s) ? status_tones[s] : TONE_DIM;
	dot(out, status, *tone_r);
}

void dot_outcome(struct str *out, const char *outcome, enum tone *tone_r)
{
	enum outcome o;

	*tone_r = outcome_from_name(outcome, &o) ? outcome_tones[o] : TONE_DIM;
	dot(out, outcome, *tone_r);
}

void dot_process(struct str *out, const char *state, bool is_crash_looping, enum tone *tone_r)
{
	enum process_state s;

	*tone_r = process_state_from_name(state, &s) ? status_tones[process_state_status(s)]
						     : TONE_DIM;
	if (is_crash_looping && *tone_r != TONE_WORST)
		*tone_r = TONE_BAD;
	dot(out, state, *tone_r);
	if (is_crash_looping)
		str_add(out, ", crash-looping");
}
