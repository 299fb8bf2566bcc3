/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

#include <dirent.h>
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
#include "note.h"
#include "segment.h"

/* What is dropped at a time: the thirty-second part of the room, between these. */
#define SEGMENT_MAX_BYTES ((uint64_t)1 << 20)
#define SEGMENT_MIN_BYTES ((uint64_t)16 << 10)
#define SEGMENTS_WANTED   32
/* Read at a time, of each class. */
#define READ_BYTES        ((size_t)256 << 10)
/* Files set aside for people to look at; more would be a leak. */
#define ASIDE_MAX         16
#define ASIDE_SUFFIX      ".damaged"

/* One class: its files, the oldest first. */
struct lane {
	struct segment *v;
	size_t n, capacity;
	int fd;           /* the last one, for writing; -1: the next append begins another */
	size_t at;        /* the file that is read next */
	struct str ahead; /* bytes read and not yet taken */
	size_t ahead_at;
	bool has_next;
	struct record next; /* points into them */
};

struct spool {
	char *path;
	int dir, note_fd;
	uint64_t bytes_max, segment_bytes;
	struct note note;
	struct lane lanes[LINE_CLASS_MAX];
	uint64_t taken; /* lines up to this number have been handed out */
	struct spool_facts facts;
};

void spool_ranges_add(struct spool_ranges *r, char *data, size_t len)
{
	if (r->n > 0 && r->v[r->n - 1].data + r->v[r->n - 1].len == data) {
		r->v[r->n - 1].len += len;
		return;
	}
	if (r->n == r->capacity) {
		r->capacity = r->capacity == 0 ? 16 : 2 * r->capacity;
		r->v = mem_grow(r->v, r->capacity, sizeof(*r->v));
	}
	r->v[r->n++] = (struct spool_range){data, len};
}

void spool_ranges_done(struct spool_ranges *r)
{
	free(r->v);
	*r = (struct spool_ranges){0};
}

/* --- files --- */

static void forget_ahead(struct lane *lane)
{
	str_clear(&lane->ahead);
	lane->ahead_at = 0;
	lane->has_next = false;
}

static void set_aside(struct spool *s, const char *name)
{
	char aside[SEGMENT_NAME_MAX + sizeof(ASIDE_SUFFIX)];

	(void)snprintf(aside, sizeof(aside), "%s%s", name, ASIDE_SUFFIX);
	if (s->facts.files_set_aside++ >= ASIDE_MAX || renameat(s->dir, name, s->dir, aside) != 0)
		(void)unlinkat(s->dir, name, 0);
}

static void close_file(struct lane *lane)
{
	if (lane->fd >= 0)
		(void)close(lane->fd);
	lane->fd = -1;
}

/* The oldest file of a class goes. */
static void remove_first(struct spool *s, struct lane *lane)
{
	struct segment *first = &lane->v[0];
	char name[SEGMENT_NAME_MAX];

	segment_name(first, name);
	if (first->is_damaged)
		set_aside(s, name);
	else
		(void)unlinkat(s->dir, name, 0);
	s->facts.bytes -= first->size;
	s->facts.lines[first->class] -= first->lines;
	if (lane->n == 1)
		close_file(lane);
	if (lane->at > 0)
		lane->at--;
	else
		forget_ahead(lane);
	lane->n--;
	memmove(&lane->v[0], &lane->v[1], lane->n * sizeof(lane->v[0]));
}

static struct segment *add_segment(struct lane *lane, const struct segment *s)
{
	if (lane->n == lane->capacity) {
		lane->capacity = lane->capacity == 0 ? 16 : 2 * lane->capacity;
		lane->v = mem_grow(lane->v, lane->capacity, sizeof(*lane->v));
	}
	lane->v[lane->n] = *s;
	return &lane->v[lane->n++];
}

/* --- opening --- */

