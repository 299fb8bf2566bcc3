/* SPDX-License-Identifier: Apache-2.0 */
#include "jq_native.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "jq_value.h"

/* Longer numbers are no array index. */
#define INDEX_DIGITS_MAX 9

struct step {
	char *name; /* NULL: by index */
	long index;
};

enum function { FN_NONE, FN_LENGTH, FN_TYPE };

enum comparison { CMP_NONE, CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

struct jq_native {
	struct step *steps;
	size_t steps_n;
	enum function function;
	enum comparison cmp;
	json_t *constant;
};

/* ---- parsing ---- */

struct parser {
	const char *at;
	struct jq_native *native;
};

static void skip_blanks(struct parser *p)
{
	p->at += strspn(p->at, " \t\r\n");
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool take(struct parser *p, const char *text)
{
	if (!str_starts(p->at, text))
		return false;
	p->at += strlen(text);
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t len = strlen(word);

	if (!str_starts(p->at, word) || is_name_char(p->at[len]) || p->at[len] == ':')
		return false;
	p->at += len;
	return true;
}

/* A text without escapes, interpolation or anything beyond ASCII, else NULL. */
static char *take_text(struct parser *p)
{
	const char *start = p->at + 1;
	const char *end = start;

	if (*p->at != '"')
		return NULL;
	while (*end != '"') {
		if (*end == '\\' || *end < ' ' || *end > '~')
			return NULL;
		end++;
	}
	p->at = end + 1;
	return mem_dupn(start, (size_t)(end - start));
}

static void add_step(struct jq_native *n, char *name, long index)
{
	n->steps = mem_grow(n->steps, n->steps_n + 1, sizeof(*n->steps));
	n->steps[n->steps_n++] = (struct step){.name = name, .index = index};
}

static bool parse_index(struct parser *p)
{
	const char *digits = p->at + (*p->at == '-' ? 1 : 0);
	size_t len = strspn(digits, "0123456789");
	char *text;

	if (*p->at == '"') {
		text = take_text(p);
		if (text == NULL)
			return false;
		add_step(p->native, text, 0);
	} else {
		if (len == 0 || len > INDEX_DIGITS_MAX)
			return false;
		add_step(p->native, NULL, strtol(p->at, NULL, 10));
		p->at = digits + len;
	}
	return take(p, "]");
}

/* libjq 1.6 reads ".e10" as a broken number. */
static bool is_exponent(const char *name, size_t len)
{
	return (*name == 'e' || *name == 'E') && 1 + strspn(name + 1, "0123456789") == len;
}

static bool parse_name(struct parser *p)
{
	const char *name = p->at;

	while (is_name_char(*p->at))
		p->at++;
	if (p->at == name || isdigit((unsigned char)*name) ||
	    is_exponent(name, (size_t)(p->at - name)))
		return false;
	add_step(p->native, mem_dupn(name, (size_t)(p->at - name)), 0);
	return true;
}

static bool parse_path(struct parser *p)
{
	if (*p->at != '.')
		return false;
	if (!is_name_char(p->at[1])) {
		p->at++;
		if (*p->at != '[')
			return *p->at != '.'; /* the identity */
	}
	while (*p->at == '.' || *p->at == '[') {
		bool is_name = *p->at++ == '.';

		if (is_name ? !parse_name(p) : !parse_index(p))
			return false;
	}
	return true;
}

static bool parse_function(struct parser *p)
{
	if (take_word(p, "length"))
		p->native->function = FN_LENGTH;
	else if (take_word(p, "type"))
		p->native->function = FN_TYPE;
	else
		return false;
	return true;
}

/* The digits as jq's scanner takes them; strtod alone would also read "0x10" and "1e". */
static size_t number_len(const char *text)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0)
		return 0;
	if (text[len] == '.')
		len += 1 + strspn(text + len + 1, "0123456789");
	if (text[len] == 'e' || text[len] == 'E') {
		size_t sign = text[len + 1] == '+' || text[len + 1] == '-';
		size_t digits = strspn(text + len + 1 + sign, "0123456789");

		len = digits == 0 ? 0 : len + 1 + sign + digits;
	}
	return len;
}

static json_t *parse_number(struct parser *p)
{
	size_t sign = *p->at == '-';
	size_t len = number_len(p->at + sign);
	double d = strtod(p->at, NULL);

	if (len == 0 || !isfinite(d))
		return NULL;
	p->at += sign + len;
	return json_real(d);
}

static json_t *parse_constant(struct parser *p)
{
	char *text;
	json_t *out;

	if (take_word(p, "null"))
		return json_null();
	if (take_word(p, "true"))
		return json_true();
	if (take_word(p, "false"))
		return json_false();
	if (*p->at != '"')
		return parse_number(p);
	text = take_text(p);
	if (text == NULL)
		return NULL;
	out = json_string(text);
	free(text);
	return out;
}

static enum comparison parse_comparison(struct parser *p)
{
	static const struct {
		const char *text;
		enum comparison cmp;
	} ops[] = {
		{"==", CMP_EQ}, {"!=", CMP_NE}, {"<=", CMP_LE},
		{">=", CMP_GE}, {"<", CMP_LT},  {">", CMP_GT},
	};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (take(p, ops[i].text))
			return ops[i].cmp;
	}
	return CMP_NONE;
}

