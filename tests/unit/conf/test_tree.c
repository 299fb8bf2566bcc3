/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "conf/tree.h"

/* ---- Helpers ---- */

static char *said(const struct report *r)
{
	struct str out = {0};

	report_format(r, false, &out);
	return str_take(&out);
}

static void refuses(const char *yaml, const char *text)
{
	struct report r = {0};
	struct tree *t = tree_load_text("a.yaml", yaml, &r);
	char *report = said(&r);

	assert_string_equal(report, text);
	free(report);
	report_done(&r);
	tree_free(t);
}

/* Loads without complaint. */
static struct tree *reads(const char *yaml)
{
	struct report r = {0};
	struct tree *t = tree_load_text("a.yaml", yaml, &r);
	char *report = said(&r);

	assert_string_equal(report, "0 errors\n");
	free(report);
	report_done(&r);
	return t;
}

static const struct node *at(struct tree *t, const char *pointer)
{
	return node_at(tree_root(t), pointer);
}

static void has_text(struct tree *t, const char *pointer, const char *text)
{
	const struct node *node = at(t, pointer);

	assert_int_equal(node->type, NODE_SCALAR);
	assert_string_equal(node->text, text);
}

static char dir[] = "/tmp/hale-test-tree-XXXXXX";

static char *in_dir(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	char *path = in_dir(name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), mode, NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	char *command = mem_printf("rm -rf '%s'", dir);
	int rc = system(command); // NOLINT

	(void)state;
	free(command);
	return rc;
}

/* What loading name in the directory says, the directory's own name cut out. */
static char *load_said(const char *name, struct tree **t_r)
{
	struct report r = {0};
	struct str out = {0};
	char *path = in_dir(name);
	char *report;

	*t_r = tree_load(path, &r);
	report = said(&r);
	for (const char *p = report; *p != '\0';) {
		if (strncmp(p, dir, strlen(dir)) == 0)
			p += strlen(dir) + 1;
		else
			str_addc(&out, *p++);
	}
	free(report);
	free(path);
	report_done(&r);
	return str_take(&out);
}

static void load_refuses(const char *name, const char *text)
{
	struct tree *t;
	char *report = load_said(name, &t);

	assert_string_equal(report, text);
	free(report);
	tree_free(t);
}

/* ---- Reading ---- */

static void nodes_know_where_they_stand(void **state)
{
	struct tree *t = reads("a:\n  - one\n  - \"two\"\nb: {c: 10}\n");
	const struct node *two = at(t, "/a/1");
	const struct node_pair *c = node_pair(at(t, "/b"), "c");

	(void)state;
	assert_int_equal(two->mark.line, 3);
	assert_int_equal(two->mark.column, 5);
	assert_int_equal(two->mark.length, 5);
	assert_true(two->is_quoted);
	assert_false(at(t, "/a/0")->is_quoted);
	assert_int_equal(c->key_mark.line, 4);
	assert_int_equal(c->key_mark.column, 5);
	assert_string_equal(tree_source_line(t, &two->mark), "  - \"two\"");
	tree_free(t);
}

static void columns_are_bytes_after_wide_characters(void **state)
{
	struct tree *t = reads("\xef\xbb\xbf# gr\xc3\xb6\xc3\x9f"
			       "e\n{\"\xc3\xb6\": 1, b: 2}\n");
	const struct node_pair *b = node_pair(tree_root(t), "b");

	(void)state;
	assert_int_equal(b->key_mark.line, 2);
	assert_int_equal(b->key_mark.column, 11);
	assert_string_equal(tree_source_line(t, &b->key_mark), "{\"\xc3\xb6\": 1, b: 2}");
	tree_free(t);
}

