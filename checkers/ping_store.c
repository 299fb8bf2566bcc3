/* SPDX-License-Identifier: Apache-2.0 */
#include "ping_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define FOLDER "heartbeat"

/* Whose id is made of letters, digits and "_.-" (conf/schema.c): no way out of the folder. */
static char *path_of(const char *state_dir, const char *component)
{
	return mem_printf("%s/" FOLDER "/%s.json", state_dir, component);
}

int ping_store_load(const char *state_dir, const char *component, struct ping_state *s_r,
		    struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = path_of(state_dir, component);
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *object;
	int rc = file_read(path, PING_FILE_MAX, &text, err);

	if (rc < 0)
		return rc;
	object = json_loadb(str_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	rc = ping_state_decode(object, s_r, err);
	json_decref(object);
	if (rc < 0)
		err_prefix(err, "%s", path);
	return rc;
}

int ping_store_save(const char *state_dir, const char *component, const struct ping_state *s,
		    struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *folder = path_join(state_dir, FOLDER);
	HALE_CLEANUP(cleanup_free) char *path = path_of(state_dir, component);
	json_t *object = ping_state_encode(s);
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(object, JSON_COMPACT);
	int rc;

	json_decref(object);
	HALE_ASSERT(text != NULL); /* all texts in it were made UTF-8 */
	rc = file_write_atomic(path, text, strlen(text), 0640, err);
	if (rc != -ENOENT)
		return rc;
	rc = dir_make(folder, 0750, err);
	return rc < 0 ? rc : file_write_atomic(path, text, strlen(text), 0640, err);
}
