/* SPDX-License-Identifier: Apache-2.0 */
/* redis - asks a Redis server PING, how it is (INFO), and what commands that only look give
 *
 * One question at a time, the next when the answer is there: AUTH, SELECT, PING, INFO, commands.
 * What is wrong first is the verdict, but the rest is asked all the same for the sake of its
 * metrics, unless the server refused to speak at all.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conn.h"
#include "dialogue.h"
#include "excerpt.h"
#include "redis_info.h"
#include "redis_options.h"
#include "resp.h"

#define US_PER_MS 1000.0
#define US_PER_S  1000000.0

/* ---- What outlives a run: counters, for their rates ---- */

static const struct {
	const char *counter;
	const char *rate;
} rates[] = {
	{"evicted_keys", "evicted_keys_per_second"},
	{"rejected_connections", "rejected_connections_per_second"},
};

struct redis_prep {
	struct {
		int64_t at_us; /* 0: not known yet */
		double value;
	} last[ARRAY_LEN(rates)];
};

static void *redis_prepare(const void *opts HALE_UNUSED)
{
	return mem_alloc(sizeof(struct redis_prep));
}

/* Since the last run; none after the server has begun to count anew. */
static void take_rate(struct check *c, size_t i, double value)
{
	struct redis_prep *prep = check_prep(c);
	int64_t now_us = clock_mono_us();
	double seconds = (double)(now_us - prep->last[i].at_us) / US_PER_S;

	if (prep->last[i].at_us != 0 && seconds > 0 && value >= prep->last[i].value)
		check_metric(c, rates[i].rate, (value - prep->last[i].value) / seconds);
	prep->last[i].at_us = now_us;
	prep->last[i].value = value;
}

/* ---- One run ---- */

enum step { STEP_AUTH, STEP_SELECT, STEP_PING, STEP_INFO, STEP_COMMAND, STEP_END };

struct redis_run {
	struct conn *conn;
	struct resp_reader *reader;
	struct dialogue dialogue;
	enum step step;
	size_t command; /* of STEP_COMMAND */
	int64_t asked_us;
	double ping_ms;
	bool is_loading; /* PING was refused for it; INFO tells how far it is */
	struct redis_info info;
	enum reason reason; /* the first thing that is wrong */
	enum outcome outcome;
	struct err text;
};

static void finish(struct check *c, enum outcome outcome, enum reason reason, const char *text)
{
	struct redis_run *run = check_run_data(c);

	conn_close(run->conn);
	resp_delete(run->reader);
	run->conn = NULL;
	run->reader = NULL;
	check_done_as(c, outcome, reason, "%s", text);
}

/* Ends the run, whatever was said before. */
HALE_PRINTF(3, 4)
static void end(struct check *c, enum reason reason, const char *fmt, ...)
{
	struct err text;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	finish(c, reason_outcome(reason), reason, text.text);
}

HALE_PRINTF(4, 5)
static void object(struct redis_run *run, enum outcome outcome, enum reason reason, const char *fmt,
		   ...)
{
	va_list args;

	if (run->reason != REASON_OK)
		return;
	run->reason = reason;
	run->outcome = outcome;
	va_start(args, fmt);
	(void)vsnprintf(run->text.text, sizeof(run->text.text), fmt, args);
	va_end(args);
}

/* ---- Asking ---- */

static void ask(struct check *c, const char *const *args, size_t n, const char *shown)
{
	struct redis_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str request = {0};

	resp_request(&request, args, n);
	dialogue_sent(c, &run->dialogue, shown, strlen(shown));
	run->asked_us = clock_mono_us();
	conn_write(run->conn, request.data, request.len);
}

static void ask_auth(struct check *c)
{
	const struct redis_opts *o = check_opts(c);

	if (o->username != NULL)
		ask(c, (const char *const[]){"AUTH", o->username, o->password}, 3, "AUTH … ***");
	else
		ask(c, (const char *const[]){"AUTH", o->password}, 2, "AUTH ***");
}

