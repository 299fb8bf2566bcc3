/* SPDX-License-Identifier: Apache-2.0 */
/* manifests - where the manifests of an installation are
 *
 * Beside the programs: in the build tree, installed, and in the folder for plugins; and then in the
 * directories that a configuration names under `plugins:`.
 */
#ifndef HALE_DEPLOY_MANIFESTS_H
#define HALE_DEPLOY_MANIFESTS_H

#include "base/strlist.h"
#include "conf/manifest.h"

/* `exe_dir` is where haled is; `more` may be NULL. 0 or negative errno; the set is to be freed
 * either way. */
int manifests_load(struct manifest_set *set, const char *exe_dir, const struct strlist *more,
		   struct err *err);

#endif
