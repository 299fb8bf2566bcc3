/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* Written in pieces: a ring may be as large as memory is meant to go. */
#define PIECE_BYTES (256u * 1024)

struct writer {
	int fd;
	int rc;
	struct str piece;
};

static void put(struct writer *w)
{
	if (w->rc == 0)
		w->rc = fd_write(w->fd, w->piece.data, w->piece.len);
	str_clear(&w->piece);
}

static void write_line(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		       const char *line, size_t len)
{
	struct writer *w = ctx;

	str_addf(&w->piece, "%s %llu %s ", epoch, (unsigned long long)seq, topic);
	str_addn(&w->piece, line, len);
	str_addc(&w->piece, '\n');
	if (w->piece.len >= PIECE_BYTES)
		put(w);
}

int handover_write(int fd, const struct handover *h, const struct ring *ring,
		   const struct inbox *inbox, struct err *err)
{
	struct writer w = {.fd = fd};
	json_t *header = inbox_acks(inbox);
	char *text;

	(void)json_object_set_new(header, "version", json_integer(HANDOVER_VERSION));
	(void)json_object_set_new(header, "epoch", json_string(h->epoch));
	(void)json_object_set_new(header, "head", json_integer((json_int_t)h->head));
	text = json_dumps(header, JSON_COMPACT);
	json_decref(header);
	HALE_ASSERT(text != NULL);
	str_add(&w.piece, text);
	str_addc(&w.piece, '\n');
	free(text);
	ring_each(ring, write_line, &w);
	put(&w);
	str_done(&w.piece);
	return w.rc < 0 ? err_errno(err, w.rc, "cannot hand over the bus") : 0;
}

static int read_header(const char *text, size_t len, struct handover *h_r, struct inbox *inbox)
{
	json_t *header = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *epoch = json_string_value(json_object_get(header, "epoch"));
	json_int_t head = json_integer_value(json_object_get(header, "head"));
	int rc = -EINVAL;

	if (json_integer_value(json_object_get(header, "version")) == HANDOVER_VERSION &&
	    epoch != NULL && epoch[0] != '\0' && strlen(epoch) < sizeof(h_r->epoch) && head >= 0) {
		memcpy(h_r->epoch, epoch, strlen(epoch) + 1);
		h_r->head = (uint64_t)head;
		inbox_restore(inbox, header);
		rc = 0;
	}
	json_decref(header);
	return rc;
}

/* A word of at most max - 1 bytes up to the next blank; NULL when there is none. */
static const char *take_word(const char *p, const char *end, char *word, size_t max)
{
	const char *blank = memchr(p, ' ', (size_t)(end - p));

	if (blank == NULL || blank == p || (size_t)(blank - p) >= max)
		return NULL;
	memcpy(word, p, (size_t)(blank - p));
	word[blank - p] = '\0';
	return blank + 1;
}

struct position {
	char epoch[FRAME_EPOCH_MAX];
	uint64_t seq;
};

static int read_line(const char *p, const char *end, struct position *last, struct ring *ring)
{
	char epoch[FRAME_EPOCH_MAX], number[24], topic[FRAME_TOPIC_MAX];
	char *rest = NULL;
	uint64_t seq;

	p = take_word(p, end, epoch, sizeof(epoch));
	if (p != NULL)
		p = take_word(p, end, number, sizeof(number));
	if (p != NULL)
		p = take_word(p, end, topic, sizeof(topic));
	if (p == NULL)
		return -EINVAL;
	seq = strtoull(number, &rest, 10);
	/* What the ring takes for granted is checked here. */
	if (*rest != '\0' || seq == 0 || (strcmp(epoch, last->epoch) == 0 && seq <= last->seq))
		return -EINVAL;
	memcpy(last->epoch, epoch, sizeof(epoch));
	last->seq = seq;
	ring_add(ring, epoch, seq, topic, p, (size_t)(end - p));
	return 0;
}

int handover_read(const char *text, size_t len, struct handover *h_r, struct ring *ring,
		  struct inbox *inbox, struct err *err)
{
	const char *end = text + len;
	const char *newline = len == 0 ? NULL : memchr(text, '\n', len);
	struct position last = {0};
	struct handover h = {0};

	if (newline == NULL || read_header(text, (size_t)(newline - text), &h, inbox) < 0)
		return err_set(err, -EINVAL, "the state of the bus is not understood");
	for (const char *p = newline + 1; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL || read_line(p, newline, &last, ring) < 0)
			return err_set(err, -EINVAL, "a line of the bus's past is not understood");
	}
	*h_r = h;
	return 0;
}
