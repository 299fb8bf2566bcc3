/* SPDX-License-Identifier: Apache-2.0 */
#include "backlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "inbox.h"
#include "pressure.h"
#include "spool.h"
#include "store/writer.h"

/* A batch of the longest lines. */
#define BATCH_BYTES      ((size_t)4 << 20)
/* After the disk refused. */
#define SPOOL_RETRY_MS   5000
/* Up to where the store has the lines is noted this often while all is well: a start at which the
 * store cannot be asked follows the bus from there, and haled's ring must still have what came
 * behind it. */
#define NOTE_EVERY_BYTES ((size_t)4 << 20)
#define NOTE_EVERY_MS    30000
/* Numbers of lines begin at the time, with room for a million lines in each millisecond. */
#define NUMBER_SHIFT     20

enum job { JOB_NONE, JOB_OPEN, JOB_APPEND, JOB_READ, JOB_NOTE, JOB_CLOSE };

struct batch {
	struct store_line lines[WRITER_BATCH_MAX];
	size_t n, bytes;
	uint64_t last;        /* number of its last line */
	bool is_spooled;      /* it is on disk too */
	struct chunks chunks; /* it points into these, or */
	struct str read;      /* into this */
};

struct backlog {
	struct service *service;
	char *dir;
	uint64_t spool_bytes_max;
	void (*on_change)(void *ctx);
	void (*on_closed)(void *ctx);
	void *ctx;

	struct inbox inbox;
	struct batch batch;
	uint64_t dropped[LINE_CLASS_MAX];
	bool is_open;

	/* What is to be done. */
	bool wants_batch, wants_append, wants_note, is_closing;
	struct feed_cursor committed;
	uint64_t committed_last; /* number */
	size_t unnoted_bytes;
	int64_t noted_ms; /* monotonic; 0 never */
	int64_t retry_ms; /* monotonic: the disk is not asked before */

	/* While a job runs, its thread alone uses these. */
	enum job job;
	struct spool *spool; /* NULL: it cannot be used */
	int rc;
	struct err err;
	bool is_appended, commits, is_note_written;
	struct feed_cursor job_committed;
	uint64_t job_committed_last;
	struct spool_ranges parts[LINE_CLASS_MAX];
	uint64_t job_taken;
	struct spool_facts facts_now;
	size_t read_n;

	/* Of the job that runs, for the loop. */
	struct inbox_list moved[LINE_CLASS_MAX];
	size_t moved_lines, moved_bytes;
	struct chunks job_chunks;

	struct spool_facts facts;
	char spool_error[sizeof(((struct err *)0)->text)];
};

static void advance(struct backlog *b);

/* --- jobs, in a worker thread --- */

static int ensure_spool(struct backlog *b)
{
	return b->spool != NULL ? 0 : spool_open(b->dir, b->spool_bytes_max, &b->spool, &b->err);
}

/* Beside what the job itself does, and neither decides how the other ended. */
static void commit(struct backlog *b)
{
	struct err err;
	int rc = 0;

	if (b->commits && b->spool != NULL)
		rc = spool_commit(b->spool, b->job_committed_last, &b->job_committed,
				  b->is_note_written, &err);
	if (b->rc == 0 && rc < 0) {
		b->rc = rc;
		b->err = err;
	}
}

static void work(void *ctx)
{
	struct backlog *b = ctx;

	b->rc = ensure_spool(b);
	b->read_n = 0;
	if (b->rc == 0 && b->job == JOB_APPEND)
		b->rc = spool_append(b->spool, b->parts, b->job_taken, &b->err);
	b->is_appended = b->rc == 0;
	commit(b);
	if (b->spool != NULL && b->job == JOB_READ)
		b->read_n = spool_take(b->spool, WRITER_BATCH_MAX, BATCH_BYTES, &b->batch.read);
	if (b->spool != NULL)
		spool_facts(b->spool, &b->facts_now);
	if (b->job == JOB_CLOSE) {
		spool_close(b->spool);
		b->spool = NULL;
	}
}

