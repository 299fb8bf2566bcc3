/* SPDX-License-Identifier: Apache-2.0 */
/* harness - hale-web's server on a loop of its own, and raw sockets that talk to it
 *
 * Everything runs in one thread: waiting for bytes turns the loop. Every wait has a deadline and
 * fails the test when it passes. Commands to other processes are recorded and answered as told.
 */
#ifndef HALE_TEST_WEB_HARNESS_H
#define HALE_TEST_WEB_HARNESS_H

#include "base/str.h"
#include "live.h"
#include "options.h"
#include "web.h"

#include <stdbool.h>
#include <uv.h>

struct harness {
	uv_loop_t loop;
	uv_timer_t ticker;
	struct web_options options;
	struct store_options store;
	struct live *live;
	struct web *web;
	bool is_stopped;
	struct { /* the fake haled */
		char *method;
		json_t *params;
		int code;       /* what it answers */
		bool is_silent; /* … or does not, until harness_haled_answers */
		command_result_fn on_result;
		void *arg;
	} haled;
};

/* options_json as the `web` section; its first listener must be on port 0. store may be NULL. */
struct harness *harness_new(const char *options_json, const char *store_path);
void harness_free(struct harness *h); /* stops it first, if that was not done */
void harness_stop(struct harness *h);
void harness_haled_answers(struct harness *h);
uint16_t harness_port(const struct harness *h);
void harness_snapshot(struct harness *h, const char *json);
void harness_line(struct harness *h, const char *topic, uint64_t seq, const char *json);

int client_open(const struct harness *h);
void client_send(int fd, const void *data, size_t len);
void client_text(int fd, const char *text);
/* Reads into `in` until it holds `len` bytes; false if the server closed before. */
bool client_read(struct harness *h, int fd, struct str *in, size_t len);
bool client_read_until(struct harness *h, int fd, struct str *in, const char *mark);
bool client_read_end(struct harness *h, int fd, struct str *in); /* until closed */

struct answer {
	int status;
	struct str head; /* with its final blank line */
	struct str body;
};
void answer_done(struct answer *a);
/* One whole answer with Content-Length. The connection stays open. */
struct answer client_answer(struct harness *h, int fd);
/* Opens, sends the request text, reads the answer, closes. */
struct answer ask(struct harness *h, const char *request);
/* GET on a fresh connection with Host 127.0.0.1; extra header lines end in \r\n each. */
struct answer get(struct harness *h, const char *path, const char *extra);

#endif