static void ask_select(struct check *c)
{
	const struct redis_opts *o = check_opts(c);
	char db[16], shown[32];

	(void)snprintf(db, sizeof(db), "%lld", (long long)o->db);
	(void)snprintf(shown, sizeof(shown), "SELECT %s", db);
	ask(c, (const char *const[]){"SELECT", db}, 2, shown);
}

/* As one would type it. */
static void command_text(const struct redis_command_opts *o, struct str *out)
{
	for (size_t i = 0; i < o->command.n; i++)
		str_addf(out, "%s%s", i == 0 ? "" : " ", o->command.v[i]);
}

static void ask_command(struct check *c, const struct redis_command_opts *o)
{
	HALE_CLEANUP(str_done) struct str shown = {0};

	command_text(o, &shown);
	ask(c, (const char *const *)o->command.v, o->command.n, str_text(&shown));
}

static void conclude(struct check *c);

static void ask_step(struct check *c)
{
	const struct redis_opts *o = check_opts(c);
	const struct redis_command_opts *commands = o->commands.v;
	struct redis_run *run = check_run_data(c);

	if (run->step == STEP_AUTH && o->password == NULL)
		run->step = STEP_SELECT;
	if (run->step == STEP_SELECT && o->db == 0)
		run->step = STEP_PING;
	if (run->step == STEP_INFO && !o->info)
		run->step = STEP_COMMAND;
	/* A server that loads its data knows none. */
	if (run->step == STEP_COMMAND && (run->command >= o->commands.n || run->is_loading))
		run->step = STEP_END;
	switch (run->step) {
	case STEP_AUTH:
		ask_auth(c);
		break;
	case STEP_SELECT:
		ask_select(c);
		break;
	case STEP_PING:
		ask(c, (const char *const[]){"PING"}, 1, "PING");
		break;
	case STEP_INFO:
		ask(c, (const char *const[]){"INFO"}, 1, "INFO");
		break;
	case STEP_COMMAND:
		ask_command(c, &commands[run->command]);
		break;
	case STEP_END:
		conclude(c);
		break;
	}
}

/* ---- Answers ---- */

static void step_name(struct check *c, struct str *out)
{
	static const char *const names[] = {"AUTH", "SELECT", "PING", "INFO"};
	const struct redis_opts *o = check_opts(c);
	const struct redis_run *run = check_run_data(c);

	if (run->step < STEP_COMMAND)
		str_add(out, names[run->step]);
	else
		command_text((const struct redis_command_opts *)o->commands.v + run->command, out);
}

/* What the server's errors mean, by their first words (redis.io, "Redis serialization protocol",
 * "Simple errors"). */
static enum reason reason_of(const struct redis_run *run, const char *error)
{
	static const char *const logins[] = {"NOAUTH", "WRONGPASS", "NOPERM", "DENIED"};

	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		if (str_starts(error, logins[i]))
			return REASON_AUTH_FAILED;
	}
	/* Sent instead of any answer, and then it closes. */
	if (strstr(error, "max number of clients") != NULL)
		return REASON_UNEXPECTED_REPLY;
	return run->step == STEP_AUTH ? REASON_AUTH_FAILED : REASON_UNEXPECTED_REPLY;
}

/* True if the run goes on. */
static bool take_error(struct check *c, const struct resp_value *v)
{
	struct redis_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str name = {0};
	char shown[EXCERPT_SIZE];
	enum reason reason;

	(void)excerpt(v->text, v->len, shown);
	if (run->step == STEP_PING && str_starts(v->text, "LOADING")) {
		run->is_loading = true;
		return true;
	}
	reason = reason_of(run, v->text);
	step_name(c, &name);
	if (run->step == STEP_COMMAND) {
		object(run, reason_outcome(reason), reason, "%.200s: %s", str_text(&name), shown);
		return true;
	}
	end(c, reason, "%s: %s", str_text(&name), shown);
	return false;
}

