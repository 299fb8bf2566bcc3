/* SPDX-License-Identifier: Apache-2.0 */
/* verbs - everything hale can be told, as one table
 *
 * To add a verb: its function in a file of its group, and one row in verbs.c. The row is what
 * parses, what helps and what suggests. Verbs of two words ("config show") share their first.
 */
#ifndef HALE_CLI_VERBS_H
#define HALE_CLI_VERBS_H

#include "args.h"
#include "cli.h"

#include <limits.h>

#define VERB_ANY_WORDS UINT_MAX

struct verb {
	const char *name; /* "status", "config show"; NULL ends the table */
	/* "[PROCESS…|--all]": places, alternatives, and what is optional. Completion reads it, so
	 * names in capitals are those of complete_names.c. */
	const char *words;
	unsigned words_min, words_max;
	const struct flag *flags; /* may be NULL */
	bool is_verdict;     /* the exit code is a Nagios status: whatever is no verdict is 3 */
	const char *help;    /* one line */
	const char *details; /* for `hale help VERB`; NULL or lines that end in a newline */
	int (*run)(struct cli *cli, const struct args *args); /* the exit code */
};

extern const struct verb verbs[];
/* What may stand before and behind every verb. */
extern const struct flag verb_global_flags[];

int verb_action(struct cli *cli, const struct args *args);
int verb_alerts(struct cli *cli, const struct args *args);
int verb_alerts_show(struct cli *cli, const struct args *args);
int verb_check(struct cli *cli, const struct args *args);
int verb_completion(struct cli *cli, const struct args *args);
int verb_config_check(struct cli *cli, const struct args *args);
int verb_config_diff(struct cli *cli, const struct args *args);
int verb_config_schema(struct cli *cli, const struct args *args);
int verb_config_show(struct cli *cli, const struct args *args);
int verb_doctor(struct cli *cli, const struct args *args);
int verb_events(struct cli *cli, const struct args *args);
int verb_export(struct cli *cli, const struct args *args);
int verb_history(struct cli *cli, const struct args *args);
int verb_import(struct cli *cli, const struct args *args);
int verb_logs(struct cli *cli, const struct args *args);
int verb_kinds(struct cli *cli, const struct args *args);
int verb_man(struct cli *cli, const struct args *args);
int verb_notify_test(struct cli *cli, const struct args *args);
int verb_pause(struct cli *cli, const struct args *args);
int verb_ping(struct cli *cli, const struct args *args);
int verb_reconcile(struct cli *cli, const struct args *args);
int verb_reload(struct cli *cli, const struct args *args);
int verb_restart(struct cli *cli, const struct args *args);
int verb_resume(struct cli *cli, const struct args *args);
int verb_show(struct cli *cli, const struct args *args);
int verb_start(struct cli *cli, const struct args *args);
int verb_status(struct cli *cli, const struct args *args);
int verb_upgrade(struct cli *cli, const struct args *args);
int verb_stop(struct cli *cli, const struct args *args);
int verb_store_compact(struct cli *cli, const struct args *args);
int verb_store_purge(struct cli *cli, const struct args *args);
int verb_store_rebuild(struct cli *cli, const struct args *args);
int verb_store_status(struct cli *cli, const struct args *args);
int verb_top(struct cli *cli, const struct args *args);
int verb_tap(struct cli *cli, const struct args *args);
int verb_uptime(struct cli *cli, const struct args *args);

#endif