static void an_empty_text_is_an_empty_mapping(void **state)
{
	struct tree *t = reads("# nothing yet\n");

	(void)state;
	assert_int_equal(tree_root(t)->type, NODE_MAP);
	assert_int_equal(tree_root(t)->n, 0);
	assert_true(tree_is_complete(t));
	tree_free(t);
	t = reads("~\n");
	assert_int_equal(tree_root(t)->type, NODE_MAP);
	tree_free(t);
}

static void pointers_stop_at_the_nearest_ancestor(void **state)
{
	struct tree *t = reads("a/b:\n  m~n: [x, y]\n");

	(void)state;
	has_text(t, "/a~1b/m~0n/1", "y");
	assert_ptr_equal(at(t, "/a~1b/m~0n/7"), at(t, "/a~1b/m~0n"));
	assert_ptr_equal(at(t, "/a~1b/none/deeper"), at(t, "/a~1b"));
	assert_ptr_equal(at(t, "/nothing"), tree_root(t));
	assert_ptr_equal(at(t, ""), tree_root(t));
	tree_free(t);
}

static void many_keys_are_found(void **state)
{
	struct str yaml = {0};
	struct tree *t;

	(void)state;
	for (int i = 0; i < 500; i++)
		str_addf(&yaml, "key%d: %d\n", i, i);
	t = reads(str_text(&yaml));
	assert_int_equal(tree_root(t)->n, 500);
	has_text(t, "/key499", "499");
	tree_free(t);
	str_add(&yaml, "key250: again\n");
	refuses(str_text(&yaml), "a.yaml:501:1: duplicate key 'key250'\n"
				 "  501 | key250: again\n"
				 "      | ^^^^^^\n"
				 "      = it stands in line 251 already\n"
				 "1 error\n");
	str_done(&yaml);
}

/* ---- Refusals ---- */

static void tabs_are_refused(void **state)
{
	(void)state;
	refuses("a:\n\tb: 1\n", "a.yaml:2:1: tabs are not allowed for indentation\n"
				"    2 | \tb: 1\n"
				"      | ^\n"
				"      = indent with spaces\n"
				"1 error\n");
	refuses("a:\n  b: 1\n\tc: 2\n", "a.yaml:3:1: tabs are not allowed for indentation\n"
					"    3 | \tc: 2\n"
					"      | ^\n"
					"      = indent with spaces\n"
					"1 error\n");
	refuses("a:\n  b: 1\n  \t  c: 2\n", "a.yaml:3:3: tabs are not allowed for indentation\n"
					    "    3 |   \t  c: 2\n"
					    "      |   ^\n"
					    "      = indent with spaces\n"
					    "1 error\n");
}

static void duplicate_keys_are_refused(void **state)
{
	(void)state;
	refuses("a: 1\nb: {x: 1, x: {y: 2}}\na: 2\n", "a.yaml:2:11: duplicate key 'x'\n"
						      "    2 | b: {x: 1, x: {y: 2}}\n"
						      "      |           ^\n"
						      "      = it stands in line 2 already\n"
						      "a.yaml:3:1: duplicate key 'a'\n"
						      "    3 | a: 2\n"
						      "      | ^\n"
						      "      = it stands in line 1 already\n"
						      "2 errors\n");
}

