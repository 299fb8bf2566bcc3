/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "expr/jq.h"

void mapping_init(struct mapping *m, const char *text, enum mapping_kind plain)
{
	*m = (struct mapping){.kind = plain};
	if (text[0] == '=')
		m->formula = jq_new(text + 1);
	else
		m->text = mem_dup(text);
}

void mapping_done(struct mapping *m)
{
	free(m->text);
	jq_free(m->formula);
	*m = (struct mapping){0};
}

json_t *mapping_vars(const char *now, const char *run, const char *job)
{
	return json_pack("{s:s, s:s, s:s, s:n}", "now", now, "run", run, "job", job, "target");
}

void mapping_vars_target(json_t *vars, const json_t *target)
{
	if (target == NULL)
		json_object_set_new(vars, "target", json_null());
	else
		json_object_set(vars, "target", (json_t *)target);
}

int mapping_check(struct mapping *m, struct err *err)
{
	json_t *vars = mapping_vars("", "", "");
	json_t *row = json_object();
	json_t *value = NULL;
	int rc = m->formula == NULL ? 0 : jq_first(m->formula, row, vars, &value, err);

	json_decref(value);
	json_decref(row);
	json_decref(vars);
	/* An empty row may well make the program fail; only what does not compile is wrong here. */
	return rc == -EINVAL ? rc : 0;
}

int mapping_eval(struct mapping *m, const json_t *row, const json_t *vars, json_t **value_r,
		 struct err *err)
{
	json_t *value;

	if (m->formula != NULL)
		return jq_first(m->formula, row, vars, value_r, err);
	if (m->kind == MAPPING_CONSTANT) {
		*value_r = json_string(m->text);
		return 0;
	}
	value = json_object_get(row, m->text);
	if (value == NULL)
		return err_set(err, -ENOENT, "the source row has no member '%s'", m->text);
	*value_r = json_incref(value);
	return 0;
}
