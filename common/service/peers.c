/* SPDX-License-Identifier: Apache-2.0 */
#include "service/peers.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

void peers_init(struct peers *p, uv_loop_t *loop, const char *run_dir)
{
	*p = (struct peers){.loop = loop, .run_dir = run_dir};
}

static struct command_client *client_for(struct peers *p, const char *process, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *name = NULL;
	HALE_CLEANUP(cleanup_free) char *path = NULL;
	struct command_client *client = map_get(&p->clients, process);

	if (client != NULL)
		return client;
	name = mem_printf("%s.ipc", process);
	path = path_join(p->run_dir, name);
	if (call_open(p->loop, path, &client, err) < 0)
		return NULL;
	map_put(&p->clients, process, client);
	return client;
}

void peers_call(struct peers *p, const char *process, const char *method, json_t *params,
		uint32_t timeout_ms, command_result_fn on_result, void *ctx)
{
	struct err err = {0};
	struct command_client *client = client_for(p, process, &err);

	if (client != NULL) {
		command_call(client, method, params, timeout_ms, on_result, ctx);
		return;
	}
	json_decref(params);
	on_result(ctx, NULL, COMMAND_E_NO_PEER, err.text, NULL);
}

void peers_close(struct peers *p)
{
	const char *name;
	void *client;

	for (size_t i = 0; map_each(&p->clients, &i, &name, &client);)
		call_close(client, NULL, NULL);
	map_done(&p->clients);
}