/* Of AUTH and SELECT. */
static bool take_ok(struct check *c, const struct resp_value *v, const char *shown)
{
	HALE_CLEANUP(str_done) struct str name = {0};

	if (v->type == RESP_STATUS)
		return true;
	step_name(c, &name);
	end(c, REASON_UNEXPECTED_REPLY, "%s: expected OK, got: %s", str_text(&name), shown);
	return false;
}

static bool take_pong(struct check *c, const struct resp_value *v)
{
	struct redis_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str got = {0};

	if (v->type == RESP_STATUS && strcmp(v->text, "PONG") == 0) {
		run->ping_ms = (double)(clock_mono_us() - run->asked_us) / US_PER_MS;
		check_metric(c, "ping_ms", run->ping_ms);
		return true;
	}
	resp_describe(v, &got);
	end(c, REASON_UNEXPECTED_REPLY, "PING: expected PONG, got: %s", str_text(&got));
	return false;
}

static void on_metric(void *ctx, const char *name, double value)
{
	check_metric(ctx, name, value);
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		if (strcmp(name, rates[i].counter) == 0)
			take_rate(ctx, i, value);
	}
}

static void judge_role(struct check *c)
{
	const struct redis_opts *o = check_opts(c);
	struct redis_run *run = check_run_data(c);
	const struct redis_info *info = &run->info;

	if (strcmp(o->role, "any") == 0)
		return;
	if (strcmp(info->role, o->role) != 0)
		object(run, OUTCOME_FAIL, REASON_VALUE_MISMATCH, "role is %s, expected %s",
		       *info->role != '\0' ? info->role : "not told", o->role);
	/* It goes on answering from what it has. */
	else if (*info->link != '\0' && strcmp(info->link, "up") != 0)
		object(run, OUTCOME_WARN, REASON_VALUE_MISMATCH,
		       info->link_down_seconds >= 0 ? "link to master %s is %s for %.0f s"
						    : "link to master %s is %s",
		       info->master, info->link, info->link_down_seconds);
}

static bool take_info(struct check *c, const struct resp_value *v)
{
	const struct redis_opts *o = check_opts(c);
	struct redis_run *run = check_run_data(c);
	struct redis_info *info = &run->info;
	HALE_CLEANUP(str_done) struct str got = {0};

	if (v->type != RESP_STRING) {
		resp_describe(v, &got);
		end(c, REASON_UNEXPECTED_REPLY, "INFO: expected a text, got: %s", str_text(&got));
		return false;
	}
	redis_info_parse(v->text, v->len, o->db, clock_wall_ms(), on_metric, c, info);
	if (*info->version != '\0')
		check_detail(c, "version", json_string(info->version));
	if (*info->role != '\0')
		check_detail(c, "role", json_string(info->role));
	if (*info->master != '\0')
		check_detail(c, "master", json_string(info->master));
	if (*info->link != '\0')
		check_detail(c, "master_link", json_string(info->link));
	run->is_loading |= info->is_loading;
	judge_role(c);
	return true;
}

static void judge_value(struct check *c, const struct redis_command_opts *o,
			const struct resp_value *v)
{
	struct redis_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str name = {0};
	HALE_CLEANUP(str_done) struct str got = {0};
	HALE_CLEANUP(str_done) struct str text = {0};
	double number;

	command_text(o, &name);
	resp_describe(v, &got);
	if (o->metric != NULL) {
		if (resp_number(v, &number))
			check_metric(c, o->metric, number);
		else
			object(run, OUTCOME_FAIL, REASON_VALUE_MISMATCH,
			       "%.200s: %s, expected a number", str_text(&name), str_text(&got));
	}
	if (v->type == RESP_INTEGER)
		str_addf(&text, "%lld", v->integer);
	else if (v->text != NULL)
		str_addn(&text, v->text, v->len);
	if (o->expect != NULL &&
	    (v->type == RESP_NIL || v->type == RESP_ARRAY || text.len != strlen(o->expect) ||
	     memcmp(str_text(&text), o->expect, text.len) != 0))
		object(run, OUTCOME_FAIL, REASON_VALUE_MISMATCH, "%.200s: %s, expected '%.200s'",
		       str_text(&name), str_text(&got), o->expect);
}

