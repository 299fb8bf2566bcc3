/* SPDX-License-Identifier: Apache-2.0 */
/* message_expect - what a message must look like, and the metrics taken from it
 *
 * For kinds to whom messages come one by one (websocket, nats), which wait for one that fits. All
 * of what is asked for must hold. A message that is not JSON fits no jq program; an expression that
 * fails on it neither, and why is told.
 *
 * Ownership: message_expect_new/_free; the options outlive it. Results are new references.
 */
#ifndef HALE_CHECKERS_MESSAGE_EXPECT_H
#define HALE_CHECKERS_MESSAGE_EXPECT_H

#include "check.h"

struct message_opts {
	char *text;
	char *regex;
	char *jq;
};

extern const struct conf_item message_items[];

/* path is where the mapping of expectations is ("/expect"); metrics ({name: jq program}, or NULL)
 * are at `metrics_path`. */
void message_expect_validate(const struct message_opts *o, const char *path, const json_t *metrics,
			     const char *metrics_path, service_problem_fn problem, void *ctx);

struct message_expect;

struct message_expect *message_expect_new(const struct message_opts *o, const json_t *metrics);
void message_expect_free(struct message_expect *m); /* takes NULL */
/* Is anything expected, or taken from messages? */
bool message_expect_is_asked(const struct message_expect *m);
/* True if it fits; else why_r says what was wrong. */
bool message_expect_fits(const struct message_expect *m, const char *data, size_t len,
			 struct err *why_r);
/* Reports the metrics. -EBADMSG with what is wrong. */
int message_expect_metrics(const struct message_expect *m, struct check *c, const char *data,
			   size_t len, struct err *err);

#endif
