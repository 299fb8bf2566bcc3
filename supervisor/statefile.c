/* SPDX-License-Identifier: Apache-2.0 */
/* statefile - what judging had come to, kept over a restart of haled */
#include "haled.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"

#define STATE_FILE "health.state"
#define STATE_VERSION 1
/* 100,000 components at half a kilobyte. */
#define STATE_BYTES_MAX (64u << 20)

void statefile_load(struct haled *d)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(d->options.state_dir, STATE_FILE);
	HALE_CLEANUP(str_done) struct str text = {0};
	json_error_t where;
	json_t *state;

	/* No file is the first start. */
	if (file_read(path, STATE_BYTES_MAX, &text, NULL) < 0)
		return;
	state = json_loads(str_text(&text), JSON_REJECT_DUPLICATES, &where);
	if (state == NULL ||
	    json_integer_value(json_object_get(state, "version")) != STATE_VERSION) {
		log_warn("state file is not understood; health starts from nothing",
			 KV_S("path", path), KV_S("error", state == NULL ? where.text : "version"));
		json_decref(state);
		return;
	}
	health_restore(d->health, json_object_get(state, "health"), clock_wall_ms());
	json_decref(state);
}

/* The state file is older than the last journal records; those of the health topic carry the
 * component's state whole, so applying one twice does no harm. */
void statefile_record(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		      const json_t *line, const json_t *save)
{
	struct haled *d = ctx;
	const char *id = json_string_value(json_object_get(line, "component"));

	(void)epoch;
	(void)seq;
	if (!str_eq(topic, TOPIC_HEALTH) || id == NULL || save == NULL)
		return;
	health_restore_one(d->health, id, save, json_object_get(line, "overall"), clock_wall_ms());
}

void statefile_save(struct haled *d)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(d->options.state_dir, STATE_FILE);
	HALE_CLEANUP(cleanup_free) char *text = NULL;
	json_t *state = json_pack("{s:i, s:o}", "version", STATE_VERSION, "health",
				  health_save(d->health));
	struct err err;
	int rc;

	text = json_dumps(state, JSON_WIRE_FLAGS);
	json_decref(state);
	rc = file_write_atomic(path, text, strlen(text), 0600, &err);
	if (rc < 0 && !d->has_saved_error)
		log_error("state file cannot be written; a restart would forget counters",
			  KV_S("error", err.text));
	d->has_saved_error = rc < 0;
	d->is_state_dirty = rc < 0;
}