/* --- what they have led to, on the loop --- */

static void take_error(struct backlog *b)
{
	if (b->rc >= 0) {
		if (b->spool_error[0] != '\0')
			log_info("the spool can be used again", KV_S("path", b->dir));
		b->spool_error[0] = '\0';
		return;
	}
	/* Once per trouble, not once per try. */
	if (b->spool_error[0] == '\0')
		log_warn("spool cannot be used, lines wait in memory", KV_S("error", b->err.text));
	(void)snprintf(b->spool_error, sizeof(b->spool_error), "%s", b->err.text);
	b->retry_ms = clock_mono_ms() + SPOOL_RETRY_MS;
}

static void opened(struct backlog *b)
{
	/* Above all that an earlier process gave, even if the disk cannot tell what that was. */
	uint64_t now = (uint64_t)clock_wall_ms() << NUMBER_SHIFT;

	b->is_open = true;
	b->inbox.last = HALE_MAX(now, b->facts.last);
	if (b->rc < 0)
		return;
	if (b->facts.cut_bytes > 0)
		log_info("cut off what a killed recorder had not finished writing",
			 KV_S("path", b->dir), KV_I("bytes", b->facts.cut_bytes),
			 KV_I("lines", b->facts.cut_lines));
	if (b->facts.files_set_aside > 0)
		log_warn("spool has files that are damaged or not of this version",
			 KV_S("path", b->dir), KV_I("files", b->facts.files_set_aside),
			 KV_S("advice", "they are named *.damaged and may be deleted"));
}

static void appended(struct backlog *b)
{
	if (!b->is_appended)
		inbox_put_back(&b->inbox, b->moved);
	else if (b->batch.n > 0 && b->batch.last == b->job_taken)
		b->batch.is_spooled = true;
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		inbox_list_done(&b->moved[c]);
		spool_ranges_done(&b->parts[c]);
	}
	chunks_done(&b->job_chunks);
	b->moved_lines = b->moved_bytes = 0;
}

static void read_batch(struct backlog *b)
{
	struct batch *batch = &b->batch;
	const char *at = batch->read.data;

	for (size_t i = 0; i < b->read_n; i++) {
		struct record r;

		record_read(at, &r);
		batch->lines[batch->n++] = r.line;
		batch->last = r.number;
		at += r.size;
	}
	batch->bytes = batch->read.len;
	batch->is_spooled = true;
}

static void after(void *ctx)
{
	struct backlog *b = ctx;
	enum job job = b->job;

	b->job = JOB_NONE;
	b->facts = b->facts_now;
	take_error(b);
	if (b->commits && b->rc == 0 && b->is_note_written) {
		b->noted_ms = clock_mono_ms();
		b->unnoted_bytes = 0;
	}
	if (job == JOB_OPEN)
		opened(b);
	else if (job == JOB_APPEND)
		appended(b);
	else if (job == JOB_READ)
		read_batch(b);
	if (job == JOB_CLOSE) {
		b->on_closed(b->ctx);
		return;
	}
	advance(b);
	b->on_change(b->ctx);
}

/* --- what is to be done next --- */

static void start(struct backlog *b, enum job job)
{
	b->job = job;
	b->commits = b->committed_last > 0;
	b->job_committed = b->committed;
	b->job_committed_last = b->committed_last;
	b->is_note_written = b->commits && (b->wants_note || b->facts.bytes > 0);
	b->wants_note = false;
	service_work(b->service, work, after, b);
}

static struct feed_cursor cursor_of(const struct store_line *line)
{
	struct feed_cursor c = {.seq = line->seq};

	(void)snprintf(c.epoch, sizeof(c.epoch), "%s", line->epoch);
	return c;
}

/* The batch in hand is copied, not moved: it is still wanted. */
static void give_batch(struct backlog *b)
{
	struct batch *batch = &b->batch;

	for (size_t i = 0; i < batch->n; i++) {
		const struct store_line *line = &batch->lines[i];

		spool_ranges_add(&b->parts[line_classify(line)], record_of(line),
				 record_size(line));
	}
	for (size_t i = 0; i < batch->chunks.n; i++)
		chunks_hold(&b->job_chunks, batch->chunks.v[i]);
	b->job_taken = batch->last;
}

