/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/slice.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* The order of DESIGN section 4: what listens stops first, what remembers last. User programs
 * (SLICE_PROGRAMS_STAGE) stop when no checker can take that for an outage any more, and before
 * those who tell and store that they have ended. */
static const struct {
	const char *service;
	int stage;
} stop_stages[] = {
	{"web", 0},
	{"check", 1},
	{"reconciler", 2},
	{"notifier", SLICE_PROGRAMS_STAGE + 1},
	{"recorder", SLICE_PROGRAMS_STAGE + 2},
};

_Static_assert(CONFIG_STOP_STAGES == SLICE_PROGRAMS_STAGE + 3, "every stage is stopped");

static int stop_stage(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(stop_stages); i++) {
		size_t len = strlen(stop_stages[i].service);

		if (strncmp(name, stop_stages[i].service, len) == 0 &&
		    (name[len] == '\0' || name[len] == '.'))
			return stop_stages[i].stage;
	}
	return 1;
}

char *slice_check_process(const char *kind, const json_t *component)
{
	const char *group = json_string_value(json_object_get(component, "group"));

	if (group != NULL && group[0] != '\0')
		return mem_printf("check.%s.%s", kind, group);
	return mem_printf("check.%s", kind);
}

static json_t *slice_base(const struct config *c, const char *service)
{
	json_t *instance = json_object_get(c->json, "instance");

	return json_pack("{s:s, s:s, s:O}", "service", service, "node", c->node, "instance",
			 instance);
}

static void add_process(struct config *c, const char *name, const char *program, json_t *slice)
{
	struct process_spec *p;

	c->processes = mem_grow(c->processes, c->processes_n + 1, sizeof(*c->processes));
	p = &c->processes[c->processes_n++];
	*p = (struct process_spec){
		.name = mem_dup(name),
		.component = mem_printf("hale.%s", name),
		.program = mem_dup(program),
		.argv = mem_array(2, sizeof(char *)),
		.slice = json_dumps(slice, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY),
		.is_enabled = true,
		.stop_stage = stop_stage(name),
		.stop_signal = SIGTERM,
	};
	p->argv[0] = mem_dup(program);
	HALE_ASSERT(p->slice != NULL);
	p->slice_len = strlen(p->slice);
	json_decref(slice);
}

static json_t *at_least_one(const json_t *component, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(component, name));

	return json_integer(HALE_MAX(n, (json_int_t)1));
}

/* How a result is confirmed off the grid, or NULL if it is not. */
static json_t *retry_of(const json_t *component)
{
	json_t *interval = json_object_get(component, "retry_interval");
	json_t *retry;

	if (json_integer_value(interval) == 0)
		return NULL;
	retry = json_pack("{s:O, s:o, s:o}", "interval", interval, "degraded_after",
			  at_least_one(component, "degraded_after"), "recover_after",
			  at_least_one(component, "recover_after"));
	if (json_object_get(component, "critical_after") != NULL)
		json_object_set(retry, "critical_after",
				json_object_get(component, "critical_after"));
	return retry;
}

/* The slices under construction, by process name: {"check.http": {slice}}. */
static void add_component(const struct config *c, json_t *slices, const char *id,
			  const json_t *component)
{
	const char *kind = json_string_value(json_object_get(component, "kind"));
	HALE_CLEANUP(cleanup_free) char *process = slice_check_process(kind, component);
	json_t *slice = json_object_get(slices, process);
	const char *label = json_string_value(json_object_get(component, "label"));

	if (slice == NULL) {
		slice = slice_base(c, process);
		json_object_set_new(slice, "kind", json_string(kind));
		json_object_set_new(slice, "components", json_array());
		if (json_object_get(c->json, "checks") != NULL)
			json_object_set(slice, "checks", json_object_get(c->json, "checks"));
		json_object_set_new(slices, process, slice);
	}
	json_array_append_new(json_object_get(slice, "components"),
			      json_pack("{s:s, s:s, s:O, s:O, s:O, s:o*}", "id", id, "label",
					label == NULL ? id : label, "interval",
					json_object_get(component, "interval"), "timeout",
					json_object_get(component, "timeout"), "options",
					json_object_get(component, kind), "retry",
					retry_of(component)));
}