static void syntax_errors_say_what_to_do(void **state)
{
	(void)state;
	refuses("a: b: c\n", "a.yaml:1:5: a ':' cannot stand here\n"
			     "    1 | a: b: c\n"
			     "      |     ^\n"
			     "      = check the indentation; quote a text that holds ': '\n"
			     "1 error\n");
	refuses("t: > 90\n", "a.yaml:1:6: a value cannot begin with '>' or '|' like this\n"
			     "    1 | t: > 90\n"
			     "      |      ^\n"
			     "      = quote it: \"> 90\"\n"
			     "1 error\n");
	refuses("a: \"x\nb: 1\n", "a.yaml:1:4: the quote is never closed\n"
				  "    1 | a: \"x\n"
				  "      |    ^\n"
				  "      = close it on the same line\n"
				  "1 error\n");
	refuses("a: 1\n---\nb: 2\n", "a.yaml:2:1: more than one document\n"
				     "    2 | ---\n"
				     "      | ^^^\n"
				     "      = use include: for a second file\n"
				     "1 error\n");
	refuses("a: \xff\n", "a.yaml:1:4: this is not UTF-8 text\n"
			     "    1 | a: \xff\n"
			     "      |    ^\n"
			     "      = save the file in UTF-8\n"
			     "1 error\n");
	refuses("a: \x01\n", "a.yaml:1:4: control characters are not allowed\n"
			     "    1 | a: ?\n"
			     "      |    ^\n"
			     "      = remove it, or write it as an escape in double quotes\n"
			     "1 error\n");
	refuses("a: \"\\0\"\n", "a.yaml:1:4: a text cannot hold a NUL character\n"
				"    1 | a: \"\\0\"\n"
				"      |    ^^^^\n"
				"1 error\n");
	refuses("a: !!int 3\n", "a.yaml:1:4: tags are not supported\n"
				"    1 | a: !!int 3\n"
				"      |    ^^^^^^^\n"
				"      = remove it; types come from the options\n"
				"1 error\n");
	refuses("[a, b]: 1\n", "a.yaml:1:1: a key must be plain text\n"
			       "    1 | [a, b]: 1\n"
			       "      | ^\n"
			       "      = quote a text that begins with { [ or *\n"
			       "1 error\n");
	refuses("- a\n", "a.yaml:1:1: the file must be a mapping\n"
			 "    1 | - a\n"
			 "      | ^\n"
			 "      = write sections, such as 'components:'\n"
			 "1 error\n");
}

static void a_broken_tree_is_not_complete(void **state)
{
	struct report r = {0};
	struct tree *t = tree_load_text("a.yaml", "a: [1\n", &r);

	(void)state;
	assert_int_equal(r.errors, 1);
	assert_false(tree_is_complete(t));
	assert_int_equal(tree_root(t)->type, NODE_MAP);
	report_done(&r);
	tree_free(t);
}

/* ---- Aliases ---- */

static void aliases_are_copies(void **state)
{
	struct tree *t = reads("a: &x {k: [1, 2]}\nb: *x\nc: &s text\nd: *s\n");

	(void)state;
	has_text(t, "/b/k/1", "2");
	has_text(t, "/d", "text");
	assert_ptr_not_equal(at(t, "/a/k"), at(t, "/b/k"));
	tree_free(t);
}

static void merge_keys_fill_what_is_missing(void **state)
{
	struct tree *t = reads("base: &b {x: 1, y: 2}\n"
			       "more: &m {y: 3, z: 4}\n"
			       "one: {<<: *b, x: 9}\n"
			       "two: {<<: [*m, *b]}\n");

	(void)state;
	has_text(t, "/one/x", "9");
	has_text(t, "/one/y", "2");
	assert_int_equal(at(t, "/one")->n, 2);
	has_text(t, "/two/y", "3");
	has_text(t, "/two/x", "1");
	tree_free(t);
	refuses("a: {<<: 3}\n", "a.yaml:1:9: '<<' takes over mappings only\n"
				"    1 | a: {<<: 3}\n"
				"      |         ^\n"
				"      = write '<<: *name', where '&name' marks a mapping\n"
				"1 error\n");
}

static void cyclic_and_unknown_aliases_are_refused(void **state)
{
	(void)state;
	refuses("a: &x\n  - *x\n", "a.yaml:2:5: '*x' stands inside of what it names\n"
				   "    2 |   - *x\n"
				   "      |     ^^\n"
				   "1 error\n");
	refuses("a: *none\n", "a.yaml:1:4: there is no anchor '&none'\n"
			      "    1 | a: *none\n"
			      "      |    ^^^^^\n"
			      "      = an anchor must stand before its aliases\n"
			      "1 error\n");
}

