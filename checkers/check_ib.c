/* SPDX-License-Identifier: Apache-2.0 */
/* ib - logs in to the API of Interactive Brokers' TWS or IB Gateway, and asks for its time
 *
 * An open port says little of a gateway: it hangs, waits for a login, or has lost the broker's
 * servers. So a run goes as far as a program that trades would: version, START_API, accounts and
 * next order id, time. What is said on the way (farms, lost connections) is taken along, because
 * the answer to the time comes after it.
 */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conn.h"
#include "excerpt.h"
#include "tls_options.h"
#include "tws.h"

#define US_PER_MS 1000.0
#define MS_PER_S  1000

/* A gateway has a handful of farms. */
#define FARMS_MAX     16
/* Some 32 client programs fit on one gateway; the number itself is 31 bits. */
#define CLIENT_ID_MAX 2147483647
/* Its login is said in some twenty messages; one that goes on is no gateway. */
#define MESSAGES_MAX  1000

#define CONNECTED    "CONNECTED"
#define CONNECTING   "CONNECTING"
#define DISCONNECTED "DISCONNECTED"

/* ---- Options ---- */

struct ib_opts {
	char *address;
	int64_t client_id;
	char *account;
	struct tls_options tls;
};

static const struct conf_item ib_items[] = {
	CONF_STR(struct ib_opts, address,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET | CONF_F_CONNECT,
		 .help = "API port of TWS or IB Gateway, host:port (4001, 4002, 7496, 7497)"),
	CONF_INT(struct ib_opts, client_id, .def = "900", .min = 0, .max = CLIENT_ID_MAX,
		 .help = "Client id to log in with; one that no other program uses"),
	CONF_STR(struct ib_opts, account, .flags = CONF_F_NONEMPTY | CONF_F_SECRET,
		 .help = "Account that must be among those of the login"),
	CONF_MAP(struct ib_opts, tls, tls_options_items, .bare = "enabled",
		 .help = "TLS, where a tunnel stands before the gateway"),
	CONF_END,
};

static void ib_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct ib_opts *o = opts;
	struct address address;
	struct err err;

	if (address_parse(o->address, &address, &err) != 0)
		problem(ctx, "/address", err.text);
	tls_options_validate(&o->tls, "/tls", problem, ctx);
}

/* ---- What outlives a run: since when it has been as it is ---- */

struct ib_prep {
	struct address address;
	int64_t heartbeat_ms;    /* wall clock; 0: never yet */
	int64_t connected_ms;    /* since when, run by run; 0: it is not */
	int64_t disconnected_ms; /* since when it is not; 0: it is, or never was */
};

static void *ib_prepare(const void *opts)
{
	const struct ib_opts *o = opts;
	struct ib_prep *p = mem_alloc(sizeof(*p));

	(void)address_parse(o->address, &p->address, NULL);
	return p;
}

static void note_state(struct ib_prep *p, bool is_connected)
{
	int64_t now_ms = clock_wall_ms();

	if (is_connected) {
		p->heartbeat_ms = now_ms;
		p->connected_ms = p->connected_ms == 0 ? now_ms : p->connected_ms;
		p->disconnected_ms = 0;
	} else {
		p->connected_ms = 0;
		p->disconnected_ms = p->disconnected_ms == 0 ? now_ms : p->disconnected_ms;
	}
}

/* ---- One run ---- */

struct ib_run {
	struct conn *conn;
	struct tws_reader reader;
	int64_t open_us, asked_us;
	long version; /* 0: not told yet */
	bool has_accounts, has_order_id, has_account;
	long accounts;
	size_t messages;
	char lost[EXCERPT_SIZE]; /* what was said of the broker's servers; "": nothing */
	json_t *farms_down;      /* list of texts, or NULL */
};

static void detail_time(struct check *c, const char *name, int64_t wall_ms)
{
	char text[CLOCK_TEXT_MAX];

	if (wall_ms != 0)
		check_detail(c, name, json_string(clock_format(wall_ms, text)));
}

/* The connection record (S1): state, since when, to whom and as whom. Told as soon as it changes: a
 * deadline may end the run at any time. */
