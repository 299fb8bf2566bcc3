/* SPDX-License-Identifier: Apache-2.0 */
#include "service/confine.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

#define MIB            ((rlim_t)1 << 20)
#define CAP(name)      (UINT64_C(1) << CAP_##name)
/* Of a process that runs as root: files that the configuration names may belong to anybody, and
 * Landlock says which these are. Who runs as another user has none to keep. */
#define READS_ANYBODYS CAP(DAC_READ_SEARCH)
#define OWNS_FILES     (CAP(DAC_READ_SEARCH) | CAP(DAC_OVERRIDE))

/* So few are named as what is lacking. */
#define LACKING_MAX 16

#define IF_ASKED CONFINE_NET_IF_ASKED
#define CONNECT  CONFINE_NET_CONNECT
#define LISTEN   CONFINE_NET_LISTEN

/* The first row whose pattern fits holds; the last one fits everything. */
/* clang-format off */
static const struct confine_row rows[] = {
	/* Nagios plugins may be setuid (check_icmp), call sudo, look into containers, or be a whole
	 * JVM: they may do what their user may. */
	{"check.exec*",   "hale", CONFINE_CAPABILITIES_ALL, CONFINE_FILES_ANY, NULL,
	 CONNECT | LISTEN, CONFINE_CALLS_MACHINE, 8192, RLIM_INFINITY, true},
	{"check.null*",   "hale", READS_ANYBODYS, CONFINE_FILES_CONFIGURED, NULL, CONFINE_NET_NONE,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, false},
	/* The bus is a local socket. */
	{"check.systemd*", "hale", READS_ANYBODYS, CONFINE_FILES_CONFIGURED, NULL, CONFINE_NET_NONE,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, false},
	{"check.system*", "hale", READS_ANYBODYS, CONFINE_FILES_CONFIGURED, NULL, CONFINE_NET_NONE,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, false},
	/* Landlock hides from a process what those outside of its domain have open and read. */
	{"check.process*", "hale", READS_ANYBODYS | CAP(SYS_PTRACE), CONFINE_FILES_ANY,
	 NULL, CONFINE_NET_NONE, CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, false},
	{"check.sql*",    "hale", READS_ANYBODYS, CONFINE_FILES_CONFIGURED, NULL, IF_ASKED,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, true},
	/* Takes pings from web's hands, and keeps them. */
	{"check.heartbeat*", "hale", OWNS_FILES, CONFINE_FILES_WRITE_STATE, "heartbeat",
	 CONFINE_NET_NONE, CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, true},
	{"check.schedule*", "hale", READS_ANYBODYS, CONFINE_FILES_READ_STATE, "heartbeat", IF_ASKED,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, true},
	{"check.file*",   "hale", READS_ANYBODYS, CONFINE_FILES_CONFIGURED, NULL, CONFINE_NET_NONE,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, false},
	{"check.icmp*",   "hale", CAP(NET_RAW), CONFINE_FILES_CONFIGURED, NULL, CONNECT,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, true},
	/* A thousand checks at once, each a connection, are the runner's limit. */
	{"check.*",       "hale", READS_ANYBODYS, CONFINE_FILES_CONFIGURED, NULL, CONNECT,
	 CONFINE_CALLS_SERVICE, 8192, 1024 * MIB, true},
	{"notifier",      "hale", OWNS_FILES, CONFINE_FILES_WRITE_STATE, NULL, CONNECT,
	 CONFINE_CALLS_SERVICE, 1024, 1024 * MIB, true},
	/* Rows of a source are JSON in memory while a plan is made. */
	{"reconciler",    "hale", OWNS_FILES, CONFINE_FILES_WRITE_STATE, NULL, CONNECT,
	 CONFINE_CALLS_SERVICE, 1024, 4096 * MIB, true},
	{"recorder",      "hale", OWNS_FILES, CONFINE_FILES_WRITE_STATE, NULL, IF_ASKED,
	 CONFINE_CALLS_SERVICE, 1024, 1024 * MIB, true},
	{"web",           "hale", READS_ANYBODYS | CAP(NET_BIND_SERVICE), CONFINE_FILES_READ_STATE,
	 NULL, LISTEN | IF_ASKED, CONFINE_CALLS_SERVICE, 16384, 2048 * MIB, true},
	{"*",             "hale", OWNS_FILES, CONFINE_FILES_WRITE_STATE, NULL, CONNECT,
	 CONFINE_CALLS_SERVICE, 1024, 1024 * MIB, true},
};
/* clang-format on */

