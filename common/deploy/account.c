/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

/* Room for one entry of the user database, with a group's members. */
#define ENTRY_BYTES  65536
/* NGROUPS_MAX of Linux. */
#define GROUPS_MAX   65536
#define GROUPS_FIRST 64

struct account {
	uid_t uid;
	gid_t gid;
	char *name; /* NULL: a number that nobody has */
	char *home;
	char *shell;
};

static void account_done(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
}

/* False if it is no number. (uid_t)-1 means "leave it" to the kernel and is nobody's. */
static bool parse_id(const char *text, uint32_t *id_r)
{
	char *end = NULL;
	unsigned long n;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || n >= UINT32_MAX)
		return false;
	*id_r = (uint32_t)n;
	return true;
}

static void take_entry(const struct passwd *pw, struct account *a)
{
	a->uid = pw->pw_uid;
	a->gid = pw->pw_gid;
	a->name = mem_dup(pw->pw_name);
	a->home = mem_dup(pw->pw_dir);
	a->shell = mem_dup(pw->pw_shell);
}

static bool find_uid(uid_t uid, struct account *a)
{
	HALE_CLEANUP(cleanup_free) char *buf = mem_alloc(ENTRY_BYTES);
	struct passwd pw, *found = NULL;

	if (getpwuid_r(uid, &pw, buf, ENTRY_BYTES, &found) != 0 || found == NULL)
		return false;
	take_entry(&pw, a);
	return true;
}

static bool find_user(const char *user, struct account *a)
{
	HALE_CLEANUP(cleanup_free) char *buf = mem_alloc(ENTRY_BYTES);
	struct passwd pw, *found = NULL;
	uint32_t uid;

	if (getpwnam_r(user, &pw, buf, ENTRY_BYTES, &found) == 0 && found != NULL) {
		take_entry(&pw, a);
		return true;
	}
	if (!parse_id(user, &uid))
		return false;
	/* A number needs no entry: containers often have none. */
	if (!find_uid(uid, a)) {
		a->uid = uid;
		a->gid = uid;
	}
	return true;
}

static bool find_group(const char *group, gid_t *gid_r)
{
	HALE_CLEANUP(cleanup_free) char *buf = mem_alloc(ENTRY_BYTES);
	struct group gr, *found = NULL;
	uint32_t gid;

	if (getgrnam_r(group, &gr, buf, ENTRY_BYTES, &found) == 0 && found != NULL) {
		*gid_r = gr.gr_gid;
		return true;
	}
	if (!parse_id(group, &gid))
		return false;
	*gid_r = gid;
	return true;
}

static void take_groups(const struct account *a, struct spawn_rights *rights)
{
	int n = GROUPS_FIRST;

	if (a->name == NULL) {
		rights->groups = mem_array(1, sizeof(*rights->groups));
		rights->groups[0] = a->gid;
		rights->groups_n = 1;
		return;
	}
	rights->groups = mem_array((size_t)n, sizeof(*rights->groups));
	while (getgrouplist(a->name, a->gid, rights->groups, &n) < 0 && n <= GROUPS_MAX)
		rights->groups = mem_grow(rights->groups, (size_t)n, sizeof(*rights->groups));
	rights->groups_n = (size_t)n;
}

static void tell_environment(const struct account *a, json_t *environment)
{
	HALE_CLEANUP(cleanup_free)
	char *name = a->name != NULL ? mem_dup(a->name) : mem_printf("%u", a->uid);

	json_object_set_new(environment, "USER", json_string(name));
	json_object_set_new(environment, "LOGNAME", json_string(name));
	json_object_set_new(environment, "HOME", json_string(a->home != NULL ? a->home : "/"));
	json_object_set_new(
		environment, "SHELL",
		json_string(a->shell != NULL && a->shell[0] != '\0' ? a->shell : "/bin/sh"));
}

static void refuse(const struct place *place, const char *at, const char *what, const char *name)
{
	HALE_CLEANUP(cleanup_free)
	char *hint = mem_printf("start haled as root, or as this %s, or leave it out", what);

	place_error(place, at, hint,
		    "to run a program as %s '%s' haled must run as root, not as uid %u", what, name,
		    geteuid());
}

void account_read(const struct place *place, const char *pointer, const char *user,
		  const char *group, struct spawn_rights *rights, json_t *environment)
{
	HALE_CLEANUP(cleanup_free) char *at_user = mem_printf("%s/user", pointer);
	HALE_CLEANUP(cleanup_free) char *at_group = mem_printf("%s/group", pointer);
	HALE_CLEANUP(account_done)
	struct account a = {.uid = geteuid(), .gid = getegid()};
	bool is_root = geteuid() == 0;

	if (user != NULL && !find_user(user, &a)) {
		place_error(place, at_user, "create it (useradd --system), or correct the name",
			    "there is no user '%s' on this machine", user);
		return;
	}
	if (user == NULL && find_uid(geteuid(), &a))
		a.gid = getegid();
	if (group != NULL && !find_group(group, &a.gid)) {
		place_error(place, at_group, "create it (groupadd --system), or correct the name",
			    "there is no group '%s' on this machine", group);
		return;
	}
	tell_environment(&a, environment);
	if (a.uid == geteuid() && a.gid == getegid())
		return;
	if (!is_root && a.uid != geteuid()) {
		refuse(place, at_user, "user", user);
		return;
	}
	if (!is_root) {
		/* Without `group` it is the user's own that differs from what haled was given. */
		if (group != NULL)
			refuse(place, at_group, "group", group);
		return;
	}
	rights->has_user = true;
	rights->user = mem_dup(user);
	rights->uid = a.uid;
	rights->gid = a.gid;
	take_groups(&a, rights);
}

bool account_is_own(const char *user)
{
	HALE_CLEANUP(account_done) struct account a = {0};

	return find_user(user, &a) && a.uid == geteuid();
}
