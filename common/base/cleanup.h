/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup - locals that own, asserts that stay, arithmetic everyone needs
 *
 * HALE_CLEANUP(fn) runs fn(&local) when the local leaves scope; TAKE_PTR hands the value over
 * and leaves NULL behind. HALE_ASSERT stays on in release: a broken contract is our bug and
 * ends in a core, not in a wrong answer.
 */
#ifndef HALE_BASE_CLEANUP_H
#define HALE_BASE_CLEANUP_H

#include <stddef.h>

#define HALE_CLEANUP(fn)       __attribute__((cleanup(fn)))
#define HALE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define HALE_NORETURN          __attribute__((noreturn))
#define HALE_UNUSED            __attribute__((unused))

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) take_tmp_ = (p);                                                     \
		(p) = NULL;                                                                        \
		take_tmp_;                                                                         \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_fd_ = (fd);                                                               \
		(fd) = -1;                                                                         \
		take_fd_;                                                                          \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define HALE_MIN(a, b) ((a) < (b) ? (a) : (b))
#define HALE_MAX(a, b) ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Our bug: log where, abort, core. */
HALE_NORETURN void hale_panic(const char *file, int line, const char *what);
#define HALE_ASSERT(cond)                                                                          \
	do {                                                                                       \
		if (!(cond))                                                                       \
			hale_panic(__FILE__, __LINE__, #cond);                                     \
	} while (0)

/* For HALE_CLEANUP on a char pointer that owns malloc'ed text, and on an fd (-1 is none). */
void cleanup_free(void *pointer_to_pointer);
void cleanup_fd(int *fd);

#endif
