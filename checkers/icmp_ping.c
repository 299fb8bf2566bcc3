/* SPDX-License-Identifier: Apache-2.0 */
#include "icmp_ping.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <math.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "icmp_packet.h"

#define US_PER_MS 1000.0

/* IPv4's header may be 60 bytes. */
#define DATAGRAM_MAX (60 + ICMP_PACKET_MAX)

/* So many datagrams are read in one turn of the loop; an address that floods waits. */
#define READ_MAX 64

struct icmp_ping {
	uv_poll_t poll;
	uv_timer_t timer;
	int open_handles;
	int fd; /* -1: none */
	bool is_v6, is_raw;
	struct sockaddr_storage to;
	socklen_t to_len;
	struct icmp_plan plan;
	uint64_t cookie;
	int64_t sent_us[ICMP_COUNT_MAX];
	double rtt_ms[ICMP_COUNT_MAX]; /* NAN: not back */
	struct icmp_result result;
	icmp_done_fn on_done;
	void *ctx;
	bool is_over;
};

/* ---- Ending ---- */

static void on_closed(uv_handle_t *handle)
{
	struct icmp_ping *p = handle->data;

	if (--p->open_handles > 0)
		return;
	if (p->fd >= 0)
		(void)close(p->fd);
	free(p);
}

static void end(struct icmp_ping *p)
{
	if (p->is_over)
		return;
	p->is_over = true;
	if (p->open_handles == 2)
		uv_close((uv_handle_t *)&p->poll, on_closed);
	uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void sum_up(struct icmp_ping *p)
{
	struct icmp_result *r = &p->result;
	double sum = 0, last = NAN, differences = 0;

	for (int i = 0; i < r->sent; i++) {
		double rtt = p->rtt_ms[i];

		if (isnan(rtt))
			continue;
		r->min_ms = r->received == 0 ? rtt : fmin(r->min_ms, rtt);
		r->max_ms = fmax(r->max_ms, rtt);
		sum += rtt;
		differences += isnan(last) ? 0 : fabs(rtt - last);
		last = rtt;
		r->received++;
	}
	if (r->received > 0)
		r->mean_ms = sum / r->received;
	if (r->received > 1)
		r->jitter_ms = differences / (r->received - 1);
}

static void finish(struct icmp_ping *p)
{
	icmp_done_fn on_done = p->on_done;
	struct icmp_result result;

	sum_up(p);
	result = p->result;
	end(p);
	on_done(p->ctx, &result);
}

static bool are_all_back(const struct icmp_ping *p)
{
	for (int i = 0; i < p->plan.count; i++) {
		if (isnan(p->rtt_ms[i]))
			return false;
	}
	return true;
}

/* ---- Sending ---- */

/* What a router said of an earlier request comes with the next call on the socket. */
static void note_error(struct icmp_ping *p, int code)
{
	(void)snprintf(p->result.error, sizeof(p->result.error), "%s", strerror(code));
}

static void send_one(struct icmp_ping *p)
{
	const struct icmp_echo echo = {.cookie = p->cookie, .number = (uint32_t)p->result.sent};
	uint8_t packet[ICMP_PACKET_MAX];
	size_t len = icmp_request(p->is_v6, &echo, p->plan.data_len, packet);

	p->sent_us[p->result.sent++] = clock_mono_us();
	if (send(p->fd, packet, len, MSG_DONTWAIT) < 0)
		note_error(p, errno);
}

static void on_timer(uv_timer_t *timer)
{
	struct icmp_ping *p = timer->data;
	bool is_last;

	if (p->result.reason != REASON_OK || p->result.sent == p->plan.count) {
		finish(p);
		return;
	}
	send_one(p);
	is_last = p->result.sent == p->plan.count;
	(void)uv_timer_start(&p->timer, on_timer,
			     (uint64_t)(is_last ? p->plan.wait_ms : p->plan.interval_ms), 0);
}

/* ---- Receiving ---- */

static void take(struct icmp_ping *p, const uint8_t *data, size_t len)
{
	struct icmp_echo echo;

	if (!icmp_reply(p->is_v6, p->is_raw && !p->is_v6, data, len, &echo) ||
	    echo.cookie != p->cookie || echo.number >= (uint32_t)p->result.sent)
		return;
	if (isnan(p->rtt_ms[echo.number]))
		p->rtt_ms[echo.number] =
			(double)(clock_mono_us() - p->sent_us[echo.number]) / US_PER_MS;
	else
		p->result.duplicates++;
}

/* What routers said, ip(7) IP_RECVERR: the socket counts as broken until that is read. */
static void take_errors(struct icmp_ping *p)
{
	char control[256];

	for (int i = 0; i < READ_MAX; i++) {
		struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof(control)};

		if (recvmsg(p->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&msg); h != NULL; h = CMSG_NXTHDR(&msg, h)) {
			struct sock_extended_err e;

			if ((h->cmsg_level != SOL_IP || h->cmsg_type != IP_RECVERR) &&
			    (h->cmsg_level != SOL_IPV6 || h->cmsg_type != IPV6_RECVERR))
				continue;
			memcpy(&e, CMSG_DATA(h), sizeof(e));
			note_error(p, (int)e.ee_errno);
		}
	}
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct icmp_ping *p = poll->data;
	uint8_t data[DATAGRAM_MAX];

	(void)events;
	take_errors(p);
	/* libuv watches no further what has an error. */
	if (status < 0)
		(void)uv_poll_start(&p->poll, UV_READABLE, on_ready);
	for (int i = 0; i < READ_MAX; i++) {
		ssize_t n = recv(p->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n >= 0)
			take(p, data, (size_t)n);
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			note_error(p, errno);
	}
	if (are_all_back(p))
		finish(p);
}