static int by_number(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int list_files(struct spool *s, struct err *err)
{
	DIR *dir = opendir(s->path);
	struct dirent *entry;
	struct segment found;

	if (dir == NULL)
		return err_errno(err, -errno, "%s", s->path);
	while ((entry = readdir(dir)) != NULL) {
		if (segment_from_name(entry->d_name, &found))
			(void)add_segment(&s->lanes[found.class], &found);
		else if (str_ends(entry->d_name, ASIDE_SUFFIX))
			s->facts.files_set_aside++;
	}
	(void)closedir(dir);
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		if (s->lanes[c].n > 0)
			qsort(s->lanes[c].v, s->lanes[c].n, sizeof(*s->lanes[c].v), by_number);
	}
	return 0;
}

/* Files that an append had begun which did not end: none of their lines was noted. */
static void drop_unnoted(struct spool *s, struct lane *lane, struct segment_found *found)
{
	struct stat st;

	while (lane->n > 0 && lane->v[lane->n - 1].first > found->until) {
		char name[SEGMENT_NAME_MAX];

		segment_name(&lane->v[--lane->n], name);
		if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			found->cut_bytes += (uint64_t)st.st_size;
		(void)unlinkat(s->dir, name, 0);
	}
}

/* A file that no segment can be, whatever it is: it must not keep the others from being read.
 * Others that cannot be read now perhaps can be later. */
static bool is_foreign(int rc)
{
	return rc == -EBADMSG || rc == -EPROTONOSUPPORT || rc == -EFBIG || rc == -EISDIR ||
	       rc == -ELOOP;
}

/* Keeps what is to be read of the files of a class. */
static int scan_lane(struct spool *s, struct lane *lane, struct segment_found *found,
		     struct err *err)
{
	size_t kept = 0;
	int rc = 0;

	drop_unnoted(s, lane, found);
	for (size_t i = 0; i < lane->n; i++) {
		struct segment segment = lane->v[i];
		char name[SEGMENT_NAME_MAX];

		segment_name(&segment, name);
		rc = segment_scan(s->dir, &segment, i + 1 == lane->n, found, err);
		if (is_foreign(rc))
			set_aside(s, name);
		else if (rc < 0)
			return rc;
		else if (segment.lines == 0 && segment.is_damaged)
			set_aside(s, name);
		else if (segment.lines == 0)
			(void)unlinkat(s->dir, name, 0);
		else
			lane->v[kept++] = segment;
	}
	lane->n = kept;
	for (size_t i = 0; i < kept; i++) {
		s->facts.bytes += lane->v[i].size;
		s->facts.lines[lane->v[i].class] += lane->v[i].lines;
	}
	return 0;
}

static int recover(struct spool *s, bool is_noted, struct err *err)
{
	struct segment_found found = {
		.after = s->note.done,
		.until = is_noted ? s->note.last : UINT64_MAX,
	};
	int rc = list_files(s, err);

	for (size_t c = 0; c < LINE_CLASS_MAX && rc == 0; c++)
		rc = scan_lane(s, &s->lanes[c], &found, err);
	s->facts.cut_bytes = found.cut_bytes;
	s->facts.cut_lines = found.cut_lines;
	if (!is_noted && found.last != 0) {
		s->note.last = found.last;
		s->note.end.seq = found.last_seq;
		(void)snprintf(s->note.end.epoch, sizeof(s->note.end.epoch), "%.*s",
			       FRAME_EPOCH_MAX - 1, found.epoch);
	}
	s->taken = s->note.done;
	return rc;
}

int spool_open(const char *dir, uint64_t bytes_max, struct spool **s_r, struct err *err)
{
	struct spool *s = mem_alloc(sizeof(*s));
	bool is_noted = false;
	int rc = dir_make(dir, 0700, err);

	s->path = mem_dup(dir);
	s->bytes_max = bytes_max;
	s->segment_bytes = HALE_MAX(SEGMENT_MIN_BYTES,
				    HALE_MIN(SEGMENT_MAX_BYTES, bytes_max / SEGMENTS_WANTED));
	s->dir = s->note_fd = -1;
	for (size_t c = 0; c < LINE_CLASS_MAX; c++)
		s->lanes[c].fd = -1;
	if (rc == 0) {
		s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = s->dir < 0 ? err_errno(err, -errno, "%s", dir)
				: note_open(s->dir, &s->note_fd, &s->note, &is_noted, err);
	}
	if (rc == 0)
		rc = recover(s, is_noted, err);
	if (rc < 0) {
		err_prefix(err, "spool");
		spool_close(s);
		return rc;
	}
	*s_r = s;
	return 0;
}

