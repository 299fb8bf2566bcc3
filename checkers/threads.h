/* SPDX-License-Identifier: Apache-2.0 */
/* threads - blocking work of checks, each job in a thread of its own
 *
 * Not libuv's pool: four calls that hang (a dead NFS server, a resolver) would stop the work of all
 * other checks, and a hung target must never delay another check. At most THREADS_MAX at once; the
 * rest waits in order.
 *
 * Ownership: jobs are the caller's and must stay until after() was called.
 * Loop:      all functions on the loop thread; job->work runs in the job's thread.
 */
#ifndef HALE_CHECKERS_THREADS_H
#define HALE_CHECKERS_THREADS_H

#include <stdbool.h>
#include <uv.h>

/* So many must hang before one more waits. A thread that waits costs some 10 KB. */
#define THREADS_MAX         256
/* Enough for resolver and database libraries; address space counts against the data limit. */
#define THREADS_STACK_BYTES (1u << 20)

struct threads;

struct job {
	void (*work)(void *data);       /* in a thread */
	void (*after)(struct job *job); /* back on the loop */
	/* Instead of after(), in the thread, if everybody has gone meanwhile: frees what is the
	 * job's alone. May be NULL. */
	void (*orphaned)(struct job *job);
	void *data;
	bool is_out; /* between threads_run and after */
	struct threads *threads;
	uv_thread_t thread;
	struct job *next;
};

struct threads *threads_new(uv_loop_t *loop);
void threads_run(struct threads *t, struct job *job);
/* Closes its handle. Jobs still waiting are forgotten (they are not out any more); a thread that
 * comes back later ends with orphaned(), one that never does keeps what it uses for ever. */
void threads_close(struct threads *t);
/* After the loop has ended. */
void threads_free(struct threads *t);

#endif
