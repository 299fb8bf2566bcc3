/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fixture.h"

#define API "components:\n  api:\n    http: {url: \"http://x\"}\n"

/* One value of one option: "    <text>" in line 4 of a component. */
static void option_refused(const char *text, const char *report)
{
	char *yaml = mem_printf(API "    %s\n", text);

	expect_report(yaml, report);
	free(yaml);
}

static void option_is(const char *text, const char *path, const char *json)
{
	char *yaml = mem_printf(API "    %s\n", text);
	char *full = mem_printf("components.api.%s", path);

	expect_json(yaml, full, json);
	free(full);
	free(yaml);
}

/* The same for an option of the kind. */
static void http_is(const char *text, const char *path, const char *json)
{
	char *yaml = mem_printf("components:\n  api:\n    http:\n      url: u\n      %s\n", text);
	char *full = mem_printf("components.api.http.%s", path);

	expect_json(yaml, full, json);
	free(full);
	free(yaml);
}

static void http_refused(const char *text, const char *report)
{
	char *yaml = mem_printf("components:\n  api:\n    http:\n      url: u\n      %s\n", text);

	expect_report(yaml, report);
	free(yaml);
}

/* ---- What comes out ---- */

static void a_component_is_laid_out_flat_with_its_defaults(void **state)
{
	(void)state;
	expect_json(
		"components:\n  api:\n    label: API\n    interval: 5s\n"
		"    http: {url: \"http://x\"}\n",
		"components",
		"{\"api\":{\"label\":\"API\",\"interval\":5000,\"timeout\":10000,\"weight\":1.0,"
		"\"enabled\":true,\"kind\":\"http\",\"http\":{\"url\":\"http://x\","
		"\"method\":\"GET\",\"status\":[\"200\"],\"retries\":0,\"verify\":true,"
		"\"max_body\":1048576}}}");
}

static void a_target_that_a_variable_left_empty_is_not_configured(void **state)
{
	(void)state;
	(void)unsetenv("HALE_TEST_NO_URL");
	expect_json("components: {api: {http: {url: \"${HALE_TEST_NO_URL:-}\"}}}",
		    "components.api.configured", "false");
	expect_json("components:\n  api:\n    http:\n      url: ${HALE_TEST_NO_URL:-}\n",
		    "components.api.configured", "false");
	expect_json("components: {api: {http: {url: '${HALE_TEST_NO_URL:-x}'}}}",
		    "components.api.http.url", "\"x\"");
	expect_report("components: {api: {http: {url: ''}}}",
		      "hale.yaml:1:32: 'url' must not be empty\n"
		      "    1 | components: {api: {http: {url: ''}}}\n"
		      "      |                                ^^\n"
		      "1 error\n");
}

static void absent_sections_come_with_their_defaults(void **state)
{
	(void)state;
	expect_json("", "",
		    "{\"instance\":{\"name\":\"hale\"},\"programs\":{},"
		    "\"alerts\":{\"cooldown\":300000,\"quiet\":{\"for\":28800000}},"
		    "\"components\":{}}");
	expect_json("components:\nalerts:\ninstance: ~\n", "alerts.cooldown", "300000");
	expect_json("store: {path: /x}\n", "store", "{\"path\":\"/x\"}");
}

static void order_in_the_file_does_not_matter(void **state)
{
	struct report r = {0};
	json_t *a = apply(API "    timeout: 1s\n    interval: 2s\n", &r);
	json_t *b = apply(API "    interval: 2s\n    timeout: 1s\n", &r);
	char *one = json_dumps(a, 0);
	char *two = json_dumps(b, 0);

	(void)state;
	assert_string_equal(one, two);
	free(one);
	free(two);
	json_decref(a);
	json_decref(b);
	report_done(&r);
}