void spool_close(struct spool *s)
{
	if (s == NULL)
		return;
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		close_file(&s->lanes[c]);
		str_done(&s->lanes[c].ahead);
		free(s->lanes[c].v);
	}
	if (s->note_fd >= 0)
		(void)close(s->note_fd);
	if (s->dir >= 0)
		(void)close(s->dir);
	free(s->path);
	free(s);
}

/* --- appending --- */

static size_t ranges_bytes(const struct spool_ranges *r)
{
	size_t bytes = 0;

	for (size_t i = 0; i < r->n; i++)
		bytes += r->v[i].len;
	return bytes;
}

/* The oldest line of what is to be appended is not. False if there is none. */
static bool drop_incoming(struct spool_ranges *r, size_t *bytes)
{
	struct record first;

	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].len == 0)
			continue;
		record_read(r->v[i].data, &first);
		r->v[i].data += first.size;
		r->v[i].len -= first.size;
		*bytes -= first.size;
		return true;
	}
	return false;
}

static void make_room(struct spool *s, struct spool_ranges parts[LINE_CLASS_MAX],
		      uint64_t refused[LINE_CLASS_MAX])
{
	size_t coming = 0;

	for (size_t c = 0; c < LINE_CLASS_MAX; c++)
		coming += ranges_bytes(&parts[c]);
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		struct lane *lane = &s->lanes[c];

		while (s->facts.bytes + coming > s->bytes_max && lane->n > 0) {
			s->facts.dropped[c] += lane->v[0].lines;
			remove_first(s, lane);
		}
		while (s->facts.bytes + coming > s->bytes_max && drop_incoming(&parts[c], &coming))
			refused[c]++;
	}
}

/* Where the class stood before an append, to go back there. */
struct mark {
	size_t n;
	struct segment last;
};

static struct mark mark_of(const struct lane *lane)
{
	return (struct mark){lane->n, lane->n > 0 ? lane->v[lane->n - 1] : (struct segment){0}};
}

static void roll_back(struct spool *s, struct lane *lane, const struct mark *mark)
{
	bool is_another = lane->n > mark->n;
	char name[SEGMENT_NAME_MAX];

	if (is_another)
		close_file(lane);
	while (lane->n > mark->n) {
		segment_name(&lane->v[--lane->n], name);
		(void)unlinkat(s->dir, name, 0);
	}
	if (mark->n == 0)
		return;
	/* What cannot be cut off now is cut at the next start: the note does not have it. Nothing
	 * may be appended behind it. */
	segment_name(&mark->last, name);
	if (!is_another && lane->fd >= 0 && ftruncate(lane->fd, (off_t)mark->last.size) == 0)
		(void)lseek(lane->fd, (off_t)mark->last.size, SEEK_SET);
	else
		close_file(lane);
	lane->v[mark->n - 1] = mark->last;
}

static int begin_segment(struct spool *s, struct lane *lane, enum line_class class, uint64_t first,
			 struct err *err)
{
	struct segment segment = {.class = class, .first = first};
	int rc;

	close_file(lane);
	rc = segment_create(s->dir, &segment, &lane->fd, err);
	if (rc < 0) {
		lane->fd = -1;
		return rc;
	}
	(void)add_segment(lane, &segment);
	return 0;
}

/* As many whole records as fit the file; at least one. Their numbers are noted. */
static size_t fill(struct segment *segment, uint64_t segment_bytes, char *data, size_t len,
		   uint64_t taken)
{
	size_t at = 0;
	struct record r;

	while (at < len) {
		record_read(data + at, &r);
		if (segment->size + at + r.size > segment_bytes &&
		    (at > 0 || segment->size > SEGMENT_HEAD_BYTES))
			break;
		record_seal(data + at);
		at += r.size;
		segment->last = r.number;
		if (r.number <= taken)
			segment->read_at = segment->size + at;
		else
			segment->lines++;
	}
	return at;
}

