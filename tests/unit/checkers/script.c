/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "script.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kind.h"

#define PIECE_BYTES   16384
/* So many pieces at most, so that a long answer does not take minutes. */
#define DRIPS_MAX     200
#define DRIP_MS       1
#define GARBAGE_BYTES 512

struct client {
	uv_tcp_t tcp;
	struct client *next;
	struct str heard; /* since the last step */
	size_t step;
	bool is_spoilt; /* the fault has happened: nothing more is said */
	bool is_endless;
	bool is_at_end;
	bool is_closing;
	SSL *ssl;
	BIO *in, *out;
	bool is_secure;
	uv_timer_t drip;
	struct str dripping;
	size_t drip_bytes;
	int closing_handles;
};

struct saying {
	uv_write_t uv;
	char data[];
};

static struct {
	const struct script_dialogue *dialogue;
	SSL_CTX *ctx;
	struct script_manner manner;
	uv_tcp_t *listener;
	struct client *clients;
	bool was_reached;
	size_t memory_peak;
} script;

/* ---- Memory ---- */

/* There under the sanitizers, whose allocator mallinfo knows nothing of. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t script_memory_now(void)
{
	struct mallinfo2 info;

	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

size_t script_memory_peak(void)
{
	return script.memory_peak;
}

/* ---- Closing ---- */

static void on_freed(uv_handle_t *handle)
{
	free(handle);
}

static void on_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;

	if (--c->closing_handles > 0)
		return;
	SSL_free(c->ssl);
	str_done(&c->heard);
	str_done(&c->dripping);
	free(c);
}

static void hang_up(struct client *c, bool is_reset)
{
	struct client **at = &script.clients;

	if (c->is_closing)
		return;
	c->is_closing = true;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->closing_handles = 2;
	uv_close((uv_handle_t *)&c->drip, on_closed);
	if (!is_reset || uv_tcp_close_reset(&c->tcp, on_closed) != 0)
		uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
	(void)status;
	free(shutdown);
}

/* After what is on its way; the client closes then, or the test ends. */
static void say_end(struct client *c)
{
	uv_shutdown_t *shutdown = mem_alloc(sizeof(*shutdown));

	if (uv_shutdown(shutdown, (uv_stream_t *)&c->tcp, on_shut) != 0)
		free(shutdown);
}

/* ---- Saying ---- */

static void endless(struct client *c);

static void on_said(uv_write_t *uv, int status)
{
	struct client *c = uv->data;

	free(container_of(uv, struct saying, uv));
	/* Of TLS a piece is more than one write. */
	if (status == 0 && c->is_endless && !c->is_closing &&
	    uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) == 0)
		endless(c);
}

static void send_now(struct client *c, const char *data, size_t len)
{
	struct saying *saying = mem_alloc(sizeof(*saying) + len);
	uv_buf_t buf = uv_buf_init(saying->data, (unsigned)len);

	memcpy(saying->data, data, len);
	saying->uv.data = c;
	if (uv_write(&saying->uv, (uv_stream_t *)&c->tcp, &buf, 1, on_said) != 0)
		free(saying);
}

static void on_drip(uv_timer_t *timer)
{
	struct client *c = timer->data;
	size_t n = HALE_MIN(c->dripping.len, c->drip_bytes);

	send_now(c, c->dripping.data, n);
	str_drop_front(&c->dripping, n);
	if (c->dripping.len > 0)
		return;
	(void)uv_timer_stop(timer);
	if (c->is_at_end)
		say_end(c);
}

static void send_raw(struct client *c, const char *data, size_t len)
{
	if (len == 0 || c->is_closing)
		return;
	if (!script.manner.is_dripping) {
		send_now(c, data, len);
		return;
	}
	str_addn(&c->dripping, data, len);
	c->drip_bytes = c->dripping.len / DRIPS_MAX + 1;
	(void)uv_timer_start(&c->drip, on_drip, DRIP_MS, DRIP_MS);
}