static void tell_record(struct check *c, const char *state)
{
	const struct ib_opts *o = check_opts(c);
	const struct ib_prep *p = check_prep(c);
	bool is_connected = strcmp(state, CONNECTED) == 0;
	int64_t now_ms = clock_wall_ms();

	check_detail(c, "state", json_string(state));
	check_detail(c, "host", json_string(p->address.host));
	check_detail(c, "port", json_integer(atoi(p->address.port)));
	check_detail(c, "client_id", json_integer(o->client_id));
	detail_time(c, "last_heartbeat", p->heartbeat_ms);
	if (is_connected) {
		detail_time(c, "connected_since", p->connected_ms);
		check_detail(c, "disconnected_at", NULL);
	} else {
		detail_time(c, "disconnected_at",
			    p->disconnected_ms != 0 ? p->disconnected_ms : now_ms);
	}
	check_metric(c, "connected", is_connected ? 1 : 0);
	if (p->heartbeat_ms != 0)
		check_metric(c, "heartbeat_age_seconds",
			     (double)(now_ms - p->heartbeat_ms) / MS_PER_S);
	if (is_connected)
		check_metric(c, "connected_seconds", (double)(now_ms - p->connected_ms) / MS_PER_S);
}

/* False: the run is over, and its data the next one's. */
HALE_PRINTF(4, 5)
static bool end(struct check *c, enum reason reason, const char *state, const char *fmt, ...)
{
	struct ib_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str text = {0};
	va_list args;

	va_start(args, fmt);
	str_vaddf(&text, fmt, args);
	va_end(args);
	note_state(check_prep(c), strcmp(state, CONNECTED) == 0);
	tell_record(c, state);
	check_metric(c, "farms_down", (double)json_array_size(run->farms_down));
	if (run->farms_down != NULL)
		check_detail(c, "farms_down", TAKE_PTR(run->farms_down));
	conn_close(run->conn);
	str_done(&run->reader.bytes);
	check_done(c, reason, "%s%s%s", state, text.len > 0 ? ": " : "", str_text(&text));
	return false;
}

static void say(struct check *c, const char *const *fields, size_t n)
{
	struct ib_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str out = {0};

	tws_encode(&out, fields, n);
	conn_write(run->conn, str_text(&out), out.len);
}

/* ---- What it says: each of these tells whether the run goes on ---- */

static bool on_version(struct check *c, const struct tws_message *m)
{
	const struct ib_opts *o = check_opts(c);
	struct ib_run *run = check_run_data(c);
	char client_id[24];
	const char *fields[] = {"71", "2", client_id, ""};
	char got[EXCERPT_SIZE];

	if (m->n < 2 || !tws_number(m, 0, TWS_VERSION_MIN, TWS_VERSION_MAX, &run->version)) {
		return end(c, REASON_PROTOCOL, DISCONNECTED,
			   "no version between %d and %d came: %s", TWS_VERSION_MIN,
			   TWS_VERSION_MAX, excerpt(m->fields[0], strlen(m->fields[0]), got));
	}
	check_metric(c, "handshake_ms", (double)(clock_mono_us() - run->open_us) / US_PER_MS);
	check_metric(c, "server_version", (double)run->version);
	check_detail(c, "connection_time",
		     json_string(excerpt(m->fields[1], strlen(m->fields[1]), got)));
	(void)snprintf(client_id, sizeof(client_id), "%" PRId64, o->client_id);
	/* It is there; whether it lets us in is up to its login at the broker. */
	check_stage(c, REASON_IB_CONNECTING);
	tell_record(c, CONNECTING);
	say(c, fields, ARRAY_LEN(fields));
	return true;
}

static void ask_time(struct check *c)
{
	static const char *const fields[] = {"49", "1"};
	struct ib_run *run = check_run_data(c);

	if (!run->has_accounts || !run->has_order_id || run->asked_us != 0)
		return;
	run->asked_us = clock_mono_us();
	check_metric(c, "login_ms", (double)(run->asked_us - run->open_us) / US_PER_MS);
	say(c, fields, ARRAY_LEN(fields));
}

/* Account numbers are nobody's business: how many, and whether the one expected is among them. */
static void on_accounts(struct check *c, const struct tws_message *m)
{
	const struct ib_opts *o = check_opts(c);
	struct ib_run *run = check_run_data(c);
	const char *list = m->n > 2 ? m->fields[2] : "";
	size_t wanted = o->account == NULL ? 0 : strlen(o->account);

	run->has_accounts = true;
	run->accounts = 0;
	while (*list != '\0') {
		size_t len = strcspn(list, ",");

		run->accounts += len > 0;
		run->has_account |= len > 0 && len == wanted && memcmp(list, o->account, len) == 0;
		list += len + (list[len] == ',');
	}
	check_metric(c, "accounts", (double)run->accounts);
}

