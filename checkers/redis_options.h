/* SPDX-License-Identifier: Apache-2.0 */
/* redis_options - the options of the kind redis
 *
 * Ownership: the texts are the options' own (conf_free).
 */
#ifndef HALE_CHECKERS_REDIS_OPTIONS_H
#define HALE_CHECKERS_REDIS_OPTIONS_H

#include "check.h"
#include "tls_options.h"

#define REDIS_DEFAULT_PORT "6379"

struct redis_command_opts {
	struct strlist command;
	int64_t element;
	char *expect;
	char *metric;
};

#define REDIS_WHOLE_REPLY (-1)

struct redis_opts {
	char *address;
	struct tls_options tls;
	char *username;
	char *password;
	int64_t db;
	char *role;
	bool info;
	struct conf_vec commands;
};

extern const struct conf_item redis_items[];

void redis_validate(const void *opts, service_problem_fn problem, void *ctx);

#endif
