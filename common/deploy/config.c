/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "conf/schema.h"
#include "deploy/command.h"
#include "deploy/account.h"
#include "deploy/component_check.h"
#include "deploy/core_options.h"
#include "deploy/deepcheck.h"
#include "deploy/manifests.h"
#include "deploy/process_spec.h"
#include "deploy/programs.h"
#include "deploy/slice.h"

/* What a good file looked like, so that a restart need not ask the children again. */
#define STAMP_FILE "config.ok"

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->processes_n; i++)
		process_spec_done(&c->processes[i]);
	for (size_t i = 0; i < c->components_n; i++)
		component_spec_done(&c->components[i]);
	free(c->processes);
	free(c->components);
	free(c->path);
	free(c->instance);
	free(c->node);
	free(c->timezone);
	free(c->user);
	free(c->group);
	free(c->service.user);
	free(c->service.groups);
	json_decref(c->json);
	json_decref(c->masked);
	json_decref(c->units);
	free(c->json_text);
	free(c->masked_text);
	free(c);
}

static char *fold(json_t **tree)
{
	char *text = json_dumps(*tree, JSON_COMPACT);

	HALE_ASSERT(text != NULL);
	json_decref(TAKE_PTR(*tree));
	return text;
}

void config_fold(struct config *c)
{
	if (c->json == NULL)
		return;
	c->json_text = fold(&c->json);
	c->masked_text = fold(&c->masked);
	json_decref(TAKE_PTR(c->units));
}

json_t *config_whole(const struct config *c)
{
	return c->json != NULL ? json_incref(c->json) : json_loads(c->json_text, 0, NULL);
}

json_t *config_masked(const struct config *c)
{
	return c->json != NULL ? json_incref(c->masked) : json_loads(c->masked_text, 0, NULL);
}

const struct process_spec *config_process(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->processes_n; i++) {
		if (str_eq(config->processes[i].name, name))
			return &config->processes[i];
	}
	return NULL;
}

static void add_nowhere(struct report *report, const char *text)
{
	report_add(report, &(struct conf_mark){0}, NULL, NULL, "%s", text);
}

static int load_manifests(const struct config_dirs *dirs, struct tree *tree,
			  struct manifest_set *set, struct err *err)
{
	const struct node *section = node_get(tree_root(tree), "plugins");
	const struct node *named = section == NULL ? NULL : node_get(section, "directories");
	struct strlist more = {0};
	int rc;

	/* Read before the schema can be: what is not a list of texts is the schema's to refuse. */
	for (size_t i = 0; named != NULL && named->type == NODE_LIST && i < named->n; i++) {
		if (named->items[i].value->type == NODE_SCALAR)
			strlist_add(&more, named->items[i].value->text);
	}
	rc = manifests_load(set, dirs->exe_dir, &more, err);
	strlist_done(&more);
	return rc;
}

/* Only root can be somebody else. Anybody else may read the same file, and is told if what it says
 * has no effect. */
static void read_user(struct config *c, struct instance_options *o, const struct place *place)
{
	json_t *environment; /* hale's own processes have a clean one */

	if (o->user == NULL && o->group == NULL)
		return;
	if (geteuid() != 0) {
		if (o->user != NULL && !account_is_own(o->user))
			place_warn(place, "/instance/user", "start haled as root, or as this user",
				   "haled does not run as root, so nothing runs as '%s'", o->user);
		return;
	}
	environment = json_object();
	account_read(place, "/instance", o->user, o->group, &c->service, environment);
	json_decref(environment);
	c->user = TAKE_PTR(o->user);
	c->group = TAKE_PTR(o->group);
}

static int read_instance(struct config *c, const struct place *place, struct err *err)
{
	struct instance_options o = {0};
	char host[256] = "localhost";
	int rc = conf_decode(instance_items, json_object_get(c->json, "instance"), &o, err);

	if (rc < 0)
		return rc;
	if (gethostname(host, sizeof(host) - 1) < 0)
		(void)snprintf(host, sizeof(host), "localhost");
	c->instance = TAKE_PTR(o.name);
	c->node = o.node == NULL ? mem_dup(host) : TAKE_PTR(o.node);
	c->timezone = TAKE_PTR(o.timezone);
	read_user(c, &o, place);
	conf_free(instance_items, &o);
	return 0;
}

