/* SPDX-License-Identifier: Apache-2.0 */
#include "file_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define CHUNK_BYTES 65536

bool file_is_pattern(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

static void fail(struct file_look *l, const char *path, int code)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (l->error[0] != '\0')
		return;
	str_addf(&text, "%s: %s", path, strerror(code));
	(void)str_clean(l->error, sizeof(l->error), str_text(&text));
}

/* False: it is enough. */
static bool count_entry(struct file_look *l)
{
	if (atomic_load(&l->is_cancelled))
		return false;
	if (l->entries++ < FILE_ENTRIES_MAX)
		return true;
	if (l->error[0] == '\0')
		(void)snprintf(l->error, sizeof(l->error), "more than %d entries",
			       FILE_ENTRIES_MAX);
	return false;
}

static void keep(struct file_seen *kept, const struct file_seen *f)
{
	free(kept->path);
	*kept = *f;
	kept->path = mem_dup(f->path);
}

static void add(struct file_look *l, const char *path, const struct stat *st)
{
	struct file_seen f = {
		.path = (char *)(uintptr_t)path,
		.size_bytes = st->st_size,
		.modified_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};

	l->files++;
	l->total_bytes += S_ISREG(st->st_mode) ? st->st_size : 0;
	if (l->newest.path == NULL || f.modified_ms > l->newest.modified_ms)
		keep(&l->newest, &f);
	if (l->oldest.path == NULL || f.modified_ms < l->oldest.modified_ms)
		keep(&l->oldest, &f);
	if (l->plan->wants_names && l->names.n < FILE_SHOWN_MAX)
		strlist_add(&l->names, path);
}

/* Calls each(name) for the entries of a directory. */
static void each_entry(struct file_look *l, const char *path, int depth,
		       void (*each)(struct file_look *l, const char *dir, const char *name,
				    const char *rest, int depth),
		       const char *rest)
{
	DIR *dir = depth <= FILE_DEPTH_MAX ? opendir(path) : NULL;
	const struct dirent *entry = NULL;

	if (dir == NULL) {
		/* What went away meanwhile is no fault, nor is what a pattern hit by chance. */
		if (depth <= FILE_DEPTH_MAX && errno != ENOENT && errno != ENOTDIR)
			fail(l, path, errno);
		return;
	}
	while (count_entry(l) && (errno = 0, entry = readdir(dir)) != NULL) {
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			each(l, path, entry->d_name, rest, depth);
	}
	/* A list that breaks off is not a short one. */
	if (entry == NULL && errno != 0)
		fail(l, path, errno);
	(void)closedir(dir);
}

