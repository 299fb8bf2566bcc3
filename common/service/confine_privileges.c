/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "service/confine_private.h"

/* The hard limit is lowered too, so that it binds; it is never raised. */
static void apply_limit(struct confine *c, const char *measure, int resource, rlim_t wanted)
{
	struct rlimit limit;
	int rc = getrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;

	limit.rlim_max = HALE_MIN(limit.rlim_max, wanted);
	limit.rlim_cur = limit.rlim_max;
	if (rc == 0 && setrlimit((__rlimit_resource_t)resource, &limit) < 0)
		rc = -errno;
	confine_tell(c, measure, rc, "%ju", (uintmax_t)limit.rlim_cur);
}

void confine_limits(struct confine *c)
{
	apply_limit(c, "rlimit nofile", RLIMIT_NOFILE, c->row->nofile);
	if (c->row->data_bytes == RLIM_INFINITY)
		confine_tell_off(c, "rlimit data", "its programs take what they need");
	else if (IS_SANITIZED)
		confine_tell_off(c, "rlimit data", "a sanitizer maps terabytes");
	else
		apply_limit(c, "rlimit data", RLIMIT_DATA, c->row->data_bytes);
}

void confine_no_new_privs(struct confine *c)
{
	if (c->row->calls == CONFINE_CALLS_MACHINE)
		confine_tell_off(c, "no_new_privs", "its programs may be setuid");
	else
		confine_tell(c, "no_new_privs",
			     prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0,
			     "no program started from here gains anything");
}

void confine_dumpable(struct confine *c)
{
	if (!c->row->is_secret_holder)
		confine_tell_off(c, "not dumpable", "holds no secrets: a core helps");
	else
		confine_tell(c, "not dumpable", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0,
			     "no core, no debugger, closed /proc/%d", (int)getpid());
}

/* ---- Capabilities ---- */

static uint64_t join(const struct __user_cap_data_struct *data, bool is_permitted)
{
	return is_permitted ? (uint64_t)data[1].permitted << 32 | data[0].permitted
			    : (uint64_t)data[1].effective << 32 | data[0].effective;
}

/* Those of the bounding set can only be dropped with CAP_SETPCAP, which is dropped last. */
static int drop_bounding(uint64_t keep)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if ((keep >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

static int set_own(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{(uint32_t)keep, (uint32_t)keep, 0},
		{(uint32_t)(keep >> 32), (uint32_t)(keep >> 32), 0},
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

void confine_capabilities(struct confine *c)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	HALE_CLEANUP(str_done) struct str kept = {0};
	uint64_t had, keep;
	int rc;

	if (c->row->capabilities == CONFINE_CAPABILITIES_ALL) {
		confine_tell_off(c, "capabilities", "its programs take what they need");
		return;
	}
	if (syscall(SYS_capget, &header, data) < 0) {
		confine_tell(c, "capabilities", -errno, "capget");
		return;
	}
	had = join(data, true);
	keep = had & c->row->capabilities;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	rc = (had & UINT64_C(1) << CAP_SETPCAP) != 0 ? drop_bounding(keep) : 0;
	if (rc == 0)
		rc = set_own(keep);
	confine_capabilities_text(keep, &kept);
	confine_tell(c, "capabilities", rc, "%s", str_text(&kept));
}
