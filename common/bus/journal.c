/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

struct journal {
	char *path;
	char *old_path;
	int fd;
	size_t bytes;
	bool is_failing;
	struct str record;
};

static void read_record(const char *text, size_t len, journal_fn on_record, void *ctx)
{
	json_t *record = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *epoch = json_string_value(json_object_get(record, "epoch"));
	const char *topic = json_string_value(json_object_get(record, "topic"));
	json_t *line = json_object_get(record, "line");
	json_int_t seq = json_integer_value(json_object_get(record, "seq"));

	/* A crash may have cut the last line; the others are whole. */
	if (epoch != NULL && topic != NULL && json_is_object(line) && seq > 0)
		on_record(ctx, epoch, (uint64_t)seq, topic, line, json_object_get(record, "save"));
	json_decref(record);
}

static void read_file(const char *path, journal_fn on_record, void *ctx)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	const char *p, *end, *newline;

	/* No file is the first start; an unreadable one is told of when it is opened to append. */
	if (file_read(path, JOURNAL_BYTES_MAX * 2, &text, NULL) < 0)
		return;
	p = str_text(&text);
	end = p + text.len;
	/* A power cut may leave NULs in it; and of a last line only the newline may be missing. */
	for (; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL)
			newline = end;
		read_record(p, (size_t)(newline - p), on_record, ctx);
	}
}

static int open_file(struct journal *j)
{
	struct stat st = {0};

	j->fd = open(j->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return -errno;
	if (fstat(j->fd, &st) == 0)
		j->bytes = (size_t)st.st_size;
	return 0;
}

int journal_open(const char *state_dir, journal_fn on_record, void *ctx, struct journal **j_r,
		 struct err *err)
{
	struct journal *j = mem_alloc(sizeof(*j));
	int rc;

	j->path = path_join(state_dir, "journal.ndjson");
	j->old_path = path_join(state_dir, "journal.1.ndjson");
	if (on_record != NULL) {
		read_file(j->old_path, on_record, ctx);
		read_file(j->path, on_record, ctx);
	}
	rc = open_file(j);
	if (rc < 0) {
		(void)err_errno(err, rc, "cannot open %s", j->path);
		journal_close(j);
		return rc;
	}
	/* A torn last line must not swallow the next one. */
	if (j->bytes > 0 && write(j->fd, "\n", 1) == 1)
		j->bytes++;
	*j_r = j;
	return 0;
}

static int rotate(struct journal *j)
{
	close(j->fd);
	j->fd = -1;
	if (rename(j->path, j->old_path) < 0)
		return -errno;
	return open_file(j);
}

static int append(struct journal *j)
{
	ssize_t put;
	int rc = 0;

	if (j->fd < 0)
		rc = open_file(j);
	else if (j->bytes + j->record.len > JOURNAL_BYTES_MAX)
		rc = rotate(j);
	if (rc < 0)
		return rc;
	put = write(j->fd, j->record.data, j->record.len);
	if (put < 0)
		return -errno;
	j->bytes += (size_t)put;
	if ((size_t)put == j->record.len)
		return 0;
	/* Half a record, the disk is full: take it back, so that the next one stands alone. */
	j->bytes -= (size_t)put;
	if (ftruncate(j->fd, (off_t)j->bytes) < 0)
		return -errno;
	return -ENOSPC;
}

int journal_add(struct journal *j, const char *epoch, uint64_t seq, const char *topic,
		const char *line, const char *save)
{
	bool was_failing = j->is_failing;
	int rc;

	str_clear(&j->record);
	str_addf(&j->record, "{\"epoch\":\"%s\",\"seq\":%llu,\"topic\":\"%s\",\"line\":%s", epoch,
		 (unsigned long long)seq, topic, line);
	if (save != NULL)
		str_addf(&j->record, ",\"save\":%s", save);
	str_add(&j->record, "}\n");
	rc = append(j);
	j->is_failing = rc < 0;
	return rc < 0 && was_failing ? -EALREADY : rc;
}

void journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	if (j->fd >= 0)
		close(j->fd);
	str_done(&j->record);
	free(j->path);
	free(j->old_path);
	free(j);
}
