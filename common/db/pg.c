/* SPDX-License-Identifier: Apache-2.0 */
#include "pg.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Shorter ones would blank letters all over a text, and protect nothing. */
#define SECRET_MIN 3

static atomic_int cancels_running;

/* --- conninfo --- */

const char *pg_target_get(const struct pg_target *t, const char *key)
{
	for (const PQconninfoOption *o = t->options; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, key) == 0)
			return o->val != NULL && o->val[0] != '\0' ? o->val : NULL;
	return NULL;
}

static char *target_name(const struct pg_target *t)
{
	const char *host = pg_target_get(t, "host");
	const char *port = pg_target_get(t, "port");
	const char *dbname = pg_target_get(t, "dbname");

	if (host == NULL)
		host = pg_target_get(t, "hostaddr");
	return mem_printf("postgresql %s%s%s/%s", host != NULL ? host : "local",
			  port != NULL ? ":" : "", port != NULL ? port : "",
			  dbname != NULL ? dbname : "");
}

int pg_target_parse(const char *conninfo, struct pg_target *t, struct err *err)
{
	char *why = NULL;
	int rc = pq_load(err);

	if (rc != 0)
		return rc;
	t->options = pq.PQconninfoParse(conninfo, &why);
	pq.PQfreemem(why);
	if (t->options == NULL)
		return err_set(err, -EINVAL,
			       "postgresql: the connection string is neither key=value pairs nor a "
			       "postgresql:// URI");
	t->name = target_name(t);
	return 0;
}

void pg_target_done(struct pg_target *t)
{
	if (t->options != NULL) /* without any libpq may not be here */
		pq.PQconninfoFree(t->options);
	free(t->name);
	*t = (struct pg_target){0};
}

void pg_params_set(struct pg_params *p, const char *key, const char *value)
{
	size_t i = 0;

	while (i < p->n && strcmp(p->keys[i], key) != 0)
		i++;
	HALE_ASSERT(i < PG_PARAMS_MAX);
	p->keys[i] = key;
	p->values[i] = value;
	if (i == p->n)
		p->n++;
	p->keys[p->n] = NULL;
	p->values[p->n] = NULL;
}

void pg_params_init(struct pg_params *p, const struct pg_target *t)
{
	*p = (struct pg_params){0};
	pg_params_set(p, "fallback_application_name", "hale");
	for (const PQconninfoOption *o = t->options; o->keyword != NULL; o++)
		if (o->val != NULL && o->val[0] != '\0')
			pg_params_set(p, o->keyword, o->val);
	/* Everything of ours is UTF-8, whatever the database is. */
	pg_params_set(p, "client_encoding", "UTF8");
}

static void add_quoted(struct str *out, const char *key, const char *value)
{
	str_addf(out, "%s%s='", out->len > 0 ? " " : "", key);
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\'' || *p == '\\')
			str_addc(out, '\\');
		str_addc(out, *p);
	}
	str_addc(out, '\'');
}

int db_conninfo(const char *conninfo, const struct db_setting *more, char **conninfo_r,
		struct err *err)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct pg_target target = {0};
	int rc = pg_target_parse(conninfo, &target, err);

	if (rc != 0)
		return rc;
	for (const PQconninfoOption *o = target.options; o->keyword != NULL; o++)
		if (o->val != NULL && o->val[0] != '\0')
			add_quoted(&out, o->keyword, o->val);
	pg_target_done(&target);
	/* Of two values the later holds. */
	for (const struct db_setting *s = more; s->key != NULL; s++)
		if (s->value != NULL)
			add_quoted(&out, s->key, s->value);
	*conninfo_r = str_take(&out);
	return 0;
}

int db_conninfo_name(const char *conninfo, char **name_r, struct err *err)
{
	struct pg_target target = {0};
	int rc = pg_target_parse(conninfo, &target, err);

	if (rc == 0)
		*name_r = TAKE_PTR(target.name);
	pg_target_done(&target);
	return rc;
}

/* --- texts --- */

static bool is_secret_key(const char *key)
{
	return strcmp(key, "password") == 0 || strcmp(key, "sslpassword") == 0;
}

/* Length of a secret that begins at p, or 0. */
static size_t secret_at(const struct pg_target *t, const char *p)
{
	for (const PQconninfoOption *o = t->options; o != NULL && o->keyword != NULL; o++) {
		size_t len = o->val != NULL ? strlen(o->val) : 0;

		if (is_secret_key(o->keyword) && len >= SECRET_MIN && strncmp(p, o->val, len) == 0)
			return len;
	}
	return 0;
}

/* libpq's second line of a refused connection says nothing that "refused" does not. */
#define PQ_HINT "Is the server running "

void pg_clean(const struct pg_target *t, const char *text, char *out, size_t size)
{
	HALE_CLEANUP(str_done) struct str s = {0};
	size_t hidden;

	for (const char *p = text; *p != '\0'; p++) {
		hidden = secret_at(t, p);
		if (hidden > 0) {
			str_add(&s, "***");
			p += hidden - 1;
		} else if (*p != '\n') {
			str_addc(&s, *p == '\t' ? ' ' : *p);
		} else {
			p += strspn(p, "\n\t ") - 1;
			if (strncmp(p + 1, PQ_HINT, strlen(PQ_HINT)) == 0)
				p += strcspn(p + 1, "\n");
			else if (p[1] != '\0')
				str_add(&s, "; ");
		}
	}
	while (s.len > 0 && isspace((unsigned char)s.data[s.len - 1]))
		str_truncate(&s, s.len - 1);
	(void)snprintf(out, size, "%s", str_text(&s));
}

