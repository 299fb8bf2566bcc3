/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_spawn.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "proc/spawn.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* NGROUPS_MAX is 65536; whoever is in more than this is in them for another program. */
#define GROUPS_MAX   1024
#define MS_PER_S     1000

struct exec_spawn {
	struct exec_command command;
	struct spawn_rights rights;
	struct strlist environment; /* without the mark */
	char **argv;                /* borrowed texts, NULL at the end */
};

/* ---- Environment ---- */

static void add_variable(struct strlist *list, const char *name, const char *value)
{
	HALE_CLEANUP(cleanup_free) char *entry = mem_printf("%s=%s", name, value);

	strlist_add(list, entry);
}

static void add_default(struct exec_spawn *s, const char *name, const char *value)
{
	if (value != NULL && json_object_get(s->command.environment, name) == NULL)
		add_variable(&s->environment, name, value);
}

static void make_environment(struct exec_spawn *s, const struct passwd *user)
{
	const char *path = getenv("PATH");
	const char *name;
	json_t *value;

	add_default(s, "PATH", path == NULL ? PATH_DEFAULT : path);
	/* Plugins are read by programs: English, and a point in numbers. */
	add_default(s, "LANG", "C.UTF-8");
	if (user != NULL) {
		add_default(s, "HOME", user->pw_dir);
		add_default(s, "USER", user->pw_name);
		add_default(s, "LOGNAME", user->pw_name);
	}
	json_object_foreach ((json_t *)s->command.environment, name, value)
		add_variable(&s->environment, name, json_string_value(value));
}

/* The list's texts, borrowed, with room for one more and the NULL at the end that exec wants. */
static char **vector(const struct strlist *list)
{
	char **v = mem_array(list->n + 2, sizeof(*v));

	for (size_t i = 0; i < list->n; i++)
		v[i] = list->v[i];
	return v;
}

/* ---- Rights ---- */

static void add_limit(struct spawn_rights *r, int resource, int64_t value)
{
	if (value <= 0)
		return;
	HALE_ASSERT(r->limits_n < SPAWN_LIMITS_MAX);
	r->limits[r->limits_n].resource = resource;
	r->limits[r->limits_n++].value = (uint64_t)value;
}

static void make_limits(struct spawn_rights *r, const struct exec_limits *limits)
{
	add_limit(r, RLIMIT_CPU, (limits->cpu + MS_PER_S - 1) / MS_PER_S);
	add_limit(r, RLIMIT_DATA, limits->memory);
	add_limit(r, RLIMIT_NPROC, limits->processes);
	add_limit(r, RLIMIT_NOFILE, limits->nofile);
	add_limit(r, RLIMIT_FSIZE, limits->file_size);
	/* Whatever it crashes with may hold what it was given. */
	r->limits[r->limits_n].resource = RLIMIT_CORE;
	r->limits[r->limits_n++].value = 0;
}

static const struct passwd *find_user(const char *text)
{
	char *end;
	unsigned long uid = strtoul(text, &end, 10);

	if (isdigit((unsigned char)*text) && *end == '\0')
		return getpwuid((uid_t)uid);
	return getpwnam(text);
}

static int take_user(struct spawn_rights *r, const struct passwd *user, struct err *err)
{
	int n = GROUPS_MAX;

	if (user->pw_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return err_set(err, -EPERM, "only root can run it as %s", user->pw_name);
	r->has_user = true;
	r->user = mem_dup(user->pw_name);
	r->uid = user->pw_uid;
	r->gid = user->pw_gid;
	r->groups = mem_array(GROUPS_MAX, sizeof(*r->groups));
	if (getgrouplist(user->pw_name, user->pw_gid, r->groups, &n) < 0)
		n = GROUPS_MAX;
	r->groups_n = (size_t)n;
	return 0;
}

struct exec_spawn *exec_spawn_new(const struct exec_command *command, struct err *err)
{
	struct exec_spawn *s = mem_alloc(sizeof(*s));
	const struct passwd *user = command->user == NULL ? NULL : find_user(command->user);
	int rc = 0;

	s->command = *command;
	s->rights.directory = (char *)command->directory; /* NOLINT: borrowed, never written */
	make_limits(&s->rights, command->limits);
	if (command->user != NULL && user == NULL)
		rc = err_set(err, -ENOENT, "there is no user %s here", command->user);
	else if (user != NULL)
		rc = take_user(&s->rights, user, err);
	if (rc < 0) {
		exec_spawn_free(s);
		return NULL;
	}
	make_environment(s, user);
	s->argv = vector(command->argv);
	return s;
}

void exec_spawn_free(struct exec_spawn *s)
{
	if (s == NULL)
		return;
	strlist_done(&s->environment);
	free(s->rights.user);
	free(s->rights.groups);
	free(s->argv);
	free(s);
}

/* ---- Finding and starting ---- */

static char *find_in(const char *places, const char *name)
{
	while (*places != '\0') {
		size_t len = strcspn(places, ":");
		HALE_CLEANUP(cleanup_free)
		char *path = mem_printf("%.*s/%s", (int)len, places, name);

		if (len > 0 && access(path, X_OK) == 0)
			return TAKE_PTR(path);
		places += len;
		places += *places == ':';
	}
	return NULL;
}

/* Each time anew: what is installed later is found later. */
static char *find_program(const struct exec_spawn *s)
{
	const char *name = s->argv[0];
	const char *path = json_string_value(json_object_get(s->command.environment, "PATH"));
	char *found;

	if (strchr(name, '/') != NULL)
		return mem_dup(name);
	if (path == NULL)
		path = getenv("PATH");
	found = find_in(path == NULL ? PATH_DEFAULT : path, name);
	return found != NULL ? found : find_in(EXEC_PLUGIN_PLACES, name);
}

pid_t exec_spawn_start(const struct exec_spawn *s, int out_fd, int err_fd, const char *mark,
		       struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *program = find_program(s);
	HALE_CLEANUP(cleanup_free) char **envp = vector(&s->environment);
	const struct spawn_plan plan = {
		.program = program,
		.argv = s->argv,
		.envp = envp,
		.output_fd = out_fd,
		.error_fd = err_fd,
		.slice_fd = -1,
		.rights = &s->rights,
	};

	if (program == NULL)
		return err_set(err, -ENOENT,
			       "cannot run %s: it is neither in PATH nor among the plugins",
			       s->argv[0]);
	envp[s->environment.n] = (char *)mark; /* NOLINT: exec does not write it */
	return spawn_start(&plan, err);
}
