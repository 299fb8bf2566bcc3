/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "service/confine_private.h"

static void add(struct confine *c, const char *measure, const char *state, const char *detail)
{
	json_array_append_new(c->measures, json_pack("{s:s, s:s, s:s}", "measure", measure, "state",
						     state, "detail", detail));
}

void confine_tell(struct confine *c, const char *measure, int rc, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	if (rc < 0)
		str_addf(&text, ": %s (%s)", strerror(-rc), strerrorname_np(-rc));
	add(c, measure, rc < 0 ? "refused" : "on", str_text(&text));
}

void confine_tell_off(struct confine *c, const char *measure, const char *why)
{
	add(c, measure, "off", why);
}

/* The one store there is, if the slice speaks of it; else where it usually is. */
static char *find_history(const struct confine *c)
{
	for (size_t i = 0; i < c->needs.writes.n; i++) {
		if (str_ends(c->needs.writes.v[i], "/history.db"))
			return mem_dup(c->needs.writes.v[i]);
	}
	return path_join(c->state_dir, "history.db");
}

void confine_apply(struct confine *c, const char *service, const char *run_dir,
		   const char *state_dir, struct confine_needs *needs)
{
	c->row = confine_row_for(service);
	c->needs = *needs;
	*needs = (struct confine_needs){0};
	c->network = c->row->network & ~(unsigned)CONFINE_NET_IF_ASKED;
	if ((c->row->network & CONFINE_NET_IF_ASKED) != 0 && c->needs.connects)
		c->network |= CONFINE_NET_CONNECT;
	c->state_dir = mem_dup(state_dir);
	c->history = find_history(c);
	c->measures = json_array();
	/* Large sorts spill into a file; /tmp, where SQLite would put it, is not ours to write. */
	if (c->row->files == CONFINE_FILES_WRITE_STATE)
		(void)setenv("SQLITE_TMPDIR", state_dir, 0);
	confine_limits(c);
	confine_no_new_privs(c);
	confine_dumpable(c);
	confine_landlock(c, run_dir, confine_landlock_abi());
	confine_capabilities(c);
	confine_seccomp(c);
}

bool confine_is_outdated(const struct confine *c, const char **path_r)
{
	for (size_t i = 0; i < c->watched_n; i++) {
		const struct confine_watch *w = &c->watched[i];
		struct stat st;

		if (stat(w->path, &st) == 0 && (st.st_dev != w->dev || st.st_ino != w->ino)) {
			*path_r = w->path;
			return true;
		}
	}
	return false;
}

void confine_end(const struct confine *c)
{
	if (IS_SANITIZED && c->row != NULL)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

void confine_done(struct confine *c)
{
	for (size_t i = 0; i < c->watched_n; i++)
		free(c->watched[i].path);
	free(c->watched);
	free(c->state_dir);
	free(c->history);
	confine_needs_done(&c->needs);
	json_decref(c->measures);
	*c = (struct confine){0};
}
