/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor_host.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "service/confine.h"

/* The newest ABI that hale asks for something of: signals stay within a process. */
#define LANDLOCK_WANTED   6
/* A day of history of a large installation; below it the recorder may stop storing any time. */
#define SPACE_MIN_BYTES   ((uint64_t)256 << 20)
/* What the table gives the web process; a lower limit of haled's is a lower limit of its. */
#define NOFILE_WANTED     16384
#define PROC_FILE_MAX     65536
#define SECCOMP_AVAILABLE "/proc/sys/kernel/seccomp/actions_avail"

static void add(json_t *list, const char *check, const char *state, const char *advice,
		const char *fmt, ...) HALE_PRINTF(5, 6);

static void add(json_t *list, const char *check, const char *state, const char *advice,
		const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str detail = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&detail, fmt, args);
	va_end(args);
	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "state", state,
					"detail", str_text(&detail), "advice", advice));
}

/* ---- The kernel ---- */

static void look_at_kernel(json_t *list)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct utsname name;

	if (uname(&name) == 0)
		add(list, "kernel", "ok", NULL, "%s %s %s", name.sysname, name.release,
		    name.machine);
	if (abi < 0)
		add(list, "landlock", "bad",
		    "start Linux 5.13 or newer with landlock in its lsm= list; in a container, "
		    "let the runtime's seccomp profile pass it",
		    "%s", errno == ENOSYS ? "not in this kernel" : "switched off");
	else if (abi < LANDLOCK_WANTED)
		add(list, "landlock", "note", "Linux 6.12 knows all that hale asks for",
		    "ABI %ld: files, %s", abi, abi >= 4 ? "TCP" : "neither TCP nor signals");
	else
		add(list, "landlock", "ok", NULL, "ABI %ld: files, TCP, signals", abi);
	if (access(SECCOMP_AVAILABLE, F_OK) == 0)
		add(list, "seccomp", "ok", NULL, "filters are available");
	else
		add(list, "seccomp", "bad", "start a kernel with CONFIG_SECCOMP_FILTER",
		    "this kernel has no filters");
}

static void look_at_clock(json_t *list)
{
	struct timex clock = {0};
	int state = adjtimex(&clock);

	if (state < 0)
		add(list, "clock", "note", NULL, "cannot be asked: %s", strerror(errno));
	else if (state == TIME_ERROR || (clock.status & STA_UNSYNC) != 0)
		add(list, "clock", "note",
		    "run chrony or systemd-timesyncd: ages and times of alerts depend on it",
		    "the kernel does not count it as synchronised");
	else
		add(list, "clock", "ok", NULL, "synchronised, within %ld ms",
		    clock.maxerror / 1000);
}

/* ---- haled ---- */

/* The line of a /proc file that begins so; behind the name and blanks. Caller frees; NULL: none. */
static char *proc_line(int pid, const char *file, const char *name)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/%s", pid, file);
	HALE_CLEANUP(str_done) struct str text = {0};
	char *save = NULL;

	if (file_read(path, PROC_FILE_MAX, &text, NULL) < 0 || text.len == 0)
		return NULL;
	for (char *line = strtok_r(text.data, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (str_starts(line, name)) {
			line += strlen(name);
			return mem_dup(line + strspn(line, " \t"));
		}
	}
	return NULL;
}

static void user_text(uid_t uid, struct str *out)
{
	const struct passwd *user = getpwuid(uid);

	if (user != NULL)
		str_add(out, user->pw_name);
	else
		str_addf(out, "uid %u", (unsigned)uid);
}