static int append_range(struct spool *s, enum line_class class, const struct spool_range *range,
			uint64_t taken, struct err *err)
{
	struct lane *lane = &s->lanes[class];

	for (size_t at = 0; at < range->len;) {
		struct segment *segment =
			lane->n > 0 && lane->fd >= 0 ? &lane->v[lane->n - 1] : NULL;
		size_t n = 0;
		int rc = 0;

		if (segment != NULL)
			n = fill(segment, s->segment_bytes, range->data + at, range->len - at,
				 taken);
		if (n == 0)
			rc = begin_segment(s, lane, class, record_number(range->data + at), err);
		else
			rc = segment_append(segment, lane->fd, range->data + at, n, err);
		if (rc < 0)
			return rc;
		at += n;
	}
	return 0;
}

static int append_all(struct spool *s, struct spool_ranges parts[LINE_CLASS_MAX], uint64_t taken,
		      struct err *err)
{
	int rc = 0;

	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		for (size_t i = 0; i < parts[c].n && rc == 0; i++)
			rc = append_range(s, (enum line_class)c, &parts[c].v[i], taken, err);
	}
	return rc;
}

static void recount(struct spool *s)
{
	s->facts.bytes = 0;
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		s->facts.lines[c] = 0;
		for (size_t i = 0; i < s->lanes[c].n; i++) {
			s->facts.bytes += s->lanes[c].v[i].size;
			s->facts.lines[c] += s->lanes[c].v[i].lines;
		}
	}
}

/* Notes the newest of the lines. */
static void note_end(struct note *n, const struct spool_range *range)
{
	struct record r;

	for (size_t at = 0; at < range->len; at += r.size) {
		record_read(range->data + at, &r);
		if (r.number <= n->last)
			continue;
		n->last = r.number;
		n->end.seq = r.line.seq;
		(void)snprintf(n->end.epoch, sizeof(n->end.epoch), "%.*s", FRAME_EPOCH_MAX - 1,
			       r.line.epoch);
	}
}

int spool_append(struct spool *s, struct spool_ranges parts[LINE_CLASS_MAX], uint64_t taken,
		 struct err *err)
{
	struct note note = s->note;
	struct mark marks[LINE_CLASS_MAX];
	uint64_t refused[LINE_CLASS_MAX] = {0};
	int rc;

	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		for (size_t i = 0; i < parts[c].n; i++)
			note_end(&note, &parts[c].v[i]);
	}
	s->taken = HALE_MAX(s->taken, taken);
	make_room(s, parts, refused);
	for (size_t c = 0; c < LINE_CLASS_MAX; c++)
		marks[c] = mark_of(&s->lanes[c]);
	rc = append_all(s, parts, s->taken, err);
	if (rc == 0)
		rc = note_write(s->note_fd, &note, err);
	if (rc == 0)
		s->note = note;
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		if (rc < 0)
			roll_back(s, &s->lanes[c], &marks[c]);
		else
			s->facts.dropped[c] += refused[c];
	}
	recount(s);
	if (rc < 0)
		err_prefix(err, "spool");
	return rc;
}

/* --- reading --- */

static int read_ahead(struct spool *s, struct lane *lane, struct err *err)
{
	struct segment *segment = &lane->v[lane->at];
	size_t want = READ_BYTES, len;
	int rc;

	/* A record longer than that is read whole. */
	if (lane->ahead.len > lane->ahead_at)
		want = HALE_MAX(want, record_wants(lane->ahead.data + lane->ahead_at,
						   lane->ahead.len - lane->ahead_at));
	forget_ahead(lane);
	str_reserve(&lane->ahead, want);
	rc = segment_read(s->dir, segment, lane->ahead.data, want, &len, err);
	if (rc == 0)
		lane->ahead.len = len;
	return rc;
}

