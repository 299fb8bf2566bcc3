/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "value.h"

void side_init(struct side *side, size_t max)
{
	*side = (struct side){.v = mem_array(max + 1, sizeof(*side->v))};
}

struct slot *side_find(const struct side *side, const struct slot *like)
{
	return map_get(&side->by_id, like->id);
}

/* {"AAPL", 7} is "AAPL/7" for people and ["AAPL","7"] for comparing. */
static void name_slot(struct slot *slot, json_t *parts)
{
	struct str key = {0};
	json_t *texts = json_array();
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		HALE_CLEANUP(str_done) struct str text = {0};

		value_text(part, &text);
		if (i > 0)
			str_addc(&key, '/');
		str_add(&key, str_text(&text));
		json_array_append_new(texts, json_string(str_text(&text)));
	}
	slot->key = key.data != NULL ? str_take(&key) : mem_dup("");
	slot->id = json_dumps(texts, JSON_COMPACT);
	HALE_ASSERT(slot->id != NULL);
	slot->parts = parts;
	json_decref(texts);
}

void side_add(struct side *side, const json_t *row, json_t *parts)
{
	struct slot *slot = &side->v[side->n++];
	struct slot *first;

	slot->row = row;
	name_slot(slot, parts);
	first = map_get(&side->by_id, slot->id);
	if (first == NULL) {
		(void)map_put(&side->by_id, slot->id, slot);
		return;
	}
	first->is_twice = slot->is_twice = true;
}

void side_done(struct side *side)
{
	for (size_t i = 0; i < side->n; i++) {
		free(side->v[i].key);
		free(side->v[i].id);
		json_decref(side->v[i].parts);
	}
	free(side->v);
	map_done(&side->by_id);
}