const struct confine_row *confine_row_for(const char *service)
{
	for (size_t i = 0; i < ARRAY_LEN(rows) - 1; i++) {
		if (fnmatch(rows[i].service, service, 0) == 0)
			return &rows[i];
	}
	return &rows[ARRAY_LEN(rows) - 1];
}

/* ---- The same in words ---- */

/* Those that rows keep, and what a process may have got besides. */
static const char *const capability_names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

static void add_names(uint64_t capabilities, struct str *out)
{
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_LEN(capability_names); i++) {
		if ((capabilities >> i & 1) == 0)
			continue;
		str_addf(out, "%s%s", separator, capability_names[i]);
		separator = ", ";
	}
}

/* A container's root lacks a few, and a list of forty tells nobody which. */
void confine_capabilities_text(uint64_t capabilities, struct str *out)
{
	const uint64_t known = (UINT64_C(1) << ARRAY_LEN(capability_names)) - 1;
	const uint64_t lacking = known & ~capabilities;

	if ((capabilities & known) == 0) {
		str_add(out, "none");
	} else if (__builtin_popcountll(lacking) < LACKING_MAX) {
		str_add(out, lacking == 0 ? "all" : "all but ");
		add_names(lacking, out);
	} else {
		add_names(capabilities, out);
	}
}

const char *confine_network_text(unsigned network)
{
	switch (network) {
	case CONFINE_NET_NONE:
		return "none";
	case IF_ASKED:
		return "none; connect if a database is asked";
	case CONNECT:
		return "connect";
	case LISTEN:
		return "listen";
	case LISTEN | IF_ASKED:
		return "listen; connect if a database is asked";
	default:
		return "any";
	}
}

static void files_text(const struct confine_row *row, struct str *out)
{
	switch (row->files) {
	case CONFINE_FILES_CONFIGURED:
		str_add(out, "read: configured");
		break;
	case CONFINE_FILES_READ_STATE:
		str_add(out, "read: configured, state");
		break;
	case CONFINE_FILES_WRITE_STATE:
		str_add(out, "write: configured, state");
		break;
	case CONFINE_FILES_ANY:
		str_add(out, "any");
		return;
	}
	if (row->state != NULL)
		str_addf(out, "/%s", row->state);
}

static void limits_text(const struct confine_row *row, struct str *out)
{
	str_addf(out, "%ju files", (uintmax_t)row->nofile);
	if (row->data_bytes != RLIM_INFINITY)
		str_addf(out, ", %ju MiB", (uintmax_t)(row->data_bytes / MIB));
	if (row->is_secret_holder)
		str_add(out, ", no core");
}

json_t *confine_table(void)
{
	json_t *table = json_array();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct confine_row *row = &rows[i];
		bool is_free = row->calls == CONFINE_CALLS_MACHINE;
		HALE_CLEANUP(str_done) struct str capabilities = {0};
		HALE_CLEANUP(str_done) struct str files = {0};
		HALE_CLEANUP(str_done) struct str limits = {0};

		files_text(row, &files);
		confine_capabilities_text(row->capabilities, &capabilities);
		limits_text(row, &limits);
		json_array_append_new(
			table, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "process",
					 row->service, "user", row->user, "capabilities",
					 str_text(&capabilities), "files", str_text(&files),
					 "network", confine_network_text(row->network), "programs",
					 is_free ? "yes" : "no", "system_calls",
					 is_free ? "all but the machine's" : "filtered", "limits",
					 str_text(&limits)));
	}
	return table;
}
