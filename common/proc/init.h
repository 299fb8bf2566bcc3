/* SPDX-License-Identifier: Apache-2.0 */
/* init - what haled is to the init system that started it, or does where it is init itself
 *
 * It speaks sd_notify(3), which does nothing without NOTIFY_SOCKET, and the notification fd of s6
 * and of whoever took that over (dinit): a newline when ready.
 */
#ifndef HALE_PROC_INIT_H
#define HALE_PROC_INIT_H

#include <stdbool.h>
#include <stdint.h>

/* *ready_fd (-1 none) is told once and closed. */
void init_ready(int *ready_fd);
void init_reloading(void);
void init_stopping(void);
void init_status(const char *text);
/* Starting or stopping goes on, for so long at least: init is not to lose its patience. */
void init_extend(int64_t by_ms);
void init_watchdog(void);
/* How often init_watchdog must be called, ms; 0: not wanted. */
int64_t init_watchdog_interval(void);
/* As PID 1, last of all: everything left in the PID namespace is asked to end and, after grace_ms,
 * killed. Blocks; false if something had to be killed. */
bool init_end_orphans(int64_t grace_ms);

#endif