static void aliases_cannot_multiply_without_end(void **state)
{
	struct report r = {0};
	struct str yaml = {0};
	struct tree *t;

	(void)state;
	str_add(&yaml, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		str_addf(&yaml, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			str_addf(&yaml, "*a%d, ", i - 1);
		str_add(&yaml, "]\n");
	}
	t = tree_load_text("a.yaml", str_text(&yaml), &r);
	assert_int_equal(r.errors, 1);
	assert_string_equal(r.v[0].message, "the configuration has more than 2000000 nodes");
	assert_string_equal(r.v[0].hint, "aliases multiply what they name");
	report_done(&r);
	tree_free(t);
	str_done(&yaml);
}

static char *nested(int levels)
{
	struct str yaml = {0};

	str_add(&yaml, "a: ");
	for (int i = 0; i < levels; i++)
		str_addc(&yaml, '[');
	str_add(&yaml, "x");
	for (int i = 0; i < levels; i++)
		str_addc(&yaml, ']');
	str_add(&yaml, "\n");
	return str_take(&yaml);
}

static void nesting_has_a_limit(void **state)
{
	char *fits = nested(TREE_DEPTH_MAX - 1);
	char *deep = nested(100000);
	struct report r = {0};
	struct tree *t = reads(fits);

	(void)state;
	tree_free(t);
	t = tree_load_text("a.yaml", deep, &r);
	assert_int_equal(r.errors, 1);
	assert_string_equal(r.v[0].message, "nested deeper than 64 levels");
	report_done(&r);
	tree_free(t);
	free(fits);
	free(deep);
}

static void aliases_count_for_the_nesting(void **state)
{
	struct report r = {0};
	struct str yaml = {0};
	struct tree *t;

	(void)state;
	str_add(&yaml, "a0: &a0 [x]\n");
	for (int i = 1; i < 1000; i++)
		str_addf(&yaml, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	t = tree_load_text("a.yaml", str_text(&yaml), &r);
	assert_int_equal(r.errors, 1);
	assert_string_equal(r.v[0].message, "nested deeper than 64 levels");
	/* Level 1 is the root: a62 reaches level 64, a63 would be one too deep. */
	assert_int_equal(r.v[0].mark.line, 64);
	report_done(&r);
	tree_free(t);
	str_done(&yaml);
}

/* ---- ${…} ---- */

static void the_environment_is_expanded_in_values(void **state)
{
	struct tree *t;

	(void)state;
	setenv("HALE_TEST_WORD", "a: [b", 1);
	setenv("HALE_TEST_EMPTY", "", 1);
	unsetenv("HALE_TEST_NONE");
	t = reads("plain: x${HALE_TEST_WORD}y\n"
		  "quoted: \"${HALE_TEST_WORD}\"\n"
		  "default: ${HALE_TEST_NONE:-fallback}\n"
		  "empty: ${HALE_TEST_EMPTY:-fallback}\n"
		  "set: \"${HALE_TEST_EMPTY}\"\n"
		  "dollars: $$ $1 $${X} $\n"
		  "${HALE_TEST_WORD}: key\n");
	has_text(t, "/plain", "xa: [by");
	assert_true(at(t, "/plain")->is_secret);
	has_text(t, "/quoted", "a: [b");
	has_text(t, "/default", "fallback");
	has_text(t, "/empty", "fallback");
	has_text(t, "/set", "");
	has_text(t, "/dollars", "$ $1 ${X} $");
	assert_false(at(t, "/dollars")->is_secret);
	has_text(t, "/${HALE_TEST_WORD}", "key");
	tree_free(t);
}

static void what_was_expanded_is_not_expanded_again(void **state)
{
	struct tree *t;

	(void)state;
	setenv("HALE_TEST_WORD", "${HOME} $$", 1);
	t = reads("a: ${HALE_TEST_WORD}\n");
	has_text(t, "/a", "${HOME} $$");
	tree_free(t);
}

static void a_missing_variable_is_an_error_at_its_place(void **state)
{
	(void)state;
	unsetenv("TELEGRAM_TOKEN");
	unsetenv("HALE_TEST_NONE");
	refuses("ops: {token: \"bot${TELEGRAM_TOKEN}\", chat: \"${HALE_TEST_NONE}\"}\n",
		"a.yaml:1:18: environment variable TELEGRAM_TOKEN is not set\n"
		"    1 | ops: {token: \"bot${TELEGRAM_TOKEN}\", chat: \"${HALE_TEST_NONE}\"}\n"
		"      |                  ^^^^^^^^^^^^^^^^^\n"
		"      = set it, or give a default: ${NAME:-default}\n"
		"a.yaml:1:45: environment variable HALE_TEST_NONE is not set\n"
		"    1 | ops: {token: \"bot${TELEGRAM_TOKEN}\", chat: \"${HALE_TEST_NONE}\"}\n"
		"      |                                             ^^^^^^^^^^^^^^^^^\n"
		"      = set it, or give a default: ${NAME:-default}\n"
		"2 errors\n");
}

static void malformed_expansions_are_refused(void **state)
{
	(void)state;
	refuses("a: ${no name}\n", "a.yaml:1:4: '${no name}' names no environment variable\n"
				   "    1 | a: ${no name}\n"
				   "      |    ^^^^^^^^^^\n"
				   "      = write ${NAME}, ${NAME:-default}, ${file:/path} or "
				   "${cred:name}; $$ is a dollar "
				   "sign\n"
				   "1 error\n");
	refuses("a: \"x ${HOME\"\n", "a.yaml:1:7: '${' has no closing '}'\n"
				     "    1 | a: \"x ${HOME\"\n"
				     "      |       ^^^^^^\n"
				     "      = write $${ for a dollar sign and a brace\n"
				     "1 error\n");
	setenv("HALE_TEST_WORD", "\xff\xfe", 1);
	refuses("a: ${HALE_TEST_WORD}\n",
		"a.yaml:1:4: the value of ${HALE_TEST_WORD} is not UTF-8 text\n"
		"    1 | a: ${HALE_TEST_WORD}\n"
		"      |    ^^^^^^^^^^^^^^^^^\n"
		"      = binary secrets must be written in base64 or the like\n"
		"1 error\n");
}

static void secret_files_are_read_without_their_last_newline(void **state)
{
	struct tree *t;
	char *yaml = mem_printf("a: ${file:%s/key}\n", dir);

	(void)state;
	write_file("key", "two\nlines\n", 0600);
	t = reads(yaml);
	has_text(t, "/a", "two\nlines");
	assert_true(at(t, "/a")->is_secret);
	tree_free(t);
	free(yaml);
}

static void secret_files_others_can_read_are_refused(void **state)
{
	struct report r = {0};
	char *yaml = mem_printf("a: ${file:%s/open}\n", dir);
	char *message = mem_printf("%s/open can be read by everyone (mode 0604)", dir);
	struct tree *t;

	(void)state;
	write_file("open", "x", 0604);
	t = tree_load_text("a.yaml", yaml, &r);
	assert_int_equal(r.errors, 1);
	assert_string_equal(r.v[0].message, message);
	assert_string_equal(r.v[0].hint, "take the right away: chmod o-r");
	assert_true(node_get(tree_root(t), "a")->is_broken);
	tree_free(t);
	report_done(&r);
	free(message);
	free(yaml);
}

static void secret_files_a_foreign_group_can_read_are_refused(void **state)
{
	struct report r = {0};
	char *path = in_dir("group");
	char *yaml = mem_printf("a: ${file:%s}\n", path);
	struct tree *t;

	(void)state;
	write_file("group", "x", 0640);
	t = reads(yaml);
	has_text(t, "/a", "x");
	tree_free(t);
	/* Only root can give a file to a group that is not its own. */
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 0, 54321), 0);
		t = tree_load_text("a.yaml", yaml, &r);
		assert_int_equal(r.errors, 1);
		assert_non_null(strstr(r.v[0].message, "can be read by group 54321, which is not "
						       "ours (mode 0640)"));
		assert_string_equal(r.v[0].hint, "take the right away: chmod g-r");
		tree_free(t);
		report_done(&r);
	}
	free(path);
	free(yaml);
}

