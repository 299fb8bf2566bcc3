/* SPDX-License-Identifier: Apache-2.0 */
#include "proc_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024u

/* Fields of /proc/PID/stat behind the name, counted from the state as 0. */
enum {
	STAT_PARENT = 1,
	STAT_USER = 11,
	STAT_SYSTEM = 12,
	STAT_THREADS = 17,
	STAT_START = 19,
	STAT_RSS = 21,
	STAT_N
};

static bool read_fields(const char *text, int64_t fields[STAT_N])
{
	for (size_t i = 1; i < STAT_N; i++) {
		char *end;

		fields[i] = strtoll(text, &end, 10);
		if (end == text || (*end != ' ' && *end != '\n' && *end != '\0'))
			return false;
		text = end;
	}
	return true;
}

/* The name is in parentheses and may hold any byte, ") S 1 (" among them: it ends at the last. */
int proc_stat_parse(const char *text, struct proc_stat *stat_r)
{
	const char *open = strchr(text, '(');
	const char *close = strrchr(text, ')');
	int64_t fields[STAT_N];
	struct proc_stat stat = {0};

	if (!isdigit((unsigned char)*text) || open == NULL || close == NULL || close < open ||
	    close[1] != ' ' || !isalpha((unsigned char)close[2]) || !read_fields(close + 3, fields))
		return -EINVAL;
	stat.pid = (pid_t)strtol(text, NULL, 10);
	stat.parent = (pid_t)fields[STAT_PARENT];
	(void)snprintf(stat.name, sizeof(stat.name), "%.*s", (int)(close - open - 1), open + 1);
	stat.state = close[2];
	stat.cpu_ticks = (uint64_t)fields[STAT_USER] + (uint64_t)fields[STAT_SYSTEM];
	stat.start_ticks = (uint64_t)fields[STAT_START];
	stat.threads = fields[STAT_THREADS];
	stat.rss_pages = fields[STAT_RSS];
	if (stat.pid <= 0 || stat.threads < 0 || stat.rss_pages < 0)
		return -EINVAL;
	*stat_r = stat;
	return 0;
}

/* The text behind "name" at the beginning of a line, or NULL. */
static const char *find(const char *text, const char *name)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (str_starts(line, name))
			return line + strlen(name);
	}
	return NULL;
}

static bool read_number(const char *text, uint64_t *number_r)
{
	if (text == NULL)
		return false;
	text += strspn(text, " \t");
	if (!isdigit((unsigned char)*text))
		return false;
	*number_r = strtoull(text, NULL, 10);
	return true;
}

/* "Uid:	real	effective	saved	fs" */
int proc_uid_parse(const char *status, uid_t *uid_r)
{
	const char *at = find(status, "Uid:");
	uint64_t uid;

	if (!read_number(at, &uid))
		return -EINVAL;
	at += strspn(at, " \t");
	at += strspn(at, "0123456789");
	if (!read_number(at, &uid))
		return -EINVAL;
	*uid_r = (uid_t)uid;
	return 0;
}

int proc_io_parse(const char *text, struct proc_io *io_r)
{
	struct proc_io io;

	if (!read_number(find(text, "read_bytes:"), &io.read_bytes) ||
	    !read_number(find(text, "write_bytes:"), &io.written_bytes))
		return -EINVAL;
	*io_r = io;
	return 0;
}

int proc_pss_parse(const char *rollup, uint64_t *bytes_r)
{
	uint64_t kib;

	if (!read_number(find(rollup, "Pss:"), &kib) || kib > UINT64_MAX / KIB)
		return -EINVAL;
	*bytes_r = kib * KIB;
	return 0;
}

void proc_command_add(const char *cmdline, size_t len, struct str *out)
{
	while (len > 0 && cmdline[len - 1] == '\0')
		len--;
	for (size_t i = 0; i < len; i++)
		str_addc(out, cmdline[i] == '\0' || cmdline[i] == '\n' ? ' ' : cmdline[i]);
}

/* Between slashes, or the whole rest. */
static bool has_name(const char *path, size_t len, const char *unit)
{
	size_t unit_len = strlen(unit);

	for (size_t i = 0; i + unit_len <= len; i++) {
		const bool begins = *unit == '/' ? i == 0 : i > 0 && path[i - 1] == '/';
		const bool ends = i + unit_len == len || path[i + unit_len] == '/';

		if (begins && ends && memcmp(path + i, unit, unit_len) == 0)
			return true;
	}
	return false;
}

/* "0::/system.slice/nginx.service", and with version 1 "4:memory:/…" */
bool proc_is_in_group(const char *cgroup, const char *unit)
{
	if (*unit == '\0')
		return false;
	for (const char *line = cgroup; *line != '\0'; line += *line == '\n') {
		size_t len = strcspn(line, "\n");
		const char *path = memchr(line, '/', len);

		if (path != NULL && has_name(path, len - (size_t)(path - line), unit))
			return true;
		line += len;
	}
	return false;
}

int proc_pid_parse(const char *pidfile, pid_t *pid_r)
{
	char *end;
	long pid;

	pidfile += strspn(pidfile, " \t\n");
	if (!isdigit((unsigned char)*pidfile))
		return -EINVAL;
	pid = strtol(pidfile, &end, 10);
	/* Some have more lines (PostgreSQL's has eight). */
	if (pid <= 0 || pid > INT32_MAX || (*end != '\0' && strchr(" \t\r\n", *end) == NULL))
		return -EINVAL;
	*pid_r = (pid_t)pid;
	return 0;
}
