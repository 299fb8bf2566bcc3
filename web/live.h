/* SPDX-License-Identifier: Apache-2.0 */
/* live - how everything stands now, as haled told it
 *
 * Starts from a snapshot (`hale status`) and follows the bus lines. Whoever renders from it keeps
 * the revision it rendered: a document is made once a change, not once a request (C-08).
 * Pure: time is an argument; no loop.
 *
 * Ownership: live owns its JSON; what live_*() returns is borrowed until the next change, unless
 * "new reference" is said.
 */
#ifndef HALE_WEB_LIVE_H
#define HALE_WEB_LIVE_H

#include "model/health_line.h"
#include "model/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* How many transitions, process events and events a newly opened page is shown. */
#define LIVE_RECENT_MAX 50

struct live;

struct live *live_new(void);
void live_free(struct live *l);

/* Replaces everything but the recent lines. */
void live_snapshot(struct live *l, const json_t *snapshot);
/* A later `status` answer: everything if it is whole and at least as new as the lines seen, else
 * only what no line carries (config, bus). */
void live_refresh(struct live *l, const json_t *status);
/* One line of the bus. Returns the name of the stream event it is ("health:update"), or NULL for a
 * topic nobody shows. */
const char *live_line(struct live *l, const char *topic, uint64_t seq, const json_t *object);
/* The same of a line that told one more observation, kept as text until it is looked at. False if
 * the component is not known yet, and live_line() must have the line. */
bool live_routine(struct live *l, uint64_t seq, const struct health_line *line);
/* Puts frames (recent.h) before what it heard itself, as many as there is room for. */
void live_remember(struct live *l, const json_t *frames);
/* haled does not answer: what is known is old, and nobody may be told it is healthy. */
void live_set_stale(struct live *l, bool is_stale, int64_t now_ms);

bool live_has_snapshot(const struct live *l);
bool live_is_stale(const struct live *l);
uint64_t live_revision(const struct live *l); /* rises with every change */
uint64_t live_seq(const struct live *l);
enum status live_status(const struct live *l); /* unknown without a snapshot, and when stale */
bool live_is_monitoring(const struct live *l); /* false while it is paused */
double live_score(const struct live *l);       /* 0 … 100; negative: none */
const json_t *live_base(const struct live *l); /* the snapshot's other members; NULL: none */
const json_t *live_component(const struct live *l, const char *id); /* NULL: no such one */
const json_t *live_process(const struct live *l, const char *name);
const json_t *live_components(const struct live *l); /* object by id, in haled's order */
const json_t *live_processes(const struct live *l);  /* object by name */
const json_t *live_recent(const struct live *l); /* array of {"event","seq","data"}, oldest first */

/* The shape of `hale status -o json`, with "stale": true when it is. New reference. */
json_t *live_document(const struct live *l);
json_t *live_counts(const struct live *l);          /* {"total", "healthy", …}; new reference */
json_t *live_component_array(const struct live *l); /* new reference */
json_t *live_process_array(const struct live *l);   /* new reference */

#endif
