/* SPDX-License-Identifier: Apache-2.0 */
#include "man_pages.h"

#include "conf/roff.h"
#include "verbs.h"

static const char description[] =
	"hale tells how the system that haled(8) watches is doing, and tells haled what to do. It "
	"talks to the sockets in the run directory and needs no token: whoever may open them (the "
	"user haled runs as, and root) may use it.\n"
	"\n"
	"Options may stand before or behind the verb; -- ends them. With -o json the answers come "
	"as "
	"JSON, lists that go on as one object a line. Times are local; JSON has UTC.\n";

static const char examples[] = "hale status\n"
			       "hale status 'db*' notifier\n"
			       "hale show api; hale history api --since 7d\n"
			       "hale logs -f --all\n"
			       "hale restart 'check.*'\n"
			       "hale restart --all --timeout 60s\n"
			       "hale config check ./hale.yaml && hale reload\n"
			       "hale reconcile positions --dry-run\n"
			       "hale status -o json | jq -r '.components[] | "
			       "select(.status == \"down\").id'\n";

static void add_flags(struct str *out, const struct flag *flags)
{
	for (const struct flag *f = flags; f != NULL && f->name != NULL; f++) {
		HALE_CLEANUP(str_done) struct str term = {0}, text = {0};

		if (f->letter != '\0')
			str_addf(&term, "-%c, ", f->letter);
		str_addf(&term, "--%s", f->name);
		roff_item(out, str_text(&term), f->type == FLAG_SWITCH ? NULL : f->value);
		str_add(&text, f->help);
		str_addc(&text, '.');
		roff_flow(out, str_text(&text));
	}
}

static void add_verb(struct str *out, const struct verb *v)
{
	HALE_CLEANUP(str_done) struct str term = {0}, text = {0};

	str_addf(&term, "hale %s", v->name);
	roff_item(out, str_text(&term), v->words);
	str_addf(&text, "%s.\n%s", v->help, v->details == NULL ? "" : v->details);
	roff_flow(out, str_text(&text));
	if (v->flags == NULL)
		return;
	roff_in(out);
	add_flags(out, v->flags);
	roff_out(out);
}

static void add_exit_status(struct str *out)
{
	roff_section(out, "EXIT STATUS");
	roff_flow(out, "Verbs that give a verdict are Nagios plugins:");
	roff_item(out, "0", NULL);
	roff_flow(out, "Done; or healthy.");
	roff_item(out, "1", NULL);
	roff_flow(out, "Failed or refused; or degraded.");
	roff_item(out, "2", NULL);
	roff_flow(out, "Wrong usage, or no such name; or critical or down.");
	roff_item(out, "3", NULL);
	roff_flow(out, "No hale is running; or unknown, and whatever else kept it from a verdict.");
}

static void add_environment(struct str *out)
{
	roff_section(out, "ENVIRONMENT");
	roff_item(out, "HALE_RUN_DIR", NULL);
	roff_flow(out, "Where hale's sockets are, if --run-dir does not say it.");
	roff_item(out, "NO_COLOR", NULL);
	roff_flow(out,
		  "Set and not empty: no colour. There is none either with TERM=dumb, or where "
		  "the output is no terminal.");
	roff_section(out, "FILES");
	roff_item(out, CLI_DEFAULT_RUN_DIR, NULL);
	roff_flow(out, "The run directory, unless told otherwise.");
}

void man_hale(struct str *out, const char *date)
{
	static const char *const see[] = {"haled(8)", "hale.yaml(5)", NULL};

	roff_begin(out, "hale", 1, date, "hale " HALE_VERSION);
	roff_section(out, "NAME");
	str_add(out, "hale \\- ask and steer haled, which keeps a system whole\n");
	roff_section(out, "SYNOPSIS");
	str_add(out, ".B hale\n[\\fIOPTION\\fR]...\n\\fIVERB\\fR\n[\\fIWORD\\fR]...\n");
	roff_section(out, "DESCRIPTION");
	roff_flow(out, description);
	roff_section(out, "OPTIONS");
	add_flags(out, verb_global_flags);
	roff_section(out, "VERBS");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		add_verb(out, v);
	add_exit_status(out);
	add_environment(out);
	roff_section(out, "EXAMPLES");
	roff_example(out, examples);
	roff_section(out, "SEE ALSO");
	roff_see(out, see);
}
