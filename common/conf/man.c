/* SPDX-License-Identifier: Apache-2.0 */
#include "man.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "roff.h"
#include "spec.h"

static const char intro[] =
	"One YAML file says what hale watches, whom it tells, what it puts right and what it "
	"remembers. It is /etc/hale/hale.yaml unless haled was given another with --config. "
	"'hale config check FILE' says what is wrong with a file, with line, column and advice; "
	"'hale reload' takes it over, and a wrong file changes nothing.\n"
	"\n"
	"A top-level key is one of the sections below, components, or include (a glob or a list of "
	"globs: files that are merged into this one).\n";

static const char values[] =
	"A duration is numbers with units, falling, each once: 500ms, 30s, 1h30m, 7d (ms s m h d "
	"w). "
	"A number without a unit is refused, except 0. A size is a number with K, M, G or T, which "
	"are powers of 1024: 64KB, 2GiB. A list may be written as one value when it has only one.\n"
	"\n"
	"Any text may hold ${NAME} (from the environment), ${NAME:-default}, ${file:/path} or "
	"${cred:name} (a systemd credential); $$ is one dollar sign. What is put in so is a "
	"secret: "
	"it is never shown, and reaches only the process that needs it.\n"
	"\n"
	"jq is an expression of jq(1), cron five fields of crontab(5), threshold a comparison with "
	"a "
	"number like \"> 2000\" (one of > >= < <= == !=).\n";

static const char components_intro[] =
	"A dictionary: the name of what is watched (a-z 0-9 _ . -), and a mapping of the options "
	"below with exactly one of the kinds that follow.\n";

/* ---- options ---- */

static void add_table(struct str *out, const struct spec_table *table);

static const char *bound_text(const struct spec_option *o, double n, char buf[UNITS_TEXT_MAX])
{
	if (o->type == CONF_T_DURATION)
		return duration_format((int64_t)n, buf);
	if (o->type == CONF_T_SIZE)
		return size_format((int64_t)n, buf);
	return number_format(n, buf);
}

static void add_range(struct str *out, const struct spec_option *o)
{
	char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];

	if (o->has_min && o->has_max)
		str_addf(out, " From %s to %s.", bound_text(o, o->min, least),
			 bound_text(o, o->max, most));
	else if (o->has_min)
		str_addf(out, " At least %s.", bound_text(o, o->min, least));
	else if (o->has_max)
		str_addf(out, " At most %s.", bound_text(o, o->max, most));
}

/* "One of a, b, c. Default a. Required. Secret." */
static void add_facts(struct str *out, const struct spec_option *o)
{
	if (o->choices != NULL) {
		str_add(out, " One of ");
		spec_list(o->choices, SIZE_MAX, out);
		str_add(out, ".");
	}
	if (o->ref != NULL)
		str_addf(out, " %s under %s.",
			 o->type == CONF_T_LIST ? "Each one a name" : "A name", o->ref);
	add_range(out, o);
	if (o->is_required)
		str_add(out, " Required.");
	/* "{}" only says that a mapping's own defaults hold. */
	if (o->def_text != NULL && strcmp(o->def_text, "{}") != 0)
		str_addf(out, " Default: %s.", o->def_text);
	if (o->is_nonempty)
		str_add(out, " Not empty.");
	if (o->is_secret)
		str_add(out, " Secret: never shown.");
}

static const char *shape_text(enum conf_type type)
{
	switch (type) {
	case CONF_T_MAP:
		return "mapping";
	case CONF_T_DICT:
		return "names, each with a mapping";
	case CONF_T_ARRAY:
		return "list of mappings";
	case CONF_T_STRMAP:
		return "names and texts";
	case CONF_T_JSON:
		return "anything";
	case CONF_T_REF:
		return "name";
	default:
		return conf_type_name(type);
	}
}

static void add_sentence(struct str *text, const char *help)
{
	size_t len = strlen(help);

	str_add(text, help);
	if (len > 0 && strchr(".!?", help[len - 1]) == NULL)
		str_add(text, ".");
}

static void add_option(struct str *out, const struct spec_option *o)
{
	HALE_CLEANUP(str_done) struct str text = {0}, tail = {0};

	str_addf(&tail, "(%s)", shape_text(o->type));
	roff_item(out, o->name, str_text(&tail));
	if (o->help != NULL)
		add_sentence(&text, o->help);
	add_facts(&text, o);
	roff_flow(out, text.len > 0 ? str_text(&text) : "See below.");
	if (o->table == NULL || o->table->n == 0)
		return;
	roff_in(out);
	add_table(out, o->table);
	roff_out(out);
}

static void add_table(struct str *out, const struct spec_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		add_option(out, &table->v[i]);
}

/* ---- sections and kinds ---- */

static void add_section(struct str *out, const struct spec_option *section)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	roff_subsection(out, section->name);
	if (section->help != NULL)
		add_sentence(&text, section->help);
	if (section->type == CONF_T_DICT)
		str_add(&text, " A dictionary: a name, and a mapping of these options.");
	roff_flow(out, str_text(&text));
	if (section->table != NULL)
		add_table(out, section->table);
}

static void add_metrics(struct str *out, const json_t *manifest)
{
	json_t *metrics = json_object_get(manifest, "metrics"), *metric;
	size_t i;

	if (json_array_size(metrics) == 0)
		return;
	roff_text(out, "Metrics, for thresholds (took_ms, the time it took, always is one):");
	json_array_foreach (metrics, i, metric) {
		const char *name = json_string_value(json_object_get(metric, "name"));
		const char *help = json_string_value(json_object_get(metric, "help"));

		roff_item(out, name == NULL ? "?" : name, NULL);
		roff_flow(out, help == NULL || *help == '\0' ? "A number." : help);
	}
}

static void add_kind(struct str *out, const struct manifest_set *manifests,
		     const struct spec_option *kind)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	roff_subsection(out, kind->name);
	if (kind->help != NULL)
		add_sentence(&text, kind->help);
	roff_flow(out, text.len > 0 ? str_text(&text) : "A kind of check.");
	if (kind->table != NULL)
		add_table(out, kind->table);
	add_metrics(out, manifest_for_kind(manifests, kind->name));
}

void man_config(struct str *out, const struct manifest_set *manifests, const json_t *core,
		const char *date, const char *version)
{
	static const char *const see[] = {"hale(1)", "haled(8)", "jq(1)", NULL};
	struct spec *spec = spec_new(manifests, core);

	roff_begin(out, "hale.yaml", 5, date, version);
	roff_section(out, "NAME");
	str_add(out, "hale.yaml \\- what hale watches, whom it tells, what it puts right\n");
	roff_section(out, "DESCRIPTION");
	roff_flow(out, intro);
	roff_section(out, "VALUES");
	roff_flow(out, values);
	roff_section(out, "COMPONENTS");
	roff_flow(out, components_intro);
	add_table(out, spec->component);
	roff_section(out, "KINDS OF CHECKS");
	for (size_t i = 0; i < spec->kinds_n; i++)
		add_kind(out, manifests, &spec->kinds[i]);
	roff_section(out, "SECTIONS");
	for (size_t i = 0; i < spec->sections_n; i++)
		add_section(out, &spec->sections[i]);
	roff_section(out, "FILES");
	roff_item(out, "/etc/hale/hale.yaml", NULL);
	roff_flow(out, "The configuration, unless haled was told otherwise.");
	roff_section(out, "SEE ALSO");
	roff_see(out, see);
	spec_free(spec);
}