static void missing_and_odd_secret_files_are_refused(void **state)
{
	struct report r = {0};
	char *fifo = in_dir("fifo");
	char *yaml =
		mem_printf("a: ${file:%s/none}\nb: ${file:relative}\nc: ${file:%s}\n", dir, fifo);
	char *message = mem_printf("cannot read %s/none: No such file or directory", dir);
	struct tree *t;

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	t = tree_load_text("a.yaml", yaml, &r);
	assert_int_equal(r.errors, 3);
	assert_string_equal(r.v[0].message, message);
	assert_string_equal(r.v[1].message, "'relative' is not an absolute path");
	assert_non_null(strstr(r.v[2].message, "is not a regular file"));
	tree_free(t);
	report_done(&r);
	free(message);
	free(yaml);
	free(fifo);
}

static void credentials_come_from_their_directory(void **state)
{
	struct tree *t;

	(void)state;
	write_file("cred", "s3cret\n", 0644);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	t = reads("a: ${cred:cred}\n");
	has_text(t, "/a", "s3cret");
	tree_free(t);
	refuses("a: ${cred:../x}\n",
		"a.yaml:1:4: '../x' is not the name of a credential\n"
		"    1 | a: ${cred:../x}\n"
		"      |    ^^^^^^^^^^^^\n"
		"      = write ${cred:name}, with the name given to LoadCredential=\n"
		"1 error\n");
	unsetenv("CREDENTIALS_DIRECTORY");
	refuses("a: ${cred:x}\n",
		"a.yaml:1:4: credential x cannot be had: CREDENTIALS_DIRECTORY is not set\n"
		"    1 | a: ${cred:x}\n"
		"      |    ^^^^^^^^^\n"
		"      = systemd sets it for units with LoadCredential=\n"
		"1 error\n");
}

