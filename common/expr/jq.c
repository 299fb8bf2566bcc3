/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/jq.h"

#include <ctype.h>
#include <errno.h>
#include <jq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "jq_native.h"
#include "jq_value.h"

/* Stands on a line of its own before every program. It hides what would reach out of the
 * expression, and it makes "import" and "include", which must come first, a syntax error.
 * implode of anything but characters is an assertion in libjq, and after halt it frees what it
 * has freed before. */
#define PRELUDE                                                                                    \
	"def env: {}; def stderr: .; def debug: .; def input_filename: null;"                      \
	" def modulemeta: error(\"modulemeta is not available here\");"                            \
	" def halt: error(\"the program halted itself\"); def halt_error: halt;"                   \
	" def halt_error($code): halt;"                                                            \
	" def input: error(\"input is not available here\"); def inputs: input;"                   \
	" def implode_: implode; def implode: if type == \"array\" and"                            \
	" all(.[]; type == \"number\" and . >= 0 and . < 1114112) then implode_"                   \
	" else error(\"implode needs an array of characters\") end;"                               \
	" {} as $ENV |"

/* 15 digits print 0.1 as 0.1; the last two of a double are noise to a reader. */
#define TEXT_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

struct jq_expr {
	char *program;
	struct jq_native *native; /* NULL: libjq runs it */
	jq_state *jq;             /* NULL until compiled */
	char *vars;               /* how the variables were bound when it was compiled; "" none */
	int compile_rc;           /* of the last compilation, whose error is kept: */
	struct err compile_err;
};

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

struct jq_expr *jq_new(const char *program)
{
	struct jq_expr *e = mem_alloc(sizeof(*e));

	e->program = mem_dup(is_blank(program) ? "." : program);
	e->native = jq_native_parse(e->program);
	return e;
}

static void forget_compiled(struct jq_expr *e)
{
	if (e->jq != NULL)
		jq_teardown(&e->jq);
	free(TAKE_PTR(e->vars));
}

void jq_free(struct jq_expr *e)
{
	if (e == NULL)
		return;
	forget_compiled(e);
	jq_native_free(e->native);
	free(e->program);
	free(e);
}

/* ---- compiling ---- */

/* "jq: error: syntax error, … at <top-level>, line 2:\n<the program>": the reader has the program
 * before him; of the place only the line is news, if there are several. */
static void shorten_message(const struct jq_expr *e, const char *message, struct str *out)
{
	static const char place[] = " at <top-level>, line ";
	const char *text = str_starts(message, "jq: error: ") ? message + 11 : message;
	const char *cut = strstr(text, place);

	if (cut == NULL) {
		str_add(out, text);
		return;
	}
	str_addn(out, text, (size_t)(cut - text));
	if (strchr(e->program, '\n') != NULL)
		/* The prelude is line 1. */
		str_addf(out, " in line %ld", strtol(cut + strlen(place), NULL, 10) - 1);
}

static void to_one_line(char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			*text = ' ';
	}
}

/* Called with each message of the compiler; the first names the cause, the last only counts. */
static void on_compile_message(void *ctx, jv message)
{
	struct jq_expr *e = ctx;
	HALE_CLEANUP(str_done) struct str text = {0};

	if (e->compile_err.text[0] == '\0' && jv_get_kind(message) == JV_KIND_STRING) {
		shorten_message(e, jv_string_value(message), &text);
		to_one_line(text.data);
		(void)err_set(&e->compile_err, 0, "%s", str_text(&text));
	}
	jv_free(message);
}

static void on_ignored_message(void *ctx HALE_UNUSED, jv message)
{
	jv_free(message);
}

/* libjq calls it without looking whether it is there. */
static jv on_input(jq_state *jq HALE_UNUSED, void *ctx HALE_UNUSED)
{
	return jv_invalid_with_msg(jv_string("No more inputs"));
}

static bool is_var_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name != '\0'; name++) {
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	}
	return true;
}

/* With variables the input is [input, vars], which this takes apart. libjq's own arguments are
 * constants of the compilation, and that costs 15 ms. */
static int bind_vars(const json_t *vars, struct str *out, struct err *err)
{
	const char *separator = "";
	const char *name;
	json_t *value;

	if (vars == NULL || json_object_size(vars) == 0)
		return 0;
	str_add(out, " . as [$__input, {");
	json_object_foreach ((json_t *)vars, name, value) {
		if (!is_var_name(name))
			return err_set(err, -EINVAL, "'%s' is no name for a variable", name);
		str_addf(out, "%s%s: $%s", separator, name, name);
		separator = ", ";
	}
	str_add(out, "}] | $__input |");
	return 0;
}

