/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "store_private.h"

/* How long a reader's or writer's lock may be waited for. */
#define STORE_TIMEOUT_MS 5000

/* A pinned reader lets the WAL grow; after it has gone, the file shrinks to this again. The
 * checkpoint every 8 MB instead of 4 halves what is written twice. */
static const char writer_pragmas[] = "PRAGMA journal_mode = WAL;"
				     "PRAGMA synchronous = NORMAL;"
				     "PRAGMA wal_autocheckpoint = 2000;"
				     "PRAGMA journal_size_limit = 16777216;";

#define OPTIONS_PART(member) __typeof__(((struct store_options *)0)->member)

static const struct conf_item sqlite_items[] = {
	CONF_STR(OPTIONS_PART(sqlite), path, .flags = CONF_F_WRITE,
		 .help = "database file; a relative one stands in the state directory; default "
			 "history.db"),
	CONF_END};

/* A retention below an hour would purge what a check of that interval has just written. */
#define RETENTION_MIN_MS 3600000.0
#define RETENTION_MAX_MS (3650.0 * 86400000.0)
#define RETENTION(field, option, ...)                                                              \
	CONF_DURATION(OPTIONS_PART(retention), field, .name = option, .min = RETENTION_MIN_MS,     \
		      .max = RETENTION_MAX_MS, __VA_ARGS__)

static const struct conf_item retention_items[] = {
	RETENTION(results_ms, "results", .def = "7d1h", .help = "how long raw results are kept"),
	RETENTION(rollups_5m_ms, "rollups_5m", .def = "90d",
		  .help = "how long metrics by 5 minutes are kept"),
	RETENTION(rollups_1h_ms, "rollups_1h", .def = "400d",
		  .help = "how long metrics by the hour are kept"),
	RETENTION(rollups_1d_ms, "rollups_1d", .def = "400d",
		  .help = "how long metrics by the day are kept"),
	RETENTION(transitions_ms, "transitions", .def = "400d",
		  .help = "how long changes of status are kept; the last of each component stays"),
	RETENTION(alerts_ms, "alerts", .def = "400d",
		  .help = "how long alerts, deliveries and reconcile runs are kept"),
	RETENTION(events_ms, "events", .def = "400d",
		  .help = "how long events, process events and recoveries are kept"),
	CONF_END};

const struct conf_item store_items[] = {
	CONF_MAP(struct store_options, sqlite, sqlite_items,
		 .help = "history in an embedded SQLite database"),
	CONF_MAP(struct store_options, retention, retention_items, .help = "how long what is kept"),
	CONF_DURATION(struct store_options, purge_every_ms, .name = "purge_every", .def = "1h",
		      .min = 60000, .max = 86400000,
		      .help = "how often rows beyond their retention are deleted"),
	CONF_END};

const char *store_backend(const struct store_options *o)
{
	return o->postgres.dsn == NULL ? "sqlite" : "postgresql";
}

const char *store_where(const struct store *h)
{
	return h->path;
}

static int open_db(const struct store_options *o, bool is_writer, struct db **db_r, struct err *err)
{
	struct db_target target = {.engine = DB_SQLITE,
				   .where = o->sqlite.path,
				   .timeout_ms = STORE_TIMEOUT_MS,
				   .is_read_only = !is_writer,
				   .must_exist = !is_writer,
				   .keeps_wal = is_writer};
	HALE_CLEANUP(cleanup_free) char *dir = NULL;
	const char *slash = strrchr(o->sqlite.path, '/');
	int rc;

	if (is_writer && slash != NULL && slash != o->sqlite.path) {
		dir = mem_dupn(o->sqlite.path, (size_t)(slash - o->sqlite.path));
		rc = dir_make(dir, 0750, err);
		if (rc != 0)
			return rc;
	}
	rc = db_open(&target, db_r, err);
	if (rc == -ENOENT)
		return err_set(err, -ENOENT, "%s: there is no store yet", o->sqlite.path);
	return rc;
}

static bool put_code(void *ctx, const struct db_row *row)
{
	(void)map_put(ctx, row->values[1].text, (void *)(intptr_t)(row->values[0].integer + 1));
	return true;
}

static int writer_setup(struct store *h, struct err *err)
{
	/* Ours before anything is changed in the file. */
	int rc = store_migrate(h->db, h->path, err);

	if (rc == 0)
		rc = db_script(h->db, writer_pragmas, err);
	if (rc == 0)
		rc = db_query(h->db, "SELECT code, name FROM statuses", NULL, 0, put_code,
			      &h->statuses, err);
	if (rc == 0)
		rc = db_query(h->db, "SELECT code, name FROM outcomes", NULL, 0, put_code,
			      &h->outcomes, err);
	return rc;
}

int store_open(const struct store_options *o, enum store_role role, struct store **h_r,
	       struct err *err)
{
	struct store *h;
	int rc;

	if (o->sqlite.path == NULL)
		return err_set(err, -EINVAL, "store.sqlite.path: not set");
	h = mem_alloc(sizeof(*h));
	h->path = mem_dup(o->sqlite.path);
	h->is_writer = role == STORE_KEEPER;
	rc = open_db(o, h->is_writer, &h->db, err);
	if (rc == 0)
		rc = h->is_writer ? writer_setup(h, err) : store_check_version(h->db, h->path, err);
	if (rc != 0) {
		store_close(h);
		return rc;
	}
	*h_r = h;
	return 0;
}

static void map_free_values(struct map *m)
{
	const char *key;
	void *value;

	for (size_t i = 0; map_each(m, &i, &key, &value);)
		free(value);
	map_done(m);
	*m = (struct map){0};
}

void store_forget(struct store *h)
{
	map_free_values(&h->components);
	map_done(&h->epochs);
	h->epochs = (struct map){0};
}

void store_close(struct store *h)
{
	if (h == NULL)
		return;
	store_forget(h);
	map_done(&h->statuses);
	map_done(&h->outcomes);
	db_close(h->db);
	free(h->path);
	free(h);
}

void store_interrupt(struct store *h)
{
	db_interrupt(h->db);
}

bool store_is_broken(const struct store *h)
{
	return db_is_broken(h->db);
}

struct cursor_reader {
	char *epoch;
	size_t epoch_size;
	uint64_t seq;
};

static bool on_cursor(void *ctx, const struct db_row *row)
{
	struct cursor_reader *c = ctx;

	(void)snprintf(c->epoch, c->epoch_size, "%s", row->values[0].text);
	c->seq = (uint64_t)row->values[1].integer;
	return false;
}

int store_cursor(struct store *h, char *epoch, size_t epoch_size, uint64_t *seq_r, struct err *err)
{
	struct cursor_reader c = {.epoch = epoch, .epoch_size = epoch_size};
	int rc;

	epoch[0] = '\0';
	rc = db_query(h->db, "SELECT epoch, seq FROM cursors LIMIT 1", NULL, 0, on_cursor, &c, err);
	if (rc == 0)
		*seq_r = c.seq;
	return rc;
}

int store_cursor_put(struct store *h, const char *node, const char *epoch, uint64_t seq,
		     struct err *err)
{
	struct db_value args[] = {db_v_text(node), db_v_text(epoch), DB_V_INT((int64_t)seq)};

	return db_run(h->db,
		      "INSERT OR REPLACE INTO cursors (node, epoch, seq) VALUES ($1, $2, $3)", args,
		      ARRAY_LEN(args), NULL, err);
}
