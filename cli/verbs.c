/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs.h"

/* clang-format off */
#define LINES {"lines", 'n', FLAG_COUNT, "N", "how many, at most"}
#define FROM {"from", 0, FLAG_TEXT, "TIME", "the same as --since"}
#define TO {"to", 0, FLAG_TEXT, "TIME", "until when; default now"}
#define FOLLOW {"follow", 'f', FLAG_SWITCH, NULL, "go on with what comes"}

const struct flag verb_global_flags[] = {
	{"run-dir", 0, FLAG_TEXT, "DIR",
	 "hale's sockets; default $HALE_RUN_DIR or " CLI_DEFAULT_RUN_DIR},
	{"output", 'o', FLAG_TEXT, "text|json", "how answers are written; default text"},
	{"no-color", 0, FLAG_SWITCH, NULL, "as if $NO_COLOR were set"},
	{"help", 'h', FLAG_SWITCH, NULL, "what can be said, or what VERB does"},
	{"version", 0, FLAG_SWITCH, NULL, "which hale this is"},
	{0},
};

static const struct flag status_flags[] = {
	{"watch", 'w', FLAG_SWITCH, NULL, "again every second, until q"},
	{0},
};
static const struct flag logs_flags[] = {
	FOLLOW,
	LINES,
	{"all", 'a', FLAG_SWITCH, NULL, "of all processes"},
	{0},
};
static const struct flag wait_flags[] = {
	{"all", 'a', FLAG_SWITCH, NULL, "all processes, one after the other"},
	{"in-turn", 0, FLAG_SWITCH, NULL, "those named, one after the other too"},
	{"together", 0, FLAG_SWITCH, NULL, "with --all: at once"},
	{"no-wait", 0, FLAG_SWITCH, NULL, "do not wait for the outcome"},
	{"timeout", 0, FLAG_DURATION, "TIME", "how long to wait, with --all for each; default 30s"},
	{0},
};
static const struct flag reload_flags[] = {
	{"no-wait", 0, FLAG_SWITCH, NULL, "do not wait until what restarted is ready"},
	{"timeout", 0, FLAG_DURATION, "TIME", "how long to wait; default 30s"},
	{0},
};
static const struct flag pause_flags[] = {
	{"for", 0, FLAG_DURATION, "TIME", "resume by itself after this"},
	{"reason", 0, FLAG_TEXT, "TEXT", "why; shown in status and events"},
	{0},
};
static const struct flag events_flags[] = {
	FOLLOW,
	LINES,
	{"topic", 't', FLAG_TEXT, "health|process|alert|reconcile|action|event", "only these"},
	{"since", 's', FLAG_TEXT, "TIME", "from when on: 24h, 2026-11-22, '2026-11-22 01:30'"},
	FROM,
	TO,
	{"component", 'c', FLAG_TEXT, "NAME", "only of this one: component, process, job; a glob is fine"},
	{"kind", 'k', FLAG_TEXT, "TEXT", "only this: opened, exit, reload, down …"},
	{"severity", 0, FLAG_TEXT, "info|warning|critical", "this and worse"},
	{0},
};
static const struct flag doctor_flags[] = {
	{"table", 0, FLAG_SWITCH, NULL, "only show what each process may do, without asking any"},
	{0},
};
static const struct flag tap_flags[] = {
	{"component", 'c', FLAG_TEXT, "COMPONENT", "only what is about these; a glob is fine"},
	{"from-start", 's', FLAG_SWITCH, NULL, "begin with the oldest line haled still holds"},
	{"raw", 'r', FLAG_SWITCH, NULL, "frames as they are on the wire, nothing asked for again"},
	{"lines", 'n', FLAG_COUNT, "N", "end after so many lines, with --raw frames"},
	{0},
};
static const struct flag history_flags[] = {
	{"since", 's', FLAG_TEXT, "TIME", "from when on: 7d, 2026-11-22, '2026-11-22 01:30'; default 24h"},
	FROM,
	TO,
	{"lines", 'n', FLAG_COUNT, "N", "the newest N, with --metric so many buckets; default 100, 24"},
	{"results", 'r', FLAG_SWITCH, NULL, "every result, not only changes of status"},
	{"metric", 'm', FLAG_TEXT, "METRIC", "a metric over time; took_ms is how long checks took"},
	{"step", 0, FLAG_DURATION, "TIME", "with --metric: one line for each; default chosen to fit"},
	{0},
};
static const struct flag uptime_flags[] = {
	{"range", 'r', FLAG_DURATION, "TIME", "one range in full: 90d"},
	{"since", 's', FLAG_TEXT, "TIME", "the same from a point in time on"},
	FROM,
	TO,
	{"sla", 0, FLAG_TEXT, "N", "target in percent, of 30d or the range; exit code 1 if one is missed"},
	{0},
};
static const struct flag export_flags[] = {
	{"what", 'w', FLAG_TEXT, "ROWS", "which rows, several with commas; default all, of csv and json results"},
	{"format", 'f', FLAG_TEXT, "ndjson|csv|json", "default ndjson, which hale import reads"},
	{"since", 's', FLAG_TEXT, "TIME", "from when on: 7d, 2026-11-22, '2026-11-22 01:30'; default all"},
	FROM,
	TO,
	{"component", 'c', FLAG_TEXT, "NAME", "only of this one: component, process, job"},
	{"node", 0, FLAG_TEXT, "TEXT", "only of this node"},
	{"step", 0, FLAG_TEXT, "5m|1h|1d", "metrics: only of these steps"},
	{"file", 'O', FLAG_TEXT, "FILE", "where to; it is there when it is whole"},
	{"store", 0, FLAG_TEXT, "FILE", "of this store, a file or PostgreSQL conninfo; needs no running hale"},
	{0},
};
static const struct flag rebuild_flags[] = {
	{"since", 's', FLAG_TEXT, "TIME", "from when on: 7d, 2026-11-22; default all there is"},
	FROM,
	TO,
	{0},
};
static const struct flag alerts_flags[] = {
	{"all", 'a', FLAG_SWITCH, NULL, "resolved ones too"},
	LINES,
	{0},
};
static const struct flag reconcile_flags[] = {
	{"dry-run", 'd', FLAG_SWITCH, NULL, "only say what would change"},
	{0},
};