static int compile(struct jq_expr *e, const char *vars)
{
	HALE_CLEANUP(str_done) struct str source = {0};

	e->vars = mem_dup(vars);
	e->compile_err.text[0] = '\0';
	e->jq = jq_init();
	HALE_ASSERT(e->jq != NULL);
	jq_set_error_cb(e->jq, on_compile_message, e);
	jq_set_debug_cb(e->jq, on_ignored_message, NULL);
	jq_set_input_cb(e->jq, on_input, NULL);
	/* Without it a program that imports ends in an assertion. */
	jq_set_attr(e->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	str_addf(&source, "%s%s\n%s", PRELUDE, vars, e->program);
	if (jq_compile(e->jq, str_text(&source)))
		return 0;
	jq_teardown(&e->jq);
	if (e->compile_err.text[0] == '\0')
		(void)err_set(&e->compile_err, 0, "the program does not compile");
	return -EINVAL;
}

/* A program that does not compile is not tried again and again. */
static int compile_cached(struct jq_expr *e, const json_t *vars, struct err *err)
{
	HALE_CLEANUP(str_done) struct str bound = {0};
	int rc = bind_vars(vars, &bound, err);

	if (rc != 0)
		return rc;
	if (e->vars == NULL || strcmp(e->vars, str_text(&bound)) != 0) {
		forget_compiled(e);
		e->compile_rc = compile(e, str_text(&bound));
	}
	if (e->compile_rc != 0)
		return err_set(err, e->compile_rc, "%s", e->compile_err.text);
	return 0;
}

int jq_check(struct jq_expr *e, struct err *err)
{
	int rc = e->native != NULL ? 0 : compile_cached(e, NULL, err);

	/* Whoever reads this may not know what language they were writing. */
	if (rc < 0)
		err_prefix(err, "not a jq program");
	return rc;
}

/* ---- running ---- */

static int run_error(jv message, struct err *err)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (jv_get_kind(message) == JV_KIND_STRING) {
		str_add(&text, jv_string_value(message));
	} else {
		jv dump = jv_dump_string(jv_copy(message), 0);

		str_addf(&text, "(not a string): %s", jv_string_value(dump));
		jv_free(dump);
	}
	jv_free(message);
	if (text.data != NULL)
		to_one_line(text.data);
	return err_set(err, -EBADMSG, "%s", str_text(&text));
}

/* One result: 1 and the value, 0 at the end, or negative. */
static int next_result(struct jq_expr *e, json_t **value_r, struct err *err)
{
	jv result = jq_next(e->jq);

	if (jv_is_valid(result)) {
		*value_r = jq_value_from_jv(result);
		if (*value_r == NULL)
			return err_set(err, -EBADMSG, "the result is nested too deeply");
		return 1;
	}
	if (jv_invalid_has_msg(jv_copy(result)))
		return run_error(jv_invalid_get_msg(result), err);
	jv_free(result);
	return 0;
}

static int collect(struct jq_expr *e, json_t *results, size_t max, struct err *err)
{
	json_t *value = NULL;
	int rc;

	while ((rc = next_result(e, &value, err)) > 0) {
		if (json_array_size(results) >= JQ_RESULTS_MAX) {
			json_decref(value);
			return err_set(err, -EBADMSG, "more than %d results", JQ_RESULTS_MAX);
		}
		HALE_ASSERT(json_array_append_new(results, value) == 0);
		if (json_array_size(results) == max)
			return 0;
	}
	return rc;
}

/* At most max results as a new array. */
static int run(struct jq_expr *e, const json_t *input, const json_t *vars, size_t max,
	       json_t **out_r, struct err *err)
{
	json_t *results;
	jv in;
	int rc = compile_cached(e, vars, err);

	if (rc != 0)
		return rc;
	in = jq_value_to_jv(input);
	if (e->vars[0] != '\0')
		in = jv_array_append(jv_array_append(jv_array(), in), jq_value_to_jv(vars));
	results = json_array();
	jq_start(e->jq, in, 0);
	rc = collect(e, results, max, err);
	/* Starting anew lets go of the input and of what else the run holds. */
	jq_start(e->jq, jv_null(), 0);
	if (rc != 0)
		json_decref(results);
	else
		*out_r = results;
	return rc;
}

int jq_first(struct jq_expr *e, const json_t *input, const json_t *vars, json_t **out_r,
	     struct err *err)
{
	json_t *results;
	int rc;

	if (e->native != NULL)
		return jq_native_run(e->native, input, out_r, err);
	rc = run(e, input, vars, 1, &results, err);
	if (rc != 0)
		return rc;
	*out_r = json_array_size(results) == 0 ? json_null()
					       : json_incref(json_array_get(results, 0));
	json_decref(results);
	return 0;
}

int jq_all(struct jq_expr *e, const json_t *input, const json_t *vars, json_t **out_r,
	   struct err *err)
{
	json_t *value;
	int rc;

	if (e->native == NULL)
		return run(e, input, vars, JQ_RESULTS_MAX + 1, out_r, err);
	rc = jq_native_run(e->native, input, &value, err);
	if (rc == 0)
		*out_r = json_pack("[o]", value);
	return rc;
}

int jq_text(struct jq_expr *e, const json_t *input, const json_t *vars, struct str *out,
	    struct err *err)
{
	json_t *value;
	char *text;
	int rc = jq_first(e, input, vars, &value, err);

	if (rc != 0)
		return rc;
	if (json_is_string(value)) {
		str_addn(out, json_string_value(value), json_string_length(value));
	} else {
		text = json_dumps(value, TEXT_FLAGS);
		HALE_ASSERT(text != NULL);
		str_add(out, text);
		free(text);
	}
	json_decref(value);
	return 0;
}

bool jq_is_true(const json_t *value)
{
	return value != NULL && !json_is_null(value) && !json_is_false(value);
}
