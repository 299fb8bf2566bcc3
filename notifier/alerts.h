/* SPDX-License-Identifier: Apache-2.0 */
/* alerts - the section "alerts" of the configuration: channels, rules, retries
 *
 * Ownership: struct alerts owns everything; engine rules borrow from it.
 * Errors:    alerts_decode: -EINVAL with the first thing that is wrong; alerts_check tells all.
 */
#ifndef HALE_NOTIFIER_ALERTS_H
#define HALE_NOTIFIER_ALERTS_H

#include "base/backoff.h"
#include "channel.h"
#include "conf/manifest.h"
#include "engine.h"

/* C-04. */
#define COOLDOWN_STATUS_CHANGE_MS      (300 * 1000)
#define COOLDOWN_COMPONENT_FAILURES_MS (900 * 1000)
/* The rule there is when channels are configured and no rules. */
#define DEFAULT_RULE_NAME              "overall"

struct channel {
	char *name;
	const struct channel_ops *ops;
	void *opts;
	uint32_t rate; /* messages a minute; 0 no limit */
};

struct alert_rule { /* what the engine does not need to know */
	char *name;
	struct strlist components;
	struct strlist channels; /* names; never empty */
	char *title;             /* jq program; never NULL */
	char *message;
};

struct alerts {
	struct channel *channels;
	size_t channels_n;
	struct alert_rule *rules;         /* same index as */
	struct engine_rule *engine_rules; /* these */
	size_t rules_n;
	struct backoff_policy retry;
	int64_t give_up_after_ms;
	int64_t keep_ms;
};

extern const struct conf_section alerts_sections[];

/* section NULL: nothing configured. */
int alerts_decode(const json_t *section, struct alerts *a_r, struct err *err);
void alerts_done(struct alerts *a);
/* Everything --check can find; paths begin at the slice ("/alerts/rules/0/title"). */
void alerts_check(const json_t *section, service_problem_fn problem, void *ctx);
const struct channel *alerts_channel(const struct alerts *a, const char *name);

#endif
