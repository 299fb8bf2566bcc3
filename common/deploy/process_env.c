/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/process_env.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "service/child_proto.h"

/* Of haled's own environment, to hale's own processes: where D-Bus is, if not in its usual place;
 * and sanitizer builds are told where to report by their own variables. */
static const char *const passed_on[] = {
	"DBUS_SYSTEM_BUS_ADDRESS",
	"DBUS_SESSION_BUS_ADDRESS",
	"ASAN_OPTIONS",
	"UBSAN_OPTIONS",
	"LSAN_OPTIONS",
	"TSAN_OPTIONS",
};

struct env_list {
	char **v;
	size_t n;
};

static void put_env(struct env_list *e, char *entry /* taken */)
{
	e->v = mem_grow(e->v, e->n + 1, sizeof(*e->v));
	e->v[e->n++] = entry;
}

static bool has_env(const struct env_list *e, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < e->n; i++) {
		if (strncmp(e->v[i], name, len) == 0 && e->v[i][len] == '=')
			return true;
	}
	return false;
}

static void put_default(struct env_list *e, const char *name, const char *value)
{
	if (value != NULL && !has_env(e, name))
		put_env(e, mem_printf("%s=%s", name, value));
}

/* Where it lives, as child_proto.h has it: for hale's own. */
static void put_home(struct env_list *e, const struct process_spec *spec,
		     const struct process_home *home, uint64_t generation)
{
	put_env(e, mem_printf(CHILD_ENV_SERVICE "=%s", spec->name));
	put_env(e, mem_printf(CHILD_ENV_GENERATION "=%llu", (unsigned long long)generation));
	put_env(e, mem_printf(CHILD_ENV_RUN_DIR "=%s", home->run_dir));
	put_env(e, mem_printf(CHILD_ENV_STATE_DIR "=%s", home->state_dir));
	put_env(e, mem_printf(CHILD_ENV_NODE "=%s", home->node));
	put_env(e, mem_printf("HALE_LOG_LEVEL=%s", spec->log_level));
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		put_default(e, passed_on[i], getenv(passed_on[i]));
}

/* What the file says comes before what haled would say. */
char **process_env_new(const struct process_spec *spec, const struct process_home *home,
		       uint64_t generation, const char *notify_path)
{
	struct env_list e = {0};
	bool is_notified = spec->policy.ready_after_ms < 0;

	for (char *const *entry = spec->env; entry != NULL && *entry != NULL; entry++)
		put_env(&e, mem_dup(*entry));
	put_default(&e, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put_default(&e, "LANG", "C.UTF-8");
	put_default(&e, "TZ", home->timezone);
	if (!spec->is_user)
		put_home(&e, spec, home, generation);
	if (is_notified)
		put_env(&e, mem_printf("NOTIFY_SOCKET=%s", notify_path));
	if (is_notified && spec->policy.watchdog_ms > 0)
		put_env(&e, mem_printf("WATCHDOG_USEC=%lld",
				       (long long)spec->policy.watchdog_ms * 1000));
	put_env(&e, NULL);
	return e.v;
}

void process_env_free(char **env)
{
	for (char **e = env; *e != NULL; e++)
		free(*e);
	free(env);
}
