/* SPDX-License-Identifier: Apache-2.0 */
/* mem - allocation that does not fail softly
 *
 * Out of memory is fatal in every process: the supervisor restarts it. Sizes multiply with an
 * overflow check. Free with free().
 */
#ifndef HALE_BASE_MEM_H
#define HALE_BASE_MEM_H

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size_bytes);                         /* zeroed */
void *mem_array(size_t count, size_t size_bytes);           /* zeroed */
void *mem_grow(void *old, size_t count, size_t size_bytes); /* new part not zeroed */
char *mem_dup(const char *text);                            /* NULL gives NULL */
char *mem_dupn(const char *text, size_t len);
char *mem_printf(const char *fmt, ...) HALE_PRINTF(1, 2);

/* At the start of a process that runs for long and computes little: its few threads share one
 * arena, which else each have their own and keep what they once had. */
void mem_economise(void);
/* Memory that was freed goes back to the system, at most once a minute and not in the first
 * seconds, when it would be wanted again at once. */
void mem_give_back(int64_t *last_ms, int64_t now_ms);

#endif
