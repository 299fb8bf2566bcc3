/* SPDX-License-Identifier: Apache-2.0 */
/* outbox - the notifier's memory: one SQLite file, one transaction per batch of bus lines
 *
 * A batch's engine state, feed cursor, alerts and outgoing messages are committed together before
 * anything is sent or announced, so a killed notifier neither forgets a notice nor decides on it
 * twice. A message stays until a channel took it or it is given up; the one being sent when the
 * process dies is sent again under the same id (at least once, with an idempotency key).
 *
 * Limits: OUTBOX_ROWS_MAX waiting messages; beyond it the oldest are given up ("dropped"), because
 * the newest tell how things stand. Resolved alerts and finished messages leave by age.
 *
 * Ownership: caller frees what is returned. Blocking: the file is private and local; calls take
 * microseconds and are made on the loop thread.
 * Errors:    as store/db.h.
 */
#ifndef HALE_NOTIFIER_OUTBOX_H
#define HALE_NOTIFIER_OUTBOX_H

#include "bus/feed.h"
#include "channel.h"
#include "engine.h"

#define OUTBOX_FILE     "notifier.db"
/* A week of one notice a minute: far beyond what people read, small enough for any disk. */
#define OUTBOX_ROWS_MAX 10000
/* What one list command returns at most. */
#define OUTBOX_LIST_MAX 1000

struct outbox;

struct outbox_counts {
	int64_t waiting;
	int64_t sent;
	int64_t failed;
	int64_t alerts_open;
};

struct outgoing { /* a message to be queued */
	char id[37];
	char alert[37];
	char *key; /* of the alert: messages of one key and channel keep their order */
	char *channel;
	char *rule;
	struct message message;
	int64_t created_ms;
};

struct outbox_batch {
	const struct engine *engine;      /* its changes */
	const struct feed_cursor *cursor; /* NULL: unchanged */
	const struct effects *effects;    /* alerts are taken from here */
	const struct outgoing *out;
	size_t out_n;
};

int outbox_open(const char *path, struct outbox **o_r, struct err *err);
void outbox_close(struct outbox *o);

/* Fills the engine and the cursor. */
int outbox_load(struct outbox *o, struct engine *e, struct feed_cursor *cursor_r, struct err *err);
/* All or nothing. dropped_r: messages given up at the limit. Does not call engine_saved(). */
int outbox_commit(struct outbox *o, const struct outbox_batch *b, int64_t now_ms,
		  int64_t *dropped_r, struct err *err);

/* The oldest message that is due and has no older one of its key before it. 1 found, 0 none. */
int outbox_next(struct outbox *o, const char *channel, int64_t now_ms, struct message *m_r,
		struct err *err);
/* When outbox_next has something next; INT64_MAX: nothing waits. */
int outbox_due(struct outbox *o, const char *channel, int64_t *due_r, struct err *err);
/* Before the attempt: it counts also if the process dies in it. */
int outbox_attempt(struct outbox *o, int64_t seq, int64_t now_ms, struct err *err);

enum outbox_verdict { OUTBOX_SENT, OUTBOX_RETRY, OUTBOX_FAILED };
int outbox_attempted(struct outbox *o, int64_t seq, enum outbox_verdict verdict, int64_t took_ms,
		     const struct delivery_result *r, int64_t now_ms, int64_t next_ms,
		     struct err *err);
/* Times of the newest `n` attempts of a channel since then, oldest first; returns how many. */
int outbox_recent(struct outbox *o, const char *channel, int64_t since_ms, int64_t *at_r, size_t n,
		  struct err *err);

/* Gives up what waits for channels that are no longer configured. */
int outbox_forget_channels(struct outbox *o, const struct strlist *configured, int64_t now_ms,
			   struct err *err);
int outbox_purge(struct outbox *o, int64_t before_ms, struct err *err);

/* New references; NULL on error. state: "open", "resolved" or "all", newest first. */
json_t *outbox_alerts(struct outbox *o, const char *state, int64_t limit, struct err *err);
json_t *outbox_alert(struct outbox *o, const char *id, struct err *err); /* json_null: no such */
json_t *outbox_deliveries(struct outbox *o, int64_t limit, struct err *err);
/* {"alert": as it is now, "delivery": {"id","channel"}} of one message; json_null: none */
json_t *outbox_subject(struct outbox *o, int64_t seq, struct err *err);
int outbox_count(struct outbox *o, struct outbox_counts *c_r, struct err *err);

void outgoing_done(struct outgoing *g);

#endif
