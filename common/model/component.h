/* SPDX-License-Identifier: Apache-2.0 */
/* component - what haled knows of one watched thing: how to judge it, and how it stands
 *
 * spec comes from the configuration and does not change between reloads; state is what judging
 * has made of the observations so far and is what the state file, the bus, the CLI and the API
 * show. One JSON form for all of them (component_encode).
 */
#ifndef HALE_MODEL_COMPONENT_H
#define HALE_MODEL_COMPONENT_H

#include "base/str.h"
#include "base/strlist.h"
#include "model/observation.h"
#include "model/status.h"
#include "model/threshold.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The total of all components is told under this id; it is reserved. */
#define COMPONENT_OVERALL           "overall"
/* hale's processes are components: this and the process's name, of this kind. */
#define COMPONENT_OWN_PREFIX        "hale."
#define COMPONENT_KIND_PROCESS      "process"
#define COMPONENT_ID_MAX            128 /* bytes, its NUL included */
/* So many intervals (and one timeout) without an observation are "no data" (DESIGN section 6). */
#define COMPONENT_NO_DATA_INTERVALS 3
/* Details longer than this are not kept over a restart of haled, which writes the state of all
 * components every few seconds: the next check brings them again. */
#define COMPONENT_DETAILS_SAVED_MAX 1024

struct metric_threshold {
	char *metric; /* a name in metrics, or "took_ms" */
	struct threshold degraded;
	struct threshold critical;
};

struct component_spec {
	char *id;      /* [a-z0-9_.-]+ */
	char *label;   /* for people; the id if none was given */
	char *kind;    /* "http", … ; "process" for hale's own */
	char *process; /* who checks it, e.g. "check.http" */
	char *node;
	int64_t interval_ms;
	int64_t timeout_ms;
	uint32_t degraded_after; /* consecutive failures until degraded; >= 1 */
	uint32_t critical_after; /* consecutive failures until critical/down; >= degraded_after */
	uint32_t recover_after;  /* consecutive passes until healthy again; >= 1 */
	enum impact impact;
	enum status on_error; /* what outcome "error" is judged as; default unknown */
	double weight;        /* in the score; default 1 */
	bool is_enabled;      /* disabled: shown, never counted */
	bool is_unconfigured; /* a variable left its target empty; then it is not enabled either */
	struct metric_threshold *thresholds;
	size_t thresholds_n;
	struct strlist depends_on;
	json_t *labels;   /* object of strings or NULL */
	json_t *messages; /* object of phrases (model/phrase.h) or NULL */
};

struct component_state {
	enum status status;
	enum status verdict;   /* the last status that was not unknown; unknown if none ever was */
	int64_t since_ms;      /* wall: when this status began */
	uint32_t failures;     /* consecutive observations that were not passes */
	uint32_t passes;       /* consecutive passes */
	int64_t last_check_ms; /* wall; 0 never */
	int64_t last_success_ms;
	uint64_t error_count; /* observations that were not healthy, since it is known */
	char *last_error;     /* what people read with the last of them; owned, NULL: none */
	/* Tried to mend the present trouble, or the last: judge.h, rule 6. */
	uint32_t recovery_attempts;
	int64_t due_ms; /* wall: no observation by then makes it unknown; 0 not armed */
	bool has_observation;
	struct observation last; /* valid if has_observation */
	enum reason_source { REASON_OF_OBSERVATION, REASON_OF_THRESHOLD, REASON_OF_NO_DATA } why;
	char message[OBSERVATION_MESSAGE_MAX]; /* what people read */
	char reason[OBSERVATION_REASON_MAX];
};

void component_spec_done(struct component_spec *spec);
void component_state_done(struct component_state *state);
/* Unknown since now, "No data yet"; the no-data clock runs from now. */
void component_state_init(struct component_state *state, const struct component_spec *spec,
			  int64_t now_ms);
/* The due_ms of a component seen (or started) now; 0 if disabled or without an interval. */
int64_t component_next_due(const struct component_spec *spec, int64_t now_ms);
/* A time as all of them tell it: RFC 3339, null for 0. New reference. */
json_t *component_time(int64_t wall_ms);
/* The first of depends_on chains that is down or critical, else NULL, is passed in by the caller
 * as blocked_by. Shape (all present, null where unknown):
 * {"id","label","kind","process","node","status","since","message","reason","outcome","took_ms",
 *  "consecutive_failures","error_count","last_error","recovery_attempts","last_check","last_success",
 *  "interval_ms","impact","enabled","configured","depends_on":[],"blocked_by","labels":{},
 *  "metrics":{},"details":{}} */
json_t *component_encode(const struct component_spec *spec, const struct component_state *state,
			 const char *blocked_by);
/* The same as JSON text, as it goes over the bus (JSON_WIRE_FLAGS). Appends. */
void component_write(struct str *out, const struct component_spec *spec,
		     const struct component_state *state, const char *blocked_by);
/* {"took_ms": {"degraded": "> 2000", "critical": null}}. New reference. */
json_t *component_thresholds(const struct component_spec *spec);
/* For the state file: everything judging needs, and what people see; what an older hale did not
 * write stays as it was. -EINVAL leaves the whole state as it was. */
json_t *component_state_save(const struct component_state *state);
/* The same as JSON text, for all of them at a time: a tenth of the time of a tree. */
void component_state_write(struct str *out, const struct component_state *state);
int component_state_restore(struct component_state *state, const json_t *saved);

#endif
