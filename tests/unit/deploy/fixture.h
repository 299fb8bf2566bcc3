/* SPDX-License-Identifier: Apache-2.0 */
/* fixture - the programs of a configuration given as text
 *
 * One check kind ("null") and two of hale's own processes exist: check.null, if a component is
 * given, and notifier.
 */
#ifndef HALE_TEST_DEPLOY_FIXTURE_H
#define HALE_TEST_DEPLOY_FIXTURE_H

#include "deploy/config.h"

struct deployment {
	struct report report;
	struct config *config; /* NULL: the schema refused it */
};

/* Reads `yaml`, as hale.yaml, up to its programs. */
void deployment_init(struct deployment *d, const char *yaml);
void deployment_done(struct deployment *d);
/* The program of that name; fails the test, with the errors, if there is none. */
const struct process_spec *deployment_program(const struct deployment *d, const char *name);

#endif