static void values_are_normalised(void **state)
{
	(void)state;
	option_is("interval: 1h30m", "interval", "5400000");
	option_is("interval: \"30s\"", "interval", "30000");
	option_is("weight: 2", "weight", "2.0");
	option_is("weight: 1e1", "weight", "10.0");
	option_is("label: 80", "label", "\"80\"");
	option_is("label: true", "label", "\"true\"");
	option_is("enabled: false", "enabled", "false");
	option_is("window: '*/5 9-17 * * mon-fri'", "window", "\"*/5 9-17 * * mon-fri\"");
	option_is("thresholds: {took_ms: {degraded: \"> 2000\"}}", "thresholds",
		  "{\"took_ms\":{\"degraded\":\"> 2000\"}}");
	http_is("max_body: 64KB", "max_body", "65536");
	http_is("max_body: 512", "max_body", "512");
	http_is("status: 204", "status", "[\"204\"]");
	http_is("status: [200, \"3xx\"]", "status", "[\"200\",\"3xx\"]");
	http_is("headers: {X-A: 1, X-B: yes, X-C: }", "headers",
		"{\"X-A\":\"1\",\"X-B\":\"yes\",\"X-C\":\"\"}");
}

static void json_options_take_any_shape(void **state)
{
	(void)state;
	http_is("body: {a: 1, b: \"1\", c: 1.5, d: true, e: ~, f: [x, {}], g: -2, h: .inf, i: "
		"1.2.3}",
		"body",
		"{\"a\":1,\"b\":\"1\",\"c\":1.5,\"d\":true,\"e\":null,\"f\":[\"x\",{}],\"g\":-2,"
		"\"h\":\".inf\",\"i\":\"1.2.3\"}");
	http_is("body: 99999999999999999999", "body", "1e20");
	http_is("body: null", "body", "null");
}

static void expanded_values_are_typed_by_their_option(void **state)
{
	(void)state;
	setenv("HALE_TEST_PORT", "8080", 1);
	expect_json("components:\n  a: {tcp: {port: \"${HALE_TEST_PORT}\"}}\n",
		    "components.a.tcp.port", "8080");
	http_is("body: {p: \"${HALE_TEST_PORT}\"}", "body.p", "\"8080\"");
}

/* ---- Unknown keys ---- */

static void unknown_keys_come_with_a_suggestion(void **state)
{
	(void)state;
	option_refused("intervall: 30s", "hale.yaml:4:5: unknown key 'intervall'\n"
					 "    4 |     intervall: 30s\n"
					 "      |     ^^^^^^^^^\n"
					 "      = did you mean 'interval'?\n"
					 "1 error\n");
	http_refused("methd: GET", "hale.yaml:5:7: unknown key 'methd'\n"
				   "    5 |       methd: GET\n"
				   "      |       ^^^^^\n"
				   "      = did you mean 'method'?\n"
				   "1 error\n");
	expect_report("component: {}\n", "hale.yaml:1:1: unknown key 'component'\n"
					 "    1 | component: {}\n"
					 "      | ^^^^^^^^^\n"
					 "      = did you mean 'components'?\n"
					 "1 error\n");
	expect_report("alerts: {quiet: {xyz: 1}}\n", "hale.yaml:1:18: unknown key 'xyz'\n"
						     "    1 | alerts: {quiet: {xyz: 1}}\n"
						     "      |                  ^^^\n"
						     "      = known here: for\n"
						     "1 error\n");
}

static void a_misspelt_kind_is_told_once(void **state)
{
	(void)state;
	expect_report("components:\n  api:\n    htpp: {url: x}\n",
		      "hale.yaml:3:5: unknown key 'htpp'\n"
		      "    3 |     htpp: {url: x}\n"
		      "      |     ^^^^\n"
		      "      = did you mean 'http'?\n"
		      "1 error\n");
}

/* ---- Kinds ---- */

static void a_component_needs_one_kind(void **state)
{
	(void)state;
	expect_report(
		"components:\n  api:\n    label: x\n  db:\n",
		"hale.yaml:2:3: component 'api' says not what to check: add one of http, tcp\n"
		"    2 |   api:\n"
		"      |   ^^^\n"
		"hale.yaml:4:3: component 'db' says not what to check: add one of http, tcp\n"
		"    4 |   db:\n"
		"      |   ^^\n"
		"2 errors\n");
	option_refused("tcp: {port: 80}",
		       "hale.yaml:4:5: component 'api' has two kinds, 'http' and "
		       "'tcp'\n"
		       "    4 |     tcp: {port: 80}\n"
		       "      |     ^^^\n"
		       "      = make a component of each\n"
		       "1 error\n");
}

