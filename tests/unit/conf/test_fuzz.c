/* SPDX-License-Identifier: Apache-2.0 */
/* Twenty thousand broken configurations, the same ones each time: whatever is in the file, haled
 * answers with a report or a configuration, never with a crash, and leaks nothing (ASan). Also how
 * a large configuration holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "fixture.h"

#define MUTATIONS   20000
#define CHANGES_MAX 4

static const char sample[] =
	"# a configuration with something of everything\n"
	"instance: {name: \"test ${HALE_TEST_WORD:-x}\"}\n"
	"components:\n"
	"  base: &d {interval: 30s, timeout: 5s, tcp: {port: 80}}\n"
	"  api:\n"
	"    label: 'Gr\xc3\xb6\xc3\x9f"
	"e'\n"
	"    http:\n"
	"      url: http://127.0.0.1:80/x\n"
	"      headers: {X-A: 1, X-B: \"two\\n\"}\n"
	"      status: [200, 204]\n"
	"      jq: '.a | length > 3'\n"
	"      body: {a: [1, 2.5, true, ~], b: &anchor text, c: *anchor}\n"
	"      max_body: 64KB\n"
	"    thresholds: {took_ms: {degraded: \"> 100\", critical: \"> 200\"}}\n"
	"    depends_on: [db]\n"
	"  db:\n"
	"    <<: *d\n"
	"    interval: 1m\n"
	"    window: \"*/5 9-17 * * mon-fri\"\n"
	"alerts:\n"
	"  cooldown: 5m\n"
	"  channels:\n"
	"    ops: {telegram: {token: \"$${x}\", chat: \"-100\"}}\n"
	"  rules:\n"
	"    - name: a\n"
	"      channels: [ops]\n"
	"      component: api\n"
	"programs:\n"
	"  p:\n"
	"    command:\n"
	"      - /bin/true\n"
	"      - '-x'\n"
	"      - >-\n"
	"        folded\n"
	"        text\n";

/* xorshift32: the same sequence on every machine. */
static uint32_t next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static const char *const tokens[] = {
	"{",
	"}",
	"[",
	"]",
	":",
	": ",
	"- ",
	"\n",
	"\t",
	"\"",
	"'",
	"&a ",
	"*a",
	"|",
	">",
	"<<",
	"!!x",
	"---",
	"...",
	"${",
	"}",
	"$$",
	"#",
	"%",
	"\\",
	",",
	"? ",
	"@",
	"`",
	"\xff",
	"\xc3",
	"null",
	"9999999999999999999",
	"-1",
	"30",
	"\x01",
	"\xe2\x80\xa8",
	"\xef\xbb\xbf",
	"${HALE_TEST_NONE}",
	"${cred:x}",
	"include: x\n",
	"\r",
	"  ",
	"&d ",
	"*d",
	"api",
	"db",
	"depends_on: [api]\n",
	"true",
	"components",
	"~",
};

static void mutate(struct str *text, uint32_t *seed)
{
	size_t at = next(seed) % (text->len + 1);
	size_t wish = 1 + next(seed) % 12;
	size_t n = HALE_MIN(wish, text->len - at);
	const char *token = tokens[next(seed) % ARRAY_LEN(tokens)];
	struct str out = {0};

	str_addn(&out, text->data, at);
	switch (next(seed) % 5) {
	case 0: /* a byte becomes another */
		str_addc(&out, (char)(1 + next(seed) % 255));
		n = HALE_MIN((size_t)1, n);
		break;
	case 1: /* cut */
		break;
	case 2: /* put in */
		str_add(&out, token);
		n = 0;
		break;
	case 3: /* replaced */
		str_add(&out, token);
		break;
	default: /* said twice */
		str_addn(&out, text->data + at, n);
		n = 0;
		break;
	}
	str_addn(&out, text->data + at + n, text->len - at - n);
	str_done(text);
	*text = out;
}

static void look_at_everything(const struct report *r)
{
	HALE_CLEANUP(str_done) struct str shown = {0};
	json_t *json = report_encode(r);

	report_format(r, true, &shown);
	assert_int_equal(json_array_size(json), r->n);
	for (size_t i = 0; i < r->n; i++) {
		assert_true(r->v[i].mark.line > 0 || r->v[i].source == NULL);
		assert_true(r->v[i].source == NULL ||
			    r->v[i].mark.column <= strlen(r->v[i].source) + 1);
	}
	json_decref(json);
}

static bool try_one(const struct world *w, const char *yaml)
{
	struct report r = {0};
	struct tree *tree = tree_load_text("hale.yaml", yaml, &r);
	json_t *out = schema_apply(tree, &w->manifests, w->core, &r);
	bool is_good = out != NULL;

	assert_int_equal(is_good, r.errors == 0);
	look_at_everything(&r);
	if (is_good) {
		json_t *masked = schema_mask(out, tree, &w->manifests, w->core);

		assert_int_equal(json_object_size(masked), json_object_size(out));
		json_decref(masked);
	}
	json_decref(out);
	tree_free(tree);
	report_done(&r);
	return is_good;
}

static void no_mutation_crashes(void **state)
{
	uint32_t seed = 20240229;
	size_t good = 0;
	struct world w;

	(void)state;
	world_init(&w);
	expect_json(sample, "components.db.tcp.port", "80");
	for (int i = 0; i < MUTATIONS; i++) {
		HALE_CLEANUP(str_done) struct str text = {0};
		uint32_t changes = 1 + next(&seed) % CHANGES_MAX;

		str_add(&text, sample);
		for (uint32_t k = 0; k < changes; k++)
			mutate(&text, &seed);
		good += try_one(&w, str_text(&text));
	}
	world_done(&w);
	/* Neither all refused nor all taken: the mutations reach far in. */
	assert_in_range(good, MUTATIONS / 100, MUTATIONS / 2);
}

static void ten_thousand_components_hold(void **state)
{
	HALE_CLEANUP(str_done) struct str yaml = {0};
	struct report r = {0};
	json_t *out;

	(void)state;
	str_add(&yaml, "components:\n");
	for (int i = 0; i < 10000; i++) {
		str_addf(&yaml,
			 "  c%d:\n    label: Component %d\n    interval: 30s\n"
			 "    http: {url: \"http://127.0.0.1:%d/\", status: [200, 204]}\n"
			 "    thresholds: {took_ms: {degraded: \"> 100\"}}\n",
			 i, i, i);
		/* One chain through all of them. */
		if (i > 0)
			str_addf(&yaml, "    depends_on: [c%d]\n", i - 1);
	}
	out = apply(str_text(&yaml), &r);
	assert_int_equal(r.errors, 0);
	assert_int_equal(json_object_size(json_object_get(out, "components")), 10000);
	json_decref(out);
	report_done(&r);
}

static void a_file_full_of_errors_is_told_in_a_hundred(void **state)
{
	HALE_CLEANUP(str_done) struct str yaml = {0};
	struct report r = {0};

	(void)state;
	str_add(&yaml, "components:\n");
	for (int i = 0; i < 2000; i++)
		str_addf(&yaml, "  c%d: {http: {urll: x}, depends_on: [x%d]}\n", i, i);
	assert_null(apply(str_text(&yaml), &r));
	assert_int_equal(r.n, REPORT_MAX);
	assert_int_equal(r.errors, 6000);
	report_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mutation_crashes),
		cmocka_unit_test(ten_thousand_components_hold),
		cmocka_unit_test(a_file_full_of_errors_is_told_in_a_hundred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
