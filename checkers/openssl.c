/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct openssl_functions ssl;
const char *openssl_library = "libssl.so.3";

static bool is_loaded;

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define OPENSSL_FUNCTION(name) {#name, offsetof(struct openssl_functions, name)},
	OPENSSL_TABLE(OPENSSL_FUNCTION)
#undef OPENSSL_FUNCTION
};

static int fail(struct err *err, const char *why)
{
	return err_set(err, -ENOSYS, "TLS library %s cannot be loaded: %s; install libssl3",
		       openssl_library, why != NULL ? why : "no reason given");
}

/* libcrypto comes with libssl, and its functions are found through it. */
static int find_functions(void *library, struct err *err)
{
	struct openssl_functions found;

	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (function == NULL)
			return fail(err, dlerror());
		/* POSIX lets the address of a function travel in a void *, ISO C does not. */
		memcpy((char *)&found + functions[i].offset, (const void *)&function,
		       sizeof(function));
	}
	ssl = found;
	return 0;
}

int openssl_load(struct err *err)
{
	void *library;
	int rc;

	if (is_loaded)
		return 0;
	library = dlopen(openssl_library, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return fail(err, dlerror());
	rc = find_functions(library, err);
	/* In use it is never closed: it leaves handlers for the exit behind. */
	if (rc != 0)
		(void)dlclose(library);
	is_loaded = rc == 0;
	return rc;
}
