/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_whole.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "store_private.h"

/* Read in well under a second, even from a slow disk. */
#define SMALL_BYTES      INT64_C(268435456)
#define CHECK_EVERY_MS   INT64_C(604800000)
/* Of a file of many gigabytes; lines wait meanwhile, and it can be interrupted. */
#define CHECK_TIMEOUT_MS 900000
/* "hale", as file(1) and we find it in the file's header. */
#define APPLICATION_ID   0x68616c65
#define ID_OFFSET        68
#define HEADER_BYTES     100
/* A start of the machine has a name of its own here: what was open before it went down with it. */
#define BOOT_ID          "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX      64
/* What is behind the name of a file that was set aside, and before the time. */
#define ASIDE            ".broken-"

/* --- whether it is to be checked --- */

static void read_boot_id(struct str *out)
{
	(void)file_read(BOOT_ID, BOOT_ID_MAX, out, NULL);
	while (out->len > 0 && out->data[out->len - 1] == '\n')
		str_truncate(out, out->len - 1);
}

static bool read_text(void *ctx, const struct db_row *row)
{
	if (row->values[0].type == DB_TEXT)
		str_addn(ctx, row->values[0].text, row->values[0].len);
	return false;
}

static int read_meta(struct db *db, const char *key, struct str *out, struct err *err)
{
	const struct db_value arg = db_v_text(key);

	return db_query(db, "SELECT value FROM meta WHERE key = $1", &arg, 1, read_text, out, err);
}

static char *suspect_path(const char *path)
{
	return mem_printf("%s.suspect", path);
}

static bool is_small(const char *path)
{
	struct stat st;

	return stat(path, &st) != 0 || st.st_size <= SMALL_BYTES;
}

/* Of a large one. */
static int is_check_due(struct db *db, bool *is_due_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str in_use = {0};
	HALE_CLEANUP(str_done) struct str checked = {0};
	HALE_CLEANUP(str_done) struct str boot = {0};
	int rc = read_meta(db, "in_use", &in_use, err);

	if (rc == 0)
		rc = read_meta(db, "checked", &checked, err);
	read_boot_id(&boot);
	*is_due_r = (in_use.len > 0 && strcmp(str_text(&in_use), str_text(&boot)) != 0) ||
		    clock_wall_ms() - atoll(str_text(&checked)) > CHECK_EVERY_MS;
	return rc;
}

/* --- checking --- */

static int quick_check(struct db *db, const char *path, struct err *err)
{
	HALE_CLEANUP(str_done) struct str found = {0};
	int rc;

	db_set_timeout(db, CHECK_TIMEOUT_MS);
	rc = db_query(db, "PRAGMA quick_check(1)", NULL, 0, read_text, &found, err);
	db_set_timeout(db, STORE_TIMEOUT_MS);
	if (rc != 0 || strcmp(str_text(&found), "ok") == 0)
		return rc;
	for (char *p = found.data; p != NULL && (p = strchr(p, '\n')) != NULL;)
		*p = ' ';
	return err_set(err, -EUCLEAN, "%s: is damaged: %s", path, str_text(&found));
}

static int set_checked(struct db *db, struct err *err)
{
	char now[24];
	struct db_value arg;

	(void)snprintf(now, sizeof(now), "%lld", (long long)clock_wall_ms());
	arg = db_v_text(now);
	return db_run(db, "INSERT OR REPLACE INTO meta (key, value) VALUES ('checked', $1)", &arg,
		      1, NULL, err);
}

static int check_ours(struct db *db, const char *path, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *suspect = suspect_path(path);
	bool is_due = access(suspect, F_OK) == 0 || is_small(path);
	int rc = is_due ? 0 : is_check_due(db, &is_due, err);

	if (rc == 0 && is_due)
		rc = quick_check(db, path, err);
	if (rc == 0 && is_due)
		rc = set_checked(db, err);
	if (rc == 0)
		(void)unlink(suspect);
	return rc;
}

int sqlite_whole_check(struct db *db, const char *path, struct err *err)
{
	int64_t pages = 0, has_meta = 0;
	int rc = db_query(db, "PRAGMA page_count", NULL, 0, store_read_int, &pages, err);

	/* Both can only be said before there is a table. */
	if (rc == 0 && pages == 0)
		return db_script(db, "PRAGMA auto_vacuum = INCREMENTAL", err);
	if (rc == 0)
		rc = db_query(db,
			      "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
			      " AND name IN ('meta', 'schema_migrations')",
			      NULL, 0, store_read_int, &has_meta, err);
	/* What is not ours is refused with the migrations. */
	return rc == 0 && has_meta == 2 ? check_ours(db, path, err) : rc;
}

