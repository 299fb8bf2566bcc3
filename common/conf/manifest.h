/* SPDX-License-Identifier: Apache-2.0 */
/* manifest - what a program says of itself (`--describe`), and haled's reading of it
 *
 * {"manifest": 1, "program": "hale-check-http", "service": "check.http" or "notifier" …,
 *  "role": "check" | "service" | "core",  "kind": "http" (role check only),
 *  "summary": "…", "run": "always" | "when_configured",
 *  "sections": {"alerts": {"shape": "map|dict", "help": "…", "options": {options…}}},
 *                                       top-level YAML keys this program owns (services)
 *  "reads": ["store"],                   sections of others that its slice carries too
 *  "options": {options…},                role check: the mapping under components.<id>.<kind>
 *  "metrics": [{"name","unit","help"}], "details": [{"name","help"}], (role check, as all below)
 *  "reasons": [{"code","outcome","help"}], "about": "Markdown", "example": "YAML" }
 *
 * options: {"<name>": {"type": "string|int|number|bool|duration|size|port|enum|cron|jq|threshold|
 *  ref|list|json|strmap|map|dict|array", "help", "required", "secret", "nonempty", "default"
 *  (YAML text), "min", "max", "choices": [], "ref": "alerts.channels", "options": {…nested…},
 *  "bare": "when" (map: "x: always" is short for "x: {when: always}"), "named_secrets" (strmap),
 *  "path": "read|read beside|write", "connects": true, "target": true (option.h, CONF_F_TARGET)}}
 * The order of options is kept (it is the order of the documentation).
 */
#ifndef HALE_CONF_MANIFEST_H
#define HALE_CONF_MANIFEST_H

#include "base/err.h"
#include "base/map.h"
#include "conf/option.h"
#include "model/reason.h"

#include <jansson.h>

/* A metric, or a detail, that a kind of check reports. */
struct metric_doc {
	const char *name; /* with unit as suffix; NULL ends a table */
	const char *help;
};

/* A reason that a kind gives, and when. */
struct reason_doc {
	enum reason reason;
	const char *help; /* NULL ends a table */
};

#define REASON_DOC_END                                                                             \
	{                                                                                          \
		REASON_MAX, NULL                                                                   \
	}

/* What a kind of check says of itself. All of it is documentation but for kind and options, which
 * must be there. */
struct manifest_kind {
	const char *kind;
	const char *summary;             /* one sentence: what it looks at */
	const char *about;               /* Markdown: what there is to know before one uses it */
	const struct conf_item *options; /* under components.<id>.<kind> */
	const struct metric_doc *metrics;
	const struct metric_doc *details;
	const struct reason_doc *reasons; /* beside those that any kind may give */
	const char *example;              /* YAML: one or more components with their ids */
};

/* One section of the YAML file that a service owns. */
struct conf_section {
	const char *name; /* NULL ends a table */
	const struct conf_item *items;
	enum conf_type shape; /* CONF_T_MAP, or CONF_T_DICT (name: items) */
	const char *help;
};

/* One option table as the "options" object of a manifest. New reference. */
json_t *manifest_options(const struct conf_item *items);
/* One section as it stands in "sections". New reference. */
json_t *manifest_section(const struct conf_section *section);
/* A whole manifest; any of sections, reads, options, metrics may be NULL. New reference. */
json_t *manifest_service(const char *program, const char *service, const char *summary,
			 const char *run, const struct conf_section *sections,
			 const char *const *reads);
json_t *manifest_check(const char *program, const struct manifest_kind *kind);

/* The manifests haled knows: its own sections plus every *.json of the given directories. */
struct manifest_set {
	json_t **v;
	size_t n;
	char **program_paths; /* same index: absolute path of the program, NULL if not found */
};

/* Loads `dir`/\*.json. A program is looked for in `bin_dirs` (NULL-terminated), then beside its
 * manifest. A manifest that cannot be read is an error that names the file. Later directories may
 * not redefine a kind or a section (-EEXIST). -ENOENT: there is no such directory. */
int manifest_set_load(struct manifest_set *set, const char *dir, const char *const *bin_dirs,
		      struct err *err);
void manifest_set_add(struct manifest_set *set, json_t *manifest /* taken */, const char *program);
void manifest_set_done(struct manifest_set *set);
const json_t *manifest_for_kind(const struct manifest_set *set, const char *kind);
const json_t *manifest_for_section(const struct manifest_set *set, const char *section);
const char *manifest_program(const struct manifest_set *set, const json_t *manifest);

#endif