static void look_at_haled(json_t *list, int pid)
{
	HALE_CLEANUP(cleanup_free) char *uids = proc_line(pid, "status", "Uid:");
	HALE_CLEANUP(cleanup_free) char *caps = proc_line(pid, "status", "CapEff:");
	HALE_CLEANUP(cleanup_free) char *files = proc_line(pid, "limits", "Max open files");
	HALE_CLEANUP(str_done) struct str user = {0};
	HALE_CLEANUP(str_done) struct str capabilities = {0};
	unsigned long hard = 0;

	if (uids == NULL || caps == NULL) {
		add(list, "haled", "note", "ask as root, or as haled's user", "/proc/%d is closed",
		    pid);
		return;
	}
	user_text((uid_t)strtoul(uids, NULL, 10), &user);
	confine_capabilities_text(strtoull(caps, NULL, 16), &capabilities);
	add(list, "haled", "ok", NULL, "pid %d, user %s, capabilities: %s", pid, str_text(&user),
	    str_text(&capabilities));
	/* Soft and hard limit, in this order. */
	if (files != NULL && sscanf(files, "%*s %lu", &hard) == 1 && hard < NOFILE_WANTED)
		add(list, "open files", "note", "LimitNOFILE=16384 in the unit, or ulimit -n",
		    "haled may have %lu; its web process asks for %d", hard, NOFILE_WANTED);
	else if (files != NULL)
		add(list, "open files", "ok", NULL, "enough for all processes");
}

/* ---- Files ---- */

/* What the one who asks may not see need not be wrong. */
static const char *ask_as(int error)
{
	return error == EACCES ? "ask as root, or as haled's user" : NULL;
}

static void look_at_directory(json_t *list, const char *check, const char *path)
{
	HALE_CLEANUP(str_done) struct str owner = {0};
	struct stat st;

	if (stat(path, &st) < 0) {
		add(list, check, errno == EACCES ? "note" : "bad", ask_as(errno), "%s: %s", path,
		    strerror(errno));
		return;
	}
	user_text(st.st_uid, &owner);
	if ((st.st_mode & S_IRWXO) != 0) {
		HALE_CLEANUP(cleanup_free) char *advice = mem_printf("chmod o-rwx %s", path);

		add(list, check, "bad", advice, "%s is open to everybody (mode %04o)", path,
		    (unsigned)(st.st_mode & 07777));
		return;
	}
	add(list, check, "ok", NULL, "%s, mode %04o, of %s", path, (unsigned)(st.st_mode & 07777),
	    str_text(&owner));
}

static void look_at_space(json_t *list, const char *path)
{
	struct statvfs fs;
	uint64_t bytes;
	double gb;

	if (statvfs(path, &fs) < 0)
		return;
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	gb = (double)bytes / 1e9;
	if (bytes < SPACE_MIN_BYTES)
		add(list, "free space", "bad", "make room, or shorten store.retention",
		    "%.1f GB left for %s", gb, path);
	else
		add(list, "free space", "ok", NULL, "%.1f GB for %s", gb, path);
}

static void look_at_config(json_t *list, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		add(list, "configuration", errno == EACCES ? "note" : "bad", ask_as(errno),
		    "%s: %s", path, strerror(errno));
	} else if ((st.st_mode & S_IROTH) != 0) {
		HALE_CLEANUP(cleanup_free) char *advice = mem_printf("chmod o-r %s", path);

		add(list, "configuration", "note", advice,
		    "%s is readable by everybody; secrets belong elsewhere then", path);
	} else {
		add(list, "configuration", "ok", NULL, "%s, mode %04o", path,
		    (unsigned)(st.st_mode & 07777));
	}
}

json_t *doctor_host(const struct doctor_host *h)
{
	json_t *list = json_array();

	look_at_kernel(list);
	if (h->pid > 0)
		look_at_haled(list, h->pid);
	else
		add(list, "haled", "bad", "start it", "no hale is running in %s", h->run_dir);
	look_at_directory(list, "run directory", h->run_dir);
	if (h->state_dir != NULL) {
		look_at_directory(list, "state directory", h->state_dir);
		look_at_space(list, h->state_dir);
	}
	if (h->config != NULL)
		look_at_config(list, h->config);
	look_at_clock(list);
	return list;
}