/* "FATAL:  28P01: password …": two blanks, five characters, a colon. */
static const char *find_code(const char *text)
{
	for (const char *p = strstr(text, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
		const char *code = p + 3;

		if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && code[5] == ':')
			return code;
	}
	return NULL;
}

void pg_connect_error(const struct pg_target *t, const PGconn *conn, char code_r[6], char *out,
		      size_t size)
{
	HALE_CLEANUP(str_done) struct str s = {0};
	const char *text = pq.PQerrorMessage(conn);
	const char *code = find_code(text);
	const char *location;

	code_r[0] = '\0';
	if (code == NULL) {
		pg_clean(t, text, out, size);
		return;
	}
	(void)snprintf(code_r, 6, "%.5s", code);
	str_addn(&s, text, (size_t)(code - text - 1));
	/* After the code comes ": text", at the end where in the server's source it happened. */
	location = strstr(code, "\nLOCATION:");
	if (location != NULL)
		str_addn(&s, code + 6, (size_t)(location - code - 6));
	else
		str_add(&s, code + 6);
	pg_clean(t, str_text(&s), out, size);
}

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

enum reason pg_connect_reason(const char *code, const char *text)
{
	if (strncmp(code, "28", 2) == 0 || has(text, "no password supplied"))
		return REASON_SQL_AUTH;
	/* 57P01..3: shutting down, crashed, starting up: nobody is at home yet. */
	if (strncmp(code, "57P0", 4) == 0)
		return REASON_CONN_REFUSED;
	if (code[0] != '\0')
		return REASON_SQL_ERROR;
	if (has(text, "could not translate host name"))
		return REASON_DNS_FAILED;
	if (has(text, "Connection refused") || has(text, "No such file or directory"))
		return REASON_CONN_REFUSED;
	if (has(text, "timeout expired") || has(text, "Connection timed out"))
		return REASON_TIMEOUT_CONNECT;
	if (has(text, "unreachable") || has(text, "No route to host"))
		return REASON_UNREACHABLE;
	if (has(text, "certificate"))
		return REASON_TLS_CERT;
	if (has(text, "SSL"))
		return REASON_TLS_FAILED;
	if (has(text, "Connection reset"))
		return REASON_CONN_RESET;
	if (has(text, "closed the connection"))
		return REASON_CONN_CLOSED;
	return REASON_CONN_REFUSED;
}

static const struct {
	const char *prefix;
	int code;
} sqlstates[] = {
	{"23505", -EEXIST}, /* unique_violation */
	{"40001", -EBUSY},  /* serialization_failure */
	{"40P01", -EBUSY},  /* deadlock_detected */
	{"55P03", -EBUSY},  /* lock_not_available */
	{"57014", -EINTR},  /* query_canceled, statement_timeout too */
	{"25P03", -EIO},    /* idle_in_transaction_session_timeout */
	{"57P0", -EIO},     /* the server is going away */
	{"08P01", -EINVAL}, /* protocol_violation: wrong number of values */
	{"08", -EIO},       /* connection exceptions */
	{"28", -EACCES},    /* login refused */
	{"42501", -EACCES}, /* insufficient_privilege */
	{"53", -ENOSPC},    /* insufficient resources: disk, memory, connections */
};

int pg_errno(const char *code)
{
	if (code == NULL || code[0] == '\0')
		return -EIO;
	for (size_t i = 0; i < ARRAY_LEN(sqlstates); i++)
		if (strncmp(code, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0)
			return sqlstates[i].code;
	return -EINVAL;
}

/* --- values --- */

struct db_value pg_value(const PGresult *result, int row, int column, bool is_numeric_real)
{
	struct db_value v = {.type = DB_TEXT};

	if (pq.PQgetisnull(result, row, column) != 0)
		return DB_V_NULL;
	v.text = pq.PQgetvalue(result, row, column);
	v.len = (size_t)pq.PQgetlength(result, row, column);
	switch (pq.PQftype(result, column)) {
	case PG_INT2:
	case PG_INT4:
	case PG_INT8:
	case PG_OID:
		v.type = DB_INT;
		v.integer = strtoll(v.text, NULL, 10);
		break;
	case PG_NUMERIC:
	case PG_FLOAT4:
	case PG_FLOAT8:
		if (pq.PQftype(result, column) == PG_NUMERIC && !is_numeric_real)
			break;
		v.type = DB_REAL;
		v.real = strtod(v.text, NULL);
		break;
	default:
		break;
	}
	return v;
}

/* --- cancel --- */

static void *cancel_thread(void *arg)
{
	char why[256];

	/* If it does not work there is nothing to be done: statement_timeout remains. */
	(void)pq.PQcancel(arg, why, sizeof(why));
	pq.PQfreeCancel(arg);
	atomic_fetch_sub(&cancels_running, 1);
	return NULL;
}

void pg_cancel_detached(PGconn *conn)
{
	PGcancel *cancel = pq.PQgetCancel(conn);
	pthread_attr_t attr;
	pthread_t thread;
	bool is_started = false;

	if (cancel == NULL)
		return;
	if (atomic_fetch_add(&cancels_running, 1) < PG_CANCELS_MAX) {
		(void)pthread_attr_init(&attr);
		(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		is_started = pthread_create(&thread, &attr, cancel_thread, cancel) == 0;
		(void)pthread_attr_destroy(&attr);
	}
	if (!is_started) {
		atomic_fetch_sub(&cancels_running, 1);
		pq.PQfreeCancel(cancel);
	}
}
