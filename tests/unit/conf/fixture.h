/* SPDX-License-Identifier: Apache-2.0 */
/* fixture - a small world for the tests of schema: haled's manifest, two kinds, one service
 */
#ifndef HALE_TEST_CONF_FIXTURE_H
#define HALE_TEST_CONF_FIXTURE_H

#include "conf/schema.h"

struct world {
	struct manifest_set manifests;
	json_t *core;
};

void world_init(struct world *w);
void world_done(struct world *w);

/* Applies the text; the name of the file is "hale.yaml". */
json_t *apply(const char *yaml, struct report *report);
/* The whole report, as people see it, must be `text`. */
void expect_report(const char *yaml, const char *text);
/* Applied without errors, the value at `path` ("components.api.interval") must be this JSON. */
void expect_json(const char *yaml, const char *path, const char *json);
const json_t *json_at(const json_t *root, const char *path);

#endif