/* ---- Beginning ---- */

HALE_PRINTF(3, 4)
static int refuse(struct icmp_ping *p, enum reason reason, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(p->result.error, sizeof(p->result.error), fmt, args);
	va_end(args);
	p->result.reason = reason;
	return -1;
}

static int open_socket(struct icmp_ping *p)
{
	int family = p->is_v6 ? AF_INET6 : AF_INET;
	int protocol = p->is_v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;

	p->is_raw = true;
	p->fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (p->fd < 0 && (errno == EPERM || errno == EACCES)) {
		p->is_raw = false;
		p->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	}
	if (p->fd < 0 && (errno == EPERM || errno == EACCES))
		return refuse(
			p, REASON_CONFIG,
			"not allowed to send ICMP: run haled as root, give it CAP_NET_RAW, or "
			"set net.ipv4.ping_group_range");
	if (p->fd < 0)
		return refuse(p, errno == EAFNOSUPPORT ? REASON_UNREACHABLE : REASON_INTERNAL,
			      "cannot open a socket: %s", strerror(errno));
	/* What else routers say than that all is lost is not told otherwise. */
	(void)setsockopt(p->fd, p->is_v6 ? SOL_IPV6 : SOL_IP, p->is_v6 ? IPV6_RECVERR : IP_RECVERR,
			 &(int){1}, sizeof(int));
	if (connect(p->fd, (const struct sockaddr *)&p->to, p->to_len) < 0)
		return refuse(p, REASON_UNREACHABLE, "%s", strerror(errno));
	return 0;
}

struct icmp_ping *icmp_ping_start(uv_loop_t *loop, const struct icmp_plan *plan,
				  icmp_done_fn on_done, void *ctx)
{
	struct icmp_ping *p = mem_alloc(sizeof(*p));

	HALE_ASSERT(plan->count >= 1 && plan->count <= ICMP_COUNT_MAX);
	p->plan = *plan;
	p->is_v6 = plan->to->sa_family == AF_INET6;
	p->to_len = p->is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	memcpy(&p->to, plan->to, p->to_len);
	p->plan.to = NULL;
	p->cookie = (uint64_t)rnd_u32() << 32 | rnd_u32();
	p->on_done = on_done;
	p->ctx = ctx;
	for (int i = 0; i < ICMP_COUNT_MAX; i++)
		p->rtt_ms[i] = (double)NAN;
	(void)uv_timer_init(loop, &p->timer);
	p->timer.data = p->poll.data = p;
	p->open_handles = 1;
	if (open_socket(p) == 0) {
		HALE_ASSERT(uv_poll_init(loop, &p->poll, p->fd) == 0);
		p->poll.data = p;
		p->open_handles = 2;
		(void)uv_poll_start(&p->poll, UV_READABLE, on_ready);
	}
	(void)uv_timer_start(&p->timer, on_timer, 0, 0);
	return p;
}

void icmp_ping_cancel(struct icmp_ping *p)
{
	if (p != NULL)
		end(p);
}
