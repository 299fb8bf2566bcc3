/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/manifest.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* The manifest format this haled reads. */
#define MANIFEST_VERSION   1
/* A program's self-description is a few kilobytes; more is a wrong file. */
#define MANIFEST_BYTES_MAX (1024 * 1024)

/* ---- Writing ---- */

static json_t *encode_choices(const char *choices)
{
	json_t *list = json_array();

	while (*choices != '\0') {
		size_t len = strcspn(choices, "|");

		json_array_append_new(list, json_stringn(choices, len));
		choices += len + (choices[len] == '|');
	}
	return list;
}

static json_t *encode_bound(double value)
{
	/* Written as an integer where it is one, so that no reader sees "1.0" ms. */
	if (value == (double)(int64_t)value)
		return json_integer((json_int_t)value);
	return json_real(value);
}

/* What the option lets the process do, for who asks why it may (docs/security.md). */
static const char *access_word(unsigned flags)
{
	if ((flags & CONF_F_WRITE) != 0)
		return "write";
	if ((flags & CONF_F_READ_BESIDE) != 0)
		return "read beside";
	return (flags & CONF_F_READ_FILE) != 0 ? "read" : NULL;
}

static json_t *encode_item(const struct conf_item *item)
{
	json_t *o = json_object();

	json_object_set_new(o, "type", json_string(conf_type_name(item->type)));
	if (item->help != NULL)
		json_object_set_new(o, "help", json_string(item->help));
	if ((item->flags & CONF_F_REQUIRED) != 0)
		json_object_set_new(o, "required", json_true());
	if ((item->flags & CONF_F_SECRET) != 0)
		json_object_set_new(o, "secret", json_true());
	if ((item->flags & CONF_F_NONEMPTY) != 0)
		json_object_set_new(o, "nonempty", json_true());
	if ((item->flags & CONF_F_TARGET) != 0)
		json_object_set_new(o, "target", json_true());
	if ((item->flags & CONF_F_NAMED_SECRETS) != 0)
		json_object_set_new(o, "named_secrets", json_true());
	if (item->bare != NULL)
		json_object_set_new(o, "bare", json_string(item->bare));
	if (access_word(item->flags) != NULL)
		json_object_set_new(o, "path", json_string(access_word(item->flags)));
	if ((item->flags & CONF_F_CONNECT) != 0)
		json_object_set_new(o, "connects", json_true());
	if (item->def != NULL)
		json_object_set_new(o, "default", json_string(item->def));
	if (item->min != 0 || item->max != 0)
		json_object_set_new(o, "min", encode_bound(item->min));
	if (item->max >= item->min && item->max != 0)
		json_object_set_new(o, "max", encode_bound(item->max));
	if (item->choices != NULL)
		json_object_set_new(o, "choices", encode_choices(item->choices));
	if (item->ref != NULL)
		json_object_set_new(o, "ref", json_string(item->ref));
	if (item->items != NULL)
		json_object_set_new(o, "options", manifest_options(item->items));
	return o;
}

json_t *manifest_options(const struct conf_item *items)
{
	json_t *o = json_object();

	for (; items != NULL && items->type != CONF_T_END; items++)
		json_object_set_new(o, items->name, encode_item(items));
	return o;
}

json_t *manifest_section(const struct conf_section *section)
{
	json_t *o = json_object();

	HALE_ASSERT(section->shape == CONF_T_MAP || section->shape == CONF_T_DICT);
	json_object_set_new(o, "shape", json_string(conf_type_name(section->shape)));
	if (section->help != NULL)
		json_object_set_new(o, "help", json_string(section->help));
	json_object_set_new(o, "options", manifest_options(section->items));
	return o;
}

static json_t *encode_sections(const struct conf_section *sections)
{
	json_t *o = json_object();

	for (; sections != NULL && sections->name != NULL; sections++)
		json_object_set_new(o, sections->name, manifest_section(sections));
	return o;
}

