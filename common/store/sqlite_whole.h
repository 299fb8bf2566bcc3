/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_whole - whether the file is whole, and the way out if it is not (private to this layer)
 *
 * Blocking. A file is checked when it is opened: a small one always, a large one after the machine
 * went down with it open, when somebody came upon damage, and once a week. A file that is damaged
 * and ours is renamed, with its log, and a new one begun; nothing is deleted.
 */
#ifndef HALE_STORE_SQLITE_WHOLE_H
#define HALE_STORE_SQLITE_WHOLE_H

#include "base/str.h"
#include "db/db.h"

/* Of a new file also says how it is to be laid out. -EUCLEAN: damaged; the text says how. */
int sqlite_whole_check(struct db *db, const char *path, struct err *err);
/* The file is in use; and is not any more. */
int sqlite_whole_begin(struct db *db, struct err *err);
void sqlite_whole_end(struct db *db);
/* By its header alone. */
bool sqlite_whole_is_ours(const char *path);
/* Nobody may have it open who writes. *notice_r: for people; caller frees. */
int sqlite_whole_set_aside(const char *path, char **notice_r, const struct err *why,
			   struct err *err);
/* Appends the newest file that was set aside after since_ms and is still there; none: nothing. */
void sqlite_whole_find_aside(const char *path, int64_t since_ms, struct str *out);
/* Somebody came upon damage: the next opening checks. */
void sqlite_whole_suspect(const char *path);

#endif
