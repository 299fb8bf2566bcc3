/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>

#include "render.h"

/* Channels and one rule of the given JSON members. */
static void load(struct alerts *a, struct renderer **r, const char *rule)
{
	char text[1024];
	struct err err = {0};

	(void)snprintf(
		text, sizeof(text),
		"{\"channels\": {\"c\": {\"null\": {}}}, \"rules\": [{\"name\": \"r\", %s}]}",
		rule);
	json_t *section = json_loads(text, 0, NULL);
	assert_int_equal(alerts_decode(section, a, &err), 0);
	assert_int_equal(renderer_new(a, r, &err), 0);
	json_decref(section);
}

static void reads(struct renderer *r, const struct talk *t, const char *expected)
{
	char *title, *message, *text;
	struct err err = {0};

	if (render(r, 0, notice(t)->vars, &title, &message, &err) < 0)
		fail_msg("%s", err.text);
	text = render_join(title, message);
	assert_string_equal(text, expected);
	free(title);
	free(message);
	free(text);
}

static void end(struct alerts *a, struct renderer *r, struct talk *t)
{
	talk_end(t);
	renderer_free(r);
	alerts_done(a);
}

/* S0-36, S0-37, S0-38. */
static void the_total_reads_as_ever(void **state)
{
	(void)state;
	struct alerts a = {0};
	struct renderer *r;
	struct talk t = {0};

	load(&a, &r, "\"type\": \"status_change\", \"cooldown\": 0");
	talk_start(&t, a.engine_rules, 1);
	SAY(&t, 0, "disk", STATUS_DEGRADED, .overall = "degraded", .message = "91 % used");
	reads(r, &t, "🟡 DEGRADED: disk: 91 % used");
	SAY(&t, 1, "ib_gateway", STATUS_CRITICAL, .message = "Disconnected");
	SAY(&t, 2, "ib_proxy", STATUS_DOWN, .overall = "critical", .message = "Not reachable");
	reads(r, &t, "🔴 CRITICAL: ib_gateway: Disconnected, ib_proxy: Not reachable");
	SAY(&t, 3, "ib_gateway", STATUS_HEALTHY);
	SAY(&t, 3, "ib_proxy", STATUS_HEALTHY, .overall = "degraded");
	reads(r, &t, "🟡 DEGRADED: disk: 91 % used");
	SAY(&t, 4, "disk", STATUS_HEALTHY, .overall = "healthy");
	reads(r, &t, "🟢 RECOVERED: All systems healthy");
	SAY(&t, 5, "disk", STATUS_DOWN, .overall = "down", .message = "gone");
	reads(r, &t, "🔴 DOWN: disk: gone");
	end(&a, r, &t);
}

static void a_component_reads_like_the_total(void **state)
{
	(void)state;
	struct alerts a = {0};
	struct renderer *r;
	struct talk t = {0};

	load(&a, &r, "\"type\": \"status_change\", \"components\": [\"*\"], \"cooldown\": 0");
	talk_start(&t, a.engine_rules, 1);
	SAY(&t, 0, "api", STATUS_UNKNOWN, .message = "No data for 90 s");
	reads(r, &t, "⚪ UNKNOWN: api: No data for 90 s");
	SAY(&t, 1, "api", STATUS_HEALTHY, .message = "OK");
	reads(r, &t, "🟢 RECOVERED: api: OK");
	end(&a, r, &t);
}

/* S3-36, S3-37. */
static void failures_read_as_ever(void **state)
{
	(void)state;
	struct alerts a = {0};
	struct renderer *r;
	struct talk t = {0};

	load(&a, &r, "\"type\": \"component_failures\"");
	talk_start(&t, a.engine_rules, 1);
	SAY(&t, 0, "api", STATUS_DOWN, 3, .message = "Connection refused");
	reads(r, &t, "🚨 api is UNHEALTHY\nStatus: down\nMessage: Connection refused\nFailures: 3");
	SAY(&t, 1, "api", STATUS_HEALTHY, 0, .message = "OK");
	reads(r, &t, "🟢 api has RECOVERED\nStatus: healthy\nMessage: OK");
	end(&a, r, &t);
}

static void a_template_sees_everything(void **state)
{
	(void)state;
	struct alerts a = {0};
	struct renderer *r;
	struct talk t = {0};

	load(&a, &r,
	     "\"type\": \"status_change\", \"components\": [\"*\"],"
	     "\"title\": \"[.node, .instance, .rule.name, .severity, .event] | join(\\\" \\\")\","
	     "\"message\": \"{s: .status, p: .previous, c: .component.id, o: .overall.score,"
	     " n: (.components | length), a: .alert.count, r: .recovered, t: .at}\"");
	talk_start(&t, a.engine_rules, 1);
	SAY(&t, 0, "api", STATUS_DOWN, .overall = "critical");
	reads(r, &t,
	      "web1 shop r critical alert\n"
	      "{\"s\":\"down\",\"p\":\"healthy\",\"c\":\"api\",\"o\":50,\"n\":1,\"a\":1,"
	      "\"r\":false,\"t\":\"2027-01-15T08:00:00.000Z\"}");
	end(&a, r, &t);
}

static void a_failing_template_does_not_cost_the_notice(void **state)
{
	(void)state;
	struct alerts a = {0};
	struct renderer *r;
	struct talk t = {0};
	char *title, *message;
	struct err err = {0};

	load(&a, &r,
	     "\"type\": \"status_change\", \"components\": [\"*\"],"
	     "\"title\": \"null\", \"message\": \".status | tonumber\"");
	talk_start(&t, a.engine_rules, 1);
	SAY(&t, 0, "api", STATUS_DOWN, .message = "refused");
	assert_int_equal(render(r, 0, notice(&t)->vars, &title, &message, &err), -EBADMSG);
	assert_string_equal(title, "");
	assert_string_equal(message, "refused");
	assert_true(err.text[0] != '\0');
	free(title);
	free(message);
	end(&a, r, &t);
}

static void a_text_without_end_is_cut_between_characters(void **state)
{
	(void)state;
	struct alerts a = {0};
	struct renderer *r;
	struct talk t = {0};
	char *title, *message;
	struct err err = {0};

	load(&a, &r,
	     "\"type\": \"status_change\", \"components\": [\"*\"],"
	     "\"message\": \"\\\"a\\\" + \\\"€\\\" * 9999\"");
	talk_start(&t, a.engine_rules, 1);
	SAY(&t, 0, "api", STATUS_DOWN);
	assert_int_equal(render(r, 0, notice(&t)->vars, &title, &message, &err), 0);
	assert_int_equal(strlen(message), 1 + (RENDER_TEXT_MAX - 1) / 3 * 3);
	free(title);
	free(message);
	end(&a, r, &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_total_reads_as_ever),
		cmocka_unit_test(a_component_reads_like_the_total),
		cmocka_unit_test(failures_read_as_ever),
		cmocka_unit_test(a_template_sees_everything),
		cmocka_unit_test(a_failing_template_does_not_cost_the_notice),
		cmocka_unit_test(a_text_without_end_is_cut_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