static int read_aggregation(struct config *c, struct err *err)
{
	struct aggregation_options o = {0};
	struct bus_options bus = {0};
	int rc = conf_decode(aggregation_items, json_object_get(c->json, "aggregation"), &o, err);

	if (rc == 0)
		rc = conf_decode(bus_items, json_object_get(c->json, "bus"), &bus, err);
	if (rc < 0)
		return rc;
	c->aggregate = (struct aggregate_rule){
		.how = str_eq(o.how, "ratio") ? AGGREGATE_RATIO : AGGREGATE_WORST_OF,
		.critical_percent = (uint32_t)o.critical_percent,
		.degraded_percent = (uint32_t)o.degraded_percent,
	};
	c->ring_bytes = (size_t)bus.ring_bytes;
	conf_free(aggregation_items, &o);
	conf_free(bus_items, &bus);
	return 0;
}

static int read_policy(struct process_spec *p, const json_t *entry, const struct place *place,
		       struct err *err)
{
	HALE_CLEANUP(cleanup_free)
	char *on_failing = mem_printf("/processes/%s/on_failing", p->name);
	const struct command_home home = {0};
	struct process_options o = {0};
	int rc = conf_decode(process_items, entry, &o, err);

	if (rc < 0) {
		err_prefix(err, "process %s", p->name);
		return rc;
	}
	core_restart_policy(&o.restart, &p->policy);
	p->policy.start_timeout_ms = o.start_timeout_ms;
	p->policy.stop_timeout_ms = o.stop_timeout_ms;
	p->policy.watchdog_ms = o.watchdog_ms;
	p->policy.is_held_on_78 = true;
	p->policy.ready_after_ms = -1;
	p->failing_after_ms = o.failing_after_ms;
	/* Without history or without a voice it is not hale any more. */
	p->is_vital = json_object_get(entry, "vital") != NULL
			      ? o.is_vital
			      : str_eq(p->name, "recorder") || str_eq(p->name, "notifier");
	p->vital_grace_ms = o.vital_grace_ms;
	if (o.on_failing.n > 0)
		p->on_failing = command_argv(place, on_failing, &o.on_failing, &home);
	p->is_enabled = o.is_enabled;
	p->log_level = TAKE_PTR(o.log_level);
	conf_free(process_items, &o);
	return 0;
}

/* `processes: {chekc.http: …}` must not be silently without effect. */
static void check_process_names(const struct config *c, struct tree *tree, struct report *report)
{
	const struct node *node = node_get(tree_root(tree), "processes");
	const char **names = mem_array(c->processes_n + 1, sizeof(*names));

	for (size_t i = 0, n = 0; i < c->processes_n; i++) {
		if (!c->processes[i].is_user)
			names[n++] = c->processes[i].name;
	}
	for (size_t i = 0; node != NULL && node->type == NODE_MAP && i < node->n; i++) {
		const struct node_pair *pair = &node->items[i];
		const char *near = suggest_nearest(pair->key, names);
		HALE_CLEANUP(cleanup_free) char *hint = NULL;
		bool is_known = false, is_program = false;

		for (size_t j = 0; j < c->processes_n; j++) {
			bool is_it = str_eq(c->processes[j].name, pair->key);

			is_known |= is_it && !c->processes[j].is_user;
			is_program |= is_it && c->processes[j].is_user;
		}
		if (is_known)
			continue;
		if (is_program)
			hint = mem_dup("its options stand under programs:");
		else if (near != NULL)
			hint = mem_printf("did you mean '%s'?", near);
		report_add(report, &pair->key_mark, tree_source_line(tree, &pair->key_mark), hint,
			   "none of hale's processes is named '%s'", pair->key);
	}
	free(names);
}

