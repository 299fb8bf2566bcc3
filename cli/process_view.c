/* SPDX-License-Identifier: Apache-2.0 */
#include "process_view.h"

#include "field.h"
#include "paint.h"
#include "text.h"

#define EXIT_TRY_AGAIN  75
#define EXIT_BAD_CONFIG 78

/* Wide enough for the names of most processes, so that their lines align. */
#define PROCESS_COLUMN 16

static void describe_code(struct str *out, json_int_t code)
{
	str_addf(out, "exited with code %lld", (long long)code);
	if (code == EXIT_TRY_AGAIN)
		str_add(out, " (try again)");
	else if (code == EXIT_BAD_CONFIG)
		str_add(out, " (configuration wrong)");
}

void exit_describe(struct str *out, const json_t *last_exit)
{
	const char *text = field_text(last_exit, "text");
	const char *signal = field_text(last_exit, "signal");
	char took[TEXT_TIME_MAX];
	double uptime_ms;

	if (!json_is_object(last_exit))
		return;
	if (text != NULL && *text != '\0') {
		text_add(out, text);
		return;
	}
	if (signal != NULL)
		str_addf(out, "killed by %s%s", signal,
			 field_true(last_exit, "core") ? " (core dumped)" : "");
	else if (json_is_integer(json_object_get(last_exit, "code")))
		describe_code(out, field_int(last_exit, "code", 0));
	else
		str_add(out, "ended");
	if (field_number(last_exit, "uptime_ms", &uptime_ms))
		str_addf(out, " after %s", text_took(uptime_ms, took));
}

const char *process_word(const json_t *process)
{
	return field_true(process, "finished") ? "finished" : field_text(process, "state");
}

bool exit_is_crash(const json_t *process, int64_t now_ms, int64_t within_ms)
{
	const json_t *last_exit = json_object_get(process, "last_exit");
	int64_t at_ms;

	return json_is_false(json_object_get(last_exit, "expected")) &&
	       field_time(last_exit, "at", &at_ms) && now_ms - at_ms < within_ms;
}

static enum tone tone_of_level(const char *level)
{
	if (str_eq(level, "warn"))
		return TONE_WARN;
	if (str_eq(level, "error") || str_eq(level, "fatal"))
		return TONE_BAD;
	return str_eq(level, "debug") ? TONE_DIM : TONE_PLAIN;
}

static void add_padded(struct str *out, const char *text, size_t width)
{
	size_t used = text_width(text);

	text_add(out, text);
	for (; used < width; used++)
		str_addc(out, ' ');
}

void log_line_add(struct str *out, const json_t *line, bool has_colour, bool with_process)
{
	const char *text =
		json_is_string(line) ? json_string_value(line) : field_or(line, "text", "");
	const char *level = field_text(line, "level");
	enum tone tone = tone_of_level(level);
	char clock[TEXT_TIME_MAX];
	int64_t at_ms;

	if (field_time(line, "at", &at_ms)) {
		paint_add(out, has_colour, TONE_DIM, text_clock(at_ms, clock));
		str_addc(out, ' ');
	}
	if (level != NULL) {
		str_add(out, paint_on(has_colour, tone));
		add_padded(out, level, sizeof("error") - 1);
		str_add(out, paint_off(has_colour, tone));
		str_addc(out, ' ');
	}
	if (with_process) {
		add_padded(out, field_or(line, "process", "-"), PROCESS_COLUMN);
		str_addc(out, ' ');
	}
	paint_add(out, has_colour, tone, text);
	str_addc(out, '\n');
}

void log_lines_add(struct str *out, const json_t *lines, size_t max, size_t indent, bool has_colour)
{
	size_t n = json_array_size(lines);

	for (size_t i = n > max ? n - max : 0; i < n; i++) {
		for (size_t c = 0; c < indent; c++)
			str_addc(out, ' ');
		log_line_add(out, json_array_get(lines, i), has_colour, false);
	}
}
