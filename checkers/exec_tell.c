/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_tell.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/units.h"
#include "excerpt.h"
#include "nagios_range.h"
#include "perfdata.h"

/* Of the longer text, and of a JSON's own details: they travel with every observation. */
#define MORE_MAX_BYTES 4096

/* A program may come out with anything: deeper JSON is not for people. */
#define JSON_FLAGS JSON_REJECT_DUPLICATES

/* ---- Texts ---- */

/* Plugins print bytes; JSON text is UTF-8. */
static json_t *text_json(const char *text, size_t len)
{
	HALE_CLEANUP(str_done) struct str clean = {0};

	while (len > 0) {
		size_t n = str_utf8_length(text, len);

		if (n == 0)
			str_addc(&clean, '?');
		else
			str_addn(&clean, text, n);
		n = HALE_MAX(n, (size_t)1);
		text += n;
		len -= n;
	}
	return json_stringn(str_text(&clean), clean.len);
}

static void tell_text(struct check *c, const char *name, const char *text, size_t len)
{
	const bool is_cut = len > MORE_MAX_BYTES;

	len = HALE_MIN(len, (size_t)MORE_MAX_BYTES);
	/* Cut between two characters. */
	while (is_cut && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	if (len > 0)
		check_detail(c, name, text_json(text, len));
}

static void see_text(struct check *c, const char *name, const char *text)
{
	if (*text != '\0')
		check_saw(c, name, text_json(text, strlen(text)));
}

/* Borrowed from text; the first line that says anything. */
static const char *first_line(const char *text, size_t *len_r)
{
	text += strspn(text, " \t\r\n");
	*len_r = strcspn(text, "\n");
	while (*len_r > 0 && strchr(" \t\r", text[*len_r - 1]) != NULL)
		(*len_r)--;
	return text;
}

/* A Python program says last why it died. */
static const char *last_line(const char *text, size_t *len_r)
{
	size_t end = strlen(text), begin;

	while (end > 0 && strchr(" \t\r\n", text[end - 1]) != NULL)
		end--;
	begin = end;
	while (begin > 0 && text[begin - 1] != '\n')
		begin--;
	*len_r = end - begin;
	return text + begin;
}

/* Of a traceback the last line is worth most, of everything else the first. */
static void add_complaint(struct str *message, const char *err)
{
	const bool is_traceback = strstr(err, "Traceback (most recent call last)") != NULL;
	size_t len;
	const char *line = is_traceback ? last_line(err, &len) : first_line(err, &len);

	str_addn(message, line, len);
}

/* ---- The end ---- */

static void done_by_signal(struct check *c, int signal, const char *message)
{
	const char *name = sigabbrev_np(signal);
	const char *why = signal == SIGXCPU   ? " (limits.cpu)"
			  : signal == SIGXFSZ ? " (limits.file_size)"
					      : "";

	check_done(c, REASON_EXEC_SIGNAL, "killed by signal %d%s%s%s%s%s", signal,
		   name == NULL ? "" : ", SIG", name == NULL ? "" : name, why,
		   *message == '\0' ? "" : ": ", message);
}

/* By its exit code. */
static void done_by_code(struct check *c, const struct exec_said *said, const char *message)
{
	enum outcome outcome = exec_codes_outcome(said->codes, said->status);
	enum reason reason = exec_reason(outcome);
	const char *separator = *message == '\0' ? "" : ": ";
	/* What the plugins' contract has no word for, or nobody explains, is said with its number.
	 */
	const bool is_odd = reason == REASON_EXEC_UNKNOWN && said->status != 3;

	check_detail(c, "exit_code", json_integer(said->status));
	if (is_odd || (*message == '\0' && outcome != OUTCOME_PASS && said->format != EXEC_NAGIOS))
		check_done_as(c, outcome, reason, "exit code %d%s%s", said->status, separator,
			      message);
	else
		check_done_as(c, outcome, reason, "%s",
			      *message == '\0' ? reason_text(reason) : message);
}

static void done(struct check *c, const struct exec_said *said, const char *message)
{
	if (said->how == 0)
		check_done(c, REASON_EXEC_FAILED, "its exit code was lost: %s", message);
	else if (said->how != CLD_EXITED)
		done_by_signal(c, said->status, message);
	else
		done_by_code(c, said, message);
}

/* ---- Nagios plugins ---- */

struct measurements {
	struct check *c;
	json_t *thresholds;
	size_t n;
};

static void set_text(json_t *object, const char *name, const char *text)
{
	if (*text != '\0')
		json_object_set_new(object, name, json_string(text));
}

/* The plugin has judged by it already, and said so by its exit code: this is to see which one. */
static bool is_crossed(const struct perfdata *p, const char *text)
{
	struct nagios_range range;

	return *text != '\0' && nagios_range_parse(text, &range) == 0 &&
	       nagios_range_alerts(&range, p->printed);
}

static void see_range(struct str *line, const char *what, const char *text)
{
	struct nagios_range range;

	if (*text == '\0')
		return;
	str_addf(line, "; %s ", what);
	if (nagios_range_parse(text, &range) == 0)
		nagios_range_describe(&range, line);
	else
		str_add(line, text);
}

static void see(struct check *c, const struct perfdata *p)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	char number[UNITS_TEXT_MAX];

	str_addf(&line, "%s = %s", p->name, number_format(p->printed, number));
	see_range(&line, "warning", p->warning);
	see_range(&line, "critical", p->critical);
	check_saw(c, "perfdata", json_string(str_text(&line)));
}

