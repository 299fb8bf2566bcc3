/* SPDX-License-Identifier: Apache-2.0 */
#include "store/transfer.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "model/frame.h"

#define HEAD_KEY "hale_export"
#define END_KEY  "hale_export_end"

static const char *const formats[] = {
	[TRANSFER_NDJSON] = "ndjson", [TRANSFER_CSV] = "csv", [TRANSFER_JSON] = "json"};

int transfer_format_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (str_eq(formats[i], name))
			return (int)i;
	}
	return -1;
}

const char *transfer_what_name(int what)
{
	if (what == TRANSFER_METRICS)
		return "metrics";
	return what == TRANSFER_EPOCHS ? "epochs" : read_what_name((enum read_what)what);
}

int transfer_what_of(const char *name)
{
	for (int what = 0; what < TRANSFER_WHAT_MAX; what++) {
		if (str_eq(transfer_what_name(what), name))
			return what;
	}
	return -1;
}

unsigned transfer_set_of(const char *list)
{
	unsigned set = 0;

	if (str_eq(list, "all"))
		return (1u << TRANSFER_EPOCHS) - 1;
	for (;;) {
		size_t len = strcspn(list, ",");
		char name[32];
		int what;

		if (len == 0 || len >= sizeof(name))
			return 0;
		memcpy(name, list, len);
		name[len] = '\0';
		what = transfer_what_of(name);
		if (what < 0 || what == TRANSFER_EPOCHS)
			return 0;
		set |= 1u << what;
		if (list[len] == '\0')
			return set;
		list += len + 1;
	}
}

/* ---- JSON ---- */

static int add_part(const char *data, size_t len, void *out)
{
	str_addn(out, data, len);
	return 0;
}

/* Whether it stands in JSON as it is. */
static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
			return false;
	}
	return true;
}

/* What most values are, written without much ado. */
static bool add_simple(struct str *out, const json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_null(value)) {
		str_addn(out, "null", 4);
	} else if (json_is_integer(value)) {
		str_addf(out, "%lld", (long long)json_integer_value(value));
	} else if (text != NULL && is_plain(text, json_string_length(value))) {
		str_addc(out, '"');
		str_addn(out, text, json_string_length(value));
		str_addc(out, '"');
	} else {
		return false;
	}
	return true;
}

/* As the rest of hale writes JSON, but members sorted: jsonb keeps them in an order of its own. */
static void add_json(struct str *out, const json_t *value)
{
	if (!add_simple(out, value))
		(void)json_dump_callback(value, add_part, out,
					 JSON_WIRE_FLAGS | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* The row's own members keep their order. */
static void add_members(struct str *out, const json_t *object, bool is_first)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		if (!is_first)
			str_addc(out, ',');
		is_first = false;
		str_addf(out, "\"%s\":", key);
		add_json(out, value);
	}
}

static void add_text_or_null(struct str *out, const char *key, const char *text)
{
	str_addf(out, ",\"%s\":", key);
	if (text == NULL)
		str_add(out, "null");
	else
		str_add_quoted(out, text);
}

static void add_time_or_null(struct str *out, const char *key, int64_t at_ms)
{
	char at[CLOCK_TEXT_MAX];

	add_text_or_null(out, key, at_ms == 0 ? NULL : clock_format(at_ms, at));
}

static void add_head(struct str *out, const struct transfer_head *h)
{
	bool is_first = true;

	str_addf(out, "{\"" HEAD_KEY "\":%d", TRANSFER_VERSION);
	add_text_or_null(out, "hale", h->hale);
	str_addf(out, ",\"schema\":%lld", (long long)h->schema);
	add_text_or_null(out, "node", h->node);
	add_text_or_null(out, "component", h->component);
	add_time_or_null(out, "from", h->from_ms);
	add_time_or_null(out, "to", h->to_ms);
	str_add(out, ",\"what\":[");
	for (int what = 0; what < TRANSFER_EPOCHS; what++) {
		if ((h->what & 1u << what) == 0)
			continue;
		str_addf(out, "%s\"%s\"", is_first ? "" : ",", transfer_what_name(what));
		is_first = false;
	}
	str_add(out, "]}");
}

