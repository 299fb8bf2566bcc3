/* SPDX-License-Identifier: Apache-2.0 */
#include "service/confine.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MIB ((rlim_t)1 << 20)

/* AddressSanitizer maps terabytes of shadow and would die of a limit on data. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif
#else
#define IS_SANITIZED false
#endif

/* The first row whose pattern fits (fnmatch) holds; the last one fits everything. */
static const struct confine_row {
	const char *service;
	rlim_t nofile;         /* open files; checks and clients are connections */
	rlim_t data_bytes;     /* a leak ends here, in a restart, and not in the machine's swap */
	bool no_new_privs;     /* no setuid program may be started from here */
	bool is_secret_holder; /* not dumpable: no core, no ptrace, closed /proc/<pid> */
} rows[] = {
	/* Nagios plugins may be setuid (check_icmp), call sudo, or be a whole JVM. */
	{"check.exec*", 8192, RLIM_INFINITY, false, false},
	/* A thousand checks at once, each a connection, are the runner's limit. */
	{"check.*", 8192, 1024 * MIB, true, false},
	{"notifier", 1024, 1024 * MIB, true, true},
	/* Rows of a source are JSON in memory while a plan is made. */
	{"reconciler", 1024, 4096 * MIB, true, true},
	{"recorder", 1024, 1024 * MIB, true, false},
	{"web", 16384, 2048 * MIB, true, true},
	{"*", 1024, 1024 * MIB, true, false},
};

static const struct confine_row *row_for(const char *service)
{
	for (size_t i = 0; i < ARRAY_LEN(rows) - 1; i++) {
		if (fnmatch(rows[i].service, service, 0) == 0)
			return &rows[i];
	}
	return &rows[ARRAY_LEN(rows) - 1];
}

static void tell(struct str *report, const char *measure, int rc, const char *value)
{
	if (rc == 0)
		str_addf(report, "%s: %s\n", measure, value);
	else
		str_addf(report, "%s: not allowed (%s)\n", measure, strerrorname_np(-rc));
}

/* The hard limit is lowered too, so that it binds; it is never raised. */
static int limit(int resource, rlim_t wanted, rlim_t *set_r)
{
	struct rlimit old;
	struct rlimit new;

	if (getrlimit((__rlimit_resource_t)resource, &old) < 0)
		return -errno;
	new.rlim_max = HALE_MIN(old.rlim_max, wanted);
	new.rlim_cur = new.rlim_max;
	if (setrlimit((__rlimit_resource_t)resource, &new) < 0)
		return -errno;
	*set_r = new.rlim_cur;
	return 0;
}

static void apply_limit(struct str *report, const char *measure, int resource, rlim_t wanted)
{
	HALE_CLEANUP(str_done) struct str value = {0};
	rlim_t set = 0;
	int rc = limit(resource, wanted, &set);

	str_addf(&value, "%" PRIuMAX, (uintmax_t)set);
	tell(report, measure, rc, str_text(&value));
}

void service_confine(const char *service, struct str *report)
{
	const struct confine_row *row = row_for(service);

	if (row->no_new_privs)
		tell(report, "no_new_privs",
		     prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0, "on");
	if (row->is_secret_holder)
		tell(report, "dumpable", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0,
		     "off");
	apply_limit(report, "rlimit nofile", RLIMIT_NOFILE, row->nofile);
	if (!IS_SANITIZED && row->data_bytes != RLIM_INFINITY)
		apply_limit(report, "rlimit data", RLIMIT_DATA, row->data_bytes);
}