static void a_kind_is_a_mapping(void **state)
{
	(void)state;
	expect_report("components:\n  api: {tcp: \"127.0.0.1:80\"}\n  web: {http: }\n",
		      "hale.yaml:2:14: expected a mapping with port, host\n"
		      "    2 |   api: {tcp: \"127.0.0.1:80\"}\n"
		      "      |              ^^^^^^^^^^^^^^\n"
		      "hale.yaml:3:9: required option 'url' is missing\n"
		      "    3 |   web: {http: }\n"
		      "      |         ^^^^\n"
		      "      = url: address to ask\n"
		      "2 errors\n");
	expect_report("components:\n  api: {http: [x]}\n",
		      "hale.yaml:2:15: expected a mapping with url, method, headers, status, …\n"
		      "    2 |   api: {http: [x]}\n"
		      "      |               ^\n"
		      "1 error\n");
	expect_report("components:\n  api: http\n",
		      "hale.yaml:2:8: expected a mapping with one of http, tcp\n"
		      "    2 |   api: http\n"
		      "      |        ^^^^\n"
		      "1 error\n");
	expect_report("components: [a]\n",
		      "hale.yaml:1:13: expected a mapping of components\n"
		      "    1 | components: [a]\n"
		      "      |             ^\n"
		      "      = write the id of a component, and under it its options\n"
		      "1 error\n");
}

/* ---- Types ---- */

static void wrong_numbers(void **state)
{
	(void)state;
	expect_report("components:\n  a: {tcp: {port: \"80\"}}\n  b: {tcp: {port: 70000}}\n"
		      "  c: {tcp: {port: eighty}}\n  d: {tcp: {port: 8.5}}\n  e: {tcp: {port: }}\n",
		      "hale.yaml:2:19: expected a port number, found quoted text\n"
		      "    2 |   a: {tcp: {port: \"80\"}}\n"
		      "      |                   ^^^^\n"
		      "      = remove the quotes: 80\n"
		      "hale.yaml:3:19: '70000' is not between 1 and 65535\n"
		      "    3 |   b: {tcp: {port: 70000}}\n"
		      "      |                   ^^^^^\n"
		      "hale.yaml:4:19: expected a port number, found 'eighty'\n"
		      "    4 |   c: {tcp: {port: eighty}}\n"
		      "      |                   ^^^^^^\n"
		      "hale.yaml:5:19: expected a port number, found '8.5'\n"
		      "    5 |   d: {tcp: {port: 8.5}}\n"
		      "      |                   ^^^\n"
		      "hale.yaml:6:19: expected a port number, found nothing\n"
		      "    6 |   e: {tcp: {port: }}\n"
		      "      |                   ^\n"
		      "      = remove the key to have the default\n"
		      "5 errors\n");
	http_refused("retries: 99999999999999999999",
		     "hale.yaml:5:16: expected a number of at most 64 bits, found "
		     "'99999999999999999999'\n"
		     "    5 |       retries: 99999999999999999999\n"
		     "      |                ^^^^^^^^^^^^^^^^^^^^\n"
		     "1 error\n");
	option_refused("weight: heavy", "hale.yaml:4:13: expected a number, found 'heavy'\n"
					"    4 |     weight: heavy\n"
					"      |             ^^^^^\n"
					"1 error\n");
	option_refused("weight: -1", "hale.yaml:4:13: '-1' is not between 0 and 100\n"
				     "    4 |     weight: -1\n"
				     "      |             ^^\n"
				     "1 error\n");
}

static void wrong_durations_and_sizes(void **state)
{
	(void)state;
	option_refused("interval: 30", "hale.yaml:4:15: 30 has no unit\n"
				       "    4 |     interval: 30\n"
				       "      |               ^^\n"
				       "      = write 30s or 30ms\n"
				       "1 error\n");
	option_refused(
		"interval: 30 sec",
		"hale.yaml:4:15: '30 sec' is not a duration\n"
		"    4 |     interval: 30 sec\n"
		"      |               ^^^^^^\n"
		"      = write it like 500ms, 30s or 1h30m; units are w d h m s ms, the largest "
		"first\n"
		"1 error\n");
	option_refused("interval: 100ms", "hale.yaml:4:15: '100ms' is not between 1s and 1d\n"
					  "    4 |     interval: 100ms\n"
					  "      |               ^^^^^\n"
					  "1 error\n");
	http_refused("max_body: large", "hale.yaml:5:17: 'large' is not a size\n"
					"    5 |       max_body: large\n"
					"      |                 ^^^^^\n"
					"      = write it like 512, 64KB, 64MB or 2GB\n"
					"1 error\n");
	http_refused("max_body: 2GB", "hale.yaml:5:17: '2GB' is not between 1 and 1GB\n"
				      "    5 |       max_body: 2GB\n"
				      "      |                 ^^^\n"
				      "1 error\n");
}

