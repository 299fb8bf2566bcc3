/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/replay.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/losses.h"

/* Who has everything. The ring knows an epoch only by its lines, and may hold none (any more). */
static bool is_at_head(const char *from, json_int_t after, const char *epoch, uint64_t head)
{
	return from != NULL && strcmp(from, epoch) == 0 && (uint64_t)after == head;
}

json_t *replay_answer(const struct ring *r, const json_t *params, const char *epoch, uint64_t head,
		      json_t *(*snapshot)(void *ctx), void *ctx, struct err *err)
{
	const json_t *from = json_object_get(params, "epoch");
	const json_t *after = json_object_get(params, "after");
	const char *from_text = json_string_value(from);
	json_t *frames;
	bool more;

	if (from != NULL && !json_is_null(from) && !json_is_string(from)) {
		(void)err_set(err, -EINVAL, "epoch: must be text or null");
		return NULL;
	}
	if (after != NULL && (!json_is_integer(after) || json_integer_value(after) < 0)) {
		(void)err_set(err, -EINVAL, "after: must be a seq: a number, 0 or more");
		return NULL;
	}
	if (!json_is_true(json_object_get(params, "snapshot")) &&
	    is_at_head(from_text, json_integer_value(after), epoch, head))
		return json_pack("{s:[], s:b, s:s, s:I}", "frames", "more", 0, "epoch", epoch,
				 "head", (json_int_t)head);
	if (!json_is_true(json_object_get(params, "snapshot")) &&
	    ring_replay(r, from_text, (uint64_t)json_integer_value(after), REPLAY_ANSWER_BYTES,
			&frames, &more) == RING_OK)
		return json_pack("{s:o, s:b, s:s, s:I}", "frames", frames, "more", (int)more,
				 "epoch", epoch, "head", (json_int_t)head);
	return json_pack("{s:o, s:s, s:I}", "snapshot", snapshot(ctx), "epoch", epoch, "head",
			 (json_int_t)head);
}

uint64_t replay_lost(const json_t *params, const json_t *answer, const char **who_r)
{
	const char *from = json_string_value(json_object_get(params, "epoch"));
	const char *epoch = json_string_value(json_object_get(answer, "epoch"));
	const char *name = json_string_value(json_object_get(params, "name"));
	json_int_t after = json_integer_value(json_object_get(params, "after"));
	json_int_t head = json_integer_value(json_object_get(answer, "head"));

	/* Who has no cursor yet, or asks for no lines, misses none. */
	if (json_object_get(answer, "snapshot") == NULL || from == NULL || from[0] == '\0' ||
	    json_is_true(json_object_get(params, "snapshot")))
		return 0;
	*who_r = name != NULL ? name : LOSSES_OTHER;
	/* Of another start of haled only this one's lines can be counted. */
	if (strcmp(from, epoch) == 0 && after <= head)
		head -= after;
	return (uint64_t)HALE_MAX(head, (json_int_t)1);
}