static bool on_time(struct check *c, const struct tws_message *m)
{
	const struct ib_opts *o = check_opts(c);
	struct ib_run *run = check_run_data(c);
	int64_t now_us = clock_mono_us();
	char text[CLOCK_TEXT_MAX];
	long seconds;

	if (run->asked_us == 0)
		return true;
	if (!tws_number(m, 2, 1, INT32_MAX * 4L, &seconds))
		return end(c, REASON_PROTOCOL, DISCONNECTED, "its time is no number");
	check_metric(c, "rtt_ms", (double)(now_us - run->asked_us) / US_PER_MS);
	check_metric(c, "clock_offset_seconds",
		     (double)seconds - (double)(clock_wall_ms() / MS_PER_S));
	check_detail(c, "server_time", json_string(clock_format(seconds * MS_PER_S, text)));
	if (*run->lost != '\0')
		return end(c, REASON_IB_CONNECTING, CONNECTING, "%s", run->lost);
	if (o->account != NULL && !run->has_account)
		return end(c, REASON_VALUE_MISMATCH, CONNECTED,
			   "the account expected is not among the %ld of this login",
			   run->accounts);
	return end(c, REASON_OK, CONNECTED, "%s", "");
}

static void note_farm(struct ib_run *run, const char *text)
{
	char line[EXCERPT_SIZE];

	if (run->farms_down == NULL)
		run->farms_down = json_array();
	if (json_array_size(run->farms_down) < FARMS_MAX)
		json_array_append_new(run->farms_down,
				      json_string(excerpt(text, strlen(text), line)));
}

static bool on_notice(struct check *c, const struct tws_message *m)
{
	const struct ib_opts *o = check_opts(c);
	struct ib_run *run = check_run_data(c);
	const char *text = m->n > 4 ? m->fields[4] : "";
	char line[EXCERPT_SIZE];
	long code;

	if (!tws_number(m, 3, 0, 100000, &code))
		return true;
	(void)excerpt(text, strlen(text), line);
	check_saw(c, "notices", json_pack("{s:I, s:s}", "code", (json_int_t)code, "text", line));
	switch (tws_meaning(code)) {
	case TWS_CLIENT_ID_USED:
		return end(c, REASON_CLIENT_ID_IN_USE, DISCONNECTED,
			   "client id %" PRId64 " is already in use", o->client_id);
	case TWS_REFUSED:
		return end(c, REASON_PROTOCOL, DISCONNECTED, "%s (%ld)", line, code);
	case TWS_BROKER_LOST:
		(void)snprintf(run->lost, sizeof(run->lost), "%s", line);
		break;
	case TWS_BROKER_BACK:
		run->lost[0] = '\0';
		break;
	case TWS_FARM_BROKEN:
		note_farm(run, text);
		break;
	case TWS_FARM_OK:
	case TWS_NOTICE:
		break;
	}
	return true;
}

static bool on_message(struct check *c, const struct tws_message *m)
{
	struct ib_run *run = check_run_data(c);
	long type;

	if (run->version == 0)
		return on_version(c, m);
	if (!tws_number(m, 0, 0, 100000, &type))
		return true;
	if (type == TWS_CURRENT_TIME)
		return on_time(c, m);
	if (type == TWS_ERR_MSG)
		return on_notice(c, m);
	if (type == TWS_MANAGED_ACCTS)
		on_accounts(c, m);
	run->has_order_id |= type == TWS_NEXT_VALID_ID;
	ask_time(c);
	return true;
}

static void on_data(struct check *c, const char *data, size_t len)
{
	struct ib_run *run = check_run_data(c);
	struct tws_message m;
	struct err err = {0};
	int rc;

	tws_feed(&run->reader, data, len);
	while ((rc = tws_next(&run->reader, &m, &err)) > 0) {
		bool goes_on = ++run->messages > MESSAGES_MAX
				       ? end(c, REASON_PROTOCOL, DISCONNECTED,
					     "more than %d messages came", MESSAGES_MAX)
				       : on_message(c, &m);

		if (!goes_on)
			return;
	}
	if (rc < 0)
		(void)end(c, REASON_PROTOCOL, DISCONNECTED, "%s", err.text);
}

static void on_open(struct check *c)
{
	struct ib_run *run = check_run_data(c);
	HALE_CLEANUP(str_done) struct str out = {0};

	run->open_us = clock_mono_us();
	tws_hello(&out);
	conn_write(run->conn, str_text(&out), out.len);
}

static void on_failed(struct check *c, enum reason reason, const char *text)
{
	(void)end(c, reason, DISCONNECTED, "%s", text);
}

static const struct conn_events events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_failed = on_failed,
};

static void ib_start(struct check *c)
{
	const struct ib_opts *o = check_opts(c);
	const struct ib_prep *p = check_prep(c);
	struct ib_run *run = check_run_data(c);
	struct conn_tls tls;

	tell_record(c, DISCONNECTED);
	run->conn = conn_open(c,
			      &(struct conn_target){
				      .host = p->address.host,
				      .port = p->address.port,
				      .tls = tls_options_conn(&o->tls, &tls),
			      },
			      &events);
}