static void wrong_booleans(void **state)
{
	(void)state;
	option_refused("enabled: yes", "hale.yaml:4:14: expected true or false, found 'yes'\n"
				       "    4 |     enabled: yes\n"
				       "      |              ^^^\n"
				       "      = write true\n"
				       "1 error\n");
	option_refused("enabled: Off", "hale.yaml:4:14: expected true or false, found 'Off'\n"
				       "    4 |     enabled: Off\n"
				       "      |              ^^^\n"
				       "      = write false\n"
				       "1 error\n");
	option_refused("enabled: \"true\"",
		       "hale.yaml:4:14: expected true or false, found quoted text\n"
		       "    4 |     enabled: \"true\"\n"
		       "      |              ^^^^^^\n"
		       "      = remove the quotes: true\n"
		       "1 error\n");
}

static void wrong_texts_lists_and_mappings(void **state)
{
	(void)state;
	option_refused("label: [a]", "hale.yaml:4:12: expected text, found a list\n"
				     "    4 |     label: [a]\n"
				     "      |            ^\n"
				     "1 error\n");
	option_refused("label:", "hale.yaml:4:11: expected text, found nothing\n"
				 "    4 |     label:\n"
				 "      |           ^\n"
				 "      = write \"\" for an empty text\n"
				 "1 error\n");
	http_refused("method: POTS", "hale.yaml:5:15: 'POTS' is not one of GET, POST, HEAD\n"
				     "    5 |       method: POTS\n"
				     "      |               ^^^^\n"
				     "      = did you mean 'POST'?\n"
				     "1 error\n");
	http_refused("status: {a: b}", "hale.yaml:5:15: expected a list, found a mapping\n"
				       "    5 |       status: {a: b}\n"
				       "      |               ^\n"
				       "      = write [a, b], or '- ' before each entry\n"
				       "1 error\n");
	http_refused("status: []", "hale.yaml:5:7: 'status' must not be empty\n"
				   "    5 |       status: []\n"
				   "      |       ^^^^^^\n"
				   "1 error\n");
	http_refused("status: [[1]]", "hale.yaml:5:16: expected text, found a list\n"
				      "    5 |       status: [[1]]\n"
				      "      |                ^\n"
				      "1 error\n");
	http_refused("headers: [a]", "hale.yaml:5:16: expected a mapping of names to texts\n"
				     "    5 |       headers: [a]\n"
				     "      |                ^\n"
				     "      = write name: value\n"
				     "1 error\n");
	http_refused("headers: {a: {}}", "hale.yaml:5:20: expected text, found a mapping\n"
					 "    5 |       headers: {a: {}}\n"
					 "      |                    ^\n"
					 "1 error\n");
	http_refused("jq: \"\"", "hale.yaml:5:11: 'jq' must not be empty\n"
				 "    5 |       jq: \"\"\n"
				 "      |           ^^\n"
				 "1 error\n");
	expect_report("alerts: {rules: {name: x}}\n",
		      "hale.yaml:1:17: expected a list of mappings with name, channels, component\n"
		      "    1 | alerts: {rules: {name: x}}\n"
		      "      |                 ^\n"
		      "1 error\n");
	expect_report("alerts: {rules: [x]}\n",
		      "hale.yaml:1:18: expected a mapping with name, channels, component\n"
		      "    1 | alerts: {rules: [x]}\n"
		      "      |                  ^\n"
		      "1 error\n");
	expect_report("programs: {a: 3}\n", "hale.yaml:1:15: expected a mapping with command\n"
					    "    1 | programs: {a: 3}\n"
					    "      |               ^\n"
					    "1 error\n");
	expect_report("programs: x\n",
		      "hale.yaml:1:11: expected a mapping of names\n"
		      "    1 | programs: x\n"
		      "      |           ^\n"
		      "      = write a name of your choice, and under it its options\n"
		      "1 error\n");
}

