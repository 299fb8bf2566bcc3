/* SPDX-License-Identifier: Apache-2.0 */
/* B1 floor: the least that checks N URLs of one host every I seconds: one epoll loop, a new
 * connection per check, status line read, connection closed.
 * floor_http PORT N INTERVAL_S SLOT_MS KEEP HOOKPORT   -- GET /c/0 .. /c/N-1 of 127.0.0.1:PORT
 * The checks are spread evenly over the interval, their times rounded down to slots of
 * SLOT_MS (0: each at its own time; the interval or more: all at once).
 * KEEP 1: each check has its own connection, kept open between its rounds.
 * HOOKPORT not 0 (B3): a check's change from 200 to another status is POSTed there at once. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct chk {
	int fd, busy, len, down;
	int64_t due;
	char buf[1024];
};

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void alert(int port, int i)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char b[64], q[256];
	int n = snprintf(b, sizeof b, "floor PROBLEM c%d", i);
	int m = snprintf(q, sizeof q,
			 "POST /hook HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: "
			 "close\r\nContent-Length: %d\r\n\r\n%s",
			 n, b);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
	    send(fd, q, (size_t)m, MSG_NOSIGNAL) == m)
		(void)!recv(fd, q, sizeof q, 0);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 7)
		return 2;
	int port = atoi(argv[1]), n = atoi(argv[2]), keep = atoi(argv[5]), hook = atoi(argv[6]);
	int64_t iv = (int64_t)(atof(argv[3]) * 1e9), slot = (int64_t)(atof(argv[4]) * 1e6),
		t0 = now();
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int ep = epoll_create1(0);
	struct chk *c = calloc((size_t)n, sizeof *c);
	unsigned long ok = 0, bad = 0;
	if (!c || ep < 0)
		return 3;
	for (int i = 0; i < n; i++) {
		c[i].fd = -1;
		int64_t at = iv * i / n;
		c[i].due = t0 + (slot > 0 ? at - at % slot : at);
	}
	for (int next = 0;;) { /* the checks fall due in order */
		int64_t t = now();
		while (c[next].due <= t) {
			struct chk *k = &c[next];
			k->due += iv;
			if (!k->busy) {
				int fresh = k->fd < 0;
				if (fresh) {
					k->fd = socket(AF_INET,
						       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
						       0);
					if (connect(k->fd, (struct sockaddr *)&sa, sizeof sa) &&
					    errno != EINPROGRESS) {
						bad++;
						close(k->fd);
						k->fd = -1;
						next = (next + 1) % n;
						continue;
					}
					struct epoll_event e = {.events = EPOLLIN | EPOLLOUT |
									  EPOLLET,
								.data.u32 = (uint32_t)next};
					epoll_ctl(ep, EPOLL_CTL_ADD, k->fd, &e);
				}
				k->busy = fresh ? 1 : 2;
				k->len = 0;
				if (!fresh) {
					char q[160];
					int m = snprintf(
						q, sizeof q,
						"GET /c/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
						next);
					if (send(k->fd, q, (size_t)m, MSG_NOSIGNAL) != m) {
						close(k->fd);
						k->fd = -1;
						k->busy = 0;
						bad++;
					}
				}
			}
			next = (next + 1) % n;
		}
		int64_t wait = c[next].due - now();
		struct timespec ts = {wait > 0 ? wait / 1000000000 : 0,
				      wait > 0 ? wait % 1000000000 : 0};
		struct epoll_event ev[64];
		int m = epoll_pwait2(ep, ev, 64, &ts, NULL);
		for (int j = 0; j < m; j++) {
			struct chk *k = &c[ev[j].data.u32];
			if (k->fd < 0)
				continue;
			if (k->busy == 1 && (ev[j].events & EPOLLOUT)) {
				char q[160];
				int l = snprintf(q, sizeof q,
						 "GET /c/%u HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
						 ev[j].data.u32,
						 keep ? "" : "Connection: close\r\n");
				k->busy = send(k->fd, q, (size_t)l, MSG_NOSIGNAL) == l ? 2 : 3;
			}
			if (ev[j].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
				ssize_t r = recv(k->fd, k->buf, sizeof k->buf - 1, 0);
				if (r < 0 && errno == EAGAIN)
					continue;
				if (r > 12 && !memcmp(k->buf + 9, "200", 3)) {
					ok++;
					k->down = 0;
				} else if (k->busy) {
					bad++;
					if (hook && !k->down)
						alert(hook, (int)(k - c));
					k->down = 1;
				}
				k->busy = 0;
				if (!keep || r <= 0) {
					close(k->fd);
					k->fd = -1;
				}
			}
		}
	}
}
