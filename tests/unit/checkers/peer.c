/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kind.h"

struct connection {
	uv_tcp_t tcp;
	uv_write_t write;
	struct connection *next;
};

static struct {
	uv_tcp_t *listener; /* each its own: the last one may still be closing */
	struct peer_manner manner;
	struct connection *connections;
	struct str heard;
} peer;

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void hang_up(struct connection *c)
{
	struct connection **at = &peer.connections;

	while (*at != NULL && *at != c)
		at = &(*at)->next;
	if (*at == NULL)
		return; /* is closing already */
	*at = c->next;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_said(uv_write_t *write, int status)
{
	struct connection *c = write->data;

	if (status < 0 || peer.manner.is_closing)
		hang_up(c);
}

static void say(struct connection *c, const char *text)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));

	c->write.data = c;
	assert_int_equal(uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_said), 0);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	(void)handle;
	*buf = uv_buf_init(malloc(size), (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct connection *c = (struct connection *)stream;

	if (n > 0)
		str_addn(&peer.heard, buf->base, (size_t)n);
	free(buf->base);
	if (n < 0)
		hang_up(c);
	else if (n > 0 && peer.manner.is_reset) {
		struct linger hard = {.l_onoff = 1};
		uv_os_fd_t fd;

		assert_int_equal(uv_fileno((uv_handle_t *)&c->tcp, &fd), 0);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		hang_up(c);
	} else if (n > 0 && peer.manner.answer != NULL) {
		say(c, peer.manner.answer);
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct connection *c = calloc(1, sizeof(*c));

	assert_int_equal(status, 0);
	assert_int_equal(uv_tcp_init(&kind_loop, &c->tcp), 0);
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
	c->next = peer.connections;
	peer.connections = c;
	str_clear(&peer.heard);
	assert_int_equal(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read), 0);
	if (peer.manner.greeting != NULL)
		say(c, peer.manner.greeting);
}

int peer_start(const struct peer_manner *manner)
{
	struct sockaddr_in address;
	int len = sizeof(address);

	peer.manner = *manner;
	peer.listener = calloc(1, sizeof(*peer.listener));
	assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
	assert_int_equal(uv_tcp_init(&kind_loop, peer.listener), 0);
	assert_int_equal(uv_tcp_bind(peer.listener, (struct sockaddr *)&address, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)peer.listener, 16, on_connection), 0);
	assert_int_equal(uv_tcp_getsockname(peer.listener, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

void peer_stop(void)
{
	uv_close((uv_handle_t *)peer.listener, on_closed);
	while (peer.connections != NULL)
		hang_up(peer.connections);
	str_done(&peer.heard);
}

const char *peer_heard(void)
{
	return str_text(&peer.heard);
}