static void wrong_schedules_and_thresholds(void **state)
{
	struct report r = {0};

	(void)state;
	json_decref(apply(API "    window: \"61 * * * *\"\n"
			      "    thresholds: {took_ms: {degraded: 90, critcal: \"> 1\"}}\n",
			  &r));
	assert_int_equal(r.errors, 3);
	assert_true(str_starts(r.v[0].message, "not a schedule: minute "));
	assert_string_equal(r.v[0].hint, "five fields: minute hour day month weekday, such as "
					 "\"30 9 * * mon-fri\"");
	assert_int_equal(r.v[0].mark.line, 4);
	assert_int_equal(r.v[0].mark.column, 13);
	assert_int_equal(r.v[0].mark.length, 12);
	assert_non_null(strstr(r.v[1].message, "is not a threshold"));
	assert_string_equal(r.v[1].hint, "write it like \"> 90\", \"<= 5\" or \"!= 0\", in quotes");
	assert_string_equal(r.v[2].message, "unknown key 'critcal'");
	assert_string_equal(r.v[2].hint, "did you mean 'critical'?");
	report_done(&r);
}

static void required_options_are_missed(void **state)
{
	(void)state;
	expect_report("store: {}\nalerts: {channels: {ops: {telegram: {chat: x}}}}\n",
		      "hale.yaml:1:1: required option 'path' is missing\n"
		      "    1 | store: {}\n"
		      "      | ^^^^^\n"
		      "hale.yaml:2:27: required option 'token' is missing\n"
		      "    2 | alerts: {channels: {ops: {telegram: {chat: x}}}}\n"
		      "      |                           ^^^^^^^^\n"
		      "2 errors\n");
}

/* ---- Ids ---- */

static void ids_are_checked(void **state)
{
	(void)state;
	expect_report(
		"components:\n  IB Gateway: {tcp: {port: 1}}\n  overall: {tcp: {port: 1}}\n"
		"  hale.web: {tcp: {port: 1}}\n  history: {tcp: {prt: 1}}\n",
		"hale.yaml:2:3: component id 'IB Gateway' holds other characters than a-z 0-9 _ . "
		"-\n"
		"    2 |   IB Gateway: {tcp: {port: 1}}\n"
		"      |   ^^^^^^^^^^\n"
		"      = write 'ib_gateway', and label: for the name people read\n"
		"hale.yaml:3:3: component id 'overall' is reserved\n"
		"    3 |   overall: {tcp: {port: 1}}\n"
		"      |   ^^^^^^^\n"
		"      = choose another id\n"
		"hale.yaml:4:3: component ids that begin with 'hale.' are hale's own processes\n"
		"    4 |   hale.web: {tcp: {port: 1}}\n"
		"      |   ^^^^^^^^\n"
		"      = choose another id\n"
		"hale.yaml:5:3: component id 'history' is reserved\n"
		"    5 |   history: {tcp: {prt: 1}}\n"
		"      |   ^^^^^^^\n"
		"      = choose another id\n"
		"hale.yaml:5:13: required option 'port' is missing\n"
		"    5 |   history: {tcp: {prt: 1}}\n"
		"      |             ^^^\n"
		"hale.yaml:5:19: unknown key 'prt'\n"
		"    5 |   history: {tcp: {prt: 1}}\n"
		"      |                   ^^^\n"
		"      = did you mean 'port'?\n"
		"6 errors\n");
	expect_json("components:\n  a-b_c.9: {tcp: {port: 1}}\n",
		    "components", /* a dot in the key */
		    "{\"a-b_c.9\":{\"interval\":30000,\"timeout\":10000,\"weight\":1.0,\"enabled\":"
		    "true,"
		    "\"kind\":\"tcp\",\"tcp\":{\"host\":\"127.0.0.1\",\"port\":1}}}");
}

/* ---- References ---- */

