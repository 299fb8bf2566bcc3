/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "model/cron.h"
#include "model/threshold.h"

/* How much of a wrong value a message quotes. */
#define QUOTED_MAX    60
#define QUOTED_SIZE   (QUOTED_MAX + 8)
/* How many choices a message lists. */
#define CHOICES_SHOWN 12

/* ---- What was found ---- */

static bool is_shown(const struct schema *s, const struct node *node)
{
	return !s->is_hidden && !node->is_secret;
}

static const char *found(const struct schema *s, const struct node *node, char buf[QUOTED_SIZE])
{
	if (node->type == NODE_MAP)
		return "a mapping";
	if (node->type == NODE_LIST)
		return "a list";
	if (node_is_null(node))
		return "nothing";
	if (!is_shown(s, node))
		return "something else (not shown, it is secret)";
	if (strlen(node->text) > QUOTED_MAX)
		return "a long text";
	(void)snprintf(buf, QUOTED_SIZE, "'%s'", node->text);
	return buf;
}

static json_t *expected(struct schema *s, const struct node *node, const char *what,
			const char *hint)
{
	char buf[QUOTED_SIZE];

	schema_problem(s, &node->mark, hint, "expected %s, found %s", what, found(s, node, buf));
	return NULL;
}

/* The value as the subject of a sentence. */
static const char *subject(const struct schema *s, const struct node *node, char buf[QUOTED_SIZE])
{
	if (!is_shown(s, node) || strlen(node->text) > QUOTED_MAX)
		return "this value";
	(void)snprintf(buf, QUOTED_SIZE, "'%s'", node->text);
	return buf;
}

static bool is_text_only(const struct node *node)
{
	return node->is_quoted && !node->is_secret;
}

/* ---- Numbers ---- */