int sqlite_whole_begin(struct db *db, struct err *err)
{
	HALE_CLEANUP(str_done) struct str boot = {0};
	char id[48];
	int64_t now = 0;
	struct db_value arg;
	int rc = db_query(db, "PRAGMA application_id", NULL, 0, store_read_int, &now, err);

	read_boot_id(&boot);
	arg = db_v_text(str_text(&boot));
	(void)snprintf(id, sizeof(id), "PRAGMA application_id = %d", APPLICATION_ID);
	if (rc == 0 && now != APPLICATION_ID)
		rc = db_script(db, id, err);
	return rc == 0 ? db_run(db,
				"INSERT OR REPLACE INTO meta (key, value) VALUES ('in_use', $1)",
				&arg, 1, NULL, err)
		       : rc;
}

void sqlite_whole_end(struct db *db)
{
	if (!db_is_broken(db))
		(void)db_run(db, "DELETE FROM meta WHERE key = 'in_use'", NULL, 0, NULL, NULL);
}

bool sqlite_whole_is_ours(const char *path)
{
	unsigned char h[HEADER_BYTES] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_ours = fd >= 0 && pread(fd, h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
		       memcmp(h, "SQLite format 3", sizeof("SQLite format 3")) == 0;
	unsigned id = (unsigned)h[ID_OFFSET] << 24 | (unsigned)h[ID_OFFSET + 1] << 16 |
		      (unsigned)h[ID_OFFSET + 2] << 8 | h[ID_OFFSET + 3];

	if (fd >= 0)
		(void)close(fd);
	return is_ours && id == APPLICATION_ID;
}

/* --- the way out --- */

int sqlite_whole_set_aside(const char *path, char **notice_r, const struct err *why,
			   struct err *err)
{
	static const char *const suffixes[] = {"-wal", "-shm", ""};
	char at[CLOCK_TEXT_MAX];
	HALE_CLEANUP(cleanup_free) char *aside = NULL;
	HALE_CLEANUP(cleanup_free) char *suspect = suspect_path(path);

	aside = mem_printf("%s" ASIDE "%s", path, clock_now_text(at));
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		HALE_CLEANUP(cleanup_free) char *from = mem_printf("%s%s", path, suffixes[i]);
		HALE_CLEANUP(cleanup_free) char *to = mem_printf("%s%s", aside, suffixes[i]);

		if (rename(from, to) != 0 && errno != ENOENT)
			return err_errno(err, -errno, "%s; it cannot be set aside as %s", why->text,
					 aside);
	}
	(void)unlink(suspect);
	free(*notice_r);
	*notice_r = mem_printf("%s; it was set aside as %s and a new store begun; what can be read "
			       "of it comes back with: hale export --store %s | hale import -",
			       why->text, aside, aside);
	return 0;
}

static bool is_aside(const char *name, const char *prefix)
{
	size_t len = strlen(name);

	return strncmp(name, prefix, strlen(prefix)) == 0 &&
	       strcmp(name + len - strlen("-wal"), "-wal") != 0 &&
	       strcmp(name + len - strlen("-shm"), "-shm") != 0;
}

/* Their names sort by time; renaming is what changed them last. */
void sqlite_whole_find_aside(const char *path, int64_t since_ms, struct str *out)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	HALE_CLEANUP(cleanup_free)
	char *dir = slash != NULL ? mem_dupn(path, (size_t)(name - path)) : mem_dup(".");
	HALE_CLEANUP(cleanup_free) char *prefix = mem_printf("%s" ASIDE, name);
	const struct dirent *entry;
	DIR *d = opendir(dir);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		HALE_CLEANUP(cleanup_free) char *full = path_join(dir, entry->d_name);
		struct stat st;

		if (!is_aside(entry->d_name, prefix) || lstat(full, &st) != 0 ||
		    (int64_t)st.st_ctime * 1000 < since_ms || strcmp(full, str_text(out)) <= 0)
			continue;
		str_clear(out);
		str_add(out, full);
	}
	if (d != NULL)
		(void)closedir(d);
}

void sqlite_whole_suspect(const char *path)
{
	HALE_CLEANUP(cleanup_free) char *suspect = suspect_path(path);

	(void)file_write_atomic(suspect, "", 0, 0640, NULL);
}
