/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void hale_panic(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "panic: %s:%d: %s\n", file, line, what);
	abort();
}

void cleanup_free(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;

	free(*p);
	*p = NULL;
}

void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
