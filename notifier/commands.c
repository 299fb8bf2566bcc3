/* SPDX-License-Identifier: Apache-2.0 */
/* The commands on notifier.ipc (docs/bus.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "notifier.h"

static int64_t limit_of(const json_t *params)
{
	const json_t *limit = json_object_get(params, "limit");

	return json_is_integer(limit) ? json_integer_value(limit) : 100;
}

/* Takes rows; NULL is the outbox's error. */
static void reply_rows(struct command_request *rq, const char *name, json_t *rows,
		       const struct err *err)
{
	if (!rows)
		command_fail(rq, COMMAND_E_FAILED, NULL, "%s", err->text);
	else
		command_reply(rq, json_pack("{s:o}", name, rows));
}

static void alerts_list(void *ctx, struct command_request *rq, const json_t *params)
{
	struct notifier *n = ctx;
	const char *state = json_string_value(json_object_get(params, "state"));
	struct err err = {0};

	if (!state)
		state = "open";
	if (!str_eq(state, "open") && !str_eq(state, "resolved") && !str_eq(state, "all")) {
		command_fail(rq, COMMAND_E_PARAMS, NULL, "state is one of open, resolved, all");
		return;
	}
	reply_rows(rq, "alerts", outbox_alerts(n->outbox, state, limit_of(params), &err), &err);
}

static void alerts_show(void *ctx, struct command_request *rq, const json_t *params)
{
	struct notifier *n = ctx;
	const char *id = json_string_value(json_object_get(params, "id"));
	struct err err = {0};
	json_t *alert;

	if (!id) {
		command_fail(rq, COMMAND_E_PARAMS, NULL, "id is missing");
		return;
	}
	alert = outbox_alert(n->outbox, id, &err);
	if (!alert)
		command_fail(rq, COMMAND_E_FAILED, NULL, "%s", err.text);
	else if (json_is_null(alert))
		command_fail(rq, COMMAND_E_NOT_FOUND, NULL, "no alert '%s'", id);
	else
		command_reply(rq, json_incref(alert));
	json_decref(alert);
}

static void deliveries_list(void *ctx, struct command_request *rq, const json_t *params)
{
	struct notifier *n = ctx;
	struct err err = {0};

	reply_rows(rq, "deliveries", outbox_deliveries(n->outbox, limit_of(params), &err), &err);
}

/* ---- notify.test ---- */

static void on_tested(void *ctx, const struct delivery_result *r)
{
	const char *detail = r->error[0] ? r->error : r->is_sent ? "accepted" : "failed";

	command_reply(ctx, json_pack("{s:s, s:s, s:o}", "status", r->is_sent ? "sent" : "failed",
				     "detail", detail, "http_status",
				     r->status ? json_integer(r->status) : json_null()));
}

static json_t *test_payload(const struct notifier *n, const char *id, const char *channel,
			    const char *text)
{
	char at[CLOCK_TEXT_MAX];

	return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s?, s:s, s:s, s:s, s:s}", "id", id, "event",
			 "test", "recovered", 0, "at", clock_now_text(at), "node",
			 service_node(n->service), "instance", n->instance, "channel", channel,
			 "severity", "info", "title", "", "message", text);
}

static void notify_test(void *ctx, struct command_request *rq, const json_t *params)
{
	struct notifier *n = ctx;
	const char *name = json_string_value(json_object_get(params, "channel"));
	const struct channel *c = name ? alerts_channel(&n->alerts, name) : NULL;
	struct message m = {.attempt = 1};

	if (!c) {
		command_fail(rq, name ? COMMAND_E_NOT_FOUND : COMMAND_E_PARAMS, NULL,
			     "no channel '%s'", name ? name : "");
		return;
	}
	if (n->is_stopping) {
		command_fail(rq, COMMAND_E_REFUSED, NULL, "stopping");
		return;
	}
	(void)rnd_uuid(m.id);
	m.event = mem_dup("test");
	m.title = mem_dup("");
	m.text = mem_printf("✅ Test message from hale on %s", service_node(n->service));
	m.payload = test_payload(n, m.id, c->name, m.text);
	sender_test(n->sender, c, &m, on_tested, rq);
	message_done(&m);
}

/* ---- notifier.status ---- */

static json_t *channel_list(const struct notifier *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->alerts.channels_n; i++) {
		const struct channel *c = &n->alerts.channels[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "name", c->name, "type",
						      c->ops->type, "rate", (json_int_t)c->rate));
	}
	return list;
}

static json_t *rule_list(const struct notifier *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->alerts.rules_n; i++) {
		const struct engine_rule *r = &n->alerts.engine_rules[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "name", r->name,
						      "type", rule_type_name(r->type),
						      "cooldown_ms", (json_int_t)r->cooldown_ms,
						      "repeat_ms", (json_int_t)r->repeat_ms));
	}
	return list;
}

static void notifier_status(void *ctx, struct command_request *rq, const json_t *params)
{
	struct notifier *n = ctx;
	struct outbox_counts c = {0};
	struct err err = {0};

	(void)params;
	if (outbox_count(n->outbox, &c, &err) < 0) {
		command_fail(rq, COMMAND_E_FAILED, NULL, "%s", err.text);
		return;
	}
	command_reply(rq,
		      json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
				"s:{s:s, s:I}, s:s?}",
				"rules", rule_list(n), "channels", channel_list(n), "alerts_open",
				(json_int_t)c.alerts_open, "waiting", (json_int_t)c.waiting, "sent",
				(json_int_t)c.sent, "failed", (json_int_t)c.failed, "in_flight",
				(json_int_t)sender_in_flight(n->sender), "dropped",
				(json_int_t)n->dropped, "lines", (json_int_t)n->lines, "bad_lines",
				(json_int_t)n->bad_lines, "template_errors",
				(json_int_t)n->template_errors, "cursor", "epoch", n->cursor.epoch,
				"seq", (json_int_t)n->cursor.seq, "error",
				n->trouble[0] ? n->trouble : NULL));
}

const struct command_method notifier_methods[] = {
	{"alerts.list", alerts_list, "{\"state\": open|resolved|all, \"limit\"} -> {\"alerts\"}"},
	{"alerts.show", alerts_show, "{\"id\"} -> the alert with its deliveries and attempts"},
	{"deliveries.list", deliveries_list, "{\"limit\"} -> {\"deliveries\"}, newest first"},
	{"notify.test", notify_test, "{\"channel\"} -> {\"status\": sent|failed, \"detail\"}"},
	{"notifier.status", notifier_status, "{} -> rules, channels, counts"},
	{0},
};
