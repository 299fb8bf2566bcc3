/* SPDX-License-Identifier: Apache-2.0 */
#include "note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

/* A sector: it is written as one. */
#define SLOT_BYTES 512
#define SLOTS      2

#define TURN_AT      16
#define LAST_AT      24
#define DONE_AT      32
#define END_AT       64
#define COMMITTED_AT 192
#define CURSOR_BYTES (8 + FRAME_EPOCH_MAX)
#define SUM_AT       (SLOT_BYTES - 4)

static const char magic[16] = "halespool note1";

_Static_assert(END_AT + CURSOR_BYTES <= COMMITTED_AT && COMMITTED_AT + CURSOR_BYTES <= SUM_AT,
	       "the cursors fit");

static void put_cursor(char *to, const struct feed_cursor *c)
{
	record_put(to, c->seq, 8);
	memcpy(to + 8, c->epoch, sizeof(c->epoch));
}

static struct feed_cursor get_cursor(const char *from)
{
	struct feed_cursor c = {.seq = record_get(from, 8)};

	(void)snprintf(c.epoch, sizeof(c.epoch), "%.*s", FRAME_EPOCH_MAX - 1, from + 8);
	return c;
}

static bool read_slot(const char *slot, struct note *n_r)
{
	if (memcmp(slot, magic, sizeof(magic)) != 0 ||
	    record_get(slot + SUM_AT, 4) != record_crc(slot, SUM_AT))
		return false;
	*n_r = (struct note){
		.turn = record_get(slot + TURN_AT, 8),
		.last = record_get(slot + LAST_AT, 8),
		.done = record_get(slot + DONE_AT, 8),
		.end = get_cursor(slot + END_AT),
		.committed = get_cursor(slot + COMMITTED_AT),
	};
	return true;
}

static int put_slot(int fd, size_t slot, const char data[SLOT_BYTES], struct err *err)
{
	ssize_t n = pwrite(fd, data, SLOT_BYTES, (off_t)(slot * SLOT_BYTES));

	if (n == SLOT_BYTES)
		return 0;
	return err_errno(err, n < 0 ? -errno : -ENOSPC, NOTE_NAME);
}

int note_open(int dir, int *fd_r, struct note *n_r, bool *is_known_r, struct err *err)
{
	char slots[SLOTS][SLOT_BYTES] = {{0}};
	int fd = openat(dir, NOTE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct note found;
	int rc = 0;

	if (fd < 0)
		return err_errno(err, -errno, NOTE_NAME);
	*n_r = (struct note){0};
	*is_known_r = false;
	(void)!pread(fd, slots, sizeof(slots), 0); /* what is not there is no good slot */
	for (size_t i = 0; i < SLOTS; i++) {
		if (read_slot(slots[i], &found)) {
			if (found.turn > n_r->turn)
				*n_r = found;
			*is_known_r = true;
		}
	}
	for (size_t i = 0; i < SLOTS && rc == 0 && !*is_known_r; i++)
		rc = put_slot(fd, i, slots[i], err);
	if (rc < 0)
		(void)close(fd);
	else
		*fd_r = fd;
	return rc;
}

int note_write(int fd, struct note *n, struct err *err)
{
	char slot[SLOT_BYTES] = {0};
	int rc;

	memcpy(slot, magic, sizeof(magic));
	record_put(slot + TURN_AT, n->turn + 1, 8);
	record_put(slot + LAST_AT, n->last, 8);
	record_put(slot + DONE_AT, n->done, 8);
	put_cursor(slot + END_AT, &n->end);
	put_cursor(slot + COMMITTED_AT, &n->committed);
	record_put(slot + SUM_AT, record_crc(slot, SUM_AT), 4);
	rc = put_slot(fd, (n->turn + 1) % SLOTS, slot, err);
	if (rc == 0)
		n->turn++;
	return rc;
}
