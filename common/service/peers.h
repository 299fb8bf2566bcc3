/* SPDX-License-Identifier: Apache-2.0 */
/* peers - command sockets of the other processes, opened when first called (internal)
 *
 * Zero-initialised, then peers_init. Loop thread only.
 */
#ifndef HALE_SERVICE_PEERS_H
#define HALE_SERVICE_PEERS_H

#include "base/map.h"
#include "bus/command.h"

#include <jansson.h>
#include <stdint.h>
#include <uv.h>

struct peers {
	uv_loop_t *loop;
	const char *run_dir; /* borrowed */
	struct map clients;  /* process name -> struct command_client */
};

void peers_init(struct peers *p, uv_loop_t *loop, const char *run_dir);
/* on_result is called exactly once; at once if the socket cannot even be made. */
void peers_call(struct peers *p, const char *process, const char *method,
		json_t *params /* taken */, uint32_t timeout_ms, command_result_fn on_result,
		void *ctx);
/* Calls in flight end with an error. */
void peers_close(struct peers *p);

#endif