static void flush(struct client *c)
{
	char buf[PIECE_BYTES];
	int n;

	while (c->ssl != NULL && (n = BIO_read(c->out, buf, sizeof(buf))) > 0)
		send_raw(c, buf, (size_t)n);
}

static void say(struct client *c, const char *data, size_t len)
{
	if (!c->is_secure) {
		send_raw(c, data, len);
		return;
	}
	while (len > 0) {
		int n = SSL_write(c->ssl, data, (int)len);

		if (n <= 0)
			break;
		data += n;
		len -= (size_t)n;
	}
	flush(c);
}

/* Neither a line nor anything else ends in it. */
static void endless(struct client *c)
{
	static char piece[PIECE_BYTES];

	memset(piece, 'x', sizeof(piece));
	script.memory_peak = HALE_MAX(script.memory_peak, script_memory_now());
	c->is_endless = true;
	say(c, piece, sizeof(piece));
}

static void garbage(struct client *c)
{
	static const char line[] = "?garbage? 0 -1 99999999999999999999 \"{[(<\r\n";
	HALE_CLEANUP(str_done) struct str text = {0};
	uint32_t x = 2463534242u;

	while (text.len < GARBAGE_BYTES) {
		switch (script.manner.kind) {
		case 0: /* xorshift, Marsaglia 2003 */
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			str_addc(&text, (char)x);
			break;
		case 1:
			str_add(&text, line);
			break;
		case 2:
			str_addc(&text, '\0');
			break;
		default: /* the greatest length there is, whatever its form */
			str_addc(&text, (char)0xff);
			break;
		}
	}
	say(c, str_text(&text), text.len);
}

/* ---- The script ---- */

static void vanish(void)
{
	if (script.listener != NULL)
		uv_close((uv_handle_t *)TAKE_PTR(script.listener), on_freed);
	while (script.clients != NULL)
		hang_up(script.clients, false);
}

/* Instead of `healthy`. */
static void fail_here(struct client *c, const char *healthy, size_t len)
{
	c->is_spoilt = true;
	script.was_reached = true;
	switch (script.manner.fault) {
	case FAULT_GARBAGE:
		garbage(c);
		break;
	case FAULT_HALF:
	case FAULT_HALF_SILENCE:
		say(c, healthy, len / 2);
		if (script.manner.fault == FAULT_HALF)
			say_end(c);
		break;
	case FAULT_ENDLESS:
		say(c, healthy, len / 2);
		endless(c);
		break;
	case FAULT_FIN:
		say_end(c);
		break;
	case FAULT_RST:
		hang_up(c, true);
		break;
	case FAULT_VANISH:
		vanish();
		break;
	case FAULT_CALL:
		script.manner.on_reached();
		break;
	case FAULT_NONE:
	case FAULT_SILENCE:
		break;
	}
}

static bool is_faulty_at(size_t step)
{
	return script.manner.fault != FAULT_NONE && script.manner.step == step;
}

static bool has_heard(const struct client *c, const struct script_step *s)
{
	if (s->expect != NULL &&
	    (c->heard.len == 0 ||
	     memmem(c->heard.data, c->heard.len, s->expect, strlen(s->expect)) == NULL))
		return false;
	return c->heard.len >= s->expect_bytes;
}

static void say_step(struct client *c, const struct script_step *s)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (s->answer != NULL)
		s->answer(str_text(&c->heard), c->heard.len, &text);
	else if (s->say != NULL)
		str_addn(&text, s->say, s->say_len > 0 ? s->say_len : strlen(s->say));
	str_clear(&c->heard);
	if (is_faulty_at(c->step))
		fail_here(c, str_text(&text), s->needed > 0 ? s->needed : text.len);
	else
		say(c, str_text(&text), text.len);
}

static bool is_tls_due(const struct client *c)
{
	return script.dialogue->is_tls && !c->is_secure && c->step == script.dialogue->tls_after;
}