/* What cannot be read is lost: it was good when it was written, or when it was scanned. */
static void give_up_rest(struct spool *s, struct segment *segment)
{
	segment->is_damaged = true;
	s->facts.dropped[segment->class] += segment->lines;
	s->facts.lines[segment->class] -= segment->lines;
	segment->lines = 0;
	segment->read_at = segment->size;
}

/* The next record of the file that is read; false: the rest of it cannot be. */
static bool look_ahead(struct spool *s, struct lane *lane)
{
	size_t left = lane->ahead.len - lane->ahead_at;

	if (left > 0 && record_check(lane->ahead.data + lane->ahead_at, left, &lane->next))
		return true;
	/* Twice: the first time tells how long a long one is. */
	for (int i = 0; i < 2; i++) {
		if (read_ahead(s, lane, NULL) != 0)
			return false;
		if (record_check(lane->ahead.data, lane->ahead.len, &lane->next))
			return true;
	}
	return false;
}

/* Makes lane->next the next record of a class that is not taken; false: there is none. */
static bool find_next(struct spool *s, struct lane *lane)
{
	while (!lane->has_next && lane->at < lane->n) {
		struct segment *segment = &lane->v[lane->at];

		if (segment->read_at < segment->size) {
			lane->has_next = look_ahead(s, lane);
			if (!lane->has_next)
				give_up_rest(s, segment);
			continue;
		}
		forget_ahead(lane);
		/* The last one may still grow. */
		if (lane->at + 1 == lane->n)
			break;
		lane->at++;
	}
	return lane->has_next;
}

static void take_one(struct spool *s, struct lane *lane, struct str *out)
{
	struct segment *segment = &lane->v[lane->at];
	const struct record *r = &lane->next;

	str_addn(out, lane->ahead.data + lane->ahead_at, r->size);
	lane->ahead_at += r->size;
	segment->read_at += r->size;
	segment->lines--;
	s->facts.lines[segment->class]--;
	s->taken = r->number;
	lane->has_next = false;
}

size_t spool_take(struct spool *s, size_t lines_max, size_t bytes_max, struct str *out)
{
	size_t n = 0;

	for (; n < lines_max && out->len < bytes_max; n++) {
		struct lane *oldest = NULL;

		for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
			struct lane *lane = &s->lanes[c];

			if (find_next(s, lane) &&
			    (oldest == NULL || lane->next.number < oldest->next.number))
				oldest = lane;
		}
		if (oldest == NULL)
			break;
		take_one(s, oldest, out);
	}
	return n;
}

/* --- done --- */

static bool is_done(const struct segment *s, uint64_t number)
{
	return s->lines == 0 && s->last <= number;
}

int spool_commit(struct spool *s, uint64_t number, const struct feed_cursor *cursor,
		 bool is_written, struct err *err)
{
	int rc = 0;

	s->note.done = HALE_MAX(s->note.done, number);
	s->note.last = HALE_MAX(s->note.last, number);
	s->note.committed = *cursor;
	/* First the note: lines that it has not yet as stored must be there. */
	if (is_written)
		rc = note_write(s->note_fd, &s->note, err);
	for (size_t c = 0; c < LINE_CLASS_MAX && rc == 0; c++) {
		struct lane *lane = &s->lanes[c];

		while (lane->n > 0 && is_done(&lane->v[0], number))
			remove_first(s, lane);
	}
	if (rc < 0)
		err_prefix(err, "spool");
	return rc;
}

void spool_facts(const struct spool *s, struct spool_facts *facts_r)
{
	size_t waiting = 0;

	*facts_r = s->facts;
	for (size_t c = 0; c < LINE_CLASS_MAX; c++)
		waiting += s->facts.lines[c];
	facts_r->last = s->note.last;
	facts_r->end = waiting > 0 ? s->note.end : (struct feed_cursor){0};
	/* Files go when their lines are stored, whether or not the note said so in time. */
	facts_r->committed =
		waiting == 0 && s->note.done < s->note.last ? s->note.end : s->note.committed;
}
