/* SPDX-License-Identifier: Apache-2.0 */
/* icmp - pings a host
 */
#include "check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "icmp_packet.h"
#include "icmp_ping.h"
#include "resolve.h"

#define US_PER_MS 1000.0
#define PERCENT   100.0

/* We end a little before the runner's deadline, because we know how many came back. */
#define EARLY_MS 50

/* ---- Options ---- */

struct icmp_opts {
	char *host;
	char *family;
	int64_t count;
	int64_t spacing;
	int64_t wait;
	int64_t size;
};

static const struct conf_item icmp_items[] = {
	CONF_STR(struct icmp_opts, host,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET | CONF_F_CONNECT,
		 .help = "Name or IP address"),
	CONF_ENUM(struct icmp_opts, family, .def = "any", .choices = "any|ipv4|ipv6",
		  .help = "Which of a name's addresses to take"),
	CONF_INT(struct icmp_opts, count, .def = "3", .min = 1, .max = ICMP_COUNT_MAX,
		 .help = "Echo requests in a check"),
	CONF_DURATION(struct icmp_opts, spacing, .def = "200ms", .min = 1, .max = 60000,
		      .help = "Time between two requests"),
	CONF_DURATION(struct icmp_opts, wait, .def = "1s", .min = 1, .max = 60000,
		      .help = "How long replies may take after the last request"),
	CONF_INT(struct icmp_opts, size, .def = "56", .min = ICMP_DATA_MIN, .max = ICMP_DATA_MAX,
		 .help = "Bytes of data in each request"),
	CONF_END,
};

/* ---- One run ---- */

struct icmp_run {
	struct resolve_wait *resolving;
	struct icmp_ping *ping;
	int64_t begun_us;
};

static void tell_rtt(struct check *c, const struct icmp_result *r)
{
	check_metric(c, "packets_sent", r->sent);
	check_metric(c, "packets_received", r->received);
	check_metric(c, "packet_loss_percent", PERCENT * (r->sent - r->received) / r->sent);
	if (r->duplicates > 0)
		check_metric(c, "duplicates", r->duplicates);
	if (r->received == 0)
		return;
	check_metric(c, "rtt_ms", r->mean_ms);
	check_metric(c, "rtt_min_ms", r->min_ms);
	check_metric(c, "rtt_max_ms", r->max_ms);
	if (r->received > 1)
		check_metric(c, "jitter_ms", r->jitter_ms);
}

static void on_ping(void *ctx, const struct icmp_result *r)
{
	struct check *c = ctx;
	struct icmp_run *run = check_run_data(c);

	run->ping = NULL;
	if (r->reason != REASON_OK) {
		check_done(c, r->reason, "%s", r->error);
		return;
	}
	tell_rtt(c, r);
	if (r->received > 0)
		check_done(c, REASON_OK, "%d of %d came back, %.3g ms", r->received, r->sent,
			   r->mean_ms);
	else if (*r->error != '\0')
		check_done(c, REASON_UNREACHABLE, "%s", r->error);
	else
		check_done(c, REASON_TIMEOUT_READ, "No reply to %d request%s", r->sent,
			   r->sent == 1 ? "" : "s");
}

static const union resolve_address *choose(const struct icmp_opts *o,
					   const struct resolve_answer *answer)
{
	for (size_t i = 0; i < answer->n; i++) {
		int family = answer->addresses[i].any.sa_family;

		if (strcmp(o->family, "any") == 0 ||
		    family == (strcmp(o->family, "ipv6") == 0 ? AF_INET6 : AF_INET))
			return &answer->addresses[i];
	}
	return NULL;
}

static void tell_ip(struct check *c, const union resolve_address *to)
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (to->any.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &to->v6.sin6_addr, ip, sizeof(ip));
	else
		(void)inet_ntop(AF_INET, &to->v4.sin_addr, ip, sizeof(ip));
	check_detail(c, "ip", json_string(ip));
}

static void ping(struct check *c, const union resolve_address *to)
{
	const struct icmp_opts *o = check_opts(c);
	struct icmp_run *run = check_run_data(c);
	int64_t gone_ms = (clock_mono_us() - run->begun_us) / 1000;
	int64_t left_ms = HALE_MAX(check_timeout_ms(c) - EARLY_MS - gone_ms, EARLY_MS);
	int64_t sending_ms = (o->count - 1) * o->spacing;
	struct icmp_plan plan = {.to = &to->any,
				 .count = (int)o->count,
				 .interval_ms = o->spacing,
				 .wait_ms = o->wait,
				 .data_len = (size_t)o->size};

	/* All of them within the timeout: closer together, if need be. */
	if (sending_ms > left_ms / 2)
		plan.interval_ms = HALE_MAX(left_ms / 2 / o->count, (int64_t)1);
	plan.wait_ms = HALE_MIN(plan.wait_ms, left_ms - (o->count - 1) * plan.interval_ms);
	plan.wait_ms = HALE_MAX(plan.wait_ms, (int64_t)1);
	tell_ip(c, to);
	check_stage(c, REASON_TIMEOUT_READ);
	run->ping = icmp_ping_start(check_loop(c), &plan, on_ping, c);
}

