/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/manifests.h"

#include <unistd.h>

#include "base/file.h"

int manifests_load(struct manifest_set *set, const char *exe_dir, const struct strlist *more,
		   struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *libexec = path_join(exe_dir, "../libexec/hale");
	HALE_CLEANUP(cleanup_free) char *shared = path_join(exe_dir, "../share/hale/manifests");
	HALE_CLEANUP(cleanup_free) char *plugins = path_join(exe_dir, "../lib/hale/plugins");
	const char *bin_dirs[] = {exe_dir, libexec, NULL};
	int rc = manifest_set_load(set, shared, bin_dirs, err);

	if (rc == 0 && access(plugins, R_OK) == 0)
		rc = manifest_set_load(set, plugins, bin_dirs, err);
	for (size_t i = 0; rc == 0 && more != NULL && i < more->n; i++)
		rc = manifest_set_load(set, more->v[i], bin_dirs, err);
	return rc;
}
