/* SPDX-License-Identifier: Apache-2.0 */
/* confine_private - what the means of confinement share (internal) */
#ifndef HALE_SERVICE_CONFINE_PRIVATE_H
#define HALE_SERVICE_CONFINE_PRIVATE_H

#include "base/cleanup.h"
#include "service/confine.h"

/* Sanitizers map terabytes of shadow, and look at the process from outside at its end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif
#else
#define IS_SANITIZED false
#endif

/* One line of the report. rc 0: on; else refused, and -rc is why. */
void confine_tell(struct confine *c, const char *measure, int rc, const char *fmt, ...)
	HALE_PRINTF(4, 5);
void confine_tell_off(struct confine *c, const char *measure, const char *why);

/* confine_privileges.c. Limits first, no_new_privs before the filters, capabilities after Landlock
 * (which without no_new_privs needs one) and before seccomp (which then refuses capset). */
void confine_limits(struct confine *c);
void confine_no_new_privs(struct confine *c);
void confine_dumpable(struct confine *c);
void confine_capabilities(struct confine *c);
/* confine_landlock.c. abi: what the kernel knows, confine_landlock_abi() or less; -errno: nothing.
 */
long confine_landlock_abi(void);
void confine_landlock(struct confine *c, const char *run_dir, long abi);
/* confine_seccomp.c */
void confine_seccomp(struct confine *c);

#endif