/* ---- include ---- */

static void includes_are_merged(void **state)
{
	struct tree *t;
	char *report;

	(void)state;
	write_file("main.yaml",
		   "include: [part-*.yaml, main.yaml, none-*.yaml]\n"
		   "a: {x: 1}\nlist: [1]\nempty:\n",
		   0600);
	write_file("part-1.yaml", "a: {y: {z: 2}}\nlist: [2, 3]\n", 0600);
	write_file("part-2.yaml", "a: {y: {w: 3}}\nempty: {k: v}\nlist:\nnew: text\n", 0600);
	report = load_said("main.yaml", &t);
	assert_string_equal(report, "0 errors\n");
	has_text(t, "/a/x", "1");
	has_text(t, "/a/y/z", "2");
	has_text(t, "/a/y/w", "3");
	assert_int_equal(at(t, "/list")->n, 3);
	has_text(t, "/list/2", "3");
	has_text(t, "/empty/k", "v");
	has_text(t, "/new", "text");
	assert_null(node_get(tree_root(t), "include"));
	assert_non_null(strstr(at(t, "/new")->mark.file, "part-2.yaml"));
	assert_string_equal(tree_source_line(t, &at(t, "/new")->mark), "new: text");
	free(report);
	tree_free(t);
}

static void a_scalar_given_twice_names_both_places(void **state)
{
	(void)state;
	write_file("twice.yaml", "include: other.yaml\ninstance:\n  name: a\n", 0600);
	write_file("other.yaml", "instance:\n  name: b\n", 0600);
	load_refuses("twice.yaml", "other.yaml:2:3: 'instance.name' is given twice\n"
				   "    2 |   name: b\n"
				   "      |   ^^^^\n"
				   "      = it stands in twice.yaml:3:3 already\n"
				   "1 error\n");
}