static json_t *encode_reads(const char *const *reads)
{
	json_t *list = json_array();

	for (; reads != NULL && *reads != NULL; reads++)
		json_array_append_new(list, json_string(*reads));
	return list;
}

/* STYLE.md: the unit is the suffix of a metric's name, so it is never said twice. */
static const char *metric_unit(const char *name)
{
	static const char *const units[] = {"ms", "bytes", "percent", "seconds"};
	const char *suffix = strrchr(name, '_');

	for (size_t i = 0; suffix != NULL && i < ARRAY_LEN(units); i++) {
		if (strcmp(suffix + 1, units[i]) == 0)
			return units[i];
	}
	return "";
}

static json_t *encode_metrics(const struct metric_doc *metrics)
{
	json_t *list = json_array();

	for (; metrics != NULL && metrics->name != NULL; metrics++) {
		json_t *o = json_object();

		json_object_set_new(o, "name", json_string(metrics->name));
		json_object_set_new(o, "unit", json_string(metric_unit(metrics->name)));
		json_object_set_new(o, "help",
				    json_string(metrics->help != NULL ? metrics->help : ""));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *new_manifest(const char *program, const char *service, const char *role,
			    const char *summary, const char *run)
{
	json_t *m = json_object();

	json_object_set_new(m, "manifest", json_integer(MANIFEST_VERSION));
	json_object_set_new(m, "program", json_string(program));
	json_object_set_new(m, "service", json_string(service));
	json_object_set_new(m, "role", json_string(role));
	json_object_set_new(m, "summary", json_string(summary));
	json_object_set_new(m, "run", json_string(run));
	return m;
}

json_t *manifest_service(const char *program, const char *service, const char *summary,
			 const char *run, const struct conf_section *sections,
			 const char *const *reads)
{
	json_t *m = new_manifest(program, service, "service", summary, run);

	json_object_set_new(m, "sections", encode_sections(sections));
	json_object_set_new(m, "reads", encode_reads(reads));
	return m;
}

static json_t *encode_details(const struct metric_doc *docs)
{
	json_t *out = json_array();

	for (; docs != NULL && docs->name != NULL; docs++)
		json_array_append_new(
			out, json_pack("{s:s, s:s}", "name", docs->name, "help", docs->help));
	return out;
}

static json_t *encode_reasons(const struct reason_doc *docs)
{
	json_t *out = json_array();

	for (; docs != NULL && docs->help != NULL; docs++)
		json_array_append_new(out, json_pack("{s:s, s:s, s:s}", "code",
						     reason_code(docs->reason), "outcome",
						     outcome_name(reason_outcome(docs->reason)),
						     "help", docs->help));
	return out;
}

json_t *manifest_check(const char *program, const struct manifest_kind *kind)
{
	HALE_CLEANUP(cleanup_free) char *service = mem_printf("check.%s", kind->kind);
	json_t *m = new_manifest(program, service, "check", kind->summary, "when_configured");

	json_object_set_new(m, "kind", json_string(kind->kind));
	json_object_set_new(m, "options", manifest_options(kind->options));
	json_object_set_new(m, "metrics", encode_metrics(kind->metrics));
	json_object_set_new(m, "details", encode_details(kind->details));
	json_object_set_new(m, "reasons", encode_reasons(kind->reasons));
	if (kind->about != NULL)
		json_object_set_new(m, "about", json_string(kind->about));
	if (kind->example != NULL)
		json_object_set_new(m, "example", json_string(kind->example));
	return m;
}

/* ---- Checking what a foreign program wrote ---- */

static int check_options(const json_t *options, struct err *err);

static bool is_list_of_text(const json_t *list)
{
	size_t i;
	json_t *entry;

	json_array_foreach (list, i, entry) {
		if (!json_is_string(entry))
			return false;
	}
	return json_is_array(list);
}

static int check_option(const json_t *option, struct err *err)
{
	const char *name = json_string_value(json_object_get(option, "type"));
	enum conf_type type = name != NULL ? conf_type_from_name(name) : CONF_T_END;
	const json_t *choices = json_object_get(option, "choices");
	const json_t *def = json_object_get(option, "default");
	const json_t *bare = json_object_get(option, "bare");

	if (type == CONF_T_END)
		return err_set(err, -EINVAL, "its type '%s' is none", name != NULL ? name : "");
	if (choices != NULL && !is_list_of_text(choices))
		return err_set(err, -EINVAL, "choices must be a list of texts");
	if (type == CONF_T_ENUM && json_array_size(choices) == 0)
		return err_set(err, -EINVAL, "an enum needs choices");
	if (type == CONF_T_REF && !json_is_string(json_object_get(option, "ref")))
		return err_set(err, -EINVAL,
			       "a ref needs ref, the place where the name must exist");
	if (def != NULL && !json_is_string(def))
		return err_set(err, -EINVAL, "default must be text, as written in YAML");
	if (bare != NULL &&
	    (!json_is_string(bare) || type != CONF_T_MAP ||
	     json_object_get(json_object_get(option, "options"), json_string_value(bare)) == NULL))
		return err_set(err, -EINVAL, "bare must be the name of one of a map's options");
	if (type == CONF_T_MAP || type == CONF_T_DICT || type == CONF_T_ARRAY)
		return check_options(json_object_get(option, "options"), err);
	return 0;
}

static int check_options(const json_t *options, struct err *err)
{
	const char *name;
	json_t *option;

	if (!json_is_object(options))
		return err_set(err, -EINVAL, "options must be an object");
	json_object_foreach ((json_t *)options, name, option) {
		int rc = check_option(option, err);

		if (rc < 0) {
			err_prefix(err, "option '%s'", name);
			return rc;
		}
	}
	return 0;
}

static int check_sections(const json_t *sections, struct err *err)
{
	const char *name;
	json_t *section;

	json_object_foreach ((json_t *)sections, name, section) {
		const char *shape = json_string_value(json_object_get(section, "shape"));
		int rc;

		if (shape == NULL || (strcmp(shape, "map") != 0 && strcmp(shape, "dict") != 0))
			rc = err_set(err, -EINVAL, "shape must be map or dict");
		else
			rc = check_options(json_object_get(section, "options"), err);
		if (rc < 0) {
			err_prefix(err, "section '%s'", name);
			return rc;
		}
	}
	return 0;
}

static int check_manifest(const json_t *m, struct err *err)
{
	const char *program = json_string_value(json_object_get(m, "program"));
	const char *role = json_string_value(json_object_get(m, "role"));
	const char *service = json_string_value(json_object_get(m, "service"));
	json_int_t version = json_integer_value(json_object_get(m, "manifest"));

	if (version != MANIFEST_VERSION)
		return err_set(err, -EINVAL, "it is not a manifest of version %d",
			       MANIFEST_VERSION);
	/* The name is looked up in folders of programs and must not lead out of them. */
	if (program == NULL || *program == '\0' || *program == '.' || strchr(program, '/') != NULL)
		return err_set(err, -EINVAL, "program must be a file name");
	if (service == NULL || *service == '\0')
		return err_set(err, -EINVAL, "service is missing");
	if (str_eq(role, "check")) {
		const char *kind = json_string_value(json_object_get(m, "kind"));

		if (kind == NULL || *kind == '\0')
			return err_set(err, -EINVAL, "kind is missing");
		return check_options(json_object_get(m, "options"), err);
	}
	if (!str_eq(role, "service"))
		return err_set(err, -EINVAL, "role must be check or service");
	return check_sections(json_object_get(m, "sections"), err);
}

/* ---- The set ---- */

static int check_against(const struct manifest_set *set, const json_t *m, struct err *err)
{
	const char *kind = json_string_value(json_object_get(m, "kind"));
	const json_t *other = kind != NULL ? manifest_for_kind(set, kind) : NULL;
	const char *name;
	json_t *section;

	if (other != NULL)
		return err_set(err, -EEXIST, "kind '%s' is already that of %s", kind,
			       json_string_value(json_object_get(other, "program")));
	json_object_foreach (json_object_get(m, "sections"), name, section) {
		other = manifest_for_section(set, name);
		if (other != NULL)
			return err_set(err, -EEXIST, "section '%s' is already that of %s", name,
				       json_string_value(json_object_get(other, "program")));
	}
	return 0;
}

static char *find_program(const char *program, const char *manifest_dir,
			  const char *const *bin_dirs)
{
	char *path;

	for (; bin_dirs != NULL && *bin_dirs != NULL; bin_dirs++) {
		path = path_join(*bin_dirs, program);
		if (access(path, X_OK) == 0)
			break;
		free(path);
	}
	if (bin_dirs == NULL || *bin_dirs == NULL)
		path = path_join(manifest_dir, program);
	if (access(path, X_OK) == 0) {
		/* Absolute, because haled changes its directory later. */
		char *absolute = realpath(path, NULL);

		free(path);
		return absolute;
	}
	free(path);
	return NULL;
}

static int load_one(struct manifest_set *set, const char *path, const char *dir,
		    const char *const *bin_dirs, struct err *err)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	HALE_CLEANUP(cleanup_free) char *program = NULL;
	json_error_t why;
	json_t *m;
	int rc = file_read(path, MANIFEST_BYTES_MAX, &text, err);

	if (rc < 0)
		return rc;
	m = json_loadb(str_text(&text), text.len, JSON_REJECT_DUPLICATES, &why);
	if (m == NULL)
		return err_set(err, -EINVAL, "%s:%d:%d: %s", path, why.line, why.column, why.text);
	rc = check_manifest(m, err);
	if (rc == 0)
		rc = check_against(set, m, err);
	if (rc < 0) {
		json_decref(m);
		err_prefix(err, "%s", path);
		return rc;
	}
	program = find_program(json_string_value(json_object_get(m, "program")), dir, bin_dirs);
	manifest_set_add(set, m, program);
	return 0;
}

int manifest_set_load(struct manifest_set *set, const char *dir, const char *const *bin_dirs,
		      struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *pattern = NULL;
	glob_t found;
	int rc = 0;

	if (access(dir, R_OK | X_OK) < 0)
		return err_errno(err, -errno, "cannot read the manifests in %s", dir);
	pattern = path_join(dir, "*.json");
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
		rc = load_one(set, found.gl_pathv[i], dir, bin_dirs, err);
	globfree(&found);
	return rc;
}

void manifest_set_add(struct manifest_set *set, json_t *manifest, const char *program)
{
	set->v = mem_grow(set->v, set->n + 1, sizeof(*set->v));
	set->program_paths = mem_grow(set->program_paths, set->n + 1, sizeof(*set->program_paths));
	set->v[set->n] = manifest;
	set->program_paths[set->n] = mem_dup(program);
	set->n++;
}

void manifest_set_done(struct manifest_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		json_decref(set->v[i]);
		free(set->program_paths[i]);
	}
	free(set->v);
	free(set->program_paths);
	*set = (struct manifest_set){0};
}

const json_t *manifest_for_kind(const struct manifest_set *set, const char *kind)
{
	for (size_t i = 0; i < set->n; i++) {
		if (str_eq(json_string_value(json_object_get(set->v[i], "role")), "check") &&
		    str_eq(json_string_value(json_object_get(set->v[i], "kind")), kind))
			return set->v[i];
	}
	return NULL;
}

const json_t *manifest_for_section(const struct manifest_set *set, const char *section)
{
	for (size_t i = 0; i < set->n; i++) {
		if (json_object_get(json_object_get(set->v[i], "sections"), section) != NULL)
			return set->v[i];
	}
	return NULL;
}

const char *manifest_program(const struct manifest_set *set, const json_t *manifest)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i] == manifest)
			return set->program_paths[i];
	}
	return NULL;
}
