/* SPDX-License-Identifier: Apache-2.0 */
/* init - what haled tells the init system that started it, by sd_notify(3)
 *
 * Without NOTIFY_SOCKET all of it does nothing.
 */
#ifndef HALE_SUPERVISOR_INIT_H
#define HALE_SUPERVISOR_INIT_H

#include <stdint.h>

void init_ready(void);
void init_reloading(void);
void init_stopping(void);
void init_status(const char *text);
void init_watchdog(void);
/* How often init_watchdog must be called, ms; 0: not wanted. */
int64_t init_watchdog_interval(void);

#endif
