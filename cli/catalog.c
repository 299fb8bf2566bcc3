/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include "deploy/core_options.h"
#include "deploy/manifests.h"
#include "field.h"

int catalog_load(struct catalog *c, const struct cli *cli, const json_t *config, struct err *err)
{
	const json_t *plugins = json_object_get(config, "plugins");
	struct strlist more = {0};
	json_t *dir;
	size_t i;
	int rc;

	json_array_foreach (field_array(plugins, "directories"), i, dir) {
		if (json_is_string(dir))
			strlist_add(&more, json_string_value(dir));
	}
	rc = manifests_load(&c->manifests, cli->exe_dir == NULL ? "" : cli->exe_dir, &more, err);
	c->core = core_manifest();
	strlist_done(&more);
	return rc;
}

int catalog_load_known(struct catalog *c, struct cli *cli, struct err *err)
{
	json_t *config = NULL;
	struct err no_hale = {0};
	int rc;

	(void)cli_try(cli, "haled", "config.show", json_pack("{s:b}", "masked", 1), CLI_TIMEOUT_MS,
		      &config, NULL, &no_hale);
	rc = catalog_load(c, cli, config, err);
	json_decref(config);
	return rc;
}

void catalog_done(struct catalog *c)
{
	manifest_set_done(&c->manifests);
	json_decref(c->core);
	c->core = NULL;
}
