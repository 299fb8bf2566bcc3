/* SPDX-License-Identifier: Apache-2.0 */
/* service - the life of a child: everything of the contract that is the same for all
 *
 * A daemon is a table of callbacks and a main() of three lines:
 *
 *   int main(int argc, char **argv) { return service_main(argc, argv, &notifier_service); }
 *
 * service_main answers --help, --version, --describe and --check, dies with its parent, reads the
 * slice (fd 3; by hand: --slice FILE), confines itself (confine.h), sets up loop, signals, command
 * socket, publisher and feed, calls start, says READY=1 once service_ready() was called, WATCHDOG=1
 * from the loop while is_alive (if given) says so, and on SIGTERM calls stop, waits for
 * service_stopped(), flushes what is unacknowledged (bounded by STOP_FLUSH_MS) and exits 0.
 *
 * All callbacks run on the loop thread and must not block.
 */
#ifndef HALE_SERVICE_SERVICE_H
#define HALE_SERVICE_SERVICE_H

#include "base/err.h"
#include "bus/command.h"
#include "bus/feed.h"
#include "bus/pub.h"
#include "http/http.h"
#include "model/reason.h"

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

/* How long a stopping child waits for haled to acknowledge its last lines. */
#define SERVICE_STOP_FLUSH_MS 2000

struct service;
struct conf_section;  /* conf/manifest.h */
struct confine_needs; /* service/confine.h */

/* Collects what --check finds. `path` is a JSON pointer into the slice. */
typedef void (*service_problem_fn)(void *ctx, const char *path, const char *message);

struct service_ops {
	const char *program; /* "hale-notifier" */
	const char *summary; /* one line for --help */
	/* New reference: the manifest (manifest.h). */
	json_t *(*describe)(void);
	/* The sections this program owns: --check decodes each one that the slice has. May be NULL.
	 */
	const struct conf_section *sections;
	/* What validation by table cannot see (jq programs …). The slice has its shape checked. May
	 * be NULL. */
	void (*check)(const json_t *slice, service_problem_fn problem, void *ctx);
	/* What the slice asks the process to read, write and reach: confinement lets it. Called
	 * before that: what must be made beforehand is made here. May be NULL: what the options of
	 * `sections` say. */
	void (*needs)(const json_t *slice, struct confine_needs *needs);
	/* Builds everything from the slice; *state_r is handed to all others. Must lead to
	 * service_ready(), now or later. -EINVAL: the slice is wrong, exit 78; other: exit 75. */
	int (*start)(struct service *s, const json_t *slice, void **state_r, struct err *err);
	/* Nothing of the slice is borrowed once start() has returned: it is freed then, which is
	 * much where it holds tens of thousands of components. */
	bool is_slice_dropped;
	/* Stop taking work, finish what is in hand, then service_stopped(). */
	void (*stop)(void *state);
	/* After the loop ended: free everything. */
	void (*done)(void *state);
	const struct command_method *methods; /* ctx is state; NULL: only the common ones */
	bool has_feed; /* wants service_feed_open(); else only acks are followed */
	bool (*is_alive)(
		void *state); /* progress since last asked; NULL: a turning loop is enough */
};

int service_main(int argc, char **argv, const struct service_ops *ops);

uv_loop_t *service_loop(struct service *s);
const char *service_name(const struct service *s); /* "notifier" */
const char *service_node(const struct service *s);
const char *service_run_dir(const struct service *s);
const char *service_state_dir(const struct service *s);
uint64_t service_generation(const struct service *s);
struct http_client *service_http(struct service *s); /* made at first use */

void service_ready(struct service *s);   /* READY=1; more than once is fine */
void service_stopped(struct service *s); /* what stop began is finished */
/* STATUS=…, shown by `hale status`. */
void service_status(struct service *s, const char *fmt, ...) HALE_PRINTF(2, 3);
/* Environment broken beyond repair from within: logs, and exits with exit_code (CHILD_EXIT_TEMPFAIL
 * unless there is reason for another) once what is unacknowledged was flushed, at most
 * SERVICE_STOP_FLUSH_MS later. Returns to its caller; stop and done are not called any more. */
void service_fail(struct service *s, int exit_code, const char *fmt, ...) HALE_PRINTF(3, 4);

/* To haled: adds "at" and "node" if they are not there, publishes, drops the reference. */
void service_publish(struct service *s, const char *topic, json_t *object);
/* How this process is, beyond that it runs: an observation of `hale.<its name>` (model/health.h).
 * Message as in a checker's observation; metrics (taken) may be NULL. After a restart nothing of it
 * is left: say it again. */
void service_health(struct service *s, enum outcome outcome, enum reason reason,
		    const char *message, json_t *metrics);
/* Follows the bus; ops as in feed.h with ctx = ctx. Only if has_feed. */
int service_feed_open(struct service *s, enum feed_start from, const struct feed_cursor *cursor,
		      const struct feed_ops *ops, void *ctx, struct err *err);
/* feed_pause() of it. */
void service_feed_pause(struct service *s, bool is_paused);
/* A command to another process: "haled", "reconciler", "check.http" … */
void service_call(struct service *s, const char *process, const char *method, json_t *params,
		  uint32_t timeout_ms, command_result_fn on_result, void *ctx);

/* Blocking work in the thread pool, then back on the loop. `work` may not touch the loop. Work
 * that was queued is always finished: the loop does not end before. */
void service_work(struct service *s, void (*work)(void *ctx), void (*after)(void *ctx), void *ctx);

#endif
