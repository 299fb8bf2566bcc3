/* SPDX-License-Identifier: Apache-2.0 */
/* sdbus - sd-bus of libsystemd, loaded when a bus is really asked (private to unit_bus.c)
 *
 * libsystemd brings four compression libraries and a cryptographic one with it: to be linked with
 * it costs a process half a millisecond of its start and 150 KB, and a `schedule` that looks at a
 * database needs none of it. So its functions are called through a table: sdbus.process(bus, NULL).
 *
 * The table is filled by sdbus_load() and never emptied. Loop thread only.
 */
#ifndef HALE_CHECKERS_SDBUS_H
#define HALE_CHECKERS_SDBUS_H

#include "base/err.h"

#include <systemd/sd-bus.h>

/* Every function of sd-bus that unit_bus.c calls. */
#define SDBUS_TABLE(X)                                                                             \
	X(call_method_async)                                                                       \
	X(close_unref)                                                                             \
	X(get_events)                                                                              \
	X(get_fd)                                                                                  \
	X(get_timeout)                                                                             \
	X(is_ready)                                                                                \
	X(message_enter_container)                                                                 \
	X(message_exit_container)                                                                  \
	X(message_get_error)                                                                       \
	X(message_peek_type)                                                                       \
	X(message_read_basic)                                                                      \
	X(message_skip)                                                                            \
	X(new)                                                                                     \
	X(path_encode)                                                                             \
	X(process)                                                                                 \
	X(set_address)                                                                             \
	X(set_bus_client)                                                                          \
	X(set_method_call_timeout)                                                                 \
	X(slot_unref)                                                                              \
	X(start)

struct sdbus_functions {
#define SDBUS_MEMBER(name) __typeof__(&sd_bus_##name) name;
	SDBUS_TABLE(SDBUS_MEMBER)
#undef SDBUS_MEMBER
};

extern struct sdbus_functions sdbus;
extern const char *sdbus_library; /* a test names one that is not there */

/* -ENOSYS: the library is not there. */
int sdbus_load(struct err *err);

#endif
