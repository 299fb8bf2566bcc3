/* SPDX-License-Identifier: Apache-2.0 */
/* slice - who runs, and what each may know of the configuration (child_proto.h "slice")
 */
#ifndef HALE_DEPLOY_SLICE_H
#define HALE_DEPLOY_SLICE_H

#include "conf/manifest.h"
#include "deploy/config.h"

#include <jansson.h>

/* The stage of stopping (process_spec.stop_stage) of user programs. */
#define SLICE_PROGRAMS_STAGE 3

/* Fills c->processes (name, program, slice) from c->json: one process per kind (and group) that
 * has an enabled component, and each service the manifests name. -ENOENT with text when a
 * program is missing. */
int slice_processes(struct config *c, const struct manifest_set *manifests, struct err *err);
/* "check.<kind>" or "check.<kind>.<group>". Caller frees. */
char *slice_check_process(const char *kind, const json_t *component);
/* A JSON pointer into a slice as one into the YAML file: "/components/3/options/expect/jq" is
 * "/components/api/http/expect/jq". Caller frees. */
char *slice_pointer(const char *slice, const char *pointer);

#endif
