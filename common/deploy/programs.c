/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/programs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "deploy/account.h"
#include "deploy/command.h"
#include "deploy/ordering.h"
#include "deploy/program_options.h"
#include "deploy/slice.h"

#define SECTION        "programs"
/* Names become file names and parts of component ids. */
#define NAME_MAX_LEN   64
#define LOG_FOLDER     "log"
#define LOG_NONE       "none"
/* A hundred years: no program lives so long. */
#define NEVER_READY_MS INT64_C(3155760000000)

/* One program on its way from options to spec. */
struct reading {
	struct config *config;
	const struct config_dirs *dirs;
	const struct place *place;
	struct program_options o;
	struct process_spec *p;
	char *pointer; /* "/programs/trader" */
};

static char *at(const struct reading *r, const char *option)
{
	return mem_printf("%s/%s", r->pointer, option);
}

/* ---- names ---- */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool is_name(const char *name)
{
	size_t i = 0;

	if (!isalnum((unsigned char)name[0]))
		return false;
	while (is_name_char(name[i]) || name[i] == '.')
		i++;
	return name[i] == '\0';
}

/* "My Trader" to "my_trader"; NULL if nothing is left. */
static char *corrected(const char *name)
{
	struct str out = {0};

	for (const char *p = name; *p != '\0'; p++) {
		char c = (char)tolower((unsigned char)*p);

		if (is_name_char(c) && (out.len > 0 || isalnum((unsigned char)c)))
			str_addc(&out, c);
		else if (out.len > 0 && out.data[out.len - 1] != '_')
			str_addc(&out, '_');
	}
	return out.len > 0 ? str_take(&out) : NULL;
}

/* Whose name it would be in `hale restart NAME`. */
static const char *owner_of(const char *name, const struct manifest_set *manifests)
{
	if (str_eq(name, "hale") || str_eq(name, "haled") || str_starts(name, "hale."))
		return "hale itself";
	if (str_eq(name, "check") || str_starts(name, "check."))
		return "hale's checkers";
	for (size_t i = 0; i < manifests->n; i++) {
		const char *service =
			json_string_value(json_object_get(manifests->v[i], "service"));

		if (str_eq(name, service))
			return json_string_value(json_object_get(manifests->v[i], "program"));
	}
	return NULL;
}

static bool check_name(const struct reading *r, const char *name,
		       const struct manifest_set *manifests)
{
	const char *owner = owner_of(name, manifests);
	HALE_CLEANUP(cleanup_free) char *right = corrected(name);
	HALE_CLEANUP(cleanup_free)
	char *id = mem_printf("/components/program.%s", is_name(name) ? name : "");
	HALE_CLEANUP(cleanup_free) char *hint = NULL;

	if (owner != NULL) {
		place_error_key(r->place, r->pointer, "choose another name",
				"the name '%s' is that of %s", name, owner);
		return false;
	}
	if (!is_name(name)) {
		if (right != NULL)
			hint = mem_printf("write '%s', and label: for the name people read", right);
		place_error_key(r->place, r->pointer, hint,
				"program name '%s' holds other characters than a-z 0-9 _ . -, or "
				"begins with one of _ . -",
				name);
		return false;
	}
	if (strlen(name) > NAME_MAX_LEN) {
		place_error_key(r->place, r->pointer, NULL,
				"program name is longer than %d characters", NAME_MAX_LEN);
		return false;
	}
	if (place_is_given(r->place, id))
		place_error_key(r->place, id, "choose another id",
				"component id 'program.%s' is that of the program '%s'", name,
				name);
	return true;
}

/* ---- environment ---- */

/* What haled says to a program must not be said by somebody else. */
static const char *const reserved_variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
						 "HALE_PROGRAM", "HALE_INSTANCE"};

static bool is_variable(const char *name)
{
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '=' || isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
			return false;
	}
	return *name != '\0';
}

