/* SPDX-License-Identifier: Apache-2.0 */
/* hub - haled's end of the bus: numbers, keeps, publishes; takes what children send
 *
 * What must survive a crash of haled goes to the journal before it goes to the bus. Lines of
 * children are handed up once each, in order; acknowledgements go out as "sync" at the pace of
 * pace.h. What anybody lost is counted (losses.h) and told through on_loss.
 *
 * Topics: what a child may send is handed up if it is one of frame.h; lines of any other topic, and
 * lines that are no JSON object, are counted and dropped, and said in the log the first, second,
 * fourth … time.
 */
#ifndef HALE_BUS_HUB_H
#define HALE_BUS_HUB_H

#include "base/err.h"
#include "bus/access.h"
#include "bus/journal.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct hub;

struct hub_hooks {
	/* A line of a child, shape not yet checked beyond being a JSON object; borrowed. */
	void (*on_line)(void *ctx, const char *service, uint64_t generation, const char *topic,
			const json_t *line);
	/* The same as text, before it is read: true if that was enough. May be NULL. */
	bool (*on_text)(void *ctx, const char *service, const char *topic, const char *text,
			size_t len);
	/* Lines are lost for good: an event is due. details is taken. */
	void (*on_loss)(void *ctx, const char *process, const char *message, json_t *details);
	/* What the journal of a former haled holds, during hub_open. */
	journal_fn on_record;
	void *ctx;
};

/* Borrowed for the call. */
struct hub_home {
	const char *bus, *results;       /* paths of the two sockets */
	const char *state_dir;           /* where the journal is */
	const struct bus_access *access; /* to the sockets; NULL: the owner alone */
	size_t ring_bytes;
	const char *handover; /* of hub_hand_over(), before an exec; NULL: a start like any other */
	size_t handover_len;
};

/* -EINVAL when the handover is not understood. */
int hub_open(uv_loop_t *loop, const struct hub_home *home, const struct hub_hooks *hooks,
	     struct hub **hub_r, struct err *err);
/* Sends what is gathered and writes to fd what the next program of this process needs to go on in
 * the same epoch. Nothing may be published afterwards. */
int hub_hand_over(struct hub *hub, int fd, struct err *err);
/* At a reload: bus.ring. */
void hub_resize(struct hub *hub, size_t ring_bytes);
/* line (JSON text) and save (or NULL) are borrowed. */
void hub_publish_text(struct hub *hub, const char *topic, const char *line, const json_t *save,
		      bool must_survive);
/* The same of an object. */
void hub_publish(struct hub *hub, const char *topic, const json_t *line, const json_t *save,
		 bool must_survive);
/* The generations of that child before this one are gone for good. */
void hub_forget(struct hub *hub, const char *service, uint64_t generation);
/* Answer to bus.replay, and counting what it could not answer; NULL with err for bad parameters. */
json_t *hub_replay(struct hub *hub, const json_t *params, json_t *(*snapshot)(void *ctx), void *ctx,
		   struct err *err);
const char *hub_epoch(const struct hub *hub);
/* True if that start of haled was before the other: epochs rise, whatever the clock did. */
bool hub_is_earlier(const char *epoch, const char *other);
uint64_t hub_head(const struct hub *hub);
json_t *hub_stats(const struct hub *hub); /* counters; new reference */
void hub_close(struct hub *hub);

#endif