static void give_user(struct spawn_rights *to, const struct spawn_rights *service)
{
	to->has_user = true;
	to->user = mem_dup(service->user);
	to->uid = service->uid;
	to->gid = service->gid;
	to->groups_n = service->groups_n;
	to->groups = mem_array(service->groups_n, sizeof(*to->groups));
	memcpy(to->groups, service->groups, service->groups_n * sizeof(*to->groups));
}

static int read_processes(struct config *c, const struct config_dirs *dirs,
			  const struct manifest_set *manifests, const struct place *place,
			  struct err *err)
{
	json_t *fallback = json_object(); /* conf_decode fills the defaults in */
	int rc = slice_processes(c, manifests, err);

	for (size_t i = 0; rc == 0 && i < c->processes_n; i++) {
		json_t *entry = json_object_get(json_object_get(c->json, "processes"),
						c->processes[i].name);

		rc = read_policy(&c->processes[i], entry == NULL ? fallback : entry, place, err);
		if (c->service.has_user)
			give_user(&c->processes[i].rights, &c->service);
	}
	json_decref(fallback);
	return rc < 0 ? rc : programs_read(c, dirs, manifests, place, err);
}

/* Each of hale's processes is a component too, and its configuration; they may make the total
 * degraded, not critical. */
static struct component_spec own_component(const struct config *c, const char *name,
					   const char *kind, bool is_enabled)
{
	return (struct component_spec){
		.id = mem_printf(COMPONENT_OWN_PREFIX "%s", name),
		.label = mem_printf(COMPONENT_OWN_PREFIX "%s", name),
		.kind = mem_dup(kind),
		.process = mem_dup("haled"),
		.node = mem_dup(c->node),
		.degraded_after = 1,
		.critical_after = 1,
		.recover_after = 1,
		.impact = IMPACT_DEGRADED,
		.on_error = STATUS_UNKNOWN,
		.weight = 0, /* the score tells of what is watched, not of the watcher */
		.is_enabled = is_enabled,
	};
}

static int read_components(struct config *c, struct err *err)
{
	json_t *all = json_object_get(c->json, "components");
	const char *id;
	json_t *json;

	c->components =
		mem_array(json_object_size(all) + c->processes_n + 1, sizeof(*c->components));
	json_object_foreach (all, id, json) {
		const char *kind = json_string_value(json_object_get(json, "kind"));
		HALE_CLEANUP(cleanup_free) char *process = slice_check_process(kind, json);
		int rc = core_component(id, json, kind, process, c->node,
					&c->components[c->components_n], err);

		if (rc < 0)
			return rc;
		c->components_n++;
	}
	for (size_t i = 0; i < c->processes_n; i++) {
		const struct process_spec *p = &c->processes[i];
		struct component_spec *spec = &c->components[c->components_n];
		int rc = 0;

		if (p->is_user)
			rc = programs_component(c, p, spec, err);
		else
			*spec = own_component(c, p->name, COMPONENT_KIND_PROCESS, p->is_enabled);
		if (rc < 0)
			return rc;
		c->components_n++;
	}
	c->components[c->components_n] =
		own_component(c, &CONFIG_COMPONENT[strlen("hale.")], "config", true);
	/* A file with a mistake in it makes nothing worse: the old one is in force. */
	c->components[c->components_n++].impact = IMPACT_NONE;
	return 0;
}

static void make_stamp(struct config *c)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < c->processes_n; i++) {
		const struct process_spec *p = &c->processes[i];
		struct stat st = {0};

		if (p->is_user) /* nobody asks these whether they like their configuration */
			continue;
		(void)stat(p->program, &st);
		h = hash_add(h, p->slice, p->slice_len);
		h = hash_add(h, &st.st_mtim, sizeof(st.st_mtim));
		h = hash_add(h, &st.st_size, sizeof(st.st_size));
		h = hash_add(h, &st.st_ino, sizeof(st.st_ino));
	}
	(void)snprintf(c->stamp, sizeof(c->stamp), "%016llx\n", (unsigned long long)h);
}

static void deep_check(const struct config *c, const struct config_dirs *dirs, struct tree *tree,
		       struct report *report)
{
	HALE_CLEANUP(cleanup_free)
	char *path = dirs->state_dir == NULL ? NULL : path_join(dirs->state_dir, STAMP_FILE);
	HALE_CLEANUP(str_done) struct str known = {0};