static void take_value(struct check *c, const struct resp_value *v)
{
	const struct redis_opts *opts = check_opts(c);
	struct redis_run *run = check_run_data(c);
	const struct redis_command_opts *o =
		(const struct redis_command_opts *)opts->commands.v + run->command;
	const struct resp_value nil = {.type = RESP_NIL};

	if (o->element == REDIS_WHOLE_REPLY)
		judge_value(c, o, v);
	else if ((size_t)o->element < v->elements_n)
		judge_value(c, o, v->elements[o->element]);
	else
		judge_value(c, o, &nil);
}

/* True if the run goes on. */
static bool take(struct check *c, const struct resp_value *v)
{
	struct redis_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str shown = {0};

	if (v->type == RESP_ERROR || v->type == RESP_STATUS || run->step != STEP_AUTH)
		resp_describe(v, &shown);
	else
		str_add(&shown, "…"); /* an echo would show the password */
	dialogue_heard(c, &run->dialogue, str_text(&shown), shown.len);
	if (v->type == RESP_ERROR)
		return take_error(c, v);
	switch (run->step) {
	case STEP_PING:
		return take_pong(c, v);
	case STEP_INFO:
		return take_info(c, v);
	case STEP_COMMAND:
		take_value(c, v);
		return true;
	default:
		return take_ok(c, v, str_text(&shown));
	}
}

static void conclude(struct check *c)
{
	struct redis_run *run = check_run_data(c);
	const struct redis_info *info = &run->info;
	HALE_CLEANUP(str_done) struct str text = {0};

	if (run->is_loading) {
		str_add(&text, "loading its data");
		if (info->is_loading && info->loaded_percent >= 0)
			str_addf(&text, ", %.0f %% done", info->loaded_percent);
		if (info->is_loading && info->loading_eta_seconds >= 0)
			str_addf(&text, ", about %.0f s to go", info->loading_eta_seconds);
		finish(c, OUTCOME_WARN, REASON_PROCESS_STARTING, str_text(&text));
		return;
	}
	if (run->reason != REASON_OK) {
		str_add(&text, run->text.text);
		finish(c, run->outcome, run->reason, str_text(&text));
		return;
	}
	if (*info->version != '\0')
		str_addf(&text, "Redis %s, ", info->version);
	if (*info->role != '\0') /* a Sentinel has none */
		str_addf(&text, "%s, ", info->role);
	str_addf(&text, "PONG in %.2f ms", run->ping_ms);
	finish(c, OUTCOME_PASS, REASON_OK, str_text(&text));
}

/* ---- The connection ---- */

static void on_open(struct check *c)
{
	struct redis_run *run = check_run_data(c);

	run->reader = resp_new();
	ask_step(c);
}

static void break_off(struct check *c, int rc, const struct err *err)
{
	end(c, rc == -EMSGSIZE ? REASON_TOO_LARGE : REASON_PROTOCOL, "%s", err->text);
}

static void on_data(struct check *c, const char *data, size_t len)
{
	struct redis_run *run = check_run_data(c);
	struct resp_value *v = NULL;
	struct err err = {0};
	bool goes_on;
	int rc = resp_feed(run->reader, data, len, &err);

	if (rc == 0)
		rc = resp_next(run->reader, &v, &err);
	if (rc == -EAGAIN)
		return;
	if (rc != 0) {
		break_off(c, rc, &err);
		return;
	}
	goes_on = take(c, v);
	resp_free(v);
	if (!goes_on)
		return;
	if (resp_has_more(run->reader)) {
		end(c, REASON_PROTOCOL, "more than one answer to one question");
		return;
	}
	if (run->step == STEP_COMMAND)
		run->command++;
	else
		run->step++;
	ask_step(c);
}

static void on_failed(struct check *c, enum reason reason, const char *text)
{
	struct redis_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str name = {0};

	run->conn = NULL;
	if (run->reader == NULL) {
		end(c, reason, "%s", text);
		return;
	}
	step_name(c, &name);
	end(c, reason, "%.200s: %s", str_text(&name), text);
}

