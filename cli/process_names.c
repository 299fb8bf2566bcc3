/* SPDX-License-Identifier: Apache-2.0 */
#include "process_names.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "field.h"

#define CHECKERS "checkers"
#define PROGRAMS "programs"
#define OWN      "hale"

const char *const process_groups[] = {CHECKERS, PROGRAMS, OWN, NULL};

/* The components that processes are, by whose they are. */
static const char *const own_prefixes[] = {"hale.", "program."};

static const json_t *component_of(const json_t *status, const char *id)
{
	return field_find(field_array(status, "components"), "id", id);
}

static bool is_process(const json_t *status, const char *name)
{
	return field_find(field_array(status, "processes"), "name", name) != NULL;
}

bool process_is_program(const json_t *status, const char *name)
{
	HALE_CLEANUP(cleanup_free) char *id = mem_printf("program.%s", name);

	return component_of(status, id) != NULL;
}

static bool is_member(const json_t *status, const char *word, const char *name)
{
	if (str_eq(word, CHECKERS))
		return str_starts(name, "check.") && !process_is_program(status, name);
	if (str_eq(word, PROGRAMS))
		return process_is_program(status, name);
	if (str_eq(word, OWN))
		return !process_is_program(status, name);
	return fnmatch(word, name, 0) == 0;
}

static bool is_group(const char *word)
{
	return str_eq(word, CHECKERS) || str_eq(word, PROGRAMS) || str_eq(word, OWN);
}

static void add_once(json_t *names, const char *name)
{
	json_t *known;
	size_t i;

	json_array_foreach (names, i, known) {
		if (str_eq(json_string_value(known), name))
			return;
	}
	json_array_append_new(names, json_string(name));
}

static bool add_members(const json_t *status, const char *word, json_t *names)
{
	bool has_any = false;
	json_t *process;
	size_t i;

	json_array_foreach (field_array(status, "processes"), i, process) {
		const char *name = field_or(process, "name", "");

		if (!is_member(status, word, name))
			continue;
		add_once(names, name);
		has_any = true;
	}
	return has_any;
}

/* "hale.web" is the process web as a component. */
static const char *without_prefix(const json_t *status, const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(own_prefixes); i++) {
		const char *rest = word + strlen(own_prefixes[i]);

		if (str_starts(word, own_prefixes[i]) && is_process(status, rest))
			return rest;
	}
	return NULL;
}

static int add_word(const json_t *status, const char *word, json_t *names, struct err *err)
{
	const json_t *component = component_of(status, word);
	const char *checker = field_text(component, "process");

	if (is_process(status, word))
		add_once(names, word);
	else if (without_prefix(status, word) != NULL)
		add_once(names, without_prefix(status, word));
	else if (checker != NULL)
		return err_set(err, -ENOENT,
			       "%s is no process but a component, which %s checks (say: hale "
			       "restart %s, or hale check %s)",
			       word, checker, checker, word);
	else if (component != NULL)
		return err_set(err, -ENOENT, "%s is no process but a component (see: hale show %s)",
			       word, word);
	else if (!add_members(status, word, names) && is_group(word))
		return err_set(err, -ENOENT, "there are no %s here (see: hale status)", word);
	else if (!is_group(word) && !add_members(status, word, names))
		add_once(names, word);
	return 0;
}

json_t *process_names_expand(const json_t *status, const struct strlist *words, struct err *err)
{
	json_t *names = json_array();

	for (size_t i = 0; i < words->n; i++) {
		if (add_word(status, words->v[i], names, err) < 0) {
			json_decref(names);
			return NULL;
		}
	}
	return names;
}

/* ---- all ---- */

struct ranked {
	const char *name;
	json_int_t stage;
	size_t place; /* in haled's list */
};

static int by_stage(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

json_t *process_names_all(const json_t *status, bool is_reversed)
{
	const json_t *processes = field_array(status, "processes");
	struct ranked *v = mem_array(json_array_size(processes), sizeof(*v));
	json_t *names = json_array(), *process;
	size_t i, n = 0;

	json_array_foreach ((json_t *)(uintptr_t)processes, i, process) {
		if (field_text(process, "name") == NULL ||
		    json_is_false(json_object_get(process, "enabled")))
			continue;
		v[n++] = (struct ranked){.name = field_text(process, "name"),
					 .stage = field_int(process, "stop_stage", 0),
					 .place = i};
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), by_stage);
	for (i = 0; i < n; i++)
		json_array_append_new(names, json_string(v[is_reversed ? n - 1 - i : i].name));
	free(v);
	return names;
}
