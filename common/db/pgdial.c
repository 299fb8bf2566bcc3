/* SPDX-License-Identifier: Apache-2.0 */
#include "pgdial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"

/* Addresses tried for all hosts together; libpq tries them in turn within the one deadline. */
#define ADDRESSES_MAX 16
#define PORT_DEFAULT  "5432"

struct pg_dial {
	uv_loop_t *loop;
	const struct pg_target *target;
	const struct db_setting *more;
	pg_dialed_fn on_done;
	void *ctx;

	/* host and port as given, and per address found a host, an address and a port. */
	struct strlist hosts, ports;
	size_t next_host;
	struct str out_hosts, out_addresses, out_ports;
	size_t addresses;
	char *unresolved; /* the last host without an address */

	PGconn *conn;
	uv_poll_t *poll; /* NULL: none open */
	uv_getaddrinfo_t resolver;
	bool is_resolving;
	bool is_over;
	size_t handles; /* open, or under way: freed when the last is gone */
};

static void resolve_next(struct pg_dial *d);
static void on_io(uv_poll_t *poll, int status, int events);

/* --- the end --- */

static void free_if_gone(struct pg_dial *d)
{
	if (d->handles > 0 || !d->is_over)
		return;
	strlist_done(&d->hosts);
	strlist_done(&d->ports);
	str_done(&d->out_hosts);
	str_done(&d->out_addresses);
	str_done(&d->out_ports);
	free(d->unresolved);
	free(d);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct pg_dial *d = handle->data;

	free(handle);
	d->handles--;
	free_if_gone(d);
}

static void poll_close(struct pg_dial *d)
{
	if (d->poll != NULL)
		uv_close((uv_handle_t *)TAKE_PTR(d->poll), on_poll_closed);
}

static void over(struct pg_dial *d)
{
	d->is_over = true;
	poll_close(d);
	/* If it is too late for that, the answer is thrown away when it comes. */
	if (d->is_resolving)
		(void)uv_cancel((uv_req_t *)&d->resolver);
	if (d->conn != NULL)
		pq.PQfinish(TAKE_PTR(d->conn));
}

static void tell(struct pg_dial *d, const struct pg_dialed *result)
{
	pg_dialed_fn on_done = d->on_done;
	void *ctx = d->ctx;
	char text[512];
	struct pg_dialed told = *result;

	/* A text may be of what is freed now. */
	pg_clean(d->target, result->text, text, sizeof(text));
	told.text = text;
	over(d);
	free_if_gone(d);
	on_done(ctx, &told);
}

static void fail(struct pg_dial *d, enum reason reason, const char *text)
{
	tell(d, &(struct pg_dialed){.reason = reason, .code = "", .text = text});
}

static void fail_connect(struct pg_dial *d)
{
	char code[6], text[512];

	pg_connect_error(d->target, d->conn, code, text, sizeof(text));
	tell(d, &(struct pg_dialed){
			.reason = pg_connect_reason(code, text), .code = code, .text = text});
}

void pg_dial_cancel(struct pg_dial *d)
{
	over(d);
	free_if_gone(d);
}

enum reason pg_dial_waits_for(const struct pg_dial *d)
{
	if (d->conn == NULL)
		return REASON_TIMEOUT_DNS;
	/* To libpq the login is a part of connecting; a server that is connected to and then silent
	 * is something else. */
	switch (pq.PQstatus(d->conn)) {
	case CONNECTION_STARTED:
	case CONNECTION_NEEDED:
		return REASON_TIMEOUT_CONNECT;
	case CONNECTION_SSL_STARTUP:
		return pq.PQsslInUse(d->conn) != 0 ? REASON_TIMEOUT_TLS : REASON_TIMEOUT_READ;
	default:
		return REASON_TIMEOUT_READ;
	}
}

/* --- connecting --- */

/* libpq may change its socket, even for one with the same number: the poll handle is made anew for
 * every step. */
static void poll_open(struct pg_dial *d, int events)
{
	int fd = pq.PQsocket(d->conn);

	poll_close(d);
	d->poll = mem_alloc(sizeof(*d->poll));
	if (fd < 0 || uv_poll_init_socket(d->loop, d->poll, fd) != 0) {
		free(TAKE_PTR(d->poll));
		fail(d, REASON_INTERNAL, "cannot watch the connection's socket");
		return;
	}
	d->poll->data = d;
	d->handles++;
	(void)uv_poll_start(d->poll, events, on_io);
}

static void connected(struct pg_dial *d)
{
	(void)pq.PQsetErrorVerbosity(d->conn, PQERRORS_DEFAULT);
	if (pq.PQsetnonblocking(d->conn, 1) != 0)
		fail_connect(d);
	else
		tell(d, &(struct pg_dialed){.conn = TAKE_PTR(d->conn),
					    .reason = REASON_OK,
					    .code = "",
					    .text = ""});
}

