/* SPDX-License-Identifier: Apache-2.0 */
#include "complete.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

#define ELLIPSIS     "\xe2\x80\xa6" /* … */
#define ELLIPSIS_LEN (sizeof(ELLIPSIS) - 1)

/* How far the line was understood. */
struct line {
	const char *first;        /* first word of the verb */
	const struct verb *verb;  /* NULL: none so far, or only half of one */
	bool has_two;             /* the verb is made of two words */
	bool is_help;             /* "help VERB" */
	bool has_ended;           /* behind "--" */
	const struct flag *waits; /* for its value */
};

void complete_add(struct str *out, const struct complete *c, const char *value,
		  const char *description)
{
	if (!str_starts(value, c->current) || strlist_has(&c->given, value) ||
	    strpbrk(value, "\t\n") != NULL)
		return;
	str_add(out, value);
	str_addc(out, '\t');
	str_add(out, description == NULL ? "" : description);
	str_addc(out, '\n');
}

/* ---- usages ---- */

/* The place'th blank-separated part; the last one again and again when it ends in "…". */
static const char *part_of(const char *usage, size_t place, size_t *len_r)
{
	for (;;) {
		size_t len = strcspn(usage, " ");

		if (place == 0 || (usage[len] == '\0' && strstr(usage, ELLIPSIS) != NULL)) {
			*len_r = len;
			return usage;
		}
		if (usage[len] == '\0')
			break;
		usage += len + 1;
		place--;
	}
	*len_r = 0;
	return usage;
}

void complete_each(const char *usage, size_t place, complete_each_fn each, void *ctx)
{
	size_t len;
	const char *part = part_of(usage, place, &len);

	while (len > 0) {
		size_t n = 0, skip;

		while (len > 0 && *part == '[') {
			part++;
			len--;
		}
		while (n < len && strchr("|]", part[n]) == NULL &&
		       strncmp(part + n, ELLIPSIS, ELLIPSIS_LEN) != 0)
			n++;
		if (n > 0)
			each(ctx, part, n);
		skip = n;
		while (skip < len && part[skip] != '|')
			skip++;
		skip += skip < len;
		part += skip;
		len -= skip;
	}
}

/* ---- reading the line ---- */

static const struct verb *find_verb(const char *first, const char *second)
{
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		size_t len = strlen(first);

		if (second == NULL ? str_eq(v->name, first)
				   : strncmp(v->name, first, len) == 0 && v->name[len] == ' ' &&
					     str_eq(v->name + len + 1, second))
			return v;
	}
	return NULL;
}

/* By name up to `len`, or by letter if that is not 0. */
static const struct flag *find_flag(const struct line *l, const char *name, size_t len, char letter)
{
	const struct flag *tables[] = {verb_global_flags, l->verb == NULL ? NULL : l->verb->flags};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		for (const struct flag *f = tables[i]; f != NULL && f->name != NULL; f++) {
			if (letter != '\0'
				    ? f->letter == letter
				    : strlen(f->name) == len && strncmp(f->name, name, len) == 0)
				return f;
		}
	}
	return NULL;
}

static void take_value(struct line *l, const struct flag *f, const char *value, struct complete *c)
{
	l->waits = NULL;
	if (str_eq(f->name, "run-dir"))
		c->run_dir = value;
}

static void take_long(struct line *l, const char *word, struct complete *c)
{
	size_t len = strcspn(word, "=");
	const struct flag *f = find_flag(l, word, len, '\0');

	if (f == NULL || f->type == FLAG_SWITCH)
		return;
	if (word[len] == '=')
		take_value(l, f, word + len + 1, c);
	else
		l->waits = f;
}

static void take_letters(struct line *l, const char *word, struct complete *c)
{
	for (; *word != '\0'; word++) {
		const struct flag *f = find_flag(l, NULL, 0, *word);

		if (f == NULL || f->type == FLAG_SWITCH)
			continue;
		if (word[1] != '\0')
			take_value(l, f, word + 1, c);
		else
			l->waits = f;
		return;
	}
}

static void take_word(struct line *l, const char *word, struct complete *c)
{
	const struct verb *two;

	if (l->first == NULL && !l->is_help && str_eq(word, "help")) {
		l->is_help = true;
		return;
	}
	if (l->first == NULL) {
		l->first = word;
		l->verb = find_verb(word, NULL);
		return;
	}
	two = l->has_two || c->given.n > 0 ? NULL : find_verb(l->first, word);
	if (two != NULL) {
		l->verb = two;
		l->has_two = true;
	} else {
		strlist_add(&c->given, word);
	}
}