static void check_variable(const struct reading *r, const char *name)
{
	HALE_CLEANUP(cleanup_free) char *parent = at(r, "environment");
	HALE_CLEANUP(cleanup_free) char *pointer = place_pointer(parent, name);

	if (!is_variable(name))
		place_error_key(r->place, pointer, "write NAME: value",
				"'%s' is no name of a variable", name);
	for (size_t i = 0; i < ARRAY_LEN(reserved_variables); i++) {
		if (str_eq(name, reserved_variables[i]))
			place_error_key(r->place, pointer, "leave it out",
					"%s is set by haled itself", name);
	}
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "NAME=value", sorted: the order in the file is no reason to restart. Takes the reference. */
static char **environment_list(json_t *environment)
{
	char **list = mem_array(json_object_size(environment) + 1, sizeof(*list));
	size_t n = 0;
	const char *name;
	json_t *value;

	json_object_foreach (environment, name, value)
		list[n++] = mem_printf("%s=%s", name, json_string_value(value));
	qsort(list, n, sizeof(*list), compare_texts);
	json_decref(environment);
	return list;
}

/* ---- rights ---- */

static void read_umask(struct reading *r)
{
	const char *text = r->o.umask;
	char *end = NULL;
	unsigned long mask = strtoul(text, &end, 8);
	HALE_CLEANUP(cleanup_free) char *pointer = at(r, "umask");

	if (!isdigit((unsigned char)text[0]) || *end != '\0' || mask > 0777) {
		place_error(r->place, pointer, "e.g. 027: files are not for others",
			    "'%s' is no umask in octal between 000 and 777", text);
		return;
	}
	r->p->rights.umask = (mode_t)mask;
	r->p->rights.has_umask = true;
}

static void read_directory(struct reading *r)
{
	const char *path = r->o.directory != NULL ? r->o.directory : "/";
	HALE_CLEANUP(cleanup_free) char *pointer = at(r, "directory");
	struct stat st;

	if (path[0] != '/')
		place_error(r->place, pointer, "write its whole path",
			    "directory '%s' is relative to nothing", path);
	else if (stat(path, &st) < 0)
		place_error(r->place, pointer, "create it, or correct the path",
			    "cannot use directory '%s': %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		place_error(r->place, pointer, NULL, "'%s' is no directory", path);
	r->p->rights.directory = mem_dup(path);
}

static void read_stdin(struct reading *r)
{
	const char *path = r->o.stdin_path;
	HALE_CLEANUP(cleanup_free) char *pointer = at(r, "stdin");
	struct stat st;

	if (path[0] != '/')
		place_error(r->place, pointer, "write its whole path",
			    "stdin '%s' is relative to nothing", path);
	else if (stat(path, &st) < 0 || access(path, R_OK) < 0)
		place_error(r->place, pointer, "create it, or correct the path",
			    "cannot read stdin '%s': %s", path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		place_error(r->place, pointer, NULL, "stdin '%s' is a directory", path);
	r->p->rights.stdin_path = mem_dup(path);
}

static const struct {
	const char *name;
	int resource;
	int64_t unit; /* of the option, in one of the kernel's */
} limits[] = {
	/* Not the address space (RLIMIT_AS): Node, Java and Go reserve much that they never use. */
	{"memory", RLIMIT_DATA, 1}, {"cpu", RLIMIT_CPU, 1000},      {"nofile", RLIMIT_NOFILE, 1},
	{"core", RLIMIT_CORE, 1},   {"processes", RLIMIT_NPROC, 1}, {"file_size", RLIMIT_FSIZE, 1},
};

_Static_assert(ARRAY_LEN(limits) <= SPAWN_LIMITS_MAX, "room for every limit");

static void read_limits(struct reading *r, const json_t *entry)
{
	const json_t *given = json_object_get(entry, "limits");

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const json_t *value = json_object_get(given, limits[i].name);
		uint64_t n = (uint64_t)((json_integer_value(value) + limits[i].unit - 1) /
					limits[i].unit);
		struct rlimit now;

		if (value == NULL)
			continue;
		if (geteuid() != 0 &&
		    getrlimit((__rlimit_resource_t)limits[i].resource, &now) == 0 &&
		    n > now.rlim_max) {
			HALE_CLEANUP(cleanup_free)
			char *pointer = mem_printf("%s/limits/%s", r->pointer, limits[i].name);

			place_error(r->place, pointer, "start haled as root, or with higher limits",
				    "haled itself may not have more %s than %llu", limits[i].name,
				    (unsigned long long)now.rlim_max);
		}
		r->p->rights.limits[r->p->rights.limits_n++] =
			(struct spawn_limit){.resource = limits[i].resource, .value = n};
	}
}

/* ---- the rest of a program ---- */

static void read_environment(struct reading *r)
{
	json_t *environment = json_object();
	const char *zone = r->config->timezone != NULL ? r->config->timezone : getenv("TZ");
	const char *name;
	json_t *value;

	json_object_set_new(environment, "PATH", json_string(COMMAND_PATH));
	json_object_set_new(environment, "LANG", json_string("C.UTF-8"));
	if (zone != NULL)
		json_object_set_new(environment, "TZ", json_string(zone));
	if (r->o.user == NULL && r->o.group == NULL)
		account_read(r->place, "/instance", r->config->user, r->config->group,
			     &r->p->rights, environment);
	else
		account_read(r->place, r->pointer, r->o.user, r->o.group, &r->p->rights,
			     environment);
	json_object_foreach (r->o.environment, name, value) {
		check_variable(r, name);
		json_object_set(environment, name, value);
	}
	json_object_set_new(environment, "HALE_PROGRAM", json_string(r->p->name));
	json_object_set_new(environment, "HALE_INSTANCE", json_string(r->config->instance));
	r->p->env = environment_list(environment);
}

static void read_commands(struct reading *r)
{
	HALE_CLEANUP(cleanup_free) char *command = at(r, "command");
	HALE_CLEANUP(cleanup_free) char *on_failing = at(r, "on_failing");
	const struct command_home home = {
		.path = json_string_value(json_object_get(r->o.environment, "PATH")),
		.directory = r->o.directory,
	};
	const struct command_home nowhere = {0};

	r->p->argv = command_argv(r->place, command, &r->o.command, &home);
	if (r->p->argv != NULL)
		r->p->program = mem_dup(r->p->argv[0]);
	if (r->o.on_failing.n > 0)
		r->p->on_failing = command_argv(r->place, on_failing, &r->o.on_failing, &nowhere);
}

/* Two writers would rotate each other's file away. */
static void check_log_owner(const struct reading *r, const char *pointer)
{
	const struct config *c = r->config;

	for (size_t i = 0; i < c->processes_n; i++) {
		const struct process_spec *other = &c->processes[i];

		if (other != r->p && str_eq(other->log.path, r->p->log.path))
			place_error(r->place, pointer, "give each its own",
				    "'%s' is the log file of '%s' already", r->p->log.path,
				    other->name);
	}
}

static void read_log(struct reading *r)
{
	HALE_CLEANUP(cleanup_free) char *folder = NULL;
	HALE_CLEANUP(cleanup_free) char *name = mem_printf("%s.log", r->p->name);
	HALE_CLEANUP(cleanup_free) char *pointer = at(r, "log/file");

	if (str_eq(r->o.log.file, LOG_NONE) || r->dirs->state_dir == NULL)
		return;
	folder = path_join(r->dirs->state_dir, LOG_FOLDER);
	r->p->log = (struct logfile_spec){
		.path = path_join(folder, r->o.log.file != NULL ? r->o.log.file : name),
		.max_bytes = (uint64_t)r->o.log.max_size_bytes,
		.files = (uint32_t)r->o.log.files,
		.has_time = r->o.log.timestamps,
	};
	if (r->o.log.file != NULL && str_ends(r->o.log.file, "/"))
		place_error(r->place, pointer, "name a file in it", "log file '%s' is a directory",
			    r->o.log.file);
	check_log_owner(r, pointer);
}

static const struct {
	const char *name;
	int number;
} signals[] = {
	{"TERM", SIGTERM}, {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"HUP", SIGHUP},
	{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH}, {"KILL", SIGKILL},
};

static int signal_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (str_eq(signals[i].name, name))
			return signals[i].number;
	}
	return SIGTERM;
}

