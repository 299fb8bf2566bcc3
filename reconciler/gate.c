/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include "base/str.h"
#include "model/status.h"

void gate_done(struct gate *g)
{
	map_done(&g->statuses);
}

static void set(struct gate *g, const char *id, const json_t *state)
{
	const char *name = json_string_value(json_object_get(state, "status"));
	enum status status = STATUS_UNKNOWN;

	if (name == NULL || !status_from_name(name, &status))
		status = STATUS_UNKNOWN;
	(void)map_put(&g->statuses, id, (void *)((uintptr_t)status + 1));
}

void gate_snapshot(struct gate *g, const json_t *snapshot)
{
	const json_t *component;
	size_t i;

	gate_done(g);
	json_array_foreach (json_object_get(snapshot, "components"), i, component) {
		const char *id = json_string_value(json_object_get(component, "id"));

		if (id != NULL)
			set(g, id, component);
	}
}

void gate_line(struct gate *g, const json_t *line)
{
	const char *id = json_string_value(json_object_get(line, "component"));

	if (id == NULL)
		return;
	if (json_is_true(json_object_get(line, "removed")))
		(void)map_take(&g->statuses, id);
	else
		set(g, id, json_object_get(line, "state"));
}

char *gate_refusal(const struct gate *g, const struct strlist *components)
{
	struct str text = {0};

	for (size_t i = 0; i < components->n; i++) {
		uintptr_t known = (uintptr_t)map_get(&g->statuses, components->v[i]);
		enum status status = known == 0 ? STATUS_UNKNOWN : (enum status)(known - 1);

		if (status == STATUS_HEALTHY)
			continue;
		str_addf(&text, "%s%s is %s", text.len == 0 ? "require_healthy: " : ", ",
			 components->v[i], status_name(status));
	}
	return text.len == 0 ? NULL : str_take(&text);
}
