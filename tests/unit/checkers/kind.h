/* SPDX-License-Identifier: Apache-2.0 */
/* kind - one run of a kind through the runner, for the tests of kinds
 *
 * Include cmocka.h first. The kind is the one whose core the test links.
 */
#ifndef HALE_TESTS_CHECKERS_KIND_H
#define HALE_TESTS_CHECKERS_KIND_H

#include <jansson.h>
#include <stdint.h>
#include <uv.h>

/* The loop of the run: a test may serve on it. Valid between kind_setup and kind_teardown. */
extern uv_loop_t kind_loop;

int kind_setup(void **state);
int kind_teardown(void **state);

/* One run; the caller drops the observation. */
json_t *kind_ask(const char *options, int64_t timeout_ms);
/* Two runs of one component; the second's observation. */
json_t *kind_ask_twice(const char *options);
/* One run with time enough; `message` may be NULL. */
void kind_expect(const char *options, const char *outcome, const char *reason, const char *message);
/* Fails unless the observation's metric is there. */
double kind_metric(const json_t *observation, const char *name);
const char *kind_text(const json_t *observation, const char *member);
/* The first problem that validation finds, "path: message", or "". The caller frees it. */
char *kind_problem(const char *options);

#endif
