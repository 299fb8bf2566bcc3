/* SPDX-License-Identifier: Apache-2.0 */
#include "proc_usage.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* Each of these files is a few hundred bytes. */
#define FILE_BYTES_MAX 65536

static int read_text(pid_t pid, const char *name, struct str *out)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("/proc/%lld/%s", (long long)pid, name);

	return file_read(path, FILE_BYTES_MAX, out, NULL);
}

static int64_t read_pss(pid_t pid)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int64_t bytes;

	if (read_text(pid, "smaps_rollup", &text) < 0 ||
	    procinfo_pss_parse(str_text(&text), &bytes) < 0)
		return -1;
	return bytes;
}

static int64_t count_fds(pid_t pid)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("/proc/%lld/fd", (long long)pid);
	DIR *dir = opendir(path);
	int64_t n = 0;

	if (dir == NULL)
		return -1;
	for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

int proc_usage_read(pid_t pid, struct proc_usage *usage_r)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct proc_usage usage;
	int rc = read_text(pid, "stat", &text);

	if (rc == 0)
		rc = procinfo_stat_parse(str_text(&text), &usage.stat);
	if (rc < 0)
		return rc;
	usage.rss_bytes = usage.stat.rss_pages * sysconf(_SC_PAGESIZE);
	usage.pss_bytes = read_pss(pid);
	usage.fds = count_fds(pid);
	*usage_r = usage;
	return 0;
}
