/* SPDX-License-Identifier: Apache-2.0 */
#include "sdbus.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

struct sdbus_functions sdbus;
const char *sdbus_library = "libsystemd.so.0";

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define SDBUS_FUNCTION(name) {"sd_bus_" #name, offsetof(struct sdbus_functions, name)},
	SDBUS_TABLE(SDBUS_FUNCTION)
#undef SDBUS_FUNCTION
};

static int fail(struct err *err, const char *why)
{
	return err_set(err, -ENOSYS, "%s cannot be loaded: %s; install libsystemd0", sdbus_library,
		       why != NULL ? why : "no reason given");
}

static int find_functions(void *library, struct err *err)
{
	struct sdbus_functions found;

	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (function == NULL)
			return fail(err, dlerror());
		/* POSIX lets the address of a function travel in a void *, ISO C does not. */
		memcpy((char *)&found + functions[i].offset, (const void *)&function,
		       sizeof(function));
	}
	sdbus = found;
	return 0;
}

int sdbus_load(struct err *err)
{
	void *library;
	int rc;

	if (sdbus.process != NULL)
		return 0;
	library = dlopen(sdbus_library, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return fail(err, dlerror());
	rc = find_functions(library, err);
	if (rc != 0)
		(void)dlclose(library);
	return rc;
}
