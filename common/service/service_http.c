/* SPDX-License-Identifier: Apache-2.0 */
/* Alone in its file: the linker takes it, and curl with it, only where it is called. */
#include "service/service_private.h"

static void close_client(struct http_client *client)
{
	http_client_close(client, NULL, NULL);
}

struct http_client *service_http(struct service *s)
{
	if (s->http == NULL) {
		s->http = http_client_new(&s->loop);
		s->close_http = close_client;
	}
	return s->http;
}