	if (path != NULL && file_read(path, sizeof(c->stamp), &known, NULL) == 0 &&
	    str_eq(str_text(&known), c->stamp))
		return;
	deepcheck_run(c, tree, report);
	/* The stamp saves time only: a state directory that cannot be written is told of by the
	 * state file, which matters. */
	if (report->errors == 0 && path != NULL)
		(void)file_write_atomic(path, c->stamp, strlen(c->stamp), 0600, NULL);
}

static int build(struct config *c, const struct config_dirs *dirs, bool is_deep, struct tree *tree,
		 const struct manifest_set *manifests, struct report *report, struct err *err)
{
	const struct place place = {.tree = tree, .report = report};
	int rc = read_instance(c, &place, err);

	if (rc == 0)
		rc = read_aggregation(c, err);
	if (rc == 0)
		rc = read_processes(c, dirs, manifests, &place, err);
	if (rc == 0)
		rc = read_components(c, err);
	if (rc < 0)
		return rc;
	check_process_names(c, tree, report);
	component_check(json_object_get(c->json, "components"), manifests, &place);
	make_stamp(c);
	if (is_deep && report->errors == 0)
		deep_check(c, dirs, tree, report);
	return 0;
}

/* What an option under `store` says of a path, or its default, in the state directory. */
static void fill_path(json_t *store, const char *part, const char *name, const char *state_dir)
{
	json_t *options = json_object_get(store, part);
	const char *given = json_string_value(json_object_get(options, "path"));
	HALE_CLEANUP(cleanup_free) char *path = path_join(state_dir, given != NULL ? given : name);

	if (options == NULL) {
		options = json_object();
		json_object_set_new(store, part, options);
	}
	json_object_set_new(options, "path", json_string(path));
}

/* Where a file leaves something open, haled says: history lives in the state directory, whatever
 * directory haled was started in, unless it lives in PostgreSQL; what waits for either lives there
 * too. The recorder may write where they live. */
static void fill_paths(json_t *json, const struct config_dirs *dirs)
{
	json_t *store = json_object_get(json, "store");
	bool is_remote = json_object_get(store, "postgres") != NULL;

	if (store == NULL || dirs->state_dir == NULL)
		return;
	/* Both are refused by the recorder's own check. */
	if (!is_remote || json_object_get(store, "sqlite") != NULL)
		fill_path(store, "sqlite", "history.db", dirs->state_dir);
	fill_path(store, "spool", "spool", dirs->state_dir);
}

struct config *config_load(const char *path, const struct config_dirs *dirs, bool is_deep,
			   struct report *report)
{
	struct config *c = mem_alloc(sizeof(*c));
	struct manifest_set manifests = {0};
	json_t *core = core_manifest();
	struct tree *tree = tree_load(path, report);
	struct err err = {0};
	int rc = 0;

	c->path = mem_dup(path);
	if (tree != NULL && tree_root(tree) != NULL) {
		/* A truncated file must not look like the wish to watch nothing. */
		if (report->errors == 0 &&
		    (node_is_null(tree_root(tree)) || tree_root(tree)->n == 0))
			report_add(report, &tree_root(tree)->mark, NULL,
				   "begin with etc/hale.yaml, which needs no edit",
				   "the file is empty");
		rc = load_manifests(dirs, tree, &manifests, &err);
		if (rc == 0)
			c->json = schema_apply(tree, &manifests, core, report);
	}
	if (c->json != NULL) {
		fill_paths(c->json, dirs);
		c->masked = schema_mask(c->json, tree, &manifests, core);
		c->units = schema_units(&manifests, core);
		rc = build(c, dirs, is_deep, tree, &manifests, report, &err);
	}
	if (rc < 0)
		add_nowhere(report, err.text);
	tree_free(tree);
	manifest_set_done(&manifests);
	json_decref(core);
	if (report->errors == 0 && c->json != NULL)
		return c;
	config_free(c);
	return NULL;
}
