/* SPDX-License-Identifier: Apache-2.0 */
#include "run_evidence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "ping_store.h"
#include "sql_session.h"
#include "timestamp.h"
#include "unit_name.h"

#define OPTS_PART(member) __typeof__(((struct evidence_opts *)0)->member)

const struct conf_item evidence_sql_items[] = {
	CONF_MAP(OPTS_PART(sql), sqlite, sqlite_items, .help = "A SQLite database"),
	CONF_MAP(OPTS_PART(sql), postgres, postgres_items, .help = "A PostgreSQL database"),
	CONF_STR(OPTS_PART(sql), query, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "Its first row tells the last run: first the time, then, if there is a "
			 "second column, how it ended; no row, or NULL: it never ran"),
	CONF_LIST(OPTS_PART(sql), ok,
		  .help = "Values of the second column that mean success; default: any"),
	CONF_END,
};

const struct conf_item evidence_systemd_items[] = {
	CONF_STR(OPTS_PART(systemd), timer, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "Name of the timer; backup is backup.timer"),
	CONF_ENUM(OPTS_PART(systemd), scope, .def = "system", .choices = "system|user",
		  .help = "Whose timer: the system's, or that of the user hale runs as"),
	CONF_STR(OPTS_PART(systemd), bus, .flags = CONF_F_NONEMPTY,
		 .help = "Address of the bus if it is not in its usual place"),
	CONF_END,
};

static int timer_name(const char *text, char name_r[UNIT_NAME_SIZE], struct err *err)
{
	HALE_CLEANUP(cleanup_free)
	char *full = str_ends(text, ".timer") ? mem_dup(text) : mem_printf("%s.timer", text);

	return unit_name_complete(full, name_r, err);
}

void evidence_validate(const struct evidence_opts *o, service_problem_fn problem, void *ctx)
{
	int sources = (o->sql.query != NULL) + (o->file != NULL) + (o->heartbeat != NULL) +
		      (o->systemd.timer != NULL);
	char name[UNIT_NAME_SIZE];
	struct err err = {0};

	if (sources != 1)
		problem(ctx, "", "needs exactly one of 'sql', 'file', 'heartbeat', 'systemd'");
	if (o->sql.query != NULL)
		sql_place_validate(&o->sql.sqlite, &o->sql.postgres, "/sql", problem, ctx);
	if (o->file != NULL && o->file[0] != '/' && o->file[0] != '\0')
		problem(ctx, "/file", "must be an absolute path");
	if (o->systemd.timer != NULL && timer_name(o->systemd.timer, name, &err) < 0)
		problem(ctx, "/systemd/timer", err.text);
}

static void fail(struct evidence *e, const char *fmt, ...) HALE_PRINTF(2, 3);
static void fail(struct evidence *e, const char *fmt, ...)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	(void)str_clean(e->error, sizeof(e->error), str_text(&text));
}

/* ---- A database ---- */

static const char *sql_next(void *ctx)
{
	struct evidence *e = ctx;

	return e->rows == SIZE_MAX ? NULL : e->opts->sql.query;
}

static bool time_of(const struct db_value *v, int64_t *ms_r)
{
	if (v->text != NULL)
		return timestamp_parse(v->text, ms_r) == 0;
	return timestamp_from_number(v->type == DB_INT ? (double)v->integer : v->real, ms_r) == 0;
}

static void take_status(struct evidence *e, const struct db_value *v)
{
	const struct strlist *ok = &e->opts->sql.ok;
	char number[32];
	const char *text = v->text;

	if (v->type == DB_NULL)
		text = "NULL";
	else if (text == NULL) {
		(void)snprintf(number, sizeof(number), "%.15g",
			       v->type == DB_INT ? (double)v->integer : v->real);
		text = number;
	}
	(void)str_clean(e->status, sizeof(e->status), text);
	e->is_failed = ok->n > 0;
	for (size_t i = 0; i < ok->n; i++)
		if (strcasecmp(ok->v[i], e->status) == 0)
			e->is_failed = false;
}

static bool sql_row(void *ctx, const struct db_row *row)
{
	struct evidence *e = ctx;

	if (e->rows++ > 0 || row->columns == 0 || row->values[0].type == DB_NULL)
		return true;
	if (!time_of(&row->values[0], &e->last_ms))
		fail(e, "column '%s' is no time: '%.64s'", row->names[0],
		     row->values[0].text != NULL ? row->values[0].text : "a number");
	if (row->columns > 1)
		take_status(e, &row->values[1]);
	return true;
}

