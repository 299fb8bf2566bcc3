/* SPDX-License-Identifier: Apache-2.0 */
/* nats_options - the options of the kind nats
 *
 * Ownership: the texts are the options' own (conf_free).
 */
#ifndef HALE_CHECKERS_NATS_OPTIONS_H
#define HALE_CHECKERS_NATS_OPTIONS_H

#include "check.h"
#include "message_expect.h"
#include "tls_options.h"

#define NATS_DEFAULT_PORT "4222"

struct nats_request_opts {
	char *subject;
	char *payload;
	struct message_opts expect;
	json_t *metrics;
};

struct nats_opts {
	char *address;
	char *encryption;
	struct tls_options tls;
	char *username;
	char *password;
	char *token;
	struct nats_request_opts request;
	char *domain;
	char *stream;
	char *consumer;
};

extern const struct conf_item nats_items[];

void nats_validate(const void *opts, service_problem_fn problem, void *ctx);

#endif