static void go_on(struct client *c)
{
	const struct script_dialogue *d = script.dialogue;

	while (!c->is_spoilt && c->step < d->steps_n && !is_tls_due(c) &&
	       has_heard(c, &d->steps[c->step])) {
		say_step(c, &d->steps[c->step]);
		if (!c->is_spoilt)
			c->step++;
	}
	if (c->is_spoilt || c->is_at_end || c->step < d->steps_n || !d->closes_at_end)
		return;
	if (c->is_secure) {
		(void)SSL_shutdown(c->ssl);
		flush(c);
	}
	c->is_at_end = true;
	if (c->dripping.len == 0)
		say_end(c);
}

/* ---- Hearing ---- */

static void start_ssl(struct client *c)
{
	c->ssl = SSL_new(script.ctx);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_accept_state(c->ssl);
}

/* With a fault: the handshake is made, but not sent as it is. */
static void spoil_handshake(struct client *c)
{
	char flight[PIECE_BYTES];
	int n = BIO_read(c->out, flight, sizeof(flight));

	fail_here(c, flight, n > 0 ? (size_t)n : 0);
}

static void shake(struct client *c)
{
	int rc = SSL_do_handshake(c->ssl);

	if (is_faulty_at(SCRIPT_TLS)) {
		if (!c->is_spoilt)
			spoil_handshake(c);
		return;
	}
	flush(c);
	c->is_secure = rc == 1;
}

static void hear_secure(struct client *c, const char *data, size_t len)
{
	char buf[PIECE_BYTES];
	int n;

	if (c->ssl == NULL)
		start_ssl(c);
	assert_int_equal(BIO_write(c->in, data, (int)len), (int)len);
	if (!c->is_secure)
		shake(c);
	while (c->is_secure && (n = SSL_read(c->ssl, buf, sizeof(buf))) > 0)
		str_addn(&c->heard, buf, (size_t)n);
	if (c->is_secure)
		flush(c);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	static char piece[PIECE_BYTES];

	(void)handle;
	(void)size;
	*buf = uv_buf_init(piece, sizeof(piece));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = stream->data;

	if (n < 0) {
		hang_up(c, false);
		return;
	}
	if (n == 0 || c->is_closing)
		return;
	if (c->is_secure || is_tls_due(c))
		hear_secure(c, buf->base, (size_t)n);
	else
		str_addn(&c->heard, buf->base, (size_t)n);
	if (!c->is_closing)
		go_on(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct client *c = mem_alloc(sizeof(*c));

	assert_int_equal(status, 0);
	assert_int_equal(uv_tcp_init(&kind_loop, &c->tcp), 0);
	assert_int_equal(uv_timer_init(&kind_loop, &c->drip), 0);
	c->tcp.data = c->drip.data = c;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
	c->next = script.clients;
	script.clients = c;
	assert_int_equal(uv_tcp_nodelay(&c->tcp, 1), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read), 0);
	go_on(c);
}

int script_start(const struct script_dialogue *dialogue, SSL_CTX *ctx, int port)
{
	struct sockaddr_in address;
	int len = sizeof(address);

	script.dialogue = dialogue;
	script.ctx = ctx;
	script.listener = mem_alloc(sizeof(*script.listener));
	assert_int_equal(uv_ip4_addr("127.0.0.1", port, &address), 0);
	assert_int_equal(uv_tcp_init(&kind_loop, script.listener), 0);
	assert_int_equal(uv_tcp_bind(script.listener, (struct sockaddr *)&address, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)script.listener, 16, on_connection), 0);
	assert_int_equal(uv_tcp_getsockname(script.listener, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

void script_behave(const struct script_manner *manner)
{
	script.manner = *manner;
	script.was_reached = false;
	script.memory_peak = 0;
}

bool script_was_reached(void)
{
	return script.was_reached;
}

void script_stop(void)
{
	vanish();
}
