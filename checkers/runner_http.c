/* SPDX-License-Identifier: Apache-2.0 */
/* Alone in its file: the linker takes it, and curl with it, only for kinds that make requests. */
#include "check.h"
#include "run.h"

struct http_client *check_http(const struct check *c)
{
	return service_http(c->runner->host.service);
}