static void add_counts(struct str *out, const struct transfer *t)
{
	bool is_first = true;

	str_add(out, "\"counts\":{");
	for (int what = 0; what < TRANSFER_WHAT_MAX; what++) {
		if (t->counts[what] == 0)
			continue;
		str_addf(out, "%s\"%s\":%llu", is_first ? "" : ",", transfer_what_name(what),
			 (unsigned long long)t->counts[what]);
		is_first = false;
	}
	str_addc(out, '}');
}

/* ---- CSV ---- */

/* Members of a row, in their order; a column that the row does not have is empty. */
static const char *const columns[TRANSFER_WHAT_MAX][16] = {
	[READ_RESULTS] = {"at", "node", "component", "status", "outcome", "reason", "message",
			  "took_ms", "metrics", "details", "epoch", "seq"},
	[READ_TRANSITIONS] = {"at", "node", "component", "from", "to", "reason", "message", "epoch",
			      "seq"},
	[READ_EVENTS] = {"at", "node", "topic", "kind", "severity", "subject", "message", "details",
			 "epoch", "seq"},
	[READ_PROCESSES] = {"at", "node", "process", "event", "state", "pid", "generation",
			    "restarts", "status_text", "last_exit", "epoch", "seq"},
	[READ_ALERTS] = {"at", "node", "id", "key", "rule", "severity", "state", "component",
			 "message", "resolved", "count", "updated"},
	[READ_DELIVERIES] = {"at", "node", "id", "alert", "channel", "state", "attempts", "error",
			     "last"},
	[READ_RUNS] = {"at", "node", "run", "job", "started", "trigger", "dry_run", "outcome",
		       "inserted", "updated", "closed", "skipped", "errors", "took_ms"},
	[READ_RECOVERIES] = {"at", "node", "component", "action", "trigger", "outcome", "message",
			     "took_ms", "epoch", "seq"},
	[TRANSFER_METRICS] = {"at", "level", "node", "component", "metric", "count", "sum", "min",
			      "max", "p95"},
};

static void add_quoted_cell(struct str *out, const char *before, const char *text, size_t len)
{
	str_addf(out, "\"%s", before);
	while (len > 0) {
		const char *quote = memchr(text, '"', len);
		size_t n = quote == NULL ? len : (size_t)(quote - text) + 1;

		str_addn(out, text, n);
		if (quote != NULL)
			str_addc(out, '"');
		text += n;
		len -= n;
	}
	str_addc(out, '"');
}

static bool needs_quotes(const char *text, size_t len)
{
	if (len == 0 || text[0] == ' ' || text[len - 1] == ' ')
		return true;
	return strcspn(text, "\",\r\n") < len;
}

static void add_text_cell(struct str *out, const char *text, size_t len)
{
	/* Whoever can make a check fail chooses its message; spreadsheets run these (CWE-1236). */
	if (len > 0 && memchr("=+-@\t\r", text[0], 6) != NULL)
		add_quoted_cell(out, "'", text, len);
	else if (needs_quotes(text, len))
		add_quoted_cell(out, "", text, len);
	else
		str_addn(out, text, len);
}

static void add_cell(struct str *out, const json_t *value)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (value == NULL || json_is_null(value))
		return;
	if (json_is_string(value)) {
		add_text_cell(out, json_string_value(value), json_string_length(value));
	} else if (json_is_object(value) || json_is_array(value)) {
		add_json(&text, value);
		add_quoted_cell(out, "", str_text(&text), text.len);
	} else {
		add_json(out, value);
	}
}

static void add_csv_row(struct str *out, int what, const json_t *row)
{
	for (size_t i = 0; i < ARRAY_LEN(columns[0]) && columns[what][i] != NULL; i++) {
		if (i > 0)
			str_addc(out, ',');
		add_cell(out, json_object_get(row, columns[what][i]));
	}
	str_add(out, "\r\n");
}

