/* SPDX-License-Identifier: Apache-2.0 */
/* dns - asks name servers and looks at the answer
 */
#include "check.h"

#include <arpa/inet.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "dns_lookup.h"
#include "dns_message.h"

#define US_PER_MS 1000.0

/* UDP loses packets: each server is asked so often within the timeout, c-ares doubling the wait. */
#define TRIES       3
/* Of the timeout, for the first wait: 1 + 2 + 4 of them are a little less than all of it. */
#define FIRST_WAIT  8
#define WAIT_MIN_MS 10

/* More values in a message hide what is wrong. */
#define SHOWN_MAX 5

#define RCODES                                                                                     \
	"NOERROR|FORMERR|SERVFAIL|NXDOMAIN|NOTIMP|REFUSED|YXDOMAIN|YXRRSET|NXRRSET|NOTAUTH|"       \
	"NOTZONE"

/* ---- Options ---- */

struct dns_opts {
	char *name;
	char *type;
	struct strlist servers;
	char *protocol;
	bool recursion;
	struct strlist expect;
	bool exact;
	char *regex;
	char *rcode;
	bool authoritative;
};

static const struct conf_item dns_items[] = {
	CONF_STR(struct dns_opts, name, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET,
		 .help = "Name to ask for; with type PTR also an IP address"),
	CONF_ENUM(struct dns_opts, type, .def = "A", .choices = DNS_TYPES,
		  .help = "Type of record"),
	CONF_LIST(struct dns_opts, servers, .flags = CONF_F_CONNECT,
		  .help = "IP addresses of name servers, with :port if it is not 53; the next is "
			  "asked if one does not answer. Default: those of /etc/resolv.conf"),
	CONF_ENUM(struct dns_opts, protocol, .def = "udp", .choices = "udp|tcp",
		  .help = "With udp, an answer that is too long is asked for again by tcp"),
	CONF_BOOL(struct dns_opts, recursion, .def = "true",
		  .help = "Ask the server to ask others"),
	CONF_LIST(struct dns_opts, expect,
		  .help = "Records that must be in the answer, as zone files write them, without "
			  "the last dot: 192.0.2.1, 10 mail.example.org"),
	CONF_BOOL(struct dns_opts, exact, .def = "false",
		  .help = "No record beside those of `expect` may be there"),
	CONF_STR(struct dns_opts, regex, .flags = CONF_F_NONEMPTY,
		 .help = "Extended regular expression (POSIX) that at least one record must match"),
	CONF_ENUM(
		struct dns_opts, rcode, .def = "NOERROR", .choices = RCODES,
		.help = "What the server must answer; NXDOMAIN for a name that must not be there"),
	CONF_BOOL(struct dns_opts, authoritative, .def = "false",
		  .help = "The answer must be the zone's own (AA), not a cache's"),
	CONF_END,
};

/* "192.0.2.1", "192.0.2.1:5353", "::1", "[::1]:5353". */
static bool is_server(const char *text)
{
	char host[INET6_ADDRSTRLEN + 2];
	unsigned char ip[16];
	const char *port = NULL;
	size_t len;

	if (*text == '[') {
		const char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		len = (size_t)(end - text - 1);
		port = end[1] == ':' ? end + 2 : NULL;
		text++;
	} else {
		const char *colon = strchr(text, ':');
		bool is_v6 = colon != NULL && strchr(colon + 1, ':') != NULL;

		len = is_v6 || colon == NULL ? strlen(text) : (size_t)(colon - text);
		port = is_v6 || colon == NULL ? NULL : colon + 1;
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (port != NULL && (strspn(port, "0123456789") != strlen(port) || *port == '\0' ||
			     strlen(port) > 5 || atoi(port) < 1 || atoi(port) > 65535))
		return false;
	return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

static void validate_regex(const char *text, service_problem_fn problem, void *ctx)
{
	char why[128];
	regex_t regex;
	int rc = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);

	if (rc == 0) {
		regfree(&regex);
		return;
	}
	(void)regerror(rc, &regex, why, sizeof(why));
	problem(ctx, "/regex", why);
}

static void dns_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct dns_opts *o = opts;

	for (size_t i = 0; i < o->servers.n; i++) {
		if (!is_server(o->servers.v[i])) {
			HALE_CLEANUP(cleanup_free)
			char *text = mem_printf("'%s' is no IP address with or without a port",
						o->servers.v[i]);
			problem(ctx, "/servers", text);
		}
	}
	if (o->regex != NULL)
		validate_regex(o->regex, problem, ctx);
	if (o->exact && o->expect.n == 0)
		problem(ctx, "/exact", "needs 'expect'");
}

/* ---- What outlives a run ---- */

struct dns_prep {
	char *name;    /* what is asked for */
	char *servers; /* or NULL */
	int type;
	bool has_regex;
	regex_t regex;
};

