/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/schema.h"
#include "deploy/core_options.h"
#include "deploy/programs.h"
#include "deploy/slice.h"

static const struct conf_item no_items[] = {CONF_END};

static void read_programs(struct deployment *d, struct tree *tree,
			  const struct manifest_set *manifests)
{
	const struct config_dirs dirs = {.state_dir = "/var/lib/hale"};
	const struct place place = {.tree = tree, .report = &d->report};
	struct err err = {0};

	if (slice_processes(d->config, manifests, &err) < 0 ||
	    programs_read(d->config, &dirs, manifests, &place, &err) < 0)
		fail_msg("%s", err.text);
}

void deployment_init(struct deployment *d, const char *yaml)
{
	struct manifest_set manifests = {0};
	json_t *core = core_manifest();
	struct tree *tree;
	json_t *json;

	*d = (struct deployment){0};
	tree = tree_load_text("hale.yaml", yaml, &d->report);
	manifest_set_add(&manifests,
			 manifest_check("hale-check-null",
					&(struct manifest_kind){.kind = "null",
								.summary = "says what it is told",
								.options = no_items,
								.metrics = NULL}),
			 "/bin/true");
	manifest_set_add(
		&manifests,
		manifest_service("hale-notifier", "notifier", "tells people", "always", NULL, NULL),
		"/bin/true");
	json = schema_apply(tree, &manifests, core, &d->report);
	if (json != NULL) {
		d->config = mem_alloc(sizeof(*d->config));
		d->config->json = json;
		d->config->masked = schema_mask(json, tree, &manifests, core);
		d->config->node = mem_dup("n1");
		d->config->instance = mem_dup("test");
		read_programs(d, tree, &manifests);
	}
	tree_free(tree);
	manifest_set_done(&manifests);
	json_decref(core);
}

void deployment_done(struct deployment *d)
{
	config_free(d->config);
	report_done(&d->report);
}

const struct process_spec *deployment_program(const struct deployment *d, const char *name)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	for (size_t i = 0; d->config != NULL && i < d->config->processes_n; i++) {
		if (str_eq(d->config->processes[i].name, name))
			return &d->config->processes[i];
	}
	report_format(&d->report, false, &text);
	fail_msg("no program %s:\n%s", name, str_text(&text));
	return NULL;
}