static void ib_cancel(struct check *c)
{
	(void)end(c, REASON_CANCELLED, DISCONNECTED, "%s", reason_text(REASON_CANCELLED));
}

/* ---- The kind ---- */

static const struct metric_doc ib_metrics[] = {
	{"connected", "1, or 0"},
	{"handshake_ms", "from being connected to the server's version"},
	{"login_ms", "from being connected to accounts and next order id"},
	{"rtt_ms", "from asking for the time to its answer"},
	{"clock_offset_seconds", "the gateway's clock less ours, in whole seconds"},
	{"server_version", "version of the API that was agreed on"},
	{"accounts", "how many the login has"},
	{"farms_down", "data farms that the gateway says are not connected"},
	{"heartbeat_age_seconds", "since the last answer to the time"},
	{"connected_seconds", "for how long each check has found it connected"},
	{"connect_ms", "time to connect"},
	{"dns_ms", "time to resolve the name; not for an IP address"},
	{"tls_ms", "time of the TLS handshake; with `tls`"},
	{"cert_expires_seconds", "time until the certificate ends; with `tls`"},
	{NULL, NULL},
};

static const struct metric_doc ib_details[] = {
	{"state", "`CONNECTED`, `CONNECTING` or `DISCONNECTED`"},
	{"host", "as configured"},
	{"port", "as configured"},
	{"client_id", "as configured"},
	{"last_heartbeat", "when the gateway last answered with its time"},
	{"connected_since", "the first check of those in a row that found it connected"},
	{"disconnected_at", "the first check of those in a row that did not"},
	{"connection_time", "when the gateway accepted us, in its own words"},
	{"server_time", "the time it answered"},
	{"farms_down", "what it says of data farms that are not connected"},
	{"ip", "the address that answered, or was tried last"},
	{"tls_version", "the version agreed on; with `tls`"},
	{NULL, NULL},
};

static const struct reason_doc ib_reasons[] = {
	{REASON_DNS_FAILED, "the name has no address, or no name server answers"},
	{REASON_CONN_REFUSED, "nothing listens: the gateway is not running, or its API is off"},
	{REASON_CONN_RESET, "the connection was broken off"},
	{REASON_CONN_CLOSED,
	 "the gateway hung up, as it does with addresses that it does not trust"},
	{REASON_UNREACHABLE, "there is no way to the address"},
	{REASON_TIMEOUT_DNS, "the name was not resolved in time"},
	{REASON_TIMEOUT_CONNECT, "no connection in time"},
	{REASON_TIMEOUT_READ, "it accepts, and says nothing: it hangs, or waits for a person"},
	{REASON_IB_CONNECTING,
	 "it answers, but is not logged in, or has lost the broker's servers"},
	{REASON_CLIENT_ID_IN_USE, "another program is connected with this client id"},
	{REASON_VALUE_MISMATCH, "`account` is not among the accounts of the login"},
	{REASON_PROTOCOL, "what answers is no gateway, or one of another age"},
	{REASON_TIMEOUT_TLS, "the TLS handshake did not end in time; with `tls`"},
	{REASON_TLS_FAILED, "the TLS handshake failed; with `tls`"},
	{REASON_TLS_CERT, "the certificate is not trusted; with `tls`"},
	{REASON_TLS_EXPIRED, "the certificate has expired; with `tls`"},
	{REASON_TLS_VERSION, "no TLS as new as `tls.min_version`; with `tls`"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "ib",
	.summary = "logs in to the API of Interactive Brokers' TWS or IB Gateway",
	.about =
		"Goes as far as a trading program would: version, login with a client id, "
		"accounts and next order id, the gateway's time. It places and reads no orders. A "
		"gateway that answers but is not logged in, or has lost the broker's servers, is "
		"`CONNECTING`, a warning.\n"
		"\n"
		"Each check connects anew and hangs up again; it needs a client id of its own, and "
		"its address among the trusted ones of the gateway (or \"localhost only\").",
	.items = ib_items,
	.opts_size = sizeof(struct ib_opts),
	.run_size = sizeof(struct ib_run),
	.metrics = ib_metrics,
	.details = ib_details,
	.reasons = ib_reasons,
	.example = "ib_gateway:\n"
		   "  ib: {address: \"127.0.0.1:4001\", client_id: 900}\n"
		   "  interval: 30s\n"
		   "  timeout: 15s\n"
		   "  thresholds:\n"
		   "    clock_offset_seconds: {degraded: \"> 5\"}\n"
		   "    farms_down: {degraded: \"> 0\"}\n",
	.validate = ib_validate,
	.prepare = ib_prepare,
	.unprepare = free,
	.start = ib_start,
	.cancel = ib_cancel,
};