static void take_measurement(void *ctx, const struct perfdata *p)
{
	struct measurements *m = ctx;
	json_t *one;

	if (++m->n > EXEC_METRICS_MAX)
		return;
	check_metric(m->c, p->name, p->value);
	if (check_is_watched(m->c))
		see(m->c, p);
	one = json_object();
	set_text(one, "warning", p->warning);
	set_text(one, "critical", p->critical);
	set_text(one, "min", p->min);
	set_text(one, "max", p->max);
	set_text(one, "crossed",
		 is_crossed(p, p->critical)  ? "critical"
		 : is_crossed(p, p->warning) ? "warning"
					     : "");
	if (json_object_size(one) > 0)
		json_object_set_new(m->thresholds, p->name, one);
	else
		json_decref(one);
}

static void take_measurements(struct check *c, const char *text)
{
	struct measurements m = {.c = c, .thresholds = json_object()};
	size_t broken = perfdata_parse(text, take_measurement, &m);

	if (broken > 0)
		check_detail(c, "perfdata_unreadable", json_integer((json_int_t)broken));
	if (m.n > EXEC_METRICS_MAX)
		check_detail(c, "metrics_dropped",
			     json_integer((json_int_t)(m.n - EXEC_METRICS_MAX)));
	if (json_object_size(m.thresholds) > 0)
		check_detail(c, "thresholds", m.thresholds);
	else
		json_decref(m.thresholds);
}

static void tell_nagios(struct check *c, const struct exec_said *said)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	HALE_CLEANUP(str_done) struct str more = {0};
	HALE_CLEANUP(str_done) struct str measurements = {0};

	perfdata_split(said->out, &message, &more, &measurements);
	/* A program that is no plugin complains on stderr, and so does one that was called wrongly:
	 * "Usage:" says less than "unrecognized option". */
	if (*said->err != '\0' && str_starts(str_text(&message), "Usage"))
		str_clear(&message);
	if (message.len == 0)
		add_complaint(&message, said->err);
	take_measurements(c, str_text(&measurements));
	tell_text(c, "output", str_text(&more), more.len);
	done(c, said, str_text(&message));
}

/* ---- Plain programs ---- */

