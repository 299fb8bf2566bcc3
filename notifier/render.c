/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"
#include "expr/jq.h"

#define WORDS                                                                                      \
	"{\"unknown\":\"⚪ UNKNOWN\",\"degraded\":\"🟡 DEGRADED\",\"critical\":\"🔴 "         \
	"CRITICAL\","                                                                              \
	"\"down\":\"🔴 DOWN\"}[.status]"

/* S0-36, S0-37, S0-38: the exact texts of the overall status. */
static const char overall_message[] =
	"if .recovered then \"🟢 RECOVERED: All systems healthy\" else " WORDS
	" + \": \" + ([.culprits[] | \"\\(.label): \\(.message)\"] | join(\", \")) end";

static const char component_message[] =
	"if .recovered then \"🟢 RECOVERED: \\(.component.label): \\(.component.message)\" "
	"else " WORDS " + \": \\(.component.label): \\(.component.message)\" end";

/* S3-36, S3-37. */
static const char failures_title[] =
	"if .recovered then \"🟢 \\(.component.label) has RECOVERED\" else "
	"\"🚨 \\(.component.label) is UNHEALTHY\" end";
static const char failures_message[] =
	"\"Status: \\(.component.status)\\nMessage: \\(.component.message)\" + if .recovered then "
	"\"\" "
	"else \"\\nFailures: \\(.component.consecutive_failures)\" end";

struct programs {
	struct jq_expr *title;
	struct jq_expr *message;
	bool needs_lists; /* may look at .components or .culprits */
};

struct renderer {
	struct programs *v;
	size_t n;
};

const char *render_default_title(enum rule_type type)
{
	return type == RULE_COMPONENT_FAILURES ? failures_title : "\"\"";
}

const char *render_default_message(enum rule_type type, bool is_about_components)
{
	if (type == RULE_COMPONENT_FAILURES)
		return failures_message;
	return is_about_components ? component_message : overall_message;
}

/* The lists grow with an outage, and so would the price of each notice in it: what is known not to
 * look at them does not get them. Nobody can say what a program of the user's looks at. */
static bool needs_lists(const char *title, const char *message)
{
	bool is_own_title = !str_eq(title, "\"\"") && !str_eq(title, failures_title);
	bool is_own_message =
		!str_eq(message, component_message) && !str_eq(message, failures_message);

	return is_own_title || is_own_message;
}

int renderer_new(const struct alerts *a, struct renderer **r_r, struct err *err)
{
	struct renderer *r = mem_alloc(sizeof(*r));

	r->v = mem_array(a->rules_n + 1, sizeof(*r->v));
	for (size_t i = 0; i < a->rules_n; i++) {
		int rc;

		r->n++;
		r->v[i].title = jq_new(a->rules[i].title);
		r->v[i].message = jq_new(a->rules[i].message);
		r->v[i].needs_lists = needs_lists(a->rules[i].title, a->rules[i].message);
		rc = jq_check(r->v[i].title, err);
		if (rc == 0)
			rc = jq_check(r->v[i].message, err);
		if (rc < 0) {
			err_prefix(err, "alerts: rule %s", a->rules[i].name);
			renderer_free(r);
			return rc;
		}
	}
	*r_r = r;
	return 0;
}

void renderer_free(struct renderer *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		jq_free(r->v[i].title);
		jq_free(r->v[i].message);
	}
	free(r->v);
	free(r);
}

static void cut(struct str *text)
{
	size_t len = RENDER_TEXT_MAX;

	if (text->len <= len)
		return;
	while (len > 0 && ((unsigned char)text->data[len] & 0xc0) == 0x80)
		len--;
	str_truncate(text, len);
}

/* null and no result at all are an empty text. */
static int run(struct jq_expr *program, const json_t *vars, char **text_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *value = NULL;
	int rc = jq_first(program, vars, NULL, &value, err);

	if (rc < 0)
		return rc;
	if (json_is_string(value)) {
		str_add(&text, json_string_value(value));
	} else if (!json_is_null(value)) {
		char *dump = json_dumps(value, JSON_WIRE_FLAGS | JSON_ENCODE_ANY);

		str_add(&text, dump);
		free(dump);
	}
	json_decref(value);
	cut(&text);
	*text_r = text.data ? str_take(&text) : mem_dup("");
	return 0;
}

static json_t *without_lists(const json_t *vars)
{
	json_t *few = json_copy((json_t *)vars);

	json_object_del(few, "components");
	json_object_del(few, "culprits");
	return few;
}

int render(struct renderer *r, size_t rule, const json_t *vars, char **title_r, char **message_r,
	   struct err *err)
{
	const struct programs *p = &r->v[rule];
	const char *plain =
		json_string_value(json_object_get(json_object_get(vars, "alert"), "message"));
	json_t *few = p->needs_lists ? NULL : without_lists(vars);
	const json_t *input = few == NULL ? vars : few;
	int rc = run(p->title, input, title_r, err);
	int rc2;

	if (rc < 0)
		*title_r = mem_dup("");
	rc2 = run(p->message, input, message_r, rc < 0 ? NULL : err);
	if (rc2 < 0)
		*message_r = mem_dup(plain ? plain : "");
	json_decref(few);
	return rc < 0 ? rc : rc2;
}

char *render_join(const char *title, const char *message)
{
	return mem_printf("%s%s%s", title, title[0] && message[0] ? "\n" : "", message);
}