static void sql_answer(void *ctx, const struct pg_answer *a)
{
	struct evidence *e = ctx;

	if (a->reason != REASON_OK)
		fail(e, "%s", a->error);
	e->rows = SIZE_MAX; /* that was the one */
}

static void sql_end(void *ctx, enum reason reason, const char *error, double connect_ms HALE_UNUSED)
{
	struct evidence *e = ctx;

	e->session = NULL;
	if (reason != REASON_OK)
		fail(e, "%s", error[0] != '\0' ? error : reason_text(reason));
	e->on_evidence(e->check);
}

static void sql_begin(struct evidence *e, int64_t timeout_ms)
{
	static const struct pg_script script = {
		.next = sql_next, .on_row = sql_row, .on_answer = sql_answer, .on_end = sql_end};

	e->session = sql_session_start(e->check,
				       sql_place_of(&e->opts->sql.sqlite, &e->opts->sql.postgres),
				       &script, timeout_ms, e);
}

/* ---- A file, in a thread: it may lie on a server that is gone ---- */

static void file_work(void *run_data)
{
	struct evidence *e = run_data;
	struct stat st;

	if (stat(e->opts->file, &st) == 0)
		e->last_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	else if (errno != ENOENT)
		fail(e, "%s: %s", e->opts->file, strerror(errno));
}

static void file_after(struct check *c)
{
	struct evidence *e = check_run_data(c);

	e->on_evidence(c);
}

/* ---- A heartbeat ---- */

static void take_pings(struct evidence *e)
{
	struct service *s = check_service(e->check);
	struct ping_state state;
	struct err err = {0};
	int rc = s == NULL
			 ? -ENOENT
			 : ping_store_load(service_state_dir(s), e->opts->heartbeat, &state, &err);

	if (rc == -ENOENT)
		return;
	if (rc < 0) {
		fail(e, "%s", err.text);
		return;
	}
	if (state.success_ms > 0 || state.is_running)
		e->last_ms = HALE_MAX(state.success_ms, state.is_running ? state.start_ms : 0);
	e->is_failed = state.is_failed;
	if (state.exit_code >= 0)
		(void)snprintf(e->status, sizeof(e->status), "exit code %d", state.exit_code);
	ping_state_done(&state);
}

/* ---- A timer ---- */

static void on_unit(void *ctx, const struct unit_status *status, enum reason reason HALE_UNUSED,
		    const char *text)
{
	struct evidence *e = ctx;

	e->ask = NULL;
	if (status == NULL)
		fail(e, "%s", text);
	else if (!str_eq(status->load, "loaded"))
		fail(e, "%s: %s", e->opts->systemd.timer, status->load);
	else if (status->last_trigger_ms > 0)
		e->last_ms = status->last_trigger_ms;
	if (status != NULL) {
		(void)str_clean(e->status, sizeof(e->status), status->triggered_result);
		e->is_failed = str_eq(status->triggered_active, "failed") ||
			       (e->status[0] != '\0' && !str_eq(e->status, "success"));
	}
	e->on_evidence(e->check);
}

static void timer_begin(struct evidence *e)
{
	const struct unit_bus_at at = {
		.scope = str_eq(e->opts->systemd.scope, "user") ? UNIT_USER : UNIT_SYSTEM,
		.address = e->opts->systemd.bus,
	};
	char name[UNIT_NAME_SIZE] = "";

	(void)timer_name(e->opts->systemd.timer, name, NULL); /* validation saw to it */
	e->ask = unit_bus_ask(e->check, &at, name, on_unit, e);
}

/* ---- Either ---- */

void evidence_start(struct evidence *e, struct check *c, const struct evidence_opts *o,
		    int64_t timeout_ms, evidence_fn on_evidence)
{
	e->check = c;
	e->opts = o;
	e->on_evidence = on_evidence;
	e->last_ms = -1;
	if (o->sql.query != NULL) {
		sql_begin(e, timeout_ms);
	} else if (o->file != NULL) {
		check_work(c, file_work, file_after);
	} else if (o->systemd.timer != NULL) {
		timer_begin(e);
	} else {
		take_pings(e);
		on_evidence(c);
	}
}

void evidence_cancel(struct evidence *e)
{
	if (e->session != NULL) {
		sql_session_cancel(e->session);
	} else if (e->ask != NULL) {
		unit_bus_cancel(TAKE_PTR(e->ask));
		fail(e, "%s", reason_text(REASON_CANCELLED));
		e->on_evidence(e->check);
	}
}
