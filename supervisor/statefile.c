/* SPDX-License-Identifier: Apache-2.0 */
/* statefile - what judging had come to, kept over a restart of haled */
#include "haled.h"

#include "base/clock.h"
#include "base/log.h"
#include "model/frame.h"

void statefile_load(struct haled *d)
{
	struct err err;

	if (state_file_read(d->options.state_dir, &d->saved, &err) < 0)
		log_warn("state file is not understood; health starts from nothing",
			 KV_S("error", err.text));
	health_restore(d->health, d->saved.health, clock_wall_ms());
}

static bool is_newer_than_saved(const struct haled *d, const char *epoch, uint64_t seq)
{
	if (str_eq(epoch, d->saved.epoch))
		return seq > d->saved.head;
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
	HALE_CLEANUP(str_done) struct str health = {0};
	json_t *processes = json_object();
	struct err err;
	int rc;

	for (size_t i = 0; i < d->children_n; i++)
		json_object_set_new(processes, child_name(d->children[i]),
				    child_remember(d->children[i]));
	health_save(d->health, &health);
	rc = state_file_write(d->options.state_dir, hub_epoch(d->hub), hub_head(d->hub), &health,
			      processes, &err);
	if (rc < 0 && !d->has_saved_error)
		log_error("state file cannot be written; a restart would forget counters",
			  KV_S("error", err.text));
	d->has_saved_error = rc < 0;
	d->is_state_dirty = rc < 0;
}
