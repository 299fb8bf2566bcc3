/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/state_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static void take(struct state_file *f, const json_t *state)
{
	const json_t *epoch = json_object_get(state, "epoch");

	f->health = json_incref(json_object_get(state, "health"));
	f->processes = json_incref(json_object_get(state, "processes"));
	if (json_string_length(epoch) == 0 || json_string_length(epoch) >= sizeof(f->epoch))
		return;
	memcpy(f->epoch, json_string_value(epoch), json_string_length(epoch) + 1);
	f->head = (uint64_t)json_integer_value(json_object_get(state, "head"));
}

int state_file_read(const char *dir, struct state_file *f_r, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, STATE_FILE_NAME);
	HALE_CLEANUP(str_done) struct str text = {0};
	json_error_t where;
	json_t *state;
	int rc = file_read(path, STATE_FILE_BYTES_MAX, &text, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	state = json_loadb(str_text(&text), text.len, JSON_REJECT_DUPLICATES, &where);
	if (json_integer_value(json_object_get(state, "version")) == STATE_FILE_VERSION)
		take(f_r, state);
	else
		rc = err_set(err, -EBADMSG, "%s: %s", path,
			     state == NULL ? where.text : "written by another version");
	json_decref(state);
	return rc;
}

void state_file_done(struct state_file *f)
{
	json_decref(f->health);
	json_decref(f->processes);
	*f = (struct state_file){0};
}

int state_file_write(const char *dir, const char *epoch, uint64_t head, const struct str *health,
		     json_t *processes, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, STATE_FILE_NAME);
	HALE_CLEANUP(cleanup_free) char *made = json_dumps(processes, JSON_WIRE_FLAGS);
	HALE_CLEANUP(str_done) struct str text = {0};

	json_decref(processes);
	HALE_ASSERT(made != NULL);
	str_reserve(&text, health->len + strlen(made) + 256);
	str_addf(&text, "{\"version\":%d,\"epoch\":\"%s\",\"head\":%" PRIu64 ",\"processes\":",
		 STATE_FILE_VERSION, epoch, head);
	str_add(&text, made);
	str_add(&text, ",\"health\":");
	str_addn(&text, str_text(health), health->len);
	str_addc(&text, '}');
	return file_write_atomic(path, str_text(&text), text.len, 0600, err);
}
