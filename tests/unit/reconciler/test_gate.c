/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "fixture.h"
#include "gate.h"

static void feed(struct gate *g, void (*take)(struct gate *, const json_t *), const char *text)
{
	json_t *value = fixture_json(text);

	take(g, value);
	json_decref(value);
}

static void expect(const struct gate *g, const char *wanted)
{
	struct strlist ids = {0};
	char *text;

	strlist_add(&ids, "gateway");
	strlist_add(&ids, "db");
	text = gate_refusal(g, &ids);
	if (wanted == NULL)
		assert_null(text);
	else
		assert_string_equal(text, wanted);
	free(text);
	strlist_done(&ids);
}

static void it_is_closed_before_anything_is_known(void **state)
{
	struct gate g = {0};

	(void)state;
	expect(&g, "require_healthy: gateway is unknown, db is unknown");
	gate_done(&g);
}

static void it_opens_by_a_snapshot_and_follows_the_lines(void **state)
{
	struct gate g = {0};

	(void)state;
	feed(&g, gate_snapshot,
	     "{'components': [{'id': 'gateway', 'status': 'healthy'}, {'id': 'db', 'status': "
	     "'healthy'}]}");
	expect(&g, NULL);
	feed(&g, gate_line, "{'component': 'gateway', 'state': {'status': 'degraded'}}");
	expect(&g, "require_healthy: gateway is degraded");
	feed(&g, gate_line, "{'component': 'gateway', 'state': {'status': 'healthy'}}");
	expect(&g, NULL);
	feed(&g, gate_line, "{'component': 'db', 'removed': true, 'state': {'status': 'healthy'}}");
	expect(&g, "require_healthy: db is unknown");
	gate_done(&g);
}

static void a_new_snapshot_forgets_what_was(void **state)
{
	struct gate g = {0};

	(void)state;
	feed(&g, gate_line, "{'component': 'db', 'state': {'status': 'healthy'}}");
	feed(&g, gate_snapshot, "{'components': [{'id': 'gateway', 'status': 'healthy'}]}");
	expect(&g, "require_healthy: db is unknown");
	gate_done(&g);
}

static void a_status_it_does_not_know_is_not_healthy(void **state)
{
	struct gate g = {0};

	(void)state;
	feed(&g, gate_snapshot,
	     "{'components': [{'id': 'gateway', 'status': 'great'}, {'id': 'db'}, {}, 5]}");
	expect(&g, "require_healthy: gateway is unknown, db is unknown");
	gate_done(&g);
}

static void nothing_required_is_always_open(void **state)
{
	struct gate g = {0};
	struct strlist none = {0};

	(void)state;
	assert_null(gate_refusal(&g, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_closed_before_anything_is_known),
		cmocka_unit_test(it_opens_by_a_snapshot_and_follows_the_lines),
		cmocka_unit_test(a_new_snapshot_forgets_what_was),
		cmocka_unit_test(a_status_it_does_not_know_is_not_healthy),
		cmocka_unit_test(nothing_required_is_always_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