static bool is_decimal(const char *text)
{
	text += *text == '-' || *text == '+';
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* YAML's core schema: digits with a fraction or an exponent; no hexadecimal floats, no "inf". */
static bool is_float(const char *text)
{
	size_t whole;
	size_t fraction = 0;

	text += *text == '-' || *text == '+';
	whole = strspn(text, "0123456789");
	text += whole;
	if (*text == '.') {
		fraction = strspn(text + 1, "0123456789");
		text += 1 + fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		if (*text == '\0')
			return false;
		text += strspn(text, "0123456789");
	}
	return *text == '\0';
}

static const char *bound_text(const struct spec_option *o, double value, char buf[UNITS_TEXT_MAX])
{
	if (o->type == CONF_T_DURATION)
		return duration_format((int64_t)value, buf);
	if (o->type == CONF_T_SIZE)
		return size_format((int64_t)value, buf);
	(void)snprintf(buf, UNITS_TEXT_MAX, "%.15g", value);
	return buf;
}

static bool check_range(struct schema *s, const struct spec_option *o, const struct node *node,
			double value)
{
	char min[UNITS_TEXT_MAX];
	char max[UNITS_TEXT_MAX];
	char buf[QUOTED_SIZE];
	const char *what = subject(s, node, buf);

	bound_text(o, o->min, min);
	bound_text(o, o->max, max);
	if (o->has_min && o->has_max && (value < o->min || value > o->max))
		schema_problem(s, &node->mark, NULL, "%s is not between %s and %s", what, min, max);
	else if (o->has_min && value < o->min)
		schema_problem(s, &node->mark, NULL, "%s is less than %s", what, min);
	else if (o->has_max && value > o->max)
		schema_problem(s, &node->mark, NULL, "%s is more than %s", what, max);
	else
		return true;
	return false;
}

static json_t *quoted_number(struct schema *s, const struct node *node, const char *what)
{
	HALE_CLEANUP(cleanup_free)
	char *hint = s->is_hidden ? mem_dup("remove the quotes")
				  : mem_printf("remove the quotes: %s", node->text);

	schema_problem(s, &node->mark, hint, "expected %s, found quoted text", what);
	return NULL;
}

static json_t *read_int(struct schema *s, const struct spec_option *o, const struct node *node)
{
	const char *what = o->type == CONF_T_PORT ? "a port number" : "a whole number";
	long long value;

	if (!is_decimal(node->text))
		return expected(s, node, what, NULL);
	if (is_text_only(node))
		return quoted_number(s, node, what);
	errno = 0;
	value = strtoll(node->text, NULL, 10);
	if (errno != 0)
		return expected(s, node, "a number of at most 64 bits", NULL);
	return check_range(s, o, node, (double)value) ? json_integer(value) : NULL;
}

static json_t *read_num(struct schema *s, const struct spec_option *o, const struct node *node)
{
	double value;

	if (!is_float(node->text))
		return expected(s, node, "a number", NULL);
	if (is_text_only(node))
		return quoted_number(s, node, "a number");
	value = strtod(node->text, NULL);
	if (!isfinite(value))
		return expected(s, node, "a number of the size of a double", NULL);
	return check_range(s, o, node, value) ? json_real(value) : NULL;
}

static json_t *read_duration(struct schema *s, const struct spec_option *o, const struct node *node)
{
	char buf[QUOTED_SIZE];
	int64_t ms;

	if (duration_parse(node->text, &ms) == 0)
		return check_range(s, o, node, (double)ms) ? json_integer(ms) : NULL;
	if (is_decimal(node->text) && strlen(node->text) <= QUOTED_MAX / 2 && is_shown(s, node)) {
		HALE_CLEANUP(cleanup_free)
		char *hint = mem_printf("write %ss or %sms", node->text, node->text);

		schema_problem(s, &node->mark, hint, "%s has no unit", node->text);
		return NULL;
	}
	schema_problem(
		s, &node->mark,
		"write it like 500ms, 30s or 1h30m; units are w d h m s ms, the largest first",
		"%s is not a duration", subject(s, node, buf));
	return NULL;
}

static json_t *read_size(struct schema *s, const struct spec_option *o, const struct node *node)
{
	char buf[QUOTED_SIZE];
	int64_t bytes;

	if (size_parse(node->text, &bytes) == 0)
		return check_range(s, o, node, (double)bytes) ? json_integer(bytes) : NULL;
	schema_problem(s, &node->mark, "write it like 512, 64KB, 64MB or 2GB", "%s is not a size",
		       subject(s, node, buf));
	return NULL;
}

static json_t *read_bool(struct schema *s, const struct node *node)
{
	static const struct {
		const char *word;
		const char *hint;
	} words[] = {
		{"yes", "write true"}, {"on", "write true"},   {"y", "write true"},
		{"no", "write false"}, {"off", "write false"}, {"n", "write false"},
	};
	const char *hint = NULL;
	bool is_true = strcmp(node->text, "true") == 0;

	if (is_true || strcmp(node->text, "false") == 0) {
		if (!is_text_only(node))
			return json_boolean(is_true);
		return quoted_number(s, node, "true or false");
	}
	if (strcasecmp(node->text, "true") == 0 || strcasecmp(node->text, "false") == 0)
		hint = "write it in small letters";
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(words[i].word, node->text) == 0)
			hint = words[i].hint;
	}
	return expected(s, node, "true or false", hint);
}

/* ---- Texts ---- */

json_t *schema_text(struct schema *s, const struct node *node)
{
	json_t *text = node->is_broken ? NULL : json_string(node->text);

	/* libyaml and secret_expand() let UTF-8 through only, yet theirs is not jansson's. */
	if (text == NULL && !node->is_broken)
		schema_problem(s, &node->mark, NULL, "this is not UTF-8 text");
	return text;
}

static json_t *read_text(struct schema *s, const struct spec_option *o, const struct node *node)
{
	bool must_hold = o->is_nonempty || o->type == CONF_T_JQ || o->type == CONF_T_REF;

	/* Not configured; apply_component() looks for it. */
	if (o->is_target && node->is_secret && *node->text == '\0')
		return json_string("");
	/* A list that must not be empty says nothing of its entries. */
	if (must_hold && o->type != CONF_T_LIST && *node->text == '\0') {
		schema_problem(s, &node->mark, NULL, "'%s' must not be empty", o->name);
		return NULL;
	}
	if (o->choices != NULL) {
		HALE_CLEANUP(cleanup_free) char *hint = NULL;
		HALE_CLEANUP(str_done) struct str all = {0};
		char buf[QUOTED_SIZE];

		for (const char **c = o->choices; *c != NULL; c++) {
			if (strcmp(*c, node->text) == 0)
				return schema_text(s, node);
		}
		hint = schema_suggest(node->text, o->choices);
		spec_list(o->choices, CHOICES_SHOWN, &all);
		schema_problem(s, &node->mark, hint, "%s is not one of %s", subject(s, node, buf),
			       str_text(&all));
		return NULL;
	}
	return schema_text(s, node);
}

