/* SPDX-License-Identifier: Apache-2.0 */
#include "args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "table.h"

#define COUNT_MAX 1000000
#define FLAGS_MAX 32 /* names offered as a suggestion */

static const struct flag *find(const struct flag *const *tables, const char *name, size_t len,
			       char letter)
{
	for (; *tables != NULL; tables++) {
		for (const struct flag *f = *tables; f->name != NULL; f++) {
			if (letter != '\0' && f->letter == letter)
				return f;
			if (letter == '\0' && strlen(f->name) == len &&
			    strncmp(f->name, name, len) == 0)
				return f;
		}
	}
	return NULL;
}

static int unknown(const struct flag *const *tables, const char *name, size_t len, struct err *err)
{
	HALE_CLEANUP(str_done) struct str word = {0};
	const char *names[FLAGS_MAX + 1] = {NULL};
	const char *near;
	size_t n = 0;

	str_addn(&word, name, len);
	for (; *tables != NULL; tables++) {
		for (const struct flag *f = *tables; f->name != NULL && n < FLAGS_MAX; f++)
			names[n++] = f->name;
	}
	near = suggest_nearest(str_text(&word), names);
	if (near != NULL)
		return err_set(err, -EINVAL, "unknown option --%s (did you mean --%s?)",
			       str_text(&word), near);
	return err_set(err, -EINVAL, "unknown option --%s", str_text(&word));
}

static int read_value(const struct flag *f, const char *text, int64_t *number_r, struct err *err)
{
	char *end;
	long n;

	switch (f->type) {
	case FLAG_SWITCH:
	case FLAG_TEXT:
		return 0;
	case FLAG_DURATION:
		if (duration_parse(text, number_r) == 0)
			return 0;
		return err_set(err, -EINVAL, "--%s: '%s' is no duration (30s, 12h, 7d)", f->name,
			       text);
	case FLAG_COUNT:
		errno = 0;
		n = strtol(text, &end, 10);
		*number_r = n;
		if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && n <= COUNT_MAX)
			return 0;
	}
	return err_set(err, -EINVAL, "--%s: '%s' is no count from 0 to %d", f->name, text,
		       COUNT_MAX);
}

static int put(struct args *a, const struct flag *f, const char *text, struct err *err)
{
	struct args_set set = {.flag = f, .text = text};
	int rc = read_value(f, text, &set.number, err);

	if (rc < 0)
		return rc;
	if (a->set_n == ARGS_SET_MAX)
		a->set_n--;
	a->set[a->set_n++] = set;
	return 0;
}

/* The value of a flag that needs one: attached, or the next argument. */
static int take_value(struct args *a, const struct flag *f, const char *attached, int argc,
		      char **argv, int *next, struct err *err)
{
	if (attached == NULL && *next >= argc)
		return err_set(err, -EINVAL, "--%s needs a value: %s", f->name, f->value);
	return put(a, f, attached != NULL ? attached : argv[(*next)++], err);
}

static int parse_long(struct args *a, const struct flag *const *tables, const char *arg, int argc,
		      char **argv, int *next, struct err *err)
{
	size_t len = strcspn(arg, "=");
	const struct flag *f = find(tables, arg, len, '\0');

	if (f == NULL)
		return unknown(tables, arg, len, err);
	if (f->type != FLAG_SWITCH)
		return take_value(a, f, arg[len] == '=' ? arg + len + 1 : NULL, argc, argv, next,
				  err);
	if (arg[len] == '=')
		return err_set(err, -EINVAL, "--%s takes no value", f->name);
	return put(a, f, "", err);
}

static int parse_letters(struct args *a, const struct flag *const *tables, const char *arg,
			 int argc, char **argv, int *next, struct err *err)
{
	for (; *arg != '\0'; arg++) {
		const struct flag *f = find(tables, NULL, 0, *arg);
		int rc;

		if (f == NULL)
			return err_set(err, -EINVAL, "unknown option -%c", *arg);
		if (f->type != FLAG_SWITCH)
			return take_value(a, f, arg[1] != '\0' ? arg + 1 : NULL, argc, argv, next,
					  err);
		rc = put(a, f, "", err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int args_parse(struct args *a, const struct flag *const *tables, int argc, char **argv, int *next,
	       bool stop_at_word, struct err *err)
{
	bool has_ended = false;
	int rc = 0;

	while (rc == 0 && *next < argc) {
		const char *arg = argv[*next];
		bool is_flag = !has_ended && arg[0] == '-' && arg[1] != '\0';

		if (!is_flag && stop_at_word)
			break;
		(*next)++;
		if (!is_flag)
			strlist_add(&a->words, arg);
		else if (str_eq(arg, "--"))
			has_ended = true;
		else if (arg[1] == '-')
			rc = parse_long(a, tables, arg + 2, argc, argv, next, err);
		else
			rc = parse_letters(a, tables, arg + 1, argc, argv, next, err);
	}
	return rc;
}

void args_done(struct args *a)
{
	strlist_done(&a->words);
	a->set_n = 0;
}

/* The last one given counts. */
static const struct args_set *get(const struct args *a, const char *name)
{
	for (size_t i = a->set_n; i-- > 0;) {
		if (str_eq(a->set[i].flag->name, name))
			return &a->set[i];
	}
	return NULL;
}

bool args_is(const struct args *a, const char *name)
{
	return get(a, name) != NULL;
}

const char *args_text(const struct args *a, const char *name)
{
	const struct args_set *s = get(a, name);

	return s == NULL ? NULL : s->text;
}

int64_t args_number(const struct args *a, const char *name, int64_t otherwise)
{
	const struct args_set *s = get(a, name);

	return s == NULL ? otherwise : s->number;
}

const char *args_word(const struct args *a, size_t i)
{
	return i < a->words.n ? a->words.v[i] : NULL;
}

void args_help(struct str *out, const struct flag *flags)
{
	static const struct table_column columns[] = {TABLE_PLAIN, TABLE_PLAIN};
	struct table t = {.columns = columns, .columns_n = ARRAY_LEN(columns), .indent = 2};

	for (const struct flag *f = flags; f->name != NULL; f++) {
		HALE_CLEANUP(str_done) struct str name = {0};

		if (f->letter != '\0')
			str_addf(&name, "-%c, ", f->letter);
		else
			str_add(&name, "    ");
		str_addf(&name, "--%s", f->name);
		if (f->type != FLAG_SWITCH)
			str_addf(&name, " %s", f->value);
		table_cell(&t, TONE_PLAIN, str_text(&name));
		table_cell(&t, TONE_PLAIN, f->help);
	}
	table_format(&t, false, 0, out);
	table_done(&t);
}