static void add_csv_names(struct str *out, int what)
{
	for (size_t i = 0; i < ARRAY_LEN(columns[0]) && columns[what][i] != NULL; i++)
		str_addf(out, "%s%s", i > 0 ? "," : "", columns[what][i]);
	str_add(out, "\r\n");
}

/* ---- writing ---- */

void transfer_begin(struct transfer *t, enum transfer_format format,
		    const struct transfer_head *head, struct str *out)
{
	*t = (struct transfer){.format = format, .what = -1};
	t->is_many = (head->what & (head->what - 1)) != 0;
	if (format == TRANSFER_NDJSON) {
		add_head(out, head);
		str_addc(out, '\n');
	} else if (format == TRANSFER_JSON && t->is_many) {
		str_add(out, "{\"export\":");
		add_head(out, head);
	}
}

void transfer_open(struct transfer *t, int what, struct str *out)
{
	if (t->format == TRANSFER_JSON && t->what >= 0)
		str_add(out, "\n]");
	if (t->format == TRANSFER_JSON && t->is_many)
		str_addf(out, ",\n\"%s\":", transfer_what_name(what));
	if (t->format == TRANSFER_JSON)
		str_addc(out, '[');
	if (t->format == TRANSFER_CSV)
		add_csv_names(out, what);
	t->what = what;
}

void transfer_row(struct transfer *t, const json_t *row, struct str *out)
{
	bool is_first = t->counts[t->what]++ == 0;

	if (t->format == TRANSFER_CSV) {
		add_csv_row(out, t->what, row);
		return;
	}
	if (t->format == TRANSFER_JSON)
		str_addf(out, "%s\n{", is_first ? "" : ",");
	else
		str_addf(out, "{\"what\":\"%s\"", transfer_what_name(t->what));
	add_members(out, row, t->format == TRANSFER_JSON);
	str_add(out, t->format == TRANSFER_JSON ? "}" : "}\n");
}

void transfer_end(struct transfer *t, struct str *out)
{
	if (t->format == TRANSFER_JSON) {
		str_add(out, t->what >= 0 ? "\n]" : t->is_many ? "" : "[]");
		if (t->is_many) {
			str_add(out, ",\n");
			add_counts(out, t);
			str_addc(out, '}');
		}
		str_addc(out, '\n');
	} else if (t->format == TRANSFER_NDJSON) {
		str_add(out, "{\"" END_KEY "\":true,");
		add_counts(out, t);
		str_add(out, "}\n");
	}
}

/* ---- reading ---- */

static int check_version(const json_t *version, struct err *err)
{
	if (!json_is_integer(version))
		return err_set(err, -EINVAL, "the export's format version is no number");
	if (json_integer_value(version) != TRANSFER_VERSION)
		return err_set(err, -EPROTONOSUPPORT,
			       "the export has format version %lld, this hale reads %d",
			       (long long)json_integer_value(version), TRANSFER_VERSION);
	return 0;
}

static int classify(const json_t *object, enum transfer_line *kind_r, struct err *err)
{
	const json_t *version = json_object_get(object, HEAD_KEY);
	const char *what = json_string_value(json_object_get(object, "what"));

	if (version != NULL) {
		*kind_r = TRANSFER_LINE_HEAD;
		return check_version(version, err);
	}
	if (json_object_get(object, END_KEY) != NULL) {
		*kind_r = TRANSFER_LINE_END;
		return 0;
	}
	if (what == NULL)
		return err_set(err, -EINVAL, "does not say in \"what\" which kind of row it is");
	if (transfer_what_of(what) < 0)
		return err_set(err, -EINVAL, "what '%s': there are no such rows", what);
	*kind_r = TRANSFER_LINE_ROW;
	return 0;
}

int transfer_line_read(const char *text, size_t len, enum transfer_line *kind_r, json_t **object_r,
		       struct err *err)
{
	json_error_t e;
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	int rc;

	if (!json_is_object(object)) {
		json_decref(object);
		return err_set(err, -EINVAL, "is no JSON object (%s)", e.text);
	}
	rc = classify(object, kind_r, err);
	if (rc == 0)
		*object_r = object;
	else
		json_decref(object);
	return rc;
}
