/* SPDX-License-Identifier: Apache-2.0 */
/* component_check - what a component's options must be to one another, which no table can say
 *
 * Errors: each mistake is an entry of the place's report, where it stands in the file.
 */
#ifndef HALE_DEPLOY_COMPONENT_CHECK_H
#define HALE_DEPLOY_COMPONENT_CHECK_H

#include "conf/manifest.h"
#include "deploy/place.h"

#include <jansson.h>

/* `components` is normalised. */
void component_check(const json_t *components, const struct manifest_set *manifests,
		     const struct place *place);

#endif
