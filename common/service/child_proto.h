/* SPDX-License-Identifier: Apache-2.0 */
/* child_proto - the whole contract between haled and a child, in any language (DESIGN section 3)
 *
 * haled starts the child with a clean environment holding
 *   HALE_SERVICE      its name: "check.http", "notifier" …
 *   HALE_GENERATION   1, 2, …: counts the starts of this process under this haled
 *   HALE_RUN_DIR      where the sockets are
 *   HALE_STATE_DIR    where its own files may be
 *   HALE_NODE         name of this machine in all messages
 *   HALE_LOG_LEVEL    debug, info, warn, error
 *   NOTIFY_SOCKET     sd_notify(3): READY=1, WATCHDOG=1, STATUS=…, STOPPING=1
 *   WATCHDOG_USEC     promised interval of WATCHDOG=1; WATCHDOG_PID is the child's pid
 *   PATH, LANG=C.UTF-8, TZ
 * and on CHILD_SLICE_FD a sealed memfd: its configuration as one JSON object (slice, below).
 * stdin is /dev/null, stdout and stderr are read by haled line by line; a line may begin with "<N>"
 * (sd-daemon(3)). The child is in its own session and is killed when haled dies.
 *
 * slice: {"service", "node", "instance": {…}, "components": [{"id","label","interval","timeout",
 *         "options": {…}}] (checkers), "<section>": {…} for each section owned or read}
 *
 * results.ipc: PUB, dial, frames "observation <service>:<generation> <first-seq> <count>"
 * (frame.h). bus.ipc:     SUB, dial; its "sync" frames acknowledge what arrived. <service>.ipc: a
 * Unix stream socket, listen: JSON-RPC 2.0 commands, one object per line.
 *
 * PROGRAM --describe prints its manifest, PROGRAM --check reads a slice from CHILD_SLICE_FD (or
 * stdin) and prints what is wrong with it, one JSON object per line {"path","message"}, where path
 * is a JSON pointer into the slice; it exits 0 if nothing is wrong, CHILD_EXIT_CONFIG otherwise.
 */
#ifndef HALE_SERVICE_CHILD_PROTO_H
#define HALE_SERVICE_CHILD_PROTO_H

#define CHILD_ENV_SERVICE    "HALE_SERVICE"
#define CHILD_ENV_GENERATION "HALE_GENERATION"
#define CHILD_ENV_RUN_DIR    "HALE_RUN_DIR"
#define CHILD_ENV_STATE_DIR  "HALE_STATE_DIR"
#define CHILD_ENV_NODE       "HALE_NODE"

#define CHILD_SLICE_FD  3
#define CHILD_SLICE_MAX (64u << 20)

#define CHILD_SOCKET_RESULTS "results.ipc"
#define CHILD_SOCKET_BUS     "bus.ipc"
#define CHILD_SOCKET_HALED   "haled.ipc"

enum child_exit {
	CHILD_EXIT_DONE = 0,
	CHILD_EXIT_TEMPFAIL = 75, /* try again (sysexits EX_TEMPFAIL) */
	CHILD_EXIT_CONFIG = 78,   /* configuration wrong (EX_CONFIG): held until reload */
};

#endif
