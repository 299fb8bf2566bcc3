/* SPDX-License-Identifier: Apache-2.0 */
#include "db/pgasync.h"
#include "store/store.h"

/* A few seconds of a busy system; what nobody's disk has. */
#define SPOOL_BYTES_MIN 1048576.0
#define SPOOL_BYTES_MAX 1099511627776.0

#define OPTIONS_PART(member) __typeof__(((struct store_options *)0)->member)

static const struct conf_item sqlite_items[] = {
	CONF_STR(OPTIONS_PART(sqlite), path, .flags = CONF_F_WRITE,
		 .help = "database file; a relative one stands in the state directory; default "
			 "history.db"),
	CONF_END};

static const struct conf_item tls_items[] = {
	CONF_ENUM(
		OPTIONS_PART(postgres.tls), mode,
		.choices = "disable|allow|prefer|require|verify-ca|verify-full",
		.help = "as libpq's sslmode; default verify-full if there is a ca_file, else what "
			"dsn says"),
	CONF_STR(OPTIONS_PART(postgres.tls), ca_file, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "certificates to trust (PEM)"),
	CONF_STR(OPTIONS_PART(postgres.tls), cert_file, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "certificate to show (PEM)"),
	CONF_STR(OPTIONS_PART(postgres.tls), key_file, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "its key (PEM), readable by nobody else"),
	CONF_END};

static const struct conf_item postgres_items[] = {
	CONF_STR(OPTIONS_PART(postgres), dsn,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_SECRET | CONF_F_CONNECT,
		 .help = "connection string: key=value pairs or a postgresql:// URI"),
	CONF_STR(OPTIONS_PART(postgres), schema, .def = "hale", .flags = CONF_F_NONEMPTY,
		 .help = "where the tables are; made if it is not there"),
	CONF_STR(OPTIONS_PART(postgres), passfile, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "file of passwords (as ~/.pgpass), readable by nobody else"),
	CONF_MAP(OPTIONS_PART(postgres), tls, tls_items, .help = "how to use TLS"),
	CONF_DURATION(OPTIONS_PART(postgres), connect_timeout_ms, .name = "connect_timeout",
		      .def = "5s", .min = 100, .max = 60000,
		      .help = "how long a connection may take"),
	CONF_DURATION(OPTIONS_PART(postgres), statement_timeout_ms, .name = "statement_timeout",
		      .def = "15s", .min = 1000, .max = 600000,
		      .help = "how long a statement may take, and the server be silent"),
	CONF_ENUM(OPTIONS_PART(postgres), synchronous_commit,
		  .choices = "on|off|local|remote_write|remote_apply",
		  .help = "what a commit waits for; default: as the server is set. With off, a "
			  "crash of the server may lose the last second"),
	CONF_END};

static const struct conf_item spool_items[] = {
	CONF_STR(OPTIONS_PART(spool), path, .flags = CONF_F_WRITE,
		 .help = "directory for what waits for the database; a relative one stands in the "
			 "state directory; default spool"),
	CONF_SIZE(OPTIONS_PART(spool), bytes, .def = "256MB", .min = SPOOL_BYTES_MIN,
		  .max = SPOOL_BYTES_MAX,
		  .help = "what may wait there; beyond it the oldest single results go first"),
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
	CONF_MAP(struct store_options, postgres, postgres_items,
		 .help = "history in a PostgreSQL database"),
	CONF_MAP(struct store_options, spool, spool_items,
		 .help = "where lines wait while the database cannot be used"),
	CONF_MAP(struct store_options, retention, retention_items, .help = "how long what is kept"),
	CONF_DURATION(struct store_options, purge_every_ms, .name = "purge_every", .def = "1h",
		      .min = 60000, .max = 86400000,
		      .help = "how often rows beyond their retention are deleted"),
	CONF_END};

void store_options_check(const struct store_options *o, store_problem_fn problem, void *ctx)
{
	struct err err = {0};

	if (o->postgres.dsn == NULL)
		return;
	if (o->sqlite.path != NULL)
		problem(ctx, "/sqlite",
			"history is kept in one database: take out 'sqlite', or 'postgres'");
	if (pg_conninfo_check(o->postgres.dsn, &err) != 0)
		problem(ctx, "/postgres/dsn", err.text);
	if ((o->postgres.tls.cert_file == NULL) != (o->postgres.tls.key_file == NULL))
		problem(ctx, "/postgres/tls", "cert_file and key_file go together");
}