/* It is not ready while it lives, and what has ended well is not started again. */
static void read_oneshot(struct reading *r)
{
	HALE_CLEANUP(cleanup_free) char *notify = at(r, "notify");
	HALE_CLEANUP(cleanup_free) char *restart = at(r, "restart/when");

	if (r->o.notify)
		place_error(r->place, notify, "leave one of them out",
			    "a oneshot is ready when it has ended, not when it says so");
	if (str_eq(r->o.restart.when, "always"))
		place_error(r->place, restart, "write on-failure or never",
			    "a oneshot that is always restarted never ends");
	if (r->o.restart.when == NULL)
		r->p->policy.when = RESTART_ON_FAILURE;
}

static void read_policy(struct reading *r)
{
	struct process_policy *policy = &r->p->policy;
	HALE_CLEANUP(cleanup_free) char *watchdog = at(r, "watchdog");
	HALE_CLEANUP(cleanup_free) char *ready_after = at(r, "ready_after");

	core_restart_policy(&r->o.restart, policy);
	policy->start_timeout_ms = r->o.start_timeout_ms;
	policy->stop_timeout_ms = r->o.stop_timeout_ms;
	policy->watchdog_ms = r->o.watchdog_ms;
	policy->is_held_on_78 = false;
	policy->ready_after_ms = r->o.notify    ? -1
				 : r->o.oneshot ? NEVER_READY_MS
						: r->o.ready_after_ms;
	if (r->o.oneshot)
		read_oneshot(r);
	r->p->stop_signal = signal_number(r->o.stop_signal);
	if (r->o.watchdog_ms > 0 && !r->o.notify)
		place_error(r->place, watchdog,
			    "add notify: true, if it says READY=1 and WATCHDOG=1",
			    "a watchdog needs a program that speaks sd_notify");
	if (r->o.notify && place_is_given(r->place, ready_after))
		place_warn(r->place, ready_after, NULL,
			   "ready_after has no effect: with notify the program says when it is "
			   "ready");
}

