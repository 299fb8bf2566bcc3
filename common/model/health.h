/* SPDX-License-Identifier: Apache-2.0 */
/* health - all components, judged: the table behind `hale status`
 *
 * Every change goes out through one hook as a "health" line (docs/bus.md), in order. The verdicts
 * themselves are model/judge.h's. No I/O, no clock: `now_ms` is wall time, given.
 *
 * A component that has not been observed since haled started, and whose time for that has not
 * passed yet, is pending: shown as unknown, not counted, so that a start is no outage.
 */
#ifndef HALE_MODEL_HEALTH_H
#define HALE_MODEL_HEALTH_H

#include "model/component.h"
#include "model/judge.h"
#include "model/reason.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct health;

/* One "health" line, and what it tells. All borrowed. */
struct health_news {
	const char *component;
	enum status status, previous;
	bool has_changed; /* its status did */
	bool is_blocked;  /* by what it depends on */
	const char *message;
	const char *line; /* JSON text */
	/* It must survive a crash of haled; then `save` (component_state_save) with it. */
	bool must_survive;
	const json_t *save;
};

struct health_hooks {
	void (*on_health)(void *ctx, const struct health_news *news);
	void *ctx;
};

struct health *health_new(const struct health_hooks *hooks);
void health_free(struct health *h);

/* Takes what the n specs hold and leaves them empty. Known ids keep their state; vanished ones are
 * told. */
void health_configure(struct health *h, struct component_spec *specs, size_t n,
		      const struct aggregate_rule *rule, int64_t now_ms);
/* An observation line from `process`: of a component it checks, or of itself ("hale.recorder" of
 * "recorder"), which counts as long as haled finds nothing wrong with the process. -ENOENT: no such
 * component of that process; -EINVAL. */
int health_observe(struct health *h, const char *process, const json_t *line, int64_t now_ms,
		   struct err *err);
/* The same of a line as text, which mostly is read without a tree. -EBADMSG: no JSON object. */
int health_observe_text(struct health *h, const char *process, const char *text, size_t len,
			int64_t now_ms, struct err *err);
/* A verdict of haled's own about one of its processes ("hale.notifier"): it holds until the next,
 * or, if it was a pass, until the process says something else about itself. */
void health_report(struct health *h, const char *component, enum outcome outcome,
		   enum reason reason, const char *message, int64_t now_ms);
/* Something was tried to mend it; told with the next line. */
void health_note_recovery(struct health *h, const char *component);
/* Nobody checks the components of `process` any more: unknown at once, with this message. */
void health_silence(struct health *h, const char *process, const char *message, int64_t now_ms);
/* Stopped on purpose: shown, not counted. */
void health_set_counted(struct health *h, const char *component, bool is_counted);
/* While paused everything stays as it was: what is observed and reported is passed over, nothing is
 * overdue, no line goes out, and the total is unknown. Afterwards all have their full time again.
 */
void health_pause(struct health *h);
void health_resume(struct health *h, int64_t now_ms);
bool health_is_paused(const struct health *h);
/* Components whose observations are overdue. */
void health_expire(struct health *h, int64_t now_ms);
/* The wall clock was set by so much: what was due then is due as long from now. */
void health_shift(struct health *h, int64_t by_ms);
int64_t health_next_due(const struct health *h); /* wall ms; INT64_MAX never */

/* New references. */
json_t *health_components(const struct health *h);
json_t *health_component(const struct health *h, const char *id);  /* NULL if unknown */
json_t *health_thresholds(const struct health *h, const char *id); /* the same */
/* How many there are, and the id of each (borrowed until the next configure). */
size_t health_size(const struct health *h);
const char *health_id(const struct health *h, size_t i);
json_t *health_counts(const struct health *h); /* {"total", "healthy", …} */
enum status health_overall(const struct health *h);
int64_t health_overall_since(const struct health *h);
double health_score(const struct health *h); /* NAN: none */

/* Appends one JSON object. */
void health_save(const struct health *h, struct str *out);
/* From the state file; and one component from the journal (newer), as it was told at `at_ms`. Call
 * after configure. What is in neither the configuration nor told as removed vanished while haled
 * was down: health_tell_gone() tells it, once lines can be told. */
void health_restore(struct health *h, const json_t *saved, int64_t now_ms);
void health_restore_one(struct health *h, const char *id, const json_t *save, const json_t *overall,
			int64_t at_ms, int64_t now_ms);
void health_tell_gone(struct health *h, int64_t now_ms);

#endif