static void redis_start(struct check *c)
{
	static const struct conn_events events = {
		.on_open = on_open, .on_data = on_data, .on_failed = on_failed};
	const struct redis_opts *o = check_opts(c);
	struct redis_run *run = check_run_data(c);
	struct conn_tls tls;
	struct address address;
	struct conn_target target = {
		.host = address.host, .port = address.port, .tls = tls_options_conn(&o->tls, &tls)};
	struct err err;

	if (address_parse_or(o->address, REDIS_DEFAULT_PORT, &address, &err) != 0) {
		end(c, REASON_CONFIG, "address: %s", err.text);
		return;
	}
	run->conn = conn_open(c, &target, &events);
}

static void redis_cancel(struct check *c)
{
	end(c, REASON_CANCELLED, "%s", reason_text(REASON_CANCELLED));
}

/* ---- The kind ---- */

static const struct metric_doc redis_metrics[] = {
	{"dns_ms", "time to resolve the name"},
	{"connect_ms", "time to connect"},
	{"tls_ms", "time of the TLS handshake"},
	{"cert_expires_seconds", "time until the certificate expires; negative after"},
	{"ping_ms", "from PING to PONG"},
	{"used_memory_bytes", "memory of the data"},
	{"rss_bytes", "memory that the system has given it"},
	{"maxmemory_bytes", "its limit; only if there is one"},
	{"memory_percent", "memory of the data, of `maxmemory`; only if that is set"},
	{"fragmentation_ratio", "memory given by the memory used"},
	{"connected_clients", "clients that are connected, replicas not counted"},
	{"clients_percent", "of the clients it lets in"},
	{"blocked_clients", "clients that wait in a blocking command"},
	{"rejected_connections",
	 "connections turned away at the limit of clients, since its start"},
	{"evicted_keys", "keys dropped for want of memory, since its start"},
	{"rejected_connections_per_second", "those since the last check"},
	{"evicted_keys_per_second", "those since the last check"},
	{"expired_keys", "keys that came of age, since its start"},
	{"keys", "keys of the database `db`"},
	{"hit_percent", "share of reads that found their key, since its start"},
	{"ops_per_second", "commands a second, of the last moments"},
	{"uptime_seconds", "since it was started"},
	{"connected_replicas", "replicas that are connected to it"},
	{"replication_lag_seconds",
	 "of the slowest replica, since it last was heard of; at a master"},
	{"replication_lag_bytes", "of the slowest replica, what it has yet to take; at a master"},
	{"master_link_up", "1: linked to its master, 0: not; at a replica"},
	{"master_last_io_seconds", "since its master was last heard of; at a replica"},
	{"sync_left_bytes", "of the first copy, what is still to come; at a replica"},
	{"rdb_last_save_ok", "1: the last snapshot was written, 0: it failed"},
	{"rdb_last_save_age_seconds", "since the last snapshot"},
	{"changes_since_save", "changes that no snapshot has yet"},
	{"aof_last_write_ok", "1: the append-only file was written, 0: it failed"},
	{"aof_last_rewrite_ok", "1: the append-only file was rewritten, 0: it failed"},
	{"*", "each `metric` of `commands`"},
	{NULL, NULL},
};

static const struct metric_doc redis_details[] = {
	{"ip", "the address that answered"},
	{"tls_version", "the version of TLS agreed on"},
	{"version", "of the server"},
	{"role", "`master` or `replica`"},
	{"master", "host:port of a replica's master"},
	{"master_link", "a replica's link to its master, `up` or `down`"},
	{NULL, NULL},
};