static void on_io(uv_poll_t *poll, int status, int events)
{
	struct pg_dial *d = poll->data;

	(void)status; /* an error makes the socket readable, and libpq finds out why */
	(void)events;
	/* The socket may be closed within: nobody may watch it then. */
	poll_close(d);
	switch (pq.PQconnectPoll(d->conn)) {
	case PGRES_POLLING_OK:
		connected(d);
		break;
	case PGRES_POLLING_READING:
		poll_open(d, UV_READABLE);
		break;
	case PGRES_POLLING_WRITING:
		poll_open(d, UV_WRITABLE);
		break;
	default:
		fail_connect(d);
	}
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static void connect_start(struct pg_dial *d)
{
	struct pg_params params;

	pg_params_init(&params, d->target);
	if (d->addresses > 0) {
		pg_params_set(&params, "host", str_text(&d->out_hosts));
		pg_params_set(&params, "hostaddr", str_text(&d->out_addresses));
		pg_params_set(&params, "port", str_text(&d->out_ports));
	}
	for (const struct db_setting *s = d->more; s != NULL && s->key != NULL; s++)
		pg_params_set(&params, s->key, s->value);
	d->conn = pq.PQconnectStartParams(params.keys, params.values, 0);
	if (d->conn == NULL) {
		fail(d, REASON_INTERNAL, "out of memory");
		return;
	}
	/* Verbose texts carry the SQLSTATE of a refused login (pg_connect_error). */
	(void)pq.PQsetErrorVerbosity(d->conn, PQERRORS_VERBOSE);
	(void)pq.PQsetNoticeReceiver(d->conn, ignore_notice, NULL);
	if (pq.PQstatus(d->conn) == CONNECTION_BAD)
		fail_connect(d);
	else
		poll_open(d, UV_WRITABLE);
}

/* --- names --- */

static void split(const char *text, struct strlist *out)
{
	const char *end;

	for (const char *p = text; p != NULL; p = *end == ',' ? end + 1 : NULL) {
		HALE_CLEANUP(cleanup_free) char *part = NULL;

		end = p + strcspn(p, ",");
		part = mem_dupn(p, (size_t)(end - p));
		strlist_add(out, part);
	}
}

static void add_part(struct str *list, bool is_first, const char *part)
{
	if (!is_first)
		str_addc(list, ',');
	str_add(list, part);
}

/* An empty address leaves the host to libpq: a socket directory. */
static void add_address(struct pg_dial *d, const char *host, const char *address)
{
	size_t i = d->next_host;
	const char *port = i < d->ports.n ? d->ports.v[i] : d->ports.n == 1 ? d->ports.v[0] : "";
	bool is_first = d->addresses == 0;

	if (d->addresses == ADDRESSES_MAX)
		return;
	add_part(&d->out_hosts, is_first, host);
	add_part(&d->out_addresses, is_first, address);
	add_part(&d->out_ports, is_first, port[0] != '\0' ? port : PORT_DEFAULT);
	d->addresses++;
}

static bool needs_no_resolver(const char *host)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	return host[0] == '/' || host[0] == '@' || host[0] == '\0' ||
	       uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0;
}

static void add_found(struct pg_dial *d, const char *host, const struct addrinfo *found)
{
	char address[INET6_ADDRSTRLEN];

	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
		int rc = a->ai_family == AF_INET6
				 ? uv_ip6_name((const struct sockaddr_in6 *)(void *)a->ai_addr,
					       address, sizeof(address))
				 : uv_ip4_name((const struct sockaddr_in *)(void *)a->ai_addr,
					       address, sizeof(address));

		if (rc == 0)
			add_address(d, host, address);
	}
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct pg_dial *d = request->data;
	const char *host = d->hosts.v[d->next_host];

	d->is_resolving = false;
	d->handles--;
	if (!d->is_over && status == 0) {
		add_found(d, host, found);
	} else if (!d->is_over) {
		free(d->unresolved);
		d->unresolved = mem_printf("%s: %s", host, uv_strerror(status));
	}
	uv_freeaddrinfo(found);
	if (d->is_over) {
		free_if_gone(d);
		return;
	}
	d->next_host++;
	resolve_next(d);
}

static void resolve_next(struct pg_dial *d)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

	for (; d->next_host < d->hosts.n; d->next_host++) {
		const char *host = d->hosts.v[d->next_host];

		if (needs_no_resolver(host)) {
			add_address(d, host, host[0] == '/' || host[0] == '@' ? "" : host);
			continue;
		}
		d->resolver.data = d;
		if (uv_getaddrinfo(d->loop, &d->resolver, on_resolved, host, NULL, &hints) == 0) {
			d->is_resolving = true;
			d->handles++;
			return;
		}
	}
	if (d->hosts.n > 0 && d->addresses == 0)
		fail(d, REASON_DNS_FAILED,
		     d->unresolved != NULL ? d->unresolved : "the host has no address");
	else
		connect_start(d);
}

void pg_dial_start(struct pg_dial **dial_r, uv_loop_t *loop, const struct pg_target *target,
		   const struct db_setting *more, pg_dialed_fn on_done, void *ctx)
{
	struct pg_dial *d = mem_alloc(sizeof(*d));

	d->loop = loop;
	d->target = target;
	d->more = more;
	d->on_done = on_done;
	d->ctx = ctx;
	*dial_r = d;
	if (pg_target_get(target, "hostaddr") == NULL) {
		split(pg_target_get(target, "host"), &d->hosts);
		split(pg_target_get(target, "port"), &d->ports);
	}
	resolve_next(d);
}
