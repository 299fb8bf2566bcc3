/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *p)
{
	if (p == NULL)
		hale_panic(__FILE__, __LINE__, "out of memory");
	return p;
}

void *mem_alloc(size_t size_bytes)
{
	return or_die(calloc(1, size_bytes == 0 ? 1 : size_bytes));
}

void *mem_array(size_t count, size_t size_bytes)
{
	return or_die(calloc(count == 0 ? 1 : count, size_bytes == 0 ? 1 : size_bytes));
}

void *mem_grow(void *old, size_t count, size_t size_bytes)
{
	HALE_ASSERT(size_bytes > 0 && count <= SIZE_MAX / size_bytes);
	return or_die(realloc(old, count == 0 ? 1 : count * size_bytes));
}

char *mem_dup(const char *text)
{
	return text == NULL ? NULL : or_die(strdup(text));
}

char *mem_dupn(const char *text, size_t len)
{
	char *copy = mem_alloc(len + 1);

	memcpy(copy, text, len);
	return copy;
}

char *mem_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	return or_die(text);
}

/* A start is over by then. */
#define GIVE_BACK_FIRST_MS 15000
#define GIVE_BACK_EVERY_MS 60000

void mem_economise(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
}

void mem_give_back(int64_t *last_ms, int64_t now_ms)
{
	if (*last_ms == 0)
		*last_ms = now_ms - GIVE_BACK_EVERY_MS + GIVE_BACK_FIRST_MS;
	if (now_ms - *last_ms < GIVE_BACK_EVERY_MS)
		return;
	*last_ms = now_ms;
	(void)malloc_trim(0);
}
