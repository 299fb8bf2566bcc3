/* SPDX-License-Identifier: Apache-2.0 */
/* schema - a tree held against the manifests: errors, or the normalised configuration
 *
 * haled's only reading of YAML. Every problem lands in the report with its place; the result is
 * JSON in which defaults are filled in and units are integers (see option.h), laid out like the
 * YAML file: {"instance":{…}, "components":{"api":{"interval":30000,…,"kind":"http","http":{…}}},
 * "alerts":{…}}; "kind" is added. "components" and dict sections are always there; a map section
 * nobody wrote is there with its defaults, unless one of its options is required.
 *
 * Checked here: unknown keys (with suggestion), types, ranges, enums, cron syntax, thresholds,
 * required options, references (`ref`), component ids and reserved words, exactly one kind per
 * component, depends_on existence and cycles, timeout < interval where both are given.
 * Not here: jq and other things only the child can compile (children's --check).
 */
#ifndef HALE_CONF_SCHEMA_H
#define HALE_CONF_SCHEMA_H

#include "conf/manifest.h"
#include "conf/tree.h"

/* `core` is haled's own manifest: its "sections" are top-level keys, its "component" object holds
 * the options every component has, beside exactly one kind. It may stand in `manifests` as well.
 * New reference, or NULL if the report has errors (a tree that is not complete has some). */
json_t *schema_apply(struct tree *tree, const struct manifest_set *manifests, const json_t *core,
		     struct report *report);
/* A copy in which secret options (manifest "secret") and expanded ${…} values read "********".
 * `normalised` comes from schema_apply on the same tree. New reference. */
json_t *schema_mask(const json_t *normalised, struct tree *tree,
		    const struct manifest_set *manifests, const json_t *core);
/* A copy as people would write it: durations and sizes with units ("10s", "64MB"), and without the
 * "kind" that was added. */
json_t *schema_readable(const json_t *normalised, const struct manifest_set *manifests,
			const json_t *core);
/* Which numbers of a normalised configuration are durations or sizes, laid out like it: {"bus":
 * {"ring": "bytes"}, "components": {"*": {"interval": "ms", "http": {…}}}}; "*" stands for each
 * member of a dictionary or list. New reference. */
#define SCHEMA_UNIT_MS    "ms"
#define SCHEMA_UNIT_BYTES "bytes"
#define SCHEMA_UNITS_EACH "*"
json_t *schema_units(const struct manifest_set *manifests, const json_t *core);
/* JSON Schema (2020-12) of the whole file, for editors. New reference. */
json_t *schema_json_schema(const struct manifest_set *manifests, const json_t *core);

#endif
