/* SPDX-License-Identifier: Apache-2.0 */
/* man - hale.yaml(5), written from the manifests
 *
 * Every section, option, kind of check and metric that the programs know, with type, default, range
 * and help: the same tables that haled holds a file against.
 */
#ifndef HALE_CONF_MAN_H
#define HALE_CONF_MAN_H

#include "conf/manifest.h"

#include "base/str.h"

void man_config(struct str *out, const struct manifest_set *manifests, const json_t *core,
		const char *date, const char *version);

#endif