static bool parse_program(struct parser *p)
{
	skip_blanks(p);
	if (!parse_function(p)) {
		if (!parse_path(p))
			return false;
		skip_blanks(p);
		if (take(p, "|")) {
			skip_blanks(p);
			if (!parse_function(p))
				return false;
		}
	}
	skip_blanks(p);
	p->native->cmp = parse_comparison(p);
	if (p->native->cmp != CMP_NONE) {
		skip_blanks(p);
		p->native->constant = parse_constant(p);
		if (p->native->constant == NULL)
			return false;
		skip_blanks(p);
	}
	return *p->at == '\0';
}

struct jq_native *jq_native_parse(const char *program)
{
	struct parser p = {.at = program, .native = mem_alloc(sizeof(struct jq_native))};

	if (parse_program(&p))
		return p.native;
	jq_native_free(p.native);
	return NULL;
}

void jq_native_free(struct jq_native *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->steps_n; i++)
		free(n->steps[i].name);
	free(n->steps);
	json_decref(n->constant);
	free(n);
}

/* ---- running ---- */

static const char *type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return "null";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	case JSON_INTEGER:
	case JSON_REAL:
		return "number";
	case JSON_STRING:
		return "string";
	case JSON_ARRAY:
		return "array";
	case JSON_OBJECT:
		return "object";
	}
	return "invalid";
}

static int step_into(const struct step *s, const json_t **at, struct err *err)
{
	const json_t *found = NULL;

	if (s->name != NULL && json_is_object(*at)) {
		found = json_object_get(*at, s->name);
	} else if (s->name == NULL && json_is_array(*at)) {
		long i = s->index < 0 ? s->index + (long)json_array_size(*at) : s->index;

		found = i < 0 ? NULL : json_array_get(*at, (size_t)i);
	} else if (!json_is_null(*at)) {
		if (s->name == NULL)
			return err_set(err, -EBADMSG, "Cannot index %s with number", type_of(*at));
		return err_set(err, -EBADMSG, "Cannot index %s with string \"%s\"", type_of(*at),
			       s->name);
	}
	*at = found == NULL ? json_null() : found;
	return 0;
}

/* Characters, not bytes: every byte but the continuing ones of UTF-8 begins one. */
static size_t characters(const json_t *text)
{
	const char *bytes = json_string_value(text);
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(text); i++)
		n += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return n;
}

static int length_of(const json_t *value, json_t **out_r, struct err *err)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		*out_r = json_integer(0);
		return 0;
	case JSON_INTEGER:
	case JSON_REAL:
		*out_r = jq_value_number(fabs(json_number_value(value)));
		return 0;
	case JSON_STRING:
		*out_r = json_integer((json_int_t)characters(value));
		return 0;
	case JSON_ARRAY:
		*out_r = json_integer((json_int_t)json_array_size(value));
		return 0;
	case JSON_OBJECT:
		*out_r = json_integer((json_int_t)json_object_size(value));
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		break;
	}
	return err_set(err, -EBADMSG, "boolean (%s) has no length",
		       json_is_true(value) ? "true" : "false");
}

/* jq's order of kinds: null, false, true, numbers, texts, arrays, objects. */
static int rank_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return 0;
	case JSON_FALSE:
		return 1;
	case JSON_TRUE:
		return 2;
	case JSON_INTEGER:
	case JSON_REAL:
		return 3;
	case JSON_STRING:
		return 4;
	case JSON_ARRAY:
		return 5;
	case JSON_OBJECT:
		return 6;
	}
	return 7;
}

static int compare_text(const json_t *a, const json_t *b)
{
	size_t la = json_string_length(a);
	size_t lb = json_string_length(b);
	int order = memcmp(json_string_value(a), json_string_value(b), HALE_MIN(la, lb));

	if (order != 0)
		return order;
	return la < lb ? -1 : la > lb;
}

/* b is a constant, so never an array or object. */
static int compare(const json_t *a, const json_t *b)
{
	if (rank_of(a) != rank_of(b))
		return rank_of(a) < rank_of(b) ? -1 : 1;
	if (json_is_number(a)) {
		double da = json_number_value(a);
		double db = json_number_value(b);

		return da < db ? -1 : da > db;
	}
	return json_is_string(a) ? compare_text(a, b) : 0;
}

static bool holds(enum comparison cmp, int order)
{
	switch (cmp) {
	case CMP_EQ:
		return order == 0;
	case CMP_NE:
		return order != 0;
	case CMP_LT:
		return order < 0;
	case CMP_LE:
		return order <= 0;
	case CMP_GT:
		return order > 0;
	case CMP_GE:
		return order >= 0;
	case CMP_NONE:
		break;
	}
	return false;
}

int jq_native_run(const struct jq_native *n, const json_t *input, json_t **out_r, struct err *err)
{
	const json_t *at = input;
	json_t *value = NULL;
	int rc = 0;

	for (size_t i = 0; i < n->steps_n && rc == 0; i++)
		rc = step_into(&n->steps[i], &at, err);
	if (rc == 0 && n->function == FN_LENGTH)
		rc = length_of(at, &value, err);
	if (rc != 0)
		return rc;
	if (n->function == FN_TYPE)
		value = json_string(type_of(at));
	if (n->function == FN_NONE && n->cmp == CMP_NONE)
		value = jq_value_normal(at);
	if (n->cmp != CMP_NONE) {
		bool answer = holds(n->cmp, compare(value == NULL ? at : value, n->constant));

		json_decref(value);
		value = json_boolean(answer);
	}
	*out_r = value;
	return 0;
}