static void *dns_prepare(const void *opts)
{
	const struct dns_opts *o = opts;
	struct dns_prep *p = mem_alloc(sizeof(*p));
	HALE_CLEANUP(str_done) struct str servers = {0};

	p->type = dns_type_from_name(o->type);
	if (p->type != DNS_PTR || dns_reverse_name(o->name, &p->name) < 0)
		p->name = mem_dup(o->name);
	for (size_t i = 0; i < o->servers.n; i++)
		str_addf(&servers, "%s%s", i > 0 ? "," : "", o->servers.v[i]);
	if (servers.len > 0)
		p->servers = mem_dup(str_text(&servers));
	p->has_regex =
		o->regex != NULL && regcomp(&p->regex, o->regex, REG_EXTENDED | REG_NOSUB) == 0;
	return p;
}

static void dns_unprepare(void *prep)
{
	struct dns_prep *p = prep;

	if (p->has_regex)
		regfree(&p->regex);
	free(p->name);
	free(p->servers);
	free(p);
}

/* ---- The verdict ---- */

struct dns_run {
	struct dns_lookup *lookup;
	int64_t begun_us;
};

static bool is_there(const struct dns_message *m, int type, const char *wanted)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->records[i].type == (unsigned)type && dns_record_is(&m->records[i], wanted))
			return true;
	}
	return false;
}

static bool is_expected(const struct strlist *expect, const struct dns_record *record)
{
	for (size_t i = 0; i < expect->n; i++) {
		if (dns_record_is(record, expect->v[i]))
			return true;
	}
	return false;
}

static bool matches_one(const struct dns_message *m, const struct dns_prep *p)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->records[i].type == (unsigned)p->type &&
		    regexec(&p->regex, m->records[i].text, 0, NULL, 0) == 0)
			return true;
	}
	return false;
}

/* The records asked for, of which there are *n_r; "192.0.2.1, 192.0.2.2". */
static void list_records(const struct dns_message *m, int type, struct str *out, size_t *n_r)
{
	*n_r = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (m->records[i].type != (unsigned)type)
			continue;
		if (*n_r < SHOWN_MAX)
			str_addf(out, "%s%.100s", *n_r > 0 ? ", " : "", m->records[i].text);
		(*n_r)++;
	}
	if (*n_r > SHOWN_MAX)
		str_addf(out, " and %zu more", *n_r - SHOWN_MAX);
}

static void tell_facts(struct check *c, const struct dns_message *m, size_t n)
{
	const struct dns_prep *p = check_prep(c);
	json_t *answers = json_array();
	uint32_t ttl = UINT32_MAX;
	char rcode[16], type[16];

	for (size_t i = 0; i < m->n; i++) {
		const struct dns_record *r = &m->records[i];

		if (r->type == (unsigned)p->type)
			json_array_append_new(answers, json_string(r->text));
		ttl = r->ttl_seconds < ttl ? r->ttl_seconds : ttl;
		check_saw(c, "answer",
			  json_pack("{s:s, s:I, s:s}", "type", dns_type_name(r->type, type), "ttl",
				    (json_int_t)r->ttl_seconds, "data", r->text));
	}
	check_metric(c, "records", (double)n);
	if (m->n > 0)
		check_metric(c, "ttl_seconds", ttl);
	if (p->type == DNS_SOA && n > 0)
		check_metric(c, "serial", m->serial);
	check_metric(c, "authoritative", m->is_authoritative);
	check_detail(c, "answers", answers);
	check_detail(c, "rcode", json_string(dns_rcode_name(m->rcode, rcode)));
	check_detail(c, "authenticated", json_boolean(m->is_authenticated));
}

static void judge_records(struct check *c, const struct dns_message *m, const char *list, size_t n)
{
	const struct dns_opts *o = check_opts(c);
	const struct dns_prep *p = check_prep(c);

	if (n == 0) {
		check_done(c, REASON_DNS_ANSWER, "no %s record", o->type);
		return;
	}
	for (size_t i = 0; i < o->expect.n; i++) {
		if (!is_there(m, p->type, o->expect.v[i])) {
			check_done(c, REASON_DNS_ANSWER, "%.100s is not among: %s", o->expect.v[i],
				   list);
			return;
		}
	}
	for (size_t i = 0; o->exact && i < m->n; i++) {
		if (m->records[i].type == (unsigned)p->type &&
		    !is_expected(&o->expect, &m->records[i])) {
			check_done(c, REASON_DNS_ANSWER, "%.100s was not expected",
				   m->records[i].text);
			return;
		}
	}
	if (p->has_regex && !matches_one(m, p))
		check_done(c, REASON_DNS_ANSWER, "nothing matches /%s/: %s", o->regex, list);
	else
		check_done(c, REASON_OK, "%s", list);
}

