/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/nngthreads.h"

#include <stdbool.h>
#include <unistd.h>

/* glibc's own name of it, exported for those who stand in front as we do. No dlsym(): sanitizers
 * ask before anything is set up, and these take no instrumented code then either. */
long __sysconf(int name); /* NOLINT(bugprone-reserved-identifier) */

#define NOT_INSTRUMENTED __attribute__((no_sanitize("address", "thread", "undefined")))

static _Thread_local bool is_starting;

void nngthreads_begin(void)
{
	is_starting = true;
}

void nngthreads_end(void)
{
	is_starting = false;
}

/* In front of libc's: nng asks it how many processors there are, and for nng there is one.
 * Everybody else hears the truth. */
NOT_INSTRUMENTED long sysconf(int name)
{
	return is_starting && name == _SC_NPROCESSORS_ONLN ? 1 : __sysconf(name);
}
