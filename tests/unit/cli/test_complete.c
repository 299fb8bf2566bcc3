/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand at the end of a line, as far as the verb table knows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "complete.h"
#include "complete_names.h"

#include "base/mem.h"
#include "base/str.h"

struct asked {
	char *values; /* "a b c", without descriptions */
	char *what;
	char *run_dir;
};

/* The words are split at blanks; a line that ends in a blank completes an empty word. */
static void complete(const char *line, struct asked *a)
{
	HALE_CLEANUP(str_done) struct str out = {0}, values = {0};
	struct strlist words = {0};
	struct complete c;

	for (const char *p = line;; p += strcspn(p, " ") + 1) {
		HALE_CLEANUP(cleanup_free) char *word = mem_dupn(p, strcspn(p, " "));

		strlist_add(&words, word);
		if (p[strcspn(p, " ")] == '\0')
			break;
	}
	complete_line(&words, &c, &out);
	for (const char *p = str_text(&out); *p != '\0'; p += strcspn(p, "\n") + 1) {
		str_add(&values, values.len > 0 ? " " : "");
		str_addn(&values, p, strcspn(p, "\t"));
	}
	a->values = mem_dup(str_text(&values));
	a->what = mem_dupn(c.what == NULL ? "" : c.what, c.what_len);
	a->run_dir = mem_dup(c.run_dir);
	complete_done(&c);
	strlist_done(&words);
}

static void asked_done(struct asked *a)
{
	free(a->values);
	free(a->what);
	free(a->run_dir);
}

static void lines_complete(void **state)
{
	static const struct {
		const char *line, *values, *what;
	} rows[] = {
		{"stat", "status", ""},
		{"sta", "status start", ""},
		{"config ", "check diff show schema", ""},
		{"config c", "check", ""},
		{"help sto", "stop store", ""},
		{"store ", "status purge rebuild compact", ""},
		{"import ", "-", "FILE"},
		{"export --format c", "csv", ""},
		{"export --what t", "", "ROWS"},
		{"export -O ", "", "FILE"},
		{"uptime --range ", "", "TIME"},
		{"help config s", "show schema", ""},
		{"status ", "", "NAME"},
		{"status api ", "", "NAME"},
		{"show ", "", "NAME"},
		{"show api ", "", ""},
		{"restart ", "--all", "PROCESS"},
		{"restart web che", "", "PROCESS"},
		{"restart --a", "--all", ""},
		{"restart web --no-", "--no-wait --no-color", ""},
		{"restart --timeout ", "", "TIME"},
		{"restart --timeout 3s ", "--all", "PROCESS"},
		{"check ", "", "COMPONENT"},
		{"alerts ", "list show", ""},
		{"alerts show ", "", "ALERT"},
		{"reconcile ", "", "JOB"},
		{"action ", "", "ACTION"},
		{"notify test ", "", "CHANNEL"},
		{"config show ", "", "SECTION"},
		{"config check ", "", "FILE"},
		{"completion ", "bash zsh", ""},
		{"completion z", "zsh", ""},
		{"-o ", "text json", ""},
		{"-o json stat", "status", ""},
		{"--output=j", "json", ""},
		{"--output =", "text json", ""},
		{"--output = j", "json", ""},
		{"--run-dir ", "", "DIR"},
		{"events -t h", "health", ""},
		{"events -ft pro", "process", ""},
		{"events --follow --topic al", "alert", ""},
		{"logs -n ", "", "N"},
		{"logs -n5 ", "--all", "PROCESS"},
		{"-- stat", "status", ""},
		{"nonsense ", "", ""},
		{"config nonsense ", "", ""},
		{"--nonsense x ", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asked a;

		complete(rows[i].line, &a);
		if (!str_eq(a.values, rows[i].values) || !str_eq(a.what, rows[i].what))
			fail_msg("'%s': '%s' and '%s'", rows[i].line, a.values, a.what);
		asked_done(&a);
	}
}

static void the_run_directory_of_the_line_is_found(void **state)
{
	static const char *const lines[] = {"--run-dir /x status ", "--run-dir=/x status ",
					    "status --run-dir /x ", "--run-dir = /x status "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct asked a;

		complete(lines[i], &a);
		assert_string_equal(a.run_dir, "/x");
		assert_string_equal(a.what, "NAME");
		asked_done(&a);
	}
}

static void what_stands_there_is_not_offered_again(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct complete c = {.current = "w"};

	(void)state;
	strlist_add(&c.given, "web");
	complete_add(&out, &c, "web", "ready");
	complete_add(&out, &c, "webhook", "ready");
	complete_add(&out, &c, "api", "healthy");
	assert_string_equal(str_text(&out), "webhook\tready\n");
	complete_done(&c);
}

static void must_be_known(void *ctx, const char *name, size_t len)
{
	const char *where = ctx;

	if (name[0] >= 'A' && name[0] <= 'Z' && !complete_knows(name, len))
		fail_msg("%s: '%.*s' is no name of complete_names.c", where, (int)len, name);
}

static void flags_are_known(const char *where, const struct flag *flags)
{
	for (const struct flag *f = flags; f != NULL && f->name != NULL; f++) {
		if (f->value != NULL)
			complete_each(f->value, 0, must_be_known, (void *)(uintptr_t)where);
	}
}

static void every_usage_says_what_it_takes_in_words_completion_knows(void **state)
{
	(void)state;
	flags_are_known("global", verb_global_flags);
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		flags_are_known(v->name, v->flags);
		for (size_t place = 0; place < 3; place++)
			complete_each(v->words, place, must_be_known, (void *)(uintptr_t)v->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_complete),
		cmocka_unit_test(the_run_directory_of_the_line_is_found),
		cmocka_unit_test(what_stands_there_is_not_offered_again),
		cmocka_unit_test(every_usage_says_what_it_takes_in_words_completion_knows),
	};

	return cmocka_run_group_tests_name("cli.complete", tests, NULL, NULL);
}