static const struct flag top_flags[] = {
	{"interval", 'i', FLAG_DURATION, "TIME", "between two looks; default 1s"},
	{"sort", 's', FLAG_TEXT, "name|cpu|memory|restarts", "what comes first; default name"},
	{"count", 'n', FLAG_COUNT, "N", "so many snapshots and no live page"},
	{0},
};

#define WHICH                                                                                      \
	"PROCESS may be a glob ('check.*') or a group: checkers (all check.*), programs (your own),\n"   \
	"hale (all but those).\n"

/* In the order people need them. */
const struct verb verbs[] = {
	{
		.name = "status", .words = "[NAME…]", .words_max = VERB_ANY_WORDS,
		.flags = status_flags, .is_verdict = true, .run = verb_status,
		.help = "How everything is: components, processes, the last crashes",
		.details = "With names or globs only those components and processes. Exit code: 0 healthy, 1 degraded,\n"
			   "2 critical or down, 3 unknown or no hale is running; so it is a Nagios plugin.\n",
	},
	{
		.name = "show", .words = "NAME", .words_min = 1, .words_max = 1,
		.is_verdict = true, .run = verb_show,
		.help = "All that is known of one component or process",
		.details = "Exit code as of status.\n",
	},
	{
		.name = "top", .words = "", .flags = top_flags, .run = verb_top,
		.help = "The processes and what they take, live",
		.details = "Keys: q quit, s sort, j k and arrows choose, r restart the chosen process, ? help.\n"
			   "In a pipe, with -n or with -o json: snapshots, each after an interval.\n",
	},
	{
		.name = "logs", .words = "PROCESS…|--all", .words_max = VERB_ANY_WORDS,
		.flags = logs_flags, .run = verb_logs, .help = "What processes wrote last",
		.details = "PROCESS may be a glob or a group, as with restart.\n",
	},
	{
		.name = "restart", .words = "PROCESS…|--all", .words_max = VERB_ANY_WORDS,
		.flags = wait_flags, .run = verb_restart,
		.help = "Restart processes, and wait until they are ready",
		.details = WHICH
			   "--all takes one after the other, in the order in which hale stops: web, checkers,\n"
			   "reconciler, programs, notifier, recorder. The next has its turn when the former is\n"
			   "ready; the first that does not get there ends it. What is stopped stays so.\n",
	},
	{
		.name = "stop", .words = "PROCESS…|--all", .words_max = VERB_ANY_WORDS,
		.flags = wait_flags, .run = verb_stop, .help = "Stop processes until they are started",
		.details = WHICH "--all stops in hale's own order: web, checkers … recorder.\n",
	},
	{
		.name = "start", .words = "PROCESS…|--all", .words_max = VERB_ANY_WORDS,
		.flags = wait_flags, .run = verb_start, .help = "Start processes that were stopped or held",
		.details = WHICH "--all starts what others need first: recorder, notifier … web.\n",
	},
	{
		.name = "reload", .words = "", .flags = reload_flags, .run = verb_reload,
		.help = "Read the configuration again; a wrong one changes nothing",
		.details = "Says what changed, restarts only the processes that must know, and waits until they are ready.\n",
	},
	{
		.name = "pause", .words = "", .flags = pause_flags, .run = verb_pause,
		.help = "Stop monitoring: nothing is checked, no alert opens or ends",
		.details = "Until 'hale resume', over restarts of haled; processes go on being supervised.\n",
	},
	{
		.name = "resume", .words = "", .run = verb_resume, .help = "Go on monitoring after a pause",
	},
	{
		.name = "upgrade", .words = "", .run = verb_upgrade,
		.help = "Become the haled on disk; every process runs on",
		.details = "Reads the configuration with the new program first; what is wrong changes nothing.\n"
			   "hale's other processes are restarted with: hale restart --in-turn hale\n",
	},
	{
		.name = "check", .words = "COMPONENT…", .words_min = 1, .words_max = VERB_ANY_WORDS,
		.is_verdict = true, .run = verb_check,
		.help = "Check a component now, beside its schedule",
		.details = "All that was seen is shown (phases, headers, rows, what expressions gave), and counts for\n"
			   "nothing. Exit code, of several the worst: 0 pass, 1 warn, 2 fail or down, 3 it could not\n"
			   "be checked.\n",
	},
	{
		.name = "events", .words = "", .flags = events_flags, .run = verb_events,
		.help = "What happened, oldest first",
		.details = "Changes of status, processes, alerts, runs, actions and what operators did. Without a time\n"
			   "the newest; with --since, --from or --to all of that time, up to --lines.\n",
	},
	{
		.name = "tap", .words = "[TOPIC…]", .words_max = VERB_ANY_WORDS,
		.flags = tap_flags, .run = verb_tap,
		.help = "What goes over the bus, live",
		.details = "TOPIC is health, process, alert, reconcile, action or event; without any, all. Lines that\n"
			   "were missed are asked for again; what is lost all the same is said on stderr.\n",
	},
	{
		.name = "history", .words = "NAME", .words_min = 1, .words_max = 1,
		.flags = history_flags, .run = verb_history,
		.help = "How a component or process fared",
		.details = "The newest changes of status of a component, or events of a process, oldest first; with\n"
			   "--metric one of its metrics as a table. TIME is how long ago (7d), a date or a date and\n"
			   "time of here, or RFC 3339.\n",
	},
	{
		.name = "uptime", .words = "[NAME…]", .words_max = VERB_ANY_WORDS,
		.flags = uptime_flags, .run = verb_uptime,
		.help = "How much of the time everything was well: 24 hours, 7 and 30 days",
		.details = "Uptime is the time that was not critical or down, of the time that was monitored. The whole\n"
			   "first, then the worst. Outages, the longest one and what was not monitored are of the\n"
			   "longest range. With --range or --from one range, with the time in each status, MTTR and\n"
			   "MTBF. --sla says whether the target is met, and how much may still be lost.\n",
	},
	{
		.name = "export", .words = "", .flags = export_flags, .run = verb_export,
		.help = "Rows of the store as NDJSON, CSV or JSON, oldest first",
		.details = "ROWS are results, transitions, events, processes, alerts, deliveries, runs, recoveries,\n"
			   "metrics (rollups), or all.\n"
			   "In constant memory, whatever the size; how many there were is said on stderr. CSV holds one\n"
			   "kind of rows. With --store from any store, also one that was set aside.\n",
	},
	{
		.name = "import", .words = "FILE|-", .words_min = 1, .words_max = 1,
		.run = verb_import, .help = "Read an NDJSON export back into the store",
		.details = "What is there already is passed over, so that it may be run again. Lines that are wrong are\n"
			   "named, and all others stored; the exit code is then 1.\n",
	},
	{
		.name = "store", .words = "", .run = verb_store_status,
		.help = "How the store is doing: where, how large, what waits",
		.details = "Exit code 1 if it cannot be used.\n",
	},
	{
		.name = "store status", .words = "", .run = verb_store_status,
		.help = "The same as store",
	},
	{
		.name = "store purge", .words = "", .run = verb_store_purge,
		.help = "Delete what is beyond its retention, now",
	},
	{
		.name = "store rebuild", .words = "", .flags = rebuild_flags, .run = verb_store_rebuild,
		.help = "Compute rollups of metrics anew, as far as raw results are left",
	},
	{
		.name = "store compact", .words = "", .run = verb_store_compact,
		.help = "Give room that is not used back to the disk, now",
	},
	{
		.name = "alerts", .words = "", .flags = alerts_flags, .run = verb_alerts,
		.help = "Alerts that are open",
	},
	{
		.name = "alerts list", .words = "", .flags = alerts_flags, .run = verb_alerts,
		.help = "The same as alerts",
	},
	{
		.name = "alerts show", .words = "ALERT", .words_min = 1, .words_max = 1,
		.run = verb_alerts_show, .help = "One alert, and who was told",
		.details = "The first letters of its id are enough.\n",
	},
	{
		.name = "notify test", .words = "CHANNEL", .words_min = 1, .words_max = 1,
		.run = verb_notify_test, .help = "Send a test message to a channel",
	},
	{
		.name = "reconcile", .words = "[JOB]", .words_max = 1, .flags = reconcile_flags,
		.run = verb_reconcile, .help = "Run a reconcile job now; without JOB, list them",
	},
	{
		.name = "action", .words = "[ACTION]", .words_max = 1, .run = verb_action,
		.help = "Run a recovery action now; without ACTION, list them",
	},
	{
		.name = "config check", .words = "[FILE]", .words_max = 1, .run = verb_config_check,
		.help = "Whether a configuration is good, and all that is wrong in it",
	},
	{
		.name = "config diff", .words = "", .run = verb_config_diff,
		.help = "What a reload would change and restart, without doing it",
	},
	{
		.name = "config show", .words = "[SECTION]", .words_max = 1, .run = verb_config_show,
		.help = "The configuration in force, secrets masked",
		.details = "Defaults are filled in. With -o json durations are in milliseconds, sizes in bytes.\n",
	},
	{
		.name = "config schema", .words = "", .run = verb_config_schema,
		.help = "The JSON Schema of the configuration, for editors",
		.details = "An editor completes and checks hale.yaml with it: hale config schema > hale.schema.json,\n"
			   "and as the file's first line: # yaml-language-server: $schema=hale.schema.json\n",
	},
	{
		.name = "doctor", .words = "", .flags = doctor_flags, .run = verb_doctor,
		.help = "What confines hale's processes, and what of it is not in force",
		.details = "Each process is asked to try what it must not. Exit code: 0 all that is wanted is in\n"
			   "force, 1 something is not, 3 no hale is running.\n",
	},
	{
		.name = "kinds", .words = "[KIND]", .words_max = 1, .run = verb_kinds,
		.help = "What can be checked, and what each kind takes and tells",
		.details = "Those of this installation, and the plugins of the hale that runs.\n",
	},
	{
		.name = "ping", .words = "[PROCESS]", .words_max = 1, .run = verb_ping,
		.help = "Whether haled, or one of its processes, answers",
	},
	{
		.name = "man", .words = "hale|haled|hale.yaml", .words_min = 1, .words_max = 1,
		.run = verb_man, .help = "A manual page as man(7) source",
		.details = "An installed hale has brought its pages: man hale.yaml. Without: hale man hale.yaml | man -l -\n",
	},
	{
		.name = "completion", .words = "bash|zsh", .words_min = 1, .words_max = VERB_ANY_WORDS,
		.run = verb_completion, .help = "The script that makes a shell complete hale's words",
		.details = "Bash: source <(hale completion bash). An installed hale has brought both scripts to\n"
			   "where the shells look for them. 'hale completion words -- WORD…' is what they ask.\n",
	},
	{0},
};
/* clang-format on */