static void judge(struct check *c, const struct dns_message *m)
{
	const struct dns_opts *o = check_opts(c);
	const struct dns_prep *p = check_prep(c);
	HALE_CLEANUP(str_done) struct str list = {0};
	char rcode[16];
	size_t n;

	list_records(m, p->type, &list, &n);
	tell_facts(c, m, n);
	(void)dns_rcode_name(m->rcode, rcode);
	if (strcmp(rcode, o->rcode) != 0)
		check_done(c, REASON_DNS_RCODE, "%s, expected %s", rcode, o->rcode);
	else if (o->authoritative && !m->is_authoritative)
		check_done(c, REASON_DNS_ANSWER, "the answer is not the zone's own");
	else if (m->rcode != DNS_NOERROR)
		check_done(c, REASON_OK, "%s, as expected", rcode);
	else
		judge_records(c, m, str_text(&list), n);
}

static void on_answer(void *ctx, const struct dns_reply *reply)
{
	struct check *c = ctx;
	struct dns_run *run = check_run_data(c);
	struct dns_message m = {0};
	struct err err = {0};

	run->lookup = NULL;
	check_metric(c, "retries", reply->retries);
	if (reply->reason == REASON_TIMEOUT_DNS) {
		check_done(c, REASON_TIMEOUT_DNS, "No name server answered (asked %d times)",
			   TRIES);
		return;
	}
	if (reply->reason != REASON_OK) {
		check_done(c, reply->reason, "%s", reply->error);
		return;
	}
	check_metric(c, "query_ms", (double)(clock_mono_us() - run->begun_us) / US_PER_MS);
	if (dns_message_read(reply->data, reply->len, &m, &err) < 0) {
		check_done(c, REASON_PROTOCOL, "%s", err.text);
		return;
	}
	judge(c, &m);
	dns_message_done(&m);
}

static void dns_start(struct check *c)
{
	const struct dns_opts *o = check_opts(c);
	const struct dns_prep *p = check_prep(c);
	struct dns_run *run = check_run_data(c);
	const struct dns_question q = {
		.name = p->name,
		.type = p->type,
		.servers = p->servers,
		.is_tcp = strcmp(o->protocol, "tcp") == 0,
		.wants_recursion = o->recursion,
		.try_ms = HALE_MAX(check_timeout_ms(c) / FIRST_WAIT, WAIT_MIN_MS),
		.tries = TRIES,
	};

	check_stage(c, REASON_TIMEOUT_DNS);
	run->begun_us = clock_mono_us();
	run->lookup = dns_lookup_start(check_loop(c), &q, on_answer, c);
}

static void dns_cancel(struct check *c)
{
	struct dns_run *run = check_run_data(c);

	dns_lookup_cancel(run->lookup);
	check_done(c, REASON_CANCELLED, NULL);
}

/* ---- The kind ---- */

static const struct metric_doc dns_metrics[] = {
	{"query_ms", "from the question to the answer"},
	{"records", "how many of the type asked for"},
	{"ttl_seconds", "the shortest time that an answer may be kept"},
	{"serial", "of the zone; with type SOA"},
	{"authoritative", "1 if the answer is the zone's own, else 0"},
	{"retries", "how often a server was asked again"},
	{NULL, NULL},
};

static const struct metric_doc dns_details[] = {
	{"answers", "the records"},
	{"rcode", "what the server answered, `NOERROR`, `NXDOMAIN` …"},
	{"authenticated", "whether the server says to have verified the answer (DNSSEC)"},
	{NULL, NULL},
};

static const struct reason_doc dns_reasons[] = {
	{REASON_CONN_REFUSED, "no name server listens there"},
	{REASON_TIMEOUT_DNS, "no name server answered in time"},
	{REASON_DNS_RCODE, "the server answers with another code than `rcode`"},
	{REASON_DNS_ANSWER, "other records than expected, or none"},
	{REASON_PROTOCOL, "the answer is no DNS message, or garbled"},
	{REASON_CONFIG, "the name cannot be asked for"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "dns",
	.summary = "asks name servers, and looks at code and records of the answer",
	.about = "A server that does not answer is asked three times within the timeout, then the "
		 "next one. What is asked is the name as it is, without the search domains of this "
		 "host.",
	.items = dns_items,
	.opts_size = sizeof(struct dns_opts),
	.run_size = sizeof(struct dns_run),
	.metrics = dns_metrics,
	.details = dns_details,
	.reasons = dns_reasons,
	.example = "mail_route:\n"
		   "  dns:\n"
		   "    name: example.org\n"
		   "    type: MX\n"
		   "    expect: [10 mail.example.org]\n"
		   "    servers: [192.0.2.53, \"[2001:db8::53]:5353\"]\n"
		   "  interval: 1m\n",
	.validate = dns_validate,
	.prepare = dns_prepare,
	.unprepare = dns_unprepare,
	.start = dns_start,
	.cancel = dns_cancel,
};