static void read_check_failure(struct reading *r)
{
	struct program_check_options *o = &r->o.on_check_failure;
	struct check_restart *to = &r->p->on_check_failure;

	if (o->components.n == 0)
		return;
	*to = (struct check_restart){.components = o->components,
				     .from = STATUS_DOWN,
				     .rule = {.after_ms = o->after_ms,
					      .limit = (uint32_t)o->limit,
					      .window_ms = o->window_ms}};
	o->components = (struct strlist){0};
	(void)status_from_name(o->status, &to->from);
	if (strlist_has(&to->components, r->p->component)) {
		HALE_CLEANUP(cleanup_free) char *pointer = at(r, "on_check_failure/components");

		place_error(r->place, pointer, "name a component that is checked",
			    "'%s' is the program itself, which is restarted anyway",
			    r->p->component);
	}
}

static void read_program(struct reading *r, const json_t *entry)
{
	struct process_spec *p = r->p;

	p->is_user = true;
	p->component = mem_printf("program.%s", p->name);
	p->is_enabled = r->o.is_enabled;
	p->stop_stage = SLICE_PROGRAMS_STAGE;
	p->log_level = mem_dup("info");
	read_environment(r);
	read_directory(r);
	read_stdin(r);
	read_umask(r);
	read_limits(r, entry);
	read_commands(r);
	read_log(r);
	read_policy(r);
	read_check_failure(r);
	p->failing_after_ms = r->o.failing_after_ms;
	p->after = r->o.after;
	p->requires = r->o.requires;
	p->forward = r->o.forward_signals;
	r->o.after = r->o.requires = r->o.forward_signals = (struct strlist){0};
}

int programs_read(struct config *c, const struct config_dirs *dirs,
		  const struct manifest_set *manifests, const struct place *place, struct err *err)
{
	const char *name;
	json_t *entry;

	json_object_foreach (json_object_get(c->json, SECTION), name, entry) {
		HALE_CLEANUP(cleanup_free) char *pointer = place_pointer("/" SECTION, name);
		struct reading r = {.config = c, .dirs = dirs, .place = place, .pointer = pointer};
		int rc;

		if (!check_name(&r, name, manifests))
			continue;
		rc = conf_decode(program_items, entry, &r.o, err);
		if (rc < 0) {
			err_prefix(err, "program %s", name);
			return rc;
		}
		c->processes = mem_grow(c->processes, c->processes_n + 1, sizeof(*c->processes));
		r.p = &c->processes[c->processes_n++];
		*r.p = (struct process_spec){.name = mem_dup(name)};
		read_program(&r, entry);
		conf_free(program_items, &r.o);
	}
	ordering_check(c->processes, c->processes_n, place);
	return 0;
}

/* ---- its component ---- */

int programs_component(const struct config *c, const struct process_spec *p,
		       struct component_spec *spec_r, struct err *err)
{
	struct program_options o = {0};
	int rc = conf_decode(program_items,
			     json_object_get(json_object_get(c->json, SECTION), p->name), &o, err);

	if (rc < 0) {
		err_prefix(err, "program %s", p->name);
		return rc;
	}
	*spec_r = (struct component_spec){
		.id = mem_dup(p->component),
		.label = mem_dup(o.label != NULL ? o.label : p->name),
		.kind = mem_dup("program"),
		.process = mem_dup("haled"),
		.node = mem_dup(c->node),
		.degraded_after = 1,
		.critical_after = 1,
		.recover_after = 1,
		.on_error = STATUS_UNKNOWN,
		.weight = o.weight,
		.is_enabled = p->is_enabled,
		.depends_on = o.depends_on,
		.labels = TAKE_PTR(o.labels),
	};
	o.depends_on = (struct strlist){0};
	(void)impact_from_name(o.impact, &spec_r->impact);
	conf_free(program_items, &o);
	return 0;
}
