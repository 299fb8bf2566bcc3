/* SPDX-License-Identifier: Apache-2.0 */
/* Pages out of manifests, and text that roff must not take for requests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/man.h"
#include "conf/roff.h"

static void assert_roff(const char *text, const char *roff)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	roff_add(&out, text);
	assert_string_equal(str_text(&out), roff);
}

static void text_is_escaped(void **state)
{
	(void)state;
	assert_roff("plain", "plain");
	assert_roff("a-b", "a\\-b");
	assert_roff(".TH x", "\\&.TH x");
	assert_roff("a\n.b", "a\n\\&.b");
	assert_roff("a.b", "a.b");
	assert_roff("'quoted'", "\\(aqquoted\\(aq");
	assert_roff("c:\\x", "c:\\ex");
	assert_roff("~/^`", "\\(ti/\\(ha\\(ga");
	assert_roff("so on…", "so on\\[u2026]");
	assert_roff("é €", "\\[u00E9] \\[u20AC]");
	assert_roff("\xf0\x9f\x94\xb4", "\\[u1F534]");
	assert_roff("\xe2(", "("); /* no UTF-8 */
}

static void paragraphs_flow_and_end_in_a_full_stop(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	roff_flow(&out, "one\n  two\n\nthree");
	assert_string_equal(str_text(&out), "one\ntwo\n.PP\nthree.\n");
	str_clear(&out);
	roff_flow(&out, "is it?\n");
	assert_string_equal(str_text(&out), "is it?\n");
}

static void headings_quote_their_text(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	roff_section(&out, "a \"b\" c");
	assert_string_equal(str_text(&out), ".SH \"a \\(dqb\\(dq c\"\n");
}

static json_t *parsed(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void an_option_tells_all_that_is_known_of_it(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct manifest_set set = {0};
	json_t *core = parsed(
		"{\"sections\": {\"bus\": {\"shape\": \"map\", \"help\": \"the bus\", \"options\": "
		"{"
		"  \"ring\": {\"type\": \"size\", \"help\": \"memory\", \"default\": \"64MB\","
		"             \"min\": 65536, \"max\": 1073741824},"
		"  \"how\": {\"type\": \"enum\", \"help\": \"way\", \"choices\": [\"a\", \"b\"],"
		"            \"required\": true},"
		"  \"retry\": {\"type\": \"map\", \"help\": \"tries\", \"default\": \"{}\", "
		"\"options\": {"
		"    \"first\": {\"type\": \"duration\", \"help\": \"delay\", \"min\": 1000}}},"
		"  \"token\": {\"type\": \"string\", \"help\": \"word\", \"secret\": true,"
		"              \"nonempty\": true},"
		"  \"to\": {\"type\": \"list\", \"help\": \"whom\", \"ref\": "
		"\"alerts.channels\"}}},"
		" \"jobs\": {\"shape\": \"dict\", \"help\": \"what is done\", \"options\": {}}},"
		" \"component\": {\"label\": {\"type\": \"string\", \"help\": \"a name\"}}}");

	(void)state;
	manifest_set_add(
		&set,
		parsed("{\"role\": \"check\", \"kind\": \"dns\", \"summary\": \"asks a name\","
		       " \"program\": \"x\", \"options\": {\"host\": {\"type\": \"string\"}},"
		       " \"metrics\": [{\"name\": \"ttl_seconds\", \"help\": \"how long it "
		       "holds\"}]}"),
		NULL);
	man_config(&out, &set, core, "2026-11-22", "hale 1");
	assert_non_null(
		strstr(str_text(&out), ".TH \"hale.yaml\" 5 2026-11-22 \"hale 1\" \"hale\"\n"));
	assert_non_null(strstr(str_text(&out), ".TP\n\\fBring\\fR \\fI(size)\\fR\n"
					       "memory. From 64KB to 1GB. Default: 64MB.\n"));
	assert_non_null(strstr(str_text(&out), "way. One of a, b. Required.\n"));
	assert_non_null(strstr(str_text(&out), "\\fBretry\\fR \\fI(mapping)\\fR\ntries.\n.RS\n.TP\n"
					       "\\fBfirst\\fR \\fI(duration)\\fR\n"
					       "delay. At least 1s.\n.RE\n"));
	assert_non_null(strstr(str_text(&out), "word. Not empty. Secret: never shown.\n"));
	assert_non_null(strstr(str_text(&out), "whom. Each one a name under alerts.channels.\n"));
	assert_non_null(strstr(str_text(&out), "what is done. A dictionary"));
	assert_non_null(strstr(str_text(&out), ".SS \"dns\"\nasks a name.\n.TP\n\\fBhost\\fR"));
	assert_non_null(strstr(str_text(&out), "\\fBttl_seconds\\fR\nhow long it holds.\n"));
	manifest_set_done(&set);
	json_decref(core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(paragraphs_flow_and_end_in_a_full_stop),
		cmocka_unit_test(headings_quote_their_text),
		cmocka_unit_test(an_option_tells_all_that_is_known_of_it),
	};

	return cmocka_run_group_tests_name("conf.man", tests, NULL, NULL);
}