static const struct reason_doc redis_reasons[] = {
	{REASON_CONN_REFUSED, "nobody listens there"},
	{REASON_DNS_FAILED, "the name does not resolve"},
	{REASON_UNREACHABLE, "no way to it, or no such socket"},
	{REASON_CONN_RESET, "gone in the middle"},
	{REASON_CONN_CLOSED, "gone before it answered"},
	{REASON_TIMEOUT_DNS, "while resolving"},
	{REASON_TIMEOUT_CONNECT, "while connecting"},
	{REASON_TIMEOUT_TLS, "in the TLS handshake"},
	{REASON_TIMEOUT_READ, "connected, but no answer: it hangs, or a slow command holds it up"},
	{REASON_TLS_FAILED, "handshake; also if it does not speak TLS"},
	{REASON_TLS_CERT, "certificate not trusted, or not this host's"},
	{REASON_TLS_EXPIRED, "certificate expired"},
	{REASON_AUTH_FAILED, "a password is missing or wrong, or this user may not ask that"},
	{REASON_PROCESS_STARTING, "it loads its data and answers nothing else yet"},
	{REASON_UNEXPECTED_REPLY, "an error: too many clients, a script that does not end, no such "
				  "database, a command it does not know"},
	{REASON_VALUE_MISMATCH,
	 "another role, or a command gave something else than expected; warn "
	 "if a replica has lost its master"},
	{REASON_PROTOCOL, "what answers is no Redis"},
	{REASON_TOO_LARGE, "an answer of more than 1 MiB or 16384 elements"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "redis",
	.summary = "asks a Redis server PING, how it is, and what commands that only look give",
	.about =
		"Connects anew each time, logs in, asks `PING` and `INFO`. Valkey, KeyDB and "
		"others "
		"that speak its protocol are asked the same; what they do not tell gives no "
		"metric.\n"
		"\n"
		"`commands` asks further, one after the other, with commands that only look: `GET` "
		"`MGET` `STRLEN` `GETRANGE` `GETBIT` `BITCOUNT` `EXISTS` `TYPE` `TTL` `PTTL` "
		"`EXPIRETIME` `PEXPIRETIME`, `LLEN` `LINDEX` `LPOS` `LRANGE`, `SCARD` `SISMEMBER` "
		"`SMISMEMBER`, `HLEN` `HGET` `HMGET` `HEXISTS` `HSTRLEN`, `ZCARD` `ZCOUNT` "
		"`ZLEXCOUNT` `ZSCORE` `ZMSCORE` `ZRANGE` `ZRANK` `ZREVRANK`, `XLEN` `XINFO` "
		"`XPENDING` `XRANGE` `XREVRANGE`, `DBSIZE` `TIME` `LASTSAVE` `ROLE` `ECHO` `MEMORY "
		"USAGE` `OBJECT` `PUBSUB` `SLOWLOG LEN` `CLUSTER INFO` `SENTINEL CKQUORUM …`. What "
		"writes, blocks, or walks through all keys is refused. What a key holds is shown "
		"in "
		"messages.\n"
		"\n"
		"A user of its own (ACL) needs `+ping +info +select` and the commands asked for. "
		"Without the right to `INFO` set `info: false`.",
	.items = redis_items,
	.opts_size = sizeof(struct redis_opts),
	.run_size = sizeof(struct redis_run),
	.metrics = redis_metrics,
	.details = redis_details,
	.reasons = redis_reasons,
	.example = "jobs:\n"
		   "  redis:\n"
		   "    address: 127.0.0.1:6379\n"
		   "    password: ${REDIS_PASSWORD:-none}\n"
		   "    role: master\n"
		   "    commands:\n"
		   "      - {command: [LLEN, jobs], metric: queue_depth}\n"
		   "      - {command: [GET, \"jobs:paused\"], expect: \"0\"}\n"
		   "  interval: 10s\n"
		   "  timeout: 2s\n"
		   "  thresholds:\n"
		   "    queue_depth: {degraded: \"> 100\", critical: \"> 1000\"}\n"
		   "    memory_percent: {degraded: \"> 80\", critical: \"> 95\"}\n"
		   "    rdb_last_save_ok: {degraded: \"== 0\"}\n",
	.validate = redis_validate,
	.prepare = redis_prepare,
	.unprepare = free,
	.start = redis_start,
	.cancel = redis_cancel,
};
