/* SPDX-License-Identifier: Apache-2.0 */
/* service_private - what the files of this layer share of a running service (internal) */
#ifndef HALE_SERVICE_SERVICE_PRIVATE_H
#define HALE_SERVICE_SERVICE_PRIVATE_H

#include "bus/sub.h"
#include "service/confine.h"
#include "service/notify.h"
#include "service/peers.h"
#include "service/service.h"

enum service_phase {
	SERVICE_RUNNING,
	SERVICE_STOPPING, /* ops->stop was called */
	SERVICE_FLUSHING, /* stopped, or failed: waits for acknowledgements */
	SERVICE_CLOSING,  /* all handles are being closed; the loop ends by itself */
};

struct service {
	int64_t gave_back_ms;
	const struct service_ops *ops;
	void *state;
	uv_loop_t loop;

	char *name;
	char *node;
	char *run_dir;
	char *state_dir;
	uint64_t generation;
	bool is_supervised; /* started by haled: somebody acknowledges */
	int64_t started_ms; /* monotonic */

	struct confine confine;
	int64_t looked_ms; /* monotonic: when confinement was last found to be up to date */

	enum service_phase phase;
	bool is_ready;
	bool has_failed;
	int exit_code;
	size_t works; /* in the thread pool */

	struct notify notify;
	struct pub *pub; /* NULL once closing */
	char *epoch;     /* of our lines: "<service>:<generation>" */
	struct sub *sync;
	struct feed *feed;
	const struct feed_ops *feed_ops;
	void *feed_ctx;
	struct command_server *server;
	struct command_method *methods; /* ops->methods and the common ones */
	struct peers peers;
	/* Set by service_http(), so that a program that makes no requests does not link curl. */
	struct http_client *http;
	void (*close_http)(struct http_client *http);

	uv_signal_t on_term;
	uv_signal_t on_int;
	uv_timer_t watchdog;
	uv_timer_t flush;
};

/* service_methods.c: a new table of ops->methods and the common ones, for ctx = service. */
struct command_method *service_methods(const struct service_ops *ops);
/* service_bus.c: publisher, acknowledgements, command socket. */
int service_bus_open(struct service *s, struct err *err);
void service_bus_close(struct service *s);
/* service.c: loop, signals and timers; the watchdog's beat; something a stop waits for may have
 * come. */
void service_handles_init(struct service *s);
void service_watchdog_start(struct service *s);
void service_advance(struct service *s);
/* service_confine.c: brings this process's row into force; on the watchdog's beat, asks for a
 * restart if a file it may read was replaced. */
void service_confine(struct service *s, const json_t *slice);
void service_confine_look(struct service *s);
/* From "on" to "off" at most a second: then the process ends, as done. All that matters was flushed
 * before. */
void service_close_limit(bool is_on);
/* Without tearing down what is half built or failing: the kernel does that, and does not crash. */
HALE_NORETURN void service_exit_now(int exit_code);

#endif
