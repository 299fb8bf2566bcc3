/* SPDX-License-Identifier: Apache-2.0 */
/* hale alerts, notify test: what the notifier told people, and whether it can */
#include "verbs.h"

#include "facts.h"
#include "field.h"
#include "text.h"

#define DEFAULT_ALERTS    50
#define ALERTS_MAX        1000
/* Of an id: enough to tell a thousand alerts apart. */
#define ID_SHOWN          8
/* A channel has its own timeout and one retry below this. */
#define NOTIFY_TIMEOUT_MS 60000

static void add_alert(struct table *t, const json_t *a, int64_t now_ms)
{
	const char *severity = field_or(a, "severity", "?");
	bool is_resolved = str_eq(field_text(a, "state"), "resolved");
	char ago[TEXT_TIME_MAX];
	int64_t at_ms;

	table_cell(t, is_resolved ? TONE_DIM : tone_of_severity(severity), severity);
	table_cellf(t, TONE_PLAIN, "%.*s", ID_SHOWN, field_or(a, "id", "?"));
	table_cell(t, TONE_PLAIN, field_or(a, "component", field_text(a, "key")));
	table_cell(t, is_resolved ? TONE_GOOD : TONE_PLAIN, field_text(a, "state"));
	table_cell(t, TONE_PLAIN,
		   field_time(a, "opened", &at_ms) ? text_ago(at_ms, now_ms, ago) : NULL);
	if (field_int(a, "count", 1) > 1)
		table_cellf(t, TONE_PLAIN, "%lld", (long long)field_int(a, "count", 1));
	else
		table_cell(t, TONE_PLAIN, NULL);
	table_cell(t, TONE_PLAIN, field_text(a, "message"));
}

static void print_alerts(struct cli *cli, const json_t *alerts, bool is_all)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("SEVERITY"),    TABLE_LEFT("ALERT"),   TABLE_LEFT("COMPONENT"),
		TABLE_LEFT("STATE"),       TABLE_RIGHT("OPENED"), TABLE_RIGHT("COUNT"),
		TABLE_FLEXIBLE("MESSAGE"),
	};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns)};
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *alert;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)alerts, i, alert)
		add_alert(&t, alert, cli_now(cli));
	if (t.cells_n == 0)
		str_add(&out, is_all ? "no alerts\n" : "no open alerts\n");
	table_format(&t, cli->has_colour, cli->width, &out);
	cli_print(cli, &out);
	table_done(&t);
}

static int ask_alerts(struct cli *cli, bool is_all, json_int_t limit, json_t **answer_r)
{
	return cli_ask(cli, "notifier", "alerts.list",
		       json_pack("{s:s, s:I}", "state", is_all ? "all" : "open", "limit", limit),
		       CLI_TIMEOUT_MS, answer_r);
}

int verb_alerts(struct cli *cli, const struct args *args)
{
	bool is_all = args_is(args, "all");
	json_t *answer = NULL;
	int code = ask_alerts(cli, is_all, args_number(args, "lines", DEFAULT_ALERTS), &answer);

	if (code != 0)
		return code;
	if (cli->is_json)
		cli_json(cli, answer);
	else
		print_alerts(cli, field_array(answer, "alerts"), is_all);
	json_decref(answer);
	return CLI_DONE;
}

/* ---- show ---- */

static void add_delivery(struct table *t, const json_t *d, int64_t now_ms)
{
	const char *status = field_or(d, "status", "?");
	char ago[TEXT_TIME_MAX];
	int64_t at_ms;
	bool has_time = field_time(d, "finished", &at_ms) || field_time(d, "created", &at_ms);

	table_cell(t, TONE_PLAIN, field_or(d, "channel", "?"));
	table_cell(t, str_eq(status, "sent") ? TONE_GOOD : TONE_WARN, status);
	table_cell(t, TONE_PLAIN, field_text(d, "event"));
	table_cellf(t, TONE_PLAIN, "%lld",
		    (long long)field_int(d, "attempts", field_int(d, "attempt", 0)));
	table_cell(t, TONE_PLAIN, has_time ? text_ago(at_ms, now_ms, ago) : NULL);
	table_cell(t, TONE_PLAIN, field_text(d, "error"));
}

