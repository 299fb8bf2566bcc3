/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/orphans.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* A list of that many bytes is tens of thousands of processes. */
#define CHILDREN_BYTES_MAX (1u << 20)
/* Environments are smaller; what is behind this is not looked at. */
#define ENVIRON_BYTES_MAX  (4u << 20)
/* Deeper families than this are let go: each level is one more file to read. */
#define DEPTH_MAX          32

static bool read_proc(pid_t pid, const char *file, size_t max_bytes, struct str *out)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return file_read(path, max_bytes, out, NULL) == 0;
}

/* Of its main thread: haled forks from no other, and orphans come to that one. */
static bool read_children(pid_t pid, struct str *out)
{
	char file[48];

	(void)snprintf(file, sizeof(file), "task/%d/children", (int)pid);
	return read_proc(pid, file, CHILDREN_BYTES_MAX, out);
}

/* The next number of "123 456 ", or 0. */
static pid_t next_pid(const char **text)
{
	char *end = NULL;
	long pid = strtol(*text, &end, 10);

	if (end == *text)
		return 0;
	*text = end;
	return (pid_t)pid;
}

static bool has_variable(pid_t pid, const char *variable)
{
	HALE_CLEANUP(str_done) struct str env = {0};
	size_t len = strlen(variable) + 1; /* with the NUL that ends it */

	if (!read_proc(pid, "environ", ENVIRON_BYTES_MAX, &env))
		return false;
	for (size_t i = 0; i + len <= env.len; i += strlen(env.data + i) + 1) {
		if (memcmp(env.data + i, variable, len) == 0)
			return true;
	}
	return false;
}

/* Stopped first, so that nobody is born while the family is counted. */
static size_t kill_family(pid_t pid, int depth)
{
	HALE_CLEANUP(str_done) struct str children = {0};
	const char *next;
	size_t n = 0;

	if (kill(pid, SIGSTOP) < 0)
		return 0;
	if (depth < DEPTH_MAX && read_children(pid, &children)) {
		next = str_text(&children);
		for (pid_t child = next_pid(&next); child != 0; child = next_pid(&next))
			n += kill_family(child, depth + 1);
	}
	return kill(pid, SIGKILL) == 0 ? n + 1 : n;
}

size_t orphans_kill(const char *variable, pid_t group, orphans_own_fn is_own, void *ctx)
{
	HALE_CLEANUP(str_done) struct str children = {0};
	const char *next;
	size_t n = 0;

	if (!read_children(getpid(), &children))
		return 0;
	next = str_text(&children);
	for (pid_t pid = next_pid(&next); pid != 0; pid = next_pid(&next)) {
		/* A child's number is not given to another before we have reaped it. */
		if (!is_own(ctx, pid) && getpgid(pid) != group && has_variable(pid, variable))
			n += kill_family(pid, 0);
	}
	return n;
}

size_t orphans_reap(orphans_own_fn is_own, void *ctx)
{
	HALE_CLEANUP(str_done) struct str children = {0};
	const char *next;
	size_t alive = 0;

	if (!read_children(getpid(), &children))
		return 0;
	next = str_text(&children);
	for (pid_t pid = next_pid(&next); pid != 0; pid = next_pid(&next)) {
		if (!is_own(ctx, pid))
			alive += waitpid(pid, NULL, WNOHANG) == 0;
	}
	return alive;
}
