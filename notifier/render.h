/* SPDX-License-Identifier: Apache-2.0 */
/* render - from a notice to words: jq programs over what the engine knows
 *
 * Input object of both programs: docs/alerting.md "Templates". A program that fails at run time
 * does not cost the notice: the alert's own message stands in, and the error is reported.
 *
 * Ownership: texts are the caller's. Loop thread only, does not block beyond jq's own work.
 */
#ifndef HALE_NOTIFIER_RENDER_H
#define HALE_NOTIFIER_RENDER_H

#include "alerts.h"

/* No message of any channel is longer; what is, is cut between two characters. */
#define RENDER_TEXT_MAX 16384

struct renderer;

/* Compiles every program now: -EINVAL names the rule. `a` is borrowed. */
int renderer_new(const struct alerts *a, struct renderer **r_r, struct err *err);
void renderer_free(struct renderer *r);
/* 0, or -EBADMSG with err filled and the fallback in place. */
int render(struct renderer *r, size_t rule, const json_t *vars, char **title_r, char **message_r,
	   struct err *err);
/* Title and message as one text. Caller frees. */
char *render_join(const char *title, const char *message);

const char *render_default_title(enum rule_type type);
const char *render_default_message(enum rule_type type, bool is_about_components);

#endif