static void give_inbox(struct backlog *b)
{
	b->moved_lines = b->inbox.n;
	b->moved_bytes = b->inbox.bytes;
	inbox_move(&b->inbox, b->moved);
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		for (struct chunk *k = b->moved[c].first; k != NULL; k = k->next)
			spool_ranges_add(&b->parts[c], k->data + k->at, k->len - k->at);
	}
}

static bool has_batch_to_append(const struct backlog *b)
{
	return b->batch.n > 0 && !b->batch.is_spooled;
}

static void start_append(struct backlog *b)
{
	b->wants_append = false;
	b->job_taken = 0;
	if (has_batch_to_append(b))
		give_batch(b);
	if (b->inbox.n > 0)
		give_inbox(b);
	start(b, JOB_APPEND);
}

static bool may_use_disk(const struct backlog *b)
{
	return b->spool_error[0] == '\0' || clock_mono_ms() >= b->retry_ms;
}

static void advance(struct backlog *b)
{
	bool has_any = b->inbox.n > 0 || has_batch_to_append(b);

	if (b->job != JOB_NONE)
		return;
	if (b->wants_append && has_any && may_use_disk(b)) {
		start_append(b);
	} else if (b->is_closing) {
		b->wants_note = true;
		start(b, JOB_CLOSE);
	} else if (b->wants_batch && b->batch.n == 0 && backlog_is_spooling(b)) {
		b->wants_batch = false;
		start(b, JOB_READ);
	} else if (b->wants_note && b->spool_error[0] == '\0') {
		start(b, JOB_NOTE);
	}
}

/* --- from outside --- */

struct backlog *backlog_new(struct service *s, const char *dir, uint64_t spool_bytes_max,
			    void (*on_change)(void *ctx), void *ctx)
{
	struct backlog *b = mem_alloc(sizeof(*b));

	b->service = s;
	b->dir = mem_dup(dir);
	b->spool_bytes_max = spool_bytes_max;
	b->on_change = on_change;
	b->ctx = ctx;
	return b;
}

void backlog_open(struct backlog *b)
{
	start(b, JOB_OPEN);
}

bool backlog_is_open(const struct backlog *b)
{
	return b->is_open;
}

struct feed_cursor backlog_cursor(const struct backlog *b, bool *is_waiting_r)
{
	*is_waiting_r = b->facts.end.epoch[0] != '\0';
	return *is_waiting_r ? b->facts.end : b->facts.committed;
}

size_t backlog_memory(const struct backlog *b)
{
	return b->inbox.bytes + b->moved_bytes;
}

size_t backlog_lines(const struct backlog *b)
{
	size_t n = b->inbox.n + b->moved_lines;

	for (size_t c = 0; c < LINE_CLASS_MAX; c++)
		n += b->facts.lines[c];
	return n;
}

bool backlog_is_spooling(const struct backlog *b)
{
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		if (b->facts.lines[c] > 0)
			return true;
	}
	return b->moved_lines > 0;
}

bool backlog_has_spool(const struct backlog *b)
{
	return b->spool_error[0] == '\0';
}

void backlog_push(struct backlog *b, const struct store_line *line)
{
	inbox_push(&b->inbox, line_classify(line), line);
	while (b->inbox.bytes + b->moved_bytes > PRESSURE_MEMORY_MAX && b->inbox.n > 0)
		b->dropped[inbox_drop(&b->inbox)]++;
}

/* Only if nothing older is on disk, or on its way there. */
static void make_batch(struct backlog *b)
{
	struct batch *batch = &b->batch;
	struct record r;

	while (batch->n < WRITER_BATCH_MAX && batch->bytes < BATCH_BYTES &&
	       inbox_take(&b->inbox, &batch->chunks, &r)) {
		batch->lines[batch->n++] = r.line;
		batch->bytes += r.size;
		batch->last = r.number;
	}
	batch->is_spooled = false;
}