static void add_deliveries(struct cli *cli, struct str *out, const json_t *deliveries)
{
	static const struct table_column columns[] = {
		TABLE_LEFT("CHANNEL"),   TABLE_LEFT("DELIVERY"), TABLE_LEFT("ABOUT"),
		TABLE_RIGHT("ATTEMPTS"), TABLE_RIGHT("WHEN"),    TABLE_FLEXIBLE("ERROR"),
	};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns), .indent = 2};
	json_t *delivery;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)deliveries, i, delivery)
		add_delivery(&t, delivery, cli_now(cli));
	if (t.cells_n > 0)
		str_addc(out, '\n');
	table_format(&t, cli->has_colour, cli->width, out);
	table_done(&t);
}

static void print_alert(struct cli *cli, const json_t *a)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	const char *severity = field_or(a, "severity", "?");
	struct facts f;

	paint_add(&out, cli->has_colour, tone_of_severity(severity), severity);
	str_add(&out, "  ");
	paint_add(&out, cli->has_colour, TONE_BOLD,
		  field_or(a, "component", field_or(a, "key", "?")));
	str_addc(&out, '\n');
	facts_init(&f, cli_now(cli));
	facts_member(&f, "message", a, "message");
	facts_member(&f, "state", a, "state");
	facts_time(&f, "opened", a, "opened");
	facts_time(&f, "resolved", a, "resolved");
	facts_member(&f, "count", a, "count");
	facts_member(&f, "rule", a, "rule");
	facts_member(&f, "key", a, "key");
	facts_member(&f, "id", a, "id");
	facts_finish(&f, cli->has_colour, &out);
	add_deliveries(cli, &out, field_array(a, "deliveries"));
	cli_print(cli, &out);
}

/* People copy the short id of the list; *id_r is borrowed from *answer_r. 0 or an exit code. */
static int find_id(struct cli *cli, const char *prefix, json_t **answer_r, const char **id_r)
{
	int code = ask_alerts(cli, true, ALERTS_MAX, answer_r);
	json_t *alert;
	size_t i;

	*id_r = NULL;
	if (code != 0)
		return code;
	json_array_foreach (field_array(*answer_r, "alerts"), i, alert) {
		const char *id = field_or(alert, "id", "");

		if (!str_starts(id, prefix))
			continue;
		if (*id_r != NULL)
			return cli_refuse(cli, CLI_USAGE,
					  "more than one alert's id begins with '%s'", prefix);
		*id_r = id;
	}
	/* Older than the list: the notifier may still know it by its whole id. */
	if (*id_r == NULL)
		*id_r = prefix;
	return 0;
}

int verb_alerts_show(struct cli *cli, const struct args *args)
{
	json_t *list = NULL, *answer = NULL;
	const json_t *alert;
	const char *id;
	int code = find_id(cli, args_word(args, 0), &list, &id);

	if (code == 0)
		code = cli_ask(cli, "notifier", "alerts.show", json_pack("{s:s}", "id", id),
			       CLI_TIMEOUT_MS, &answer);
	json_decref(list);
	if (code != 0)
		return code;
	alert = json_object_get(answer, "alert");
	if (cli->is_json)
		cli_json(cli, answer);
	else
		print_alert(cli, alert != NULL ? alert : answer);
	json_decref(answer);
	return CLI_DONE;
}

/* ---- notify test ---- */

int verb_notify_test(struct cli *cli, const struct args *args)
{
	const char *channel = args_word(args, 0), *status, *detail;
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *answer = NULL;
	bool is_sent;
	int code = cli_ask(cli, "notifier", "notify.test", json_pack("{s:s}", "channel", channel),
			   NOTIFY_TIMEOUT_MS, &answer);

	if (code != 0)
		return code;
	status = field_or(answer, "status", "unknown");
	detail = field_text(answer, "detail");
	is_sent = str_eq(status, "sent");
	if (cli->is_json) {
		cli_json(cli, answer);
	} else {
		str_addf(&out, "%s: ", channel);
		paint_add(&out, cli->has_colour, is_sent ? TONE_GOOD : TONE_BAD, status);
		if (detail != NULL && *detail != '\0') {
			str_add(&out, ", ");
			text_add(&out, detail);
		}
		str_addc(&out, '\n');
		cli_print(cli, &out);
	}
	json_decref(answer);
	return is_sent ? CLI_DONE : CLI_FAILED;
}
