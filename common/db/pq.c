/* SPDX-License-Identifier: Apache-2.0 */
#include "pq.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct pq_functions pq;
const char *pq_library = "libpq.so.5";

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_loaded;

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define PQ_FUNCTION(name) {#name, offsetof(struct pq_functions, name)},
	PQ_TABLE(PQ_FUNCTION)
#undef PQ_FUNCTION
};

static int fail(struct err *err, const char *why)
{
	return err_set(err, -ENOSYS,
		       "PostgreSQL client library %s cannot be loaded: %s; install libpq5",
		       pq_library, why != NULL ? why : "no reason given");
}

static int find_functions(void *library, struct err *err)
{
	struct pq_functions found;

	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (function == NULL)
			return fail(err, dlerror());
		/* POSIX lets the address of a function travel in a void *, ISO C does not. */
		memcpy((char *)&found + functions[i].offset, (const void *)&function,
		       sizeof(function));
	}
	pq = found;
	return 0;
}

static int load(struct err *err)
{
	void *library = dlopen(pq_library, RTLD_NOW | RTLD_LOCAL);
	int rc;

	if (library == NULL)
		return fail(err, dlerror());
	rc = find_functions(library, err);
	/* In use it is never closed: libpq and what it brings leave handlers for the exit behind.
	 */
	if (rc != 0)
		(void)dlclose(library);
	return rc;
}

int pq_load(struct err *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&load_lock);
	if (!is_loaded)
		rc = load(err);
	is_loaded = is_loaded || rc == 0;
	(void)pthread_mutex_unlock(&load_lock);
	return rc;
}