static void errors_in_includes_are_told_with_their_file(void **state)
{
	(void)state;
	write_file("outer.yaml", "include: inner.yaml\n", 0600);
	write_file("inner.yaml", "x: [1\n", 0600);
	load_refuses("outer.yaml",
		     "inner.yaml:1:4: expected ',' or ']'\n"
		     "    1 | x: [1\n"
		     "      |    ^\n"
		     "      = close the '[' or put a ',' between its entries; quote a text that "
		     "holds brackets\n"
		     "1 error\n");
	write_file("inner.yaml", "include: [more.yaml]\n", 0600);
	load_refuses("outer.yaml", "inner.yaml:1:1: only the main file may include others\n"
				   "    1 | include: [more.yaml]\n"
				   "      | ^^^^^^^\n"
				   "      = list this file in the main file\n"
				   "1 error\n");
}

static void a_named_include_must_exist(void **state)
{
	(void)state;
	write_file("lost.yaml", "include: [gone.yaml]\n", 0600);
	load_refuses("lost.yaml",
		     "lost.yaml:1:11: cannot read gone.yaml: No such file or directory\n"
		     "    1 | include: [gone.yaml]\n"
		     "      |           ^^^^^^^^^\n"
		     "1 error\n");
	write_file("odd.yaml", "include: {a: b}\n", 0600);
	load_refuses("odd.yaml", "odd.yaml:1:10: expected names of files\n"
				 "    1 | include: {a: b}\n"
				 "      |          ^\n"
				 "      = write include: [conf.d/*.yaml]\n"
				 "1 error\n");
}

static void a_file_that_is_not_there_gives_no_tree(void **state)
{
	struct tree *t;
	char *report = load_said("nowhere.yaml", &t);

	(void)state;
	assert_null(t);
	assert_string_equal(report, "nowhere.yaml: cannot read nowhere.yaml: No such file or "
				    "directory\n1 error\n");
	free(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_where_they_stand),
		cmocka_unit_test(columns_are_bytes_after_wide_characters),
		cmocka_unit_test(an_empty_text_is_an_empty_mapping),
		cmocka_unit_test(pointers_stop_at_the_nearest_ancestor),
		cmocka_unit_test(many_keys_are_found),
		cmocka_unit_test(tabs_are_refused),
		cmocka_unit_test(duplicate_keys_are_refused),
		cmocka_unit_test(syntax_errors_say_what_to_do),
		cmocka_unit_test(a_broken_tree_is_not_complete),
		cmocka_unit_test(aliases_are_copies),
		cmocka_unit_test(merge_keys_fill_what_is_missing),
		cmocka_unit_test(cyclic_and_unknown_aliases_are_refused),
		cmocka_unit_test(aliases_cannot_multiply_without_end),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(aliases_count_for_the_nesting),
		cmocka_unit_test(the_environment_is_expanded_in_values),
		cmocka_unit_test(what_was_expanded_is_not_expanded_again),
		cmocka_unit_test(a_missing_variable_is_an_error_at_its_place),
		cmocka_unit_test(malformed_expansions_are_refused),
		cmocka_unit_test(secret_files_are_read_without_their_last_newline),
		cmocka_unit_test(secret_files_others_can_read_are_refused),
		cmocka_unit_test(secret_files_a_foreign_group_can_read_are_refused),
		cmocka_unit_test(missing_and_odd_secret_files_are_refused),
		cmocka_unit_test(credentials_come_from_their_directory),
		cmocka_unit_test(includes_are_merged),
		cmocka_unit_test(a_scalar_given_twice_names_both_places),
		cmocka_unit_test(errors_in_includes_are_told_with_their_file),
		cmocka_unit_test(a_named_include_must_exist),
		cmocka_unit_test(a_file_that_is_not_there_gives_no_tree),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