static char *join(const char *dir, const char *name)
{
	return mem_printf("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name);
}

/* ---- A directory ---- */

static void take_entry(struct file_look *l, const char *dir, const char *name, const char *rest,
		       int depth)
{
	HALE_CLEANUP(cleanup_free) char *path = join(dir, name);
	struct stat st;

	/* Links to files count, those to folders would lead in circles. */
	if (lstat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		if (l->plan->is_deep)
			each_entry(l, path, depth + 1, take_entry, rest);
		return;
	}
	if (S_ISLNK(st.st_mode) && (stat(path, &st) < 0 || S_ISDIR(st.st_mode)))
		return;
	if (S_ISREG(st.st_mode) &&
	    (l->plan->match == NULL || fnmatch(l->plan->match, name, 0) == 0))
		add(l, path, &st);
}

/* ---- A pattern, part by part ---- */

static void expand(struct file_look *l, const char *base, const char *pattern, int depth);

static void take_match(struct file_look *l, const char *dir, const char *name, const char *rest,
		       int depth)
{
	size_t len = strcspn(rest, "/");
	HALE_CLEANUP(cleanup_free) char *part = mem_dupn(rest, len);
	HALE_CLEANUP(cleanup_free) char *path = join(dir, name);

	if (fnmatch(part, name, FNM_PERIOD) == 0)
		expand(l, path, rest + len, depth + 1);
}

static void expand(struct file_look *l, const char *base, const char *pattern, int depth)
{
	size_t len;
	struct stat st;

	pattern += strspn(pattern, "/");
	len = strcspn(pattern, "/");
	HALE_CLEANUP(cleanup_free) char *part = mem_dupn(pattern, len);
	if (len == 0) {
		if (stat(base, &st) == 0)
			add(l, base, &st);
		else if (errno != ENOENT && errno != ENOTDIR)
			fail(l, base, errno);
	} else if (file_is_pattern(part)) {
		each_entry(l, base, depth, take_match, pattern);
	} else {
		HALE_CLEANUP(cleanup_free) char *path = join(base, part);

		expand(l, path, pattern + len, depth + 1);
	}
}

/* ---- The content ---- */

static int64_t begin_of(const struct file_look *l)
{
	int64_t begin = l->newest.size_bytes - l->plan->read_bytes;

	return l->plan->is_end ? HALE_MAX(begin, 0) : 0;
}

static void read_content(struct file_look *l, int fd)
{
	size_t max = (size_t)l->plan->read_bytes;
	ssize_t n = 0;

	if (lseek(fd, begin_of(l), SEEK_SET) < 0) {
		fail(l, l->newest.path, errno);
		return;
	}
	/* A file that grows is read as far as it was when it was looked at, and a little on. */
	max = HALE_MIN(max, (size_t)l->newest.size_bytes + CHUNK_BYTES);
	l->content = mem_alloc(max + 1);
	while (l->content_len < max && !atomic_load(&l->is_cancelled)) {
		n = read(fd, l->content + l->content_len,
			 HALE_MIN(max - l->content_len, (size_t)CHUNK_BYTES));
		if (n <= 0)
			break;
		l->content_len += (size_t)n;
	}
	if (n < 0)
		fail(l, l->newest.path, errno);
}

static void take_sha256(struct file_look *l, int fd)
{
	HALE_CLEANUP(cleanup_free) unsigned char *chunk = mem_alloc(CHUNK_BYTES);
	unsigned char sum[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	int64_t done = 0;
	ssize_t n;

	if (l->newest.size_bytes > FILE_HASH_MAX) {
		(void)snprintf(l->error, sizeof(l->error), "too large for a checksum (256 MB)");
		return;
	}
	(void)crypto_hash_sha256_init(&state);
	(void)lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, chunk, CHUNK_BYTES)) > 0 && done < FILE_HASH_MAX + CHUNK_BYTES &&
	       !atomic_load(&l->is_cancelled)) {
		(void)crypto_hash_sha256_update(&state, chunk, (unsigned long long)n);
		done += n;
	}
	if (n < 0)
		fail(l, l->newest.path, errno);
	(void)crypto_hash_sha256_final(&state, sum);
	(void)sodium_bin2hex(l->sha256, sizeof(l->sha256), sum, sizeof(sum));
}

static void read_newest(struct file_look *l)
{
	HALE_CLEANUP(cleanup_fd) int fd = -1;

	if (l->newest.path == NULL || !S_ISREG(l->newest.mode) ||
	    (l->plan->read_bytes == 0 && !l->plan->wants_sha256))
		return;
	fd = open(l->newest.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		fail(l, l->newest.path, errno);
		return;
	}
	if (l->plan->read_bytes > 0)
		read_content(l, fd);
	if (l->plan->wants_sha256)
		take_sha256(l, fd);
}

void file_look(struct file_look *l)
{
	const char *path = l->plan->path;
	struct stat st;

	/* A file that has such a name is no pattern. */
	if (stat(path, &st) == 0) {
		l->is_there = true;
		l->is_set = S_ISDIR(st.st_mode) && !l->plan->is_itself;
		if (l->is_set)
			each_entry(l, path, 0, take_entry, NULL);
		else
			add(l, path, &st);
	} else if (errno == ENOENT && file_is_pattern(path)) {
		l->is_set = true;
		expand(l, "/", path, 0);
		l->is_there = l->files > 0;
	} else if (errno != ENOENT && errno != ENOTDIR) {
		fail(l, path, errno);
	}
	read_newest(l);
}

void file_look_done(struct file_look *l)
{
	free(TAKE_PTR(l->newest.path));
	free(TAKE_PTR(l->oldest.path));
	free(TAKE_PTR(l->content));
	strlist_done(&l->names);
}
