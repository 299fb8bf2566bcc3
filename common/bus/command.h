/* SPDX-License-Identifier: Apache-2.0 */
/* command - JSON-RPC 2.0 over a Unix stream socket, one object per line, and its callers
 *
 * Server: many requests may be in hand at once and each is answered when it is ready, in any order.
 * Loop thread only. Peers who have no access (access.h) are hung up on. A request that is no
 * JSON-RPC is answered -32700 or -32600, an unknown method -32601 with the nearest name, both
 * counted. At most COMMAND_OPEN_MAX requests are open; more are answered "busy" (-32000) at once.
 *
 * A process on a loop must ignore SIGPIPE: libuv writes to peers that may have gone.
 *
 * Caller on a loop: call_open() once, then command_call(); every call ends in exactly one callback,
 * with a result or an error, within its timeout and never from within command_call itself. A call
 * waits for the connection to be made; one that was sent when the connection broke ends with
 * COMMAND_E_NO_PEER at once and is not sent again, for it may have been carried out. Caller without
 * a loop (CLI): command_call_sync().
 */
#ifndef HALE_BUS_COMMAND_H
#define HALE_BUS_COMMAND_H

#include "base/err.h"
#include "bus/access.h"

#include <jansson.h>
#include <stdint.h>
#include <uv.h>

#define COMMAND_OPEN_MAX  256
#define COMMAND_MAX_BYTES (16u << 20)

/* JSON-RPC error codes of our own, beside the standard ones. */
enum {
	COMMAND_E_BUSY = -32000,
	COMMAND_E_NOT_FOUND = -32001, /* no such process, component, job */
	COMMAND_E_REFUSED = -32002,   /* not now: guard, rate limit, already running */
	COMMAND_E_FAILED = -32003,    /* tried, did not work; message says why */
	COMMAND_E_TIMEOUT = -32004,   /* callers only */
	COMMAND_E_NO_PEER = -32005,   /* callers only: nobody listens */
	COMMAND_E_PARAMS = -32602,
	COMMAND_E_METHOD = -32601, /* answered by the server itself, as the next two */
	COMMAND_E_REQUEST = -32600,
	COMMAND_E_PARSE = -32700,
};

struct command_stats {
	uint64_t requests;
	uint64_t bad;     /* no JSON, no JSON-RPC, params no object */
	uint64_t unknown; /* methods */
	uint64_t busy;
	uint64_t refused; /* peers of another user, and connections beyond the limit */
	uint64_t endless; /* connections ended for a line beyond COMMAND_MAX_BYTES */
};

struct command_server;
struct command_request; /* one open request; ends with command_reply or command_fail */

struct command_method {
	const char *name; /* "process.restart"; NULL ends the table */
	/* params: object, borrowed for the call; may be NULL. Must lead, now or later, to exactly
	 * one command_reply or command_fail. */
	void (*call)(void *ctx, struct command_request *rq, const json_t *params);
	const char *help; /* one line: params and result */
};

/* access: NULL for the owner alone (access.h). */
int command_listen(uv_loop_t *loop, const char *path, const struct bus_access *access,
		   const struct command_method *methods, void *ctx,
		   struct command_server **server_r, struct err *err);
/* The method asked for: for one `call` that serves several rows. Borrowed from the table. */
const char *command_request_method(const struct command_request *rq);
void command_reply(struct command_request *rq, json_t *result /* taken */);
/* data may be NULL; taken. */
void command_fail(struct command_request *rq, int code, json_t *data, const char *fmt, ...)
	HALE_PRINTF(4, 5);
const struct command_stats *command_stats_get(const struct command_server *s);
json_t *command_stats_encode(const struct command_server *s); /* new reference */
/* Open requests are answered "shutting down"; who has one in hand still ends it with command_reply
 * or command_fail, before or after on_closed (may be NULL), and nobody hears that. */
void command_close(struct command_server *s, void (*on_closed)(void *ctx), void *ctx);

struct command_client;
/* result is borrowed, NULL on error; code 0 on success. */
typedef void (*command_result_fn)(void *ctx, const json_t *result, int code, const char *message,
				  const json_t *data);

int call_open(uv_loop_t *loop, const char *path, struct command_client **client_r, struct err *err);
void command_call(struct command_client *c, const char *method, json_t *params /* taken */,
		  uint32_t timeout_ms, command_result_fn on_result, void *ctx);
/* Calls still open end with COMMAND_E_NO_PEER before this returns. on_closed may be NULL. */
void call_close(struct command_client *c, void (*on_closed)(void *ctx), void *ctx);

/* Blocks up to timeout_ms. New reference in result_r; on an error the JSON-RPC code, its message
 * in err and its data (new reference or NULL) in data_r (may be NULL). 0 on success. */
int command_call_sync(const char *path, const char *method, json_t *params /* taken */,
		      uint32_t timeout_ms, json_t **result_r, json_t **data_r, struct err *err);

#endif