static void take(struct line *l, const char *word, struct complete *c)
{
	if (l->waits != NULL && str_eq(word, "="))
		return; /* bash takes --flag=value apart */
	if (l->waits != NULL)
		take_value(l, l->waits, word, c);
	else if (l->has_ended || word[0] != '-' || word[1] == '\0')
		take_word(l, word, c);
	else if (str_eq(word, "--"))
		l->has_ended = true;
	else if (word[1] == '-')
		take_long(l, word + 2, c);
	else
		take_letters(l, word + 1, c);
}

/* ---- what the tables know ---- */

static void add_flags(const struct flag *flags, const struct complete *c, struct str *out)
{
	for (const struct flag *f = flags; f != NULL && f->name != NULL; f++) {
		HALE_CLEANUP(cleanup_free) char *name = mem_printf("--%s", f->name);

		complete_add(out, c, name, f->help);
	}
}

/* Verbs by their first word, each once. */
static void add_verbs(const struct complete *c, struct str *out)
{
	const char *last = "";

	for (const struct verb *v = verbs; v->name != NULL; v++) {
		size_t len = strcspn(v->name, " ");
		HALE_CLEANUP(cleanup_free) char *first = mem_dupn(v->name, len);
		bool is_known = strlen(last) >= len && strncmp(last, v->name, len) == 0 &&
				(last[len] == '\0' || last[len] == ' ');

		last = v->name;
		if (!is_known)
			complete_add(out, c, first, v->help);
	}
}

static bool add_second_words(const char *first, const struct complete *c, struct str *out)
{
	size_t len = strlen(first);
	bool has_any = false;

	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (strncmp(v->name, first, len) != 0 || v->name[len] != ' ')
			continue;
		complete_add(out, c, v->name + len + 1, v->help);
		has_any = true;
	}
	return has_any;
}

struct place {
	struct complete *c;
	struct str *out;
};

/* In capitals: of which kind it is. Else the very word. */
static void add_place(void *ctx, const char *name, size_t len)
{
	struct place *p = ctx;

	if (isupper((unsigned char)name[0])) {
		p->c->what = name;
		p->c->what_len = len;
	} else {
		HALE_CLEANUP(cleanup_free) char *word = mem_dupn(name, len);

		complete_add(p->out, p->c, word, NULL);
	}
}

static void add_value(const struct flag *f, struct complete *c, struct str *out)
{
	/* What was given are words of the verb: a flag may well have the same value. */
	strlist_done(&c->given);
	if (f != NULL && f->value != NULL)
		complete_each(f->value, 0, add_place, &(struct place){c, out});
}

static void add_words(const struct line *l, struct complete *c, struct str *out)
{
	if (l->first == NULL) {
		add_verbs(c, out);
		if (!l->is_help)
			complete_add(out, c, "help", "What can be said, or what one verb does");
		return;
	}
	if (!l->has_two && c->given.n == 0)
		(void)add_second_words(l->first, c, out);
	if (l->verb != NULL && !l->is_help && c->given.n < l->verb->words_max)
		complete_each(l->verb->words, c->given.n, add_place, &(struct place){c, out});
}

void complete_line(const struct strlist *words, struct complete *c_r, struct str *out)
{
	struct line l = {0};
	const char *current = words->n > 0 ? words->v[words->n - 1] : "";
	size_t len;

	*c_r = (struct complete){.current = current};
	for (size_t i = 0; i + 1 < words->n; i++)
		take(&l, words->v[i], c_r);
	len = strcspn(current, "=");
	if (l.waits != NULL) {
		c_r->current = str_eq(current, "=") ? "" : current;
		add_value(l.waits, c_r, out);
	} else if (!l.has_ended && str_starts(current, "--") && current[len] == '=') {
		c_r->current = current + len + 1;
		add_value(find_flag(&l, current + 2, len - 2, '\0'), c_r, out);
	} else if (!l.has_ended && current[0] == '-') {
		add_flags(l.verb == NULL ? NULL : l.verb->flags, c_r, out);
		add_flags(verb_global_flags, c_r, out);
	} else {
		add_words(&l, c_r, out);
	}
}

void complete_done(struct complete *c)
{
	strlist_done(&c->given);
}