size_t backlog_batch(struct backlog *b, const struct store_line **lines_r)
{
	if (b->batch.n == 0 && b->is_open) {
		if (backlog_is_spooling(b)) {
			b->wants_batch = true;
			advance(b);
		} else if (b->job != JOB_READ) {
			make_batch(b);
		}
	}
	/* While a job reads, the batch is its own. */
	if (b->job == JOB_READ)
		return 0;
	*lines_r = b->batch.lines;
	return b->batch.n;
}

bool backlog_has_batch(const struct backlog *b)
{
	return b->job != JOB_READ && b->batch.n > 0;
}

void backlog_stored(struct backlog *b)
{
	struct batch *batch = &b->batch;

	b->committed = cursor_of(&batch->lines[batch->n - 1]);
	b->committed_last = batch->last;
	b->unnoted_bytes += batch->bytes;
	if (batch->is_spooled || b->unnoted_bytes >= NOTE_EVERY_BYTES ||
	    clock_mono_ms() - b->noted_ms >= NOTE_EVERY_MS)
		b->wants_note = true;
	batch->n = batch->bytes = 0;
	batch->is_spooled = false;
	chunks_done(&batch->chunks);
	str_done(&batch->read);
	/* Reading the next batch notes it too. */
	if (!backlog_is_spooling(b))
		advance(b);
}

void backlog_spill(struct backlog *b)
{
	b->wants_append = true;
	advance(b);
}

void backlog_note(struct backlog *b)
{
	b->wants_note = true;
	advance(b);
}

/* haled writes `at` first in every line. */
static int64_t time_of(const struct store_line *line)
{
	static const char key[] = "\"at\":\"";
	const char *at = memmem(line->text, line->len, key, sizeof(key) - 1);
	const char *end = at == NULL ? NULL : strchr(at + sizeof(key) - 1, '"');
	char text[CLOCK_TEXT_MAX];
	int64_t ms;

	if (end == NULL || end - at >= (ptrdiff_t)(sizeof(key) + sizeof(text)))
		return -1;
	at += sizeof(key) - 1;
	(void)snprintf(text, sizeof(text), "%.*s", (int)(end - at), at);
	return clock_parse(text, &ms) == 0 ? ms : -1;
}

static int64_t oldest_of(const struct backlog *b)
{
	struct record r;

	if (backlog_has_batch(b))
		return time_of(&b->batch.lines[0]);
	return inbox_first(&b->inbox, &r) ? time_of(&r.line) : -1;
}

struct backlog_status backlog_status(const struct backlog *b)
{
	struct backlog_status st = {
		.lines = backlog_lines(b) + (b->job == JOB_READ ? 0 : b->batch.n),
		.bytes =
			b->inbox.bytes + b->moved_bytes + (b->job == JOB_READ ? 0 : b->batch.bytes),
		.unsaved_lines = b->inbox.n + b->moved_lines +
				 (has_batch_to_append(b) && b->job != JOB_READ ? b->batch.n : 0),
		.spool_bytes = b->facts.bytes,
		.oldest_ms = oldest_of(b),
		.spool_error = b->spool_error[0] != '\0' ? b->spool_error : NULL,
		.files_set_aside = b->facts.files_set_aside,
		.cut_bytes = b->facts.cut_bytes,
	};

	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		st.spool_lines += b->facts.lines[c];
		st.dropped[c] = b->dropped[c] + b->facts.dropped[c];
	}
	return st;
}

void backlog_close(struct backlog *b, void (*on_closed)(void *ctx))
{
	b->on_closed = on_closed;
	b->is_closing = true;
	b->wants_append = true;
	b->retry_ms = 0;
	advance(b);
}

void backlog_free(struct backlog *b)
{
	if (b == NULL)
		return;
	HALE_ASSERT(b->job == JOB_NONE);
	spool_close(b->spool);
	chunks_done(&b->batch.chunks);
	str_done(&b->batch.read);
	inbox_done(&b->inbox);
	free(b->dir);
	free(b);
}
