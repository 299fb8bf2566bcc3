/* SPDX-License-Identifier: Apache-2.0 */
/* spec - the manifests, compiled for looking options up quickly
 *
 * Ten thousand components are held against the same few tables.
 *
 * Ownership: texts are borrowed from the manifests, which must stay.
 */
#ifndef HALE_CONF_SPEC_H
#define HALE_CONF_SPEC_H

#include "conf/manifest.h"
#include "conf/option.h"

#include "base/map.h"
#include "base/str.h"

struct spec_table;

struct spec_option {
	const char *name;
	const char *help; /* or NULL */
	enum conf_type type;
	bool is_required, is_secret, is_nonempty, is_target, has_named_secrets;
	bool has_min, has_max;
	double min, max;
	const char **choices; /* NULL-terminated, or NULL */
	const char *ref;
	const char *def_text;     /* YAML, or NULL */
	json_t *def;              /* normalised def_text, once it was asked for */
	struct spec_table *table; /* MAP DICT ARRAY */
	const char *bare;         /* MAP: which option a bare scalar is; or NULL */
};

/* The options of one mapping, in the order of the manifest. */
struct spec_table {
	struct spec_option *v;
	size_t n;
	struct map by_name;
	const char **names; /* NULL-terminated */
};

struct spec {
	struct spec_option *sections; /* top-level keys: MAP or DICT each */
	size_t sections_n;
	struct spec_table *component; /* what every component has */
	struct spec_option *kinds;    /* MAP each */
	size_t kinds_n;
	struct map kinds_by_name;
	const char **kind_names;      /* NULL-terminated */
	const char **section_names;   /* with "components" and "include" */
	const char **component_names; /* common options and kinds */
};

struct spec *spec_new(const struct manifest_set *manifests, const json_t *core);
void spec_free(struct spec *s);
/* NULL if there is none of that name. */
struct spec_option *spec_find(const struct spec_table *table, const char *name);
struct spec_option *spec_section(const struct spec *s, const char *name);
/* "a, b, c"; after `max` names "…". */
void spec_list(const char *const *names, size_t max, struct str *out);

#endif
