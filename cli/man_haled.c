/* SPDX-License-Identifier: Apache-2.0 */
#include "man_pages.h"

#include <string.h>

#include "base/mem.h"
#include "conf/roff.h"

static const char description[] =
	"haled starts hale's processes and the user's programs, restarts what ends, judges what "
	"the "
	"checkers observe, and owns the bus on which all of it is told. It stays in the foreground "
	"and logs to standard error, for systemd(1), a container or a terminal.\n"
	"\n"
	"Each process has a life of states: stopped, starting, ready, stopping, backoff, held, "
	"waiting. The "
	"first failure after a stable run restarts it at once; then the delay is 100ms, doubling "
	"up to "
	"30s, with jitter. More than five failures in a minute is a crash loop: it is told and "
	"goes "
	"on being tried. One that does not say that it is ready within start_timeout, or shows no "
	"progress within watchdog, is ended and started again. All of this can be set per process: "
	"see processes in hale.yaml(5).\n"
	"\n"
	"A configuration is checked by a process of its own before it is taken over; a wrong one "
	"changes nothing. What was judged survives haled: state file and journal give back every "
	"status and every transition that was not told yet.\n";

struct item {
	const char *term, *text;
};

static const struct item signals[] = {
	{"SIGHUP", "Read the configuration again, as hale reload does."},
	{"SIGTERM, SIGINT", "Stop everything in order: web, checkers, reconciler, programs, "
			    "notifier, recorder. What was "
			    "observed last is still delivered and stored."},
	{NULL, NULL},
};

static const struct item codes[] = {
	{"0", "Stopped as asked; with --check: the configuration is good."},
	{"1", "It could not start: another haled has the run or state directory, or a directory "
	      "cannot be used. The last line says why."},
	{"2", "Wrong usage."},
	{"78", "The configuration is wrong, and its errors are on standard error."},
	{NULL, NULL},
};

static const struct item files[] = {
	{"/etc/hale/hale.yaml", "The configuration: hale.yaml(5)."},
	{"/run/hale", "Sockets and the lock: one haled per run directory. Its mode is 0700."},
	{"/var/lib/hale", "What must survive a restart: health.state, journal.ndjson, and the "
			  "databases of recorder and notifier."},
	{NULL, NULL},
};

static void add_items(struct str *out, const char *heading, const struct item *items)
{
	roff_section(out, heading);
	for (; items->term != NULL; items++) {
		roff_item(out, items->term, NULL);
		roff_flow(out, items->text);
	}
}

/* "  -c, --config FILE     what it does (default)" of a usage: an option and its help. */
static void add_option(struct str *out, const char *line, size_t len)
{
	size_t start = strspn(line, " "), end = start;
	HALE_CLEANUP(cleanup_free) char *term = NULL;
	HALE_CLEANUP(cleanup_free) char *help = NULL;

	while (end < len && strncmp(line + end, "  ", 2) != 0)
		end++;
	term = mem_dupn(line + start, end - start);
	while (end < len && line[end] == ' ')
		end++;
	help = mem_dupn(line + end, len - end);
	roff_item(out, term, NULL);
	roff_flow(out, *help == '\0' ? "Say so, and end." : help);
}

/* Lines that are no option, but far to the right, go on with the help of the one before. */
static void add_options(struct str *out, const char *usage)
{
	while (*usage != '\0') {
		size_t len = strcspn(usage, "\n"), start = strspn(usage, " ");

		if (start > 0 && start < len && usage[start] == '-')
			add_option(out, usage, len);
		else if (start > 8 && start < len) {
			HALE_CLEANUP(cleanup_free)
			char *more = mem_dupn(usage + start, len - start);

			roff_flow(out, more);
		}
		usage += len + (usage[len] == '\n');
	}
}

void man_haled(struct str *out, const char *usage, const char *date)
{
	static const char *const see[] = {"hale(1)", "hale.yaml(5)", "systemd(1)", NULL};

	roff_begin(out, "haled", 8, date, "hale " HALE_VERSION);
	roff_section(out, "NAME");
	str_add(out, "haled \\- keep a system whole: supervise its processes, judge its health\n");
	roff_section(out, "SYNOPSIS");
	str_add(out, ".B haled\n[\\fIOPTION\\fR]...\n");
	roff_section(out, "DESCRIPTION");
	roff_flow(out, description);
	roff_section(out, "OPTIONS");
	add_options(out, usage);
	add_items(out, "SIGNALS", signals);
	add_items(out, "EXIT STATUS", codes);
	add_items(out, "FILES", files);
	roff_section(out, "SEE ALSO");
	roff_see(out, see);
}