static void on_resolved(void *ctx, const struct resolve_answer *answer)
{
	struct check *c = ctx;
	const struct icmp_opts *o = check_opts(c);
	struct icmp_run *run = check_run_data(c);
	const union resolve_address *to;

	run->resolving = NULL;
	if (answer->error != NULL) {
		check_done(c, REASON_DNS_FAILED, "%s: %s", o->host, answer->error);
		return;
	}
	to = choose(o, answer);
	if (to == NULL) {
		check_done(c, REASON_DNS_FAILED, "%s has no address of %s", o->host, o->family);
		return;
	}
	check_metric(c, "dns_ms", (double)(clock_mono_us() - run->begun_us) / US_PER_MS);
	ping(c, to);
}

static void *make_resolver(const struct check *c)
{
	return resolver_new(check_threads(c));
}

static void free_resolver(void *resolver)
{
	resolver_free(resolver);
}

static void icmp_start(struct check *c)
{
	const struct icmp_opts *o = check_opts(c);
	struct icmp_run *run = check_run_data(c);
	struct resolver *resolver = check_shared(c, make_resolver, free_resolver);
	union resolve_address number;
	struct resolve_answer kept;

	run->begun_us = clock_mono_us();
	check_stage(c, REASON_TIMEOUT_DNS);
	if (resolve_number(o->host, &number))
		ping(c, &number);
	else if (resolve_kept(resolver, o->host, clock_mono_ms(), &kept) &&
		 choose(o, &kept) != NULL)
		ping(c, choose(o, &kept));
	else
		run->resolving = resolve_start(resolver, o->host, on_resolved, c);
}

static void icmp_cancel(struct check *c)
{
	struct icmp_run *run = check_run_data(c);

	resolve_cancel(run->resolving);
	icmp_ping_cancel(run->ping);
	check_done(c, REASON_CANCELLED, NULL);
}

/* ---- The kind ---- */

static const struct metric_doc icmp_metrics[] = {
	{"packets_sent", "echo requests sent"},
	{"packets_received", "replies that came in time"},
	{"packet_loss_percent", "share that did not come back"},
	{"duplicates", "replies beyond one for each request; if there were any"},
	{"rtt_ms", "mean time from request to reply"},
	{"rtt_min_ms", "the shortest"},
	{"rtt_max_ms", "the longest"},
	{"jitter_ms", "mean difference between one reply's time and the next's"},
	{"dns_ms", "time to resolve the name; not for an IP address, nor while it is known"},
	{NULL, NULL},
};

static const struct metric_doc icmp_details[] = {
	{"ip", "the address that was asked"},
	{NULL, NULL},
};

static const struct reason_doc icmp_reasons[] = {
	{REASON_TIMEOUT_READ, "nothing came back"},
	{REASON_UNREACHABLE, "a router, or this host, knows no way to it"},
	{REASON_DNS_FAILED, "the name has no address (of that family), or no name server answers"},
	{REASON_TIMEOUT_DNS, "the name was not resolved in time"},
	{REASON_CONFIG, "hale may not send ICMP on this host"},
	REASON_DOC_END,
};

const struct check_ops check_ops = {
	.kind = "icmp",
	.summary = "pings a host: round-trip time, loss, jitter",
	.about =
		"One reply is enough to pass; thresholds on `packet_loss_percent` and `rtt_ms` say "
		"what is too bad. If all have come back the check ends at once.\n"
		"\n"
		"It needs haled to be root, or to have CAP_NET_RAW, or the group of hale to be "
		"within "
		"`net.ipv4.ping_group_range`, as systemd sets it by default.",
	.items = icmp_items,
	.opts_size = sizeof(struct icmp_opts),
	.run_size = sizeof(struct icmp_run),
	.metrics = icmp_metrics,
	.details = icmp_details,
	.reasons = icmp_reasons,
	.example = "uplink:\n"
		   "  icmp: {host: 192.0.2.1, count: 5}\n"
		   "  interval: 30s\n"
		   "  thresholds:\n"
		   "    packet_loss_percent: {degraded: \"> 20\", critical: \"> 60\"}\n"
		   "    rtt_ms: {degraded: \"> 100\"}\n",
	.start = icmp_start,
	.cancel = icmp_cancel,
};