static void unknown_names_are_refused(void **state)
{
	(void)state;
	expect_report("alerts:\n  channels: {ops: {}, pager: {}}\n"
		      "  rules:\n    - {name: a, channels: [ops, opps]}\n"
		      "    - {name: b, channels: nobody, component: apy}\n" API,
		      "hale.yaml:4:33: unknown channel 'opps'\n"
		      "    4 |     - {name: a, channels: [ops, opps]}\n"
		      "      |                                 ^^^^\n"
		      "      = did you mean 'ops'? (a name in alerts.channels)\n"
		      "hale.yaml:5:27: unknown channel 'nobody'\n"
		      "    5 |     - {name: b, channels: nobody, component: apy}\n"
		      "      |                           ^^^^^^\n"
		      "      = alerts.channels has ops, pager\n"
		      "hale.yaml:5:46: unknown component 'apy'\n"
		      "    5 |     - {name: b, channels: nobody, component: apy}\n"
		      "      |                                              ^^^\n"
		      "      = did you mean 'api'? (a name in components)\n"
		      "3 errors\n");
	expect_report("alerts: {rules: [{name: a, channels: ops}]}\n",
		      "hale.yaml:1:38: unknown channel 'ops'\n"
		      "    1 | alerts: {rules: [{name: a, channels: ops}]}\n"
		      "      |                                      ^^^\n"
		      "      = there is nothing in alerts.channels\n"
		      "1 error\n");
	expect_json("alerts: {channels: {ops: {}}, rules: [{name: a, channels: ops}]}\n",
		    "alerts.rules.0.channels", "[\"ops\"]");
}

static void circles_of_dependencies_are_shown_whole(void **state)
{
	(void)state;
	expect_report("components:\n  a: {tcp: {port: 1}, depends_on: [b]}\n"
		      "  b: {tcp: {port: 1}, depends_on: [c]}\n"
		      "  c: {tcp: {port: 1}, depends_on: b}\n"
		      "  d: {tcp: {port: 1}, depends_on: [a, d]}\n",
		      "hale.yaml:4:35: depends_on goes in a circle: b -> c -> b\n"
		      "    4 |   c: {tcp: {port: 1}, depends_on: b}\n"
		      "      |                                   ^\n"
		      "      = remove one of these dependencies\n"
		      "hale.yaml:5:39: depends_on goes in a circle: d -> d\n"
		      "    5 |   d: {tcp: {port: 1}, depends_on: [a, d]}\n"
		      "      |                                       ^\n"
		      "      = remove one of these dependencies\n"
		      "2 errors\n");
	expect_json("components:\n  a: {tcp: {port: 1}, depends_on: [b, c]}\n"
		    "  b: {tcp: {port: 1}, depends_on: [c]}\n  c: {tcp: {port: 1}}\n",
		    "components.a.depends_on", "[\"b\",\"c\"]");
}

static void a_name_listed_twice_is_a_warning(void **state)
{
	struct report r = {0};
	json_t *out = apply("components:\n  a: {tcp: {port: 1}}\n"
			    "  b: {tcp: {port: 1}, depends_on: [a, a]}\n",
			    &r);

	(void)state;
	assert_non_null(out);
	assert_int_equal(r.errors, 0);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.v[0].message, "'a' is listed twice");
	json_decref(out);
	report_done(&r);
}

static void a_timeout_is_shorter_than_its_interval(void **state)
{
	(void)state;
	option_refused("interval: 10s\n    timeout: 10s",
		       "hale.yaml:5:14: timeout must be shorter than the interval of 10s\n"
		       "    5 |     timeout: 10s\n"
		       "      |              ^^^\n"
		       "      = a check must end before the next one begins\n"
		       "1 error\n");
	option_is("interval: 5s", "timeout", "10000");
}

/* ---- Several things at once ---- */

static void all_errors_are_told_in_file_order(void **state)
{
	(void)state;
	unsetenv("TELEGRAM_TOKEN");
	expect_report(
		"alerts:\n"
		"  cooldown: 5\n"
		"  channels: {ops: {telegram: {token: \"${TELEGRAM_TOKEN}\", chat: 1}}}\n"
		"  cooldown: 5m\n"
		"components:\n"
		"  api: {http: {url: x, verify: no}}\n",
		"hale.yaml:2:13: 5 has no unit\n"
		"    2 |   cooldown: 5\n"
		"      |             ^\n"
		"      = write 5s or 5ms\n"
		"hale.yaml:3:39: environment variable TELEGRAM_TOKEN is not set\n"
		"    3 |   channels: {ops: {telegram: {token: \"${TELEGRAM_TOKEN}\", chat: 1}}}\n"
		"      |                                       ^^^^^^^^^^^^^^^^^\n"
		"      = set it, or give a default: ${NAME:-default}\n"
		"hale.yaml:4:3: duplicate key 'cooldown'\n"
		"    4 |   cooldown: 5m\n"
		"      |   ^^^^^^^^\n"
		"      = it stands in line 2 already\n"
		"hale.yaml:6:32: expected true or false, found 'no'\n"
		"    6 |   api: {http: {url: x, verify: no}}\n"
		"      |                                ^^\n"
		"      = write false\n"
		"4 errors\n");
}