static void tell_plain(struct check *c, const struct exec_said *said)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	size_t len;
	const char *line = first_line(said->out, &len);
	const char *more = line + len + strspn(line + len, " \t\r\n");

	str_addn(&message, line, len);
	if (message.len == 0)
		add_complaint(&message, said->err);
	tell_text(c, "output", more, strlen(more));
	done(c, said, str_text(&message));
}

/* ---- JSON ---- */

static void take_metrics(struct check *c, const json_t *metrics)
{
	const char *name;
	json_t *value;
	size_t n = 0, wrong = 0;

	json_object_foreach ((json_t *)metrics, name, value) {
		char clean[PERFDATA_NAME_MAX];

		if (!json_is_number(value) && !json_is_boolean(value)) {
			wrong++;
			continue;
		}
		if (++n > EXEC_METRICS_MAX)
			continue;
		perfdata_name(name, clean);
		check_metric(c, clean,
			     json_is_boolean(value) ? json_is_true(value)
						    : json_number_value(value));
	}
	if (wrong > 0)
		check_detail(c, "metrics_unreadable", json_integer((json_int_t)wrong));
	if (n > EXEC_METRICS_MAX)
		check_detail(c, "metrics_dropped",
			     json_integer((json_int_t)(n - EXEC_METRICS_MAX)));
}

static void take_details(struct check *c, const json_t *details)
{
	const char *name;
	json_t *value;

	if (details == NULL)
		return;
	if (json_dumpb(details, NULL, 0, JSON_ENCODE_ANY) > MORE_MAX_BYTES) {
		check_detail(c, "details_dropped", json_true());
		return;
	}
	json_object_foreach ((json_t *)details, name, value)
		check_detail(c, name, json_incref(value));
	if (!json_is_object(details))
		check_detail(c, "details", json_incref((json_t *)details));
}

static const char *text_member(const json_t *object, const char *name, const char *other)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : json_string_value(json_object_get(object, other));
}

static void tell_object(struct check *c, const struct exec_said *said, const json_t *object)
{
	const char *word = text_member(object, "status", "outcome");
	const char *message = text_member(object, "message", "error");
	enum outcome outcome;

	take_metrics(c, json_object_get(object, "metrics"));
	take_details(c, json_object_get(object, "details"));
	if (message == NULL)
		message = "";
	if (word == NULL || said->how != CLD_EXITED) {
		done(c, said, message);
		return;
	}
	check_detail(c, "exit_code", json_integer(said->status));
	if (!exec_outcome_parse(word, &outcome))
		check_done(c, REASON_UNEXPECTED_REPLY,
			   "status '%s' is none of pass, warn, fail, down, unknown", word);
	else
		check_done_as(c, outcome, exec_reason(outcome), "%s",
			      *message == '\0' ? reason_text(exec_reason(outcome)) : message);
}

static void tell_json(struct check *c, const struct exec_said *said)
{
	json_error_t error;
	json_t *object = json_loads(said->out, JSON_FLAGS, &error);
	char got[EXCERPT_SIZE];
	size_t len;
	const char *line = first_line(said->out, &len);

	if (json_is_object(object))
		tell_object(c, said, object);
	else if (said->how != CLD_EXITED || said->status != 0)
		tell_plain(c, said); /* it died before it could say it */
	else
		check_done(c, REASON_BODY_NOT_JSON, "expected a JSON object%s, got: %s",
			   said->is_cut ? " (limits.output cut it off)" : "",
			   excerpt(line, len, got));
	json_decref(object);
}

void exec_tell(struct check *c, const struct exec_said *said)
{
	static void (*const tellers[])(struct check *, const struct exec_said *) = {
		[EXEC_NAGIOS] = tell_nagios,
		[EXEC_JSON] = tell_json,
		[EXEC_TEXT] = tell_plain,
	};

	if (said->is_cut)
		check_detail(c, "output_cut", json_true());
	if (check_is_watched(c)) {
		see_text(c, "stdout", said->out);
		see_text(c, "stderr", said->err);
	}
	tellers[said->format](c, said);
}