static int check_processes(struct config *c, const struct manifest_set *manifests, struct err *err)
{
	json_t *slices = json_object();
	const char *id, *name;
	json_t *component, *slice;

	json_object_foreach (json_object_get(c->json, "components"), id, component) {
		if (json_is_true(json_object_get(component, "enabled")) &&
		    !json_is_false(json_object_get(component, "configured")))
			add_component(c, slices, id, component);
	}
	json_object_foreach (slices, name, slice) {
		const char *kind = json_string_value(json_object_get(slice, "kind"));
		const json_t *manifest = manifest_for_kind(manifests, kind);
		const char *program = manifest_program(manifests, manifest);

		if (program == NULL) {
			(void)err_set(err, -ENOENT,
				      "the program of check kind '%s' is not installed", kind);
			json_decref(slices);
			return -ENOENT;
		}
		add_process(c, name, program, json_incref(slice));
	}
	json_decref(slices);
	return 0;
}

/* A service that runs only when configured needs one of its own sections to say something. */
static bool is_wanted(const struct config *c, const json_t *manifest)
{
	const char *run = json_string_value(json_object_get(manifest, "run"));
	const char *section;
	json_t *value;

	if (!str_eq(run, "when_configured"))
		return true;
	json_object_foreach (json_object_get(manifest, "sections"), section, value) {
		if (json_object_size(json_object_get(c->json, section)) > 0)
			return true;
	}
	return false;
}

static void add_sections(const struct config *c, const json_t *manifest, json_t *slice)
{
	const char *section;
	json_t *value;
	size_t i;

	json_object_foreach (json_object_get(manifest, "sections"), section, value) {
		json_t *content = json_object_get(c->json, section);

		if (content != NULL)
			json_object_set(slice, section, content);
	}
	json_array_foreach (json_object_get(manifest, "reads"), i, value) {
		json_t *content = json_object_get(c->json, json_string_value(value));

		if (content != NULL)
			json_object_set(slice, json_string_value(value), content);
	}
}

int slice_processes(struct config *c, const struct manifest_set *manifests, struct err *err)
{
	int rc = check_processes(c, manifests, err);

	for (size_t i = 0; rc == 0 && i < manifests->n; i++) {
		const json_t *manifest = manifests->v[i];
		const char *service = json_string_value(json_object_get(manifest, "service"));
		const char *program = manifest_program(manifests, manifest);
		json_t *slice;

		if (!str_eq(json_string_value(json_object_get(manifest, "role")), "service") ||
		    !is_wanted(c, manifest))
			continue;
		if (program == NULL)
			return err_set(err, -ENOENT, "the program of service '%s' is not installed",
				       service);
		slice = slice_base(c, service);
		add_sections(c, manifest, slice);
		add_process(c, service, program, slice);
	}
	return rc;
}

char *slice_pointer(const char *slice, const char *pointer)
{
	json_t *json = json_loads(slice, 0, NULL);
	const char *kind = json_string_value(json_object_get(json, "kind"));
	const char *id = NULL;
	const char *rest = NULL;
	char *out = NULL;

	if (kind != NULL && str_starts(pointer, "/components/")) {
		const char *number = pointer + strlen("/components/");
		char *end = NULL;
		unsigned long i = strtoul(number, &end, 10);
		json_t *component = json_array_get(json_object_get(json, "components"), i);

		if (end != number)
			id = json_string_value(json_object_get(component, "id"));
		rest = end;
	}
	if (id != NULL && str_starts(rest, "/options"))
		out = mem_printf("/components/%s/%s%s", id, kind, rest + strlen("/options"));
	else if (id != NULL)
		out = mem_printf("/components/%s%s", id, rest);
	json_decref(json);
	return out == NULL ? mem_dup(pointer) : out;
}
