/* SPDX-License-Identifier: Apache-2.0 */
/* statefile - what judging had come to, kept over a restart of haled */
#include "haled.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"

#define STATE_FILE      STATEFILE_NAME
#define STATE_VERSION   1
/* 100,000 components at half a kilobyte. */
#define STATE_BYTES_MAX (64u << 20)

void statefile_load(struct haled *d)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(d->options.state_dir, STATE_FILE);
	HALE_CLEANUP(str_done) struct str text = {0};
	const char *epoch;
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
	epoch = json_string_value(json_object_get(state, "epoch"));
	if (epoch != NULL && strlen(epoch) < sizeof(d->saved.epoch)) {
		memcpy(d->saved.epoch, epoch, strlen(epoch) + 1);
		d->saved.seq = (uint64_t)json_integer_value(json_object_get(state, "head"));
	}
	json_decref(state);
}

static bool is_newer_than_saved(const struct haled *d, const char *epoch, uint64_t seq)
{
	if (str_eq(epoch, d->saved.epoch))
		return seq > d->saved.seq;
	return d->saved.epoch[0] == '\0' || hub_is_earlier(d->saved.epoch, epoch);
}

/* The last journal records are newer than the state file; those before are in it, and would bring
 * back counters as they were then. Each carries its component's state whole; that of a removed one
 * only what became of the total. */
void statefile_record(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		      const json_t *line, const json_t *save)
{
	struct haled *d = ctx;
	const char *id = json_string_value(json_object_get(line, "component"));
	const char *at = json_string_value(json_object_get(line, "at"));
	int64_t at_ms = 0;

	if (!str_eq(topic, TOPIC_HEALTH) || id == NULL || at == NULL ||
	    clock_parse(at, &at_ms) < 0 || !is_newer_than_saved(d, epoch, seq))
		return;
	health_restore_one(d->health, id, save, json_object_get(line, "overall"), at_ms,
			   clock_wall_ms());
}

void statefile_save(struct haled *d)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(d->options.state_dir, STATE_FILE);
	HALE_CLEANUP(str_done) struct str text = {0};
	struct err err;
	int rc;

	str_addf(&text,
		 "{\"version\":%d,\"epoch\":\"%s\",\"head\":%" PRIu64 ",\"health\":", STATE_VERSION,
		 hub_epoch(d->hub), hub_head(d->hub));
	health_save(d->health, &text);
	str_addc(&text, '}');
	rc = file_write_atomic(path, str_text(&text), text.len, 0600, &err);
	if (rc < 0 && !d->has_saved_error)
		log_error("state file cannot be written; a restart would forget counters",
			  KV_S("error", err.text));
	d->has_saved_error = rc < 0;
	d->is_state_dirty = rc < 0;
}