static void after_a_syntax_error_nothing_is_missed(void **state)
{
	(void)state;
	expect_report("store: {path: x\n",
		      "hale.yaml:1:8: expected ',' or '}'\n"
		      "    1 | store: {path: x\n"
		      "      |        ^\n"
		      "      = close the '{' or put a ',' between its entries; quote a "
		      "text that holds brackets\n"
		      "1 error\n");
}

/* ---- Secrets ---- */

static void errors_in_secrets_do_not_show_them(void **state)
{
	(void)state;
	http_refused("token: [hunter2]", "hale.yaml:5:14: expected text, found a list\n1 error\n");
	setenv("HALE_TEST_SECRET", "hunter2", 1);
	option_refused(
		"interval: ${HALE_TEST_SECRET}",
		"hale.yaml:4:15: this value is not a duration\n"
		"    4 |     interval: ${HALE_TEST_SECRET}\n"
		"      |               ^^^^^^^^^^^^^^^^^^^\n"
		"      = write it like 500ms, 30s or 1h30m; units are w d h m s ms, the largest "
		"first\n"
		"1 error\n");
	option_refused("weight: ${HALE_TEST_SECRET}",
		       "hale.yaml:4:13: expected a number, found something else (not shown, it is "
		       "secret)\n"
		       "    4 |     weight: ${HALE_TEST_SECRET}\n"
		       "      |             ^^^^^^^^^^^^^^^^^^^\n"
		       "1 error\n");
}

static void secrets_are_masked(void **state)
{
	static const char yaml[] =
		"alerts: {channels: {ops: {telegram: {token: abc, chat: "
		"\"${HALE_TEST_SECRET}\"}}}}\n"
		"components:\n"
		"  api:\n"
		"    interval: ${HALE_TEST_TIME}\n"
		"    http: {url: u, token: t, headers: {A: \"x${HALE_TEST_SECRET}\", B: b},\n"
		"           status: \"${HALE_TEST_SECRET}\", body: [1, \"${HALE_TEST_SECRET}\"]}\n";
	struct report r = {0};
	struct tree *tree;
	struct world w;
	json_t *out;
	json_t *masked;
	char *text;

	(void)state;
	setenv("HALE_TEST_SECRET", "hunter2", 1);
	setenv("HALE_TEST_TIME", "42s", 1);
	tree = tree_load_text("hale.yaml", yaml, &r);
	world_init(&w);
	out = schema_apply(tree, &w.manifests, w.core, &r);
	assert_non_null(out);
	assert_int_equal(json_integer_value(json_at(out, "components.api.interval")), 42000);
	masked = schema_mask(out, tree, &w.manifests, w.core);
	text = json_dumps(json_at(masked, "alerts.channels"), JSON_COMPACT);
	assert_string_equal(text, "{\"ops\":{\"telegram\":{\"token\":\"********\","
				  "\"chat\":\"********\"}}}");
	free(text);
	text = json_dumps(json_at(masked, "components.api"), JSON_COMPACT);
	assert_string_equal(text, "{\"interval\":\"********\",\"timeout\":10000,\"weight\":1.0,"
				  "\"enabled\":true,\"kind\":\"http\",\"http\":{\"url\":\"u\","
				  "\"method\":\"GET\",\"headers\":{\"A\":\"********\",\"B\":\"b\"},"
				  "\"status\":[\"********\"],\"body\":[1,\"********\"],"
				  "\"token\":\"********\",\"retries\":0,\"verify\":true,"
				  "\"max_body\":1048576}}");
	free(text);
	text = json_dumps(out, 0);
	assert_non_null(strstr(text, "hunter2"));
	free(text);
	json_decref(masked);
	json_decref(out);
	world_done(&w);
	tree_free(tree);
	report_done(&r);
}

/* ---- for people ---- */

