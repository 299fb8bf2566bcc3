/* SPDX-License-Identifier: Apache-2.0 */
/* catalog - every option there is: the manifests of this installation
 *
 * Read from where haled reads them, so that it works without a haled running; a running one adds
 * the directories for plugins of its configuration.
 *
 * Ownership: struct catalog is the caller's; zero-initialised is valid for catalog_done.
 */
#ifndef HALE_CLI_CATALOG_H
#define HALE_CLI_CATALOG_H

#include "cli.h"
#include "conf/manifest.h"

struct catalog {
	struct manifest_set manifests;
	json_t *core; /* haled's own */
};

/* `config` is what haled answered to config.show; NULL: none runs, or none is asked. */
int catalog_load(struct catalog *c, const struct cli *cli, const json_t *config, struct err *err);
/* The same with what a running haled knows of plugins, if one runs. */
int catalog_load_known(struct catalog *c, struct cli *cli, struct err *err);
void catalog_done(struct catalog *c);

#endif