static json_t *read_cron(struct schema *s, const struct node *node)
{
	struct cron c;
	struct err why = {{0}};

	if (cron_parse(node->text, &c, &why) == 0)
		return schema_text(s, node);
	schema_problem(s, &node->mark,
		       "five fields: minute hour day month weekday, such as \"30 9 * * mon-fri\"",
		       "not a schedule%s%s", is_shown(s, node) ? ": " : "",
		       is_shown(s, node) ? why.text : "");
	return NULL;
}

static json_t *read_threshold(struct schema *s, const struct node *node)
{
	struct threshold t;
	struct err why = {{0}};

	if (threshold_parse(node->text, &t, &why) == 0)
		return schema_text(s, node);
	schema_problem(s, &node->mark, "write it like \"> 90\", \"<= 5\" or \"!= 0\", in quotes",
		       "%s", is_shown(s, node) ? why.text : "this value is not a threshold");
	return NULL;
}

json_t *schema_scalar(struct schema *s, const struct spec_option *o, const struct node *node)
{
	if (node->is_broken)
		return NULL;
	if (node->type != NODE_SCALAR || node_is_null(node)) {
		const char *what = o->type == CONF_T_BOOL       ? "true or false"
				   : o->type == CONF_T_DURATION ? "a duration"
				   : o->type == CONF_T_SIZE     ? "a size"
				   : o->type == CONF_T_PORT     ? "a port number"
				   : o->type == CONF_T_INT      ? "a whole number"
				   : o->type == CONF_T_NUM      ? "a number"
								: "text";
		bool is_text = strcmp(what, "text") == 0 && node->type == NODE_SCALAR;

		return expected(s, node, what,
				is_text                     ? "write \"\" for an empty text"
				: node->type == NODE_SCALAR ? "remove the key to have the default"
							    : NULL);
	}
	switch (o->type) {
	case CONF_T_INT:
	case CONF_T_PORT:
		return read_int(s, o, node);
	case CONF_T_NUM:
		return read_num(s, o, node);
	case CONF_T_BOOL:
		return read_bool(s, node);
	case CONF_T_DURATION:
		return read_duration(s, o, node);
	case CONF_T_SIZE:
		return read_size(s, o, node);
	case CONF_T_CRON:
		return read_cron(s, node);
	case CONF_T_THRESHOLD:
		return read_threshold(s, node);
	default:
		return read_text(s, o, node);
	}
}

/* ---- JSON as it reads ---- */

static json_t *natural_number(const char *text)
{
	if (is_decimal(text)) {
		long long value;

		errno = 0;
		value = strtoll(text, NULL, 10);
		if (errno == 0)
			return json_integer(value);
	}
	if (is_float(text) && isfinite(strtod(text, NULL)))
		return json_real(strtod(text, NULL));
	return NULL;
}

static json_t *natural_scalar(const struct node *node)
{
	json_t *value;

	if (node_is_null(node))
		return json_null();
	if (!node->is_quoted && !node->is_secret) {
		if (strcasecmp(node->text, "true") == 0)
			return json_true();
		if (strcasecmp(node->text, "false") == 0)
			return json_false();
		value = natural_number(node->text);
		if (value != NULL)
			return value;
	}
	value = json_string(node->text);
	return value != NULL ? value : json_string("");
}

json_t *schema_natural(const struct node *node)
{
	json_t *out;

	if (node->type == NODE_SCALAR)
		return natural_scalar(node);
	out = node->type == NODE_MAP ? json_object() : json_array();
	for (size_t i = 0; i < node->n; i++) {
		json_t *value = schema_natural(node->items[i].value);

		if (node->type == NODE_MAP)
			json_object_set_new(out, node->items[i].key, value);
		else
			json_array_append_new(out, value);
	}
	return out;
}