static void units_read_as_people_write_them(void **state)
{
	struct world w;
	json_t *config, *text;
	char *dump;

	(void)state;
	world_init(&w);
	config = json_loads("{\"alerts\": {\"cooldown\": 300000},"
			    " \"components\": {\"api\": {\"kind\": \"http\", \"interval\": 90000,"
			    "   \"timeout\": \"********\", \"http\": {\"url\": \"x\"}}}}",
			    0, NULL);
	text = schema_readable(config, &w.manifests, w.core);
	dump = json_dumps(text, JSON_COMPACT);
	assert_string_equal(dump, "{\"alerts\":{\"cooldown\":\"5m\"},\"components\":{\"api\":{"
				  "\"interval\":\"1m30s\",\"timeout\":\"********\","
				  "\"http\":{\"url\":\"x\"}}}}");
	assert_int_equal(json_integer_value(json_at(config, "alerts.cooldown")), 300000);
	free(dump);
	json_decref(text);
	json_decref(config);
	world_done(&w);
}

/* ---- JSON Schema ---- */

static void the_json_schema_knows_every_option(void **state)
{
	struct world w;
	json_t *schema;
	const json_t *component;
	char *text;

	(void)state;
	world_init(&w);
	schema = schema_json_schema(&w.manifests, w.core);
	assert_string_equal(json_string_value(json_at(schema, "$schema")),
			    "https://json-schema.org/draft/2020-12/schema");
	component = json_at(schema, "properties.components.patternProperties");
	component = json_object_get(component, "^[a-z0-9_.-]+$");
	text = json_dumps(json_at(component, "properties.http.properties.method"), JSON_COMPACT);
	assert_string_equal(text, "{\"anyOf\":[{\"enum\":[\"GET\",\"POST\",\"HEAD\"]},"
				  "{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"}],"
				  "\"default\":\"GET\"}");
	free(text);
	text = json_dumps(json_at(component, "properties.http.required"), JSON_COMPACT);
	assert_string_equal(text, "[\"url\"]");
	free(text);
	text = json_dumps(json_at(component, "oneOf"), JSON_COMPACT);
	assert_string_equal(text, "[{\"required\":[\"http\"]},{\"required\":[\"tcp\"]}]");
	free(text);
	assert_string_equal(
		json_string_value(json_at(schema, "properties.alerts.properties.cooldown."
						  "default")),
		"5m");
	assert_true(json_is_true(json_at(component, "properties.enabled.default")));
	assert_true(json_is_false(json_at(schema, "additionalProperties")));
	json_decref(schema);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_component_is_laid_out_flat_with_its_defaults),
		cmocka_unit_test(a_target_that_a_variable_left_empty_is_not_configured),
		cmocka_unit_test(absent_sections_come_with_their_defaults),
		cmocka_unit_test(order_in_the_file_does_not_matter),
		cmocka_unit_test(values_are_normalised),
		cmocka_unit_test(json_options_take_any_shape),
		cmocka_unit_test(expanded_values_are_typed_by_their_option),
		cmocka_unit_test(unknown_keys_come_with_a_suggestion),
		cmocka_unit_test(a_misspelt_kind_is_told_once),
		cmocka_unit_test(a_component_needs_one_kind),
		cmocka_unit_test(a_kind_is_a_mapping),
		cmocka_unit_test(wrong_numbers),
		cmocka_unit_test(wrong_durations_and_sizes),
		cmocka_unit_test(wrong_booleans),
		cmocka_unit_test(wrong_texts_lists_and_mappings),
		cmocka_unit_test(wrong_schedules_and_thresholds),
		cmocka_unit_test(required_options_are_missed),
		cmocka_unit_test(ids_are_checked),
		cmocka_unit_test(unknown_names_are_refused),
		cmocka_unit_test(circles_of_dependencies_are_shown_whole),
		cmocka_unit_test(a_name_listed_twice_is_a_warning),
		cmocka_unit_test(a_timeout_is_shorter_than_its_interval),
		cmocka_unit_test(all_errors_are_told_in_file_order),
		cmocka_unit_test(after_a_syntax_error_nothing_is_missed),
		cmocka_unit_test(errors_in_secrets_do_not_show_them),
		cmocka_unit_test(secrets_are_masked),
		cmocka_unit_test(units_read_as_people_write_them),
		cmocka_unit_test(the_json_schema_knows_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
