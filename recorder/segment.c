/* SPDX-License-Identifier: Apache-2.0 */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static const char magic[10] = "halespool";
static const char letters[LINE_CLASS_MAX] = {
	[LINE_RESULT] = 'r', [LINE_OTHER] = 'o', [LINE_TRANSITION] = 't'};

#define VERSION_AT 10
#define CLASS_AT   12
#define FIRST_AT   16
#define SUM_AT     28

/* Beyond this a file is none that we wrote: a segment is about a megabyte, or one line. */
#define FILE_MAX_BYTES (RECORD_MAX_BYTES + ((size_t)4 << 20))

void segment_name(const struct segment *s, char name_r[SEGMENT_NAME_MAX])
{
	(void)snprintf(name_r, SEGMENT_NAME_MAX, "%c-%016" PRIx64 ".lines", letters[s->class],
		       s->first);
}

bool segment_from_name(const char *name, struct segment *s_r)
{
	const char *letter = name[0] == '\0' ? NULL : memchr(letters, name[0], sizeof(letters));
	char again[SEGMENT_NAME_MAX];
	struct segment s = {0};

	if (letter == NULL || name[1] != '-')
		return false;
	s.class = (enum line_class)(letter - letters);
	s.first = strtoull(name + 2, NULL, 16);
	segment_name(&s, again);
	if (strcmp(name, again) != 0)
		return false;
	*s_r = s;
	return true;
}

static int fail(const struct segment *s, int rc, struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	segment_name(s, name);
	return err_errno(err, rc, "%s", name);
}

static int open_file(int dir, const struct segment *s, int flags, int *fd_r, struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	segment_name(s, name);
	*fd_r = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *fd_r < 0 ? fail(s, -errno, err) : 0;
}

int segment_create(int dir, struct segment *s, int *fd_r, struct err *err)
{
	char head[SEGMENT_HEAD_BYTES] = {0};
	char name[SEGMENT_NAME_MAX];
	int rc = open_file(dir, s, O_RDWR | O_CREAT | O_TRUNC, fd_r, err);

	if (rc < 0)
		return rc;
	memcpy(head, magic, sizeof(magic));
	record_put(head + VERSION_AT, SEGMENT_VERSION, 2);
	record_put(head + CLASS_AT, s->class, 4);
	record_put(head + FIRST_AT, s->first, 8);
	record_put(head + SUM_AT, record_crc(head, SUM_AT), 4);
	rc = fd_write(*fd_r, head, sizeof(head));
	s->size = s->read_at = SEGMENT_HEAD_BYTES;
	s->lines = 0;
	if (rc < 0) {
		(void)close(*fd_r);
		segment_name(s, name);
		(void)unlinkat(dir, name, 0);
		return fail(s, rc, err);
	}
	return 0;
}

int segment_append(struct segment *s, int fd, const char *records, size_t len, struct err *err)
{
	int rc = fd_write(fd, records, len);

	if (rc < 0)
		return fail(s, rc, err);
	s->size += len;
	return 0;
}

/* --- reading --- */

static int check_head(const struct segment *s, const char *data, size_t len, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	unsigned version;

	segment_name(s, name);
	if (len < SEGMENT_HEAD_BYTES || memcmp(data, magic, sizeof(magic)) != 0 ||
	    record_get(data + SUM_AT, 4) != record_crc(data, SUM_AT))
		return err_set(err, -EBADMSG, "%s: is no file of the spool", name);
	version = (unsigned)record_get(data + VERSION_AT, 2);
	if (version != SEGMENT_VERSION)
		return err_set(err, -EPROTONOSUPPORT, "%s: is of version %u, this is %d", name,
			       version, SEGMENT_VERSION);
	if (record_get(data + CLASS_AT, 4) != (uint64_t)s->class ||
	    record_get(data + FIRST_AT, 8) != s->first)
		return err_set(err, -EBADMSG, "%s: has another name inside", name);
	return 0;
}

static void note_good(struct segment *s, const struct record *r, struct segment_found *found)
{
	s->size += r->size;
	s->last = r->number;
	if (r->number <= found->after)
		s->read_at = s->size;
	else
		s->lines++;
	if (r->number < found->last)
		return;
	found->last = r->number;
	found->last_seq = r->line.seq;
	(void)snprintf(found->epoch, sizeof(found->epoch), "%s", r->line.epoch);
}

/* Whole lines that nobody noted: the append they belong to did not end. */
static void count_cut(const char *data, size_t len, struct segment_found *found)
{
	struct record r;

	for (size_t at = 0; record_check(data + at, len - at, &r); at += r.size)
		found->cut_lines++;
	found->cut_bytes += len;
}

static void scan(struct segment *s, const char *data, size_t len, struct segment_found *found)
{
	struct record r;
	size_t at = SEGMENT_HEAD_BYTES;

	s->size = s->read_at = at;
	s->lines = 0;
	s->last = 0;
	while (record_check(data + at, len - at, &r) && r.number > s->last &&
	       r.number <= found->until) {
		note_good(s, &r, found);
		at += r.size;
	}
}

/* What follows the good part of a file. Torn by a kill, or damaged? A record of the right place
 * whose sum is wrong is damage: of what was torn not even the number was noted. */
static bool is_damage(const struct segment *s, const char *rest, size_t len, bool is_newest,
		      const struct segment_found *found)
{
	uint64_t number;

	if (!is_newest)
		return true;
	if (record_wants(rest, len) == 0 || found->until == UINT64_MAX)
		return false;
	number = record_number(rest);
	return number > s->last && number <= found->until;
}

static int settle_rest(struct segment *s, int fd, const struct str *data, bool is_newest,
		       struct segment_found *found, struct err *err)
{
	const char *rest = data->data + s->size;
	size_t len = data->len - (size_t)s->size;

	if (len == 0)
		return 0;
	s->is_damaged = is_damage(s, rest, len, is_newest, found);
	if (s->is_damaged)
		return 0;
	count_cut(rest, len, found);
	return ftruncate(fd, (off_t)s->size) == 0 ? 0 : fail(s, -errno, err);
}

int segment_scan(int dir, struct segment *s, bool is_newest, struct segment_found *found,
		 struct err *err)
{
	HALE_CLEANUP(str_done) struct str data = {0};
	int fd;
	int rc = open_file(dir, s, O_RDWR, &fd, err);

	if (rc < 0)
		return rc;
	rc = file_read_fd(fd, FILE_MAX_BYTES, &data);
	rc = rc < 0 ? fail(s, rc, err) : check_head(s, str_text(&data), data.len, err);
	if (rc == 0) {
		scan(s, data.data, data.len, found);
		rc = settle_rest(s, fd, &data, is_newest, found, err);
	}
	(void)close(fd);
	return rc;
}

int segment_read(int dir, const struct segment *s, char *to, size_t len, size_t *len_r,
		 struct err *err)
{
	size_t want = (size_t)HALE_MIN((uint64_t)len, s->size - s->read_at);
	size_t got = 0;
	ssize_t n = 1;
	int fd;
	int rc = open_file(dir, s, O_RDONLY, &fd, err);

	if (rc < 0)
		return rc;
	while (got < want && n > 0) {
		n = pread(fd, to + got, want - got, (off_t)(s->read_at + got));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			rc = fail(s, -errno, err);
		else
			got += (size_t)n;
	}
	(void)close(fd);
	if (rc == 0)
		*len_r = got;
	return rc;
}
