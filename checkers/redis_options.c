/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_options.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/mem.h"
#include "metric_name.h"
#include "redis_command.h"

/* Servers are set up with 16 databases; nobody has more than a few hundred. */
#define DB_MAX 65535

static const struct conf_item command_items[] = {
	CONF_LIST(struct redis_command_opts, command, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		  .help = "The command and its arguments: [LLEN, jobs]"),
	CONF_INT(struct redis_command_opts, element, .def = "-1", .min = REDIS_WHOLE_REPLY,
		 .max = 16383,
		 .help = "Which element of a list that comes back, from 0; -1: all of it"),
	CONF_STR(struct redis_command_opts, expect, .help = "Text or number that must come back"),
	CONF_STR(struct redis_command_opts, metric, .flags = CONF_F_NONEMPTY,
		 .help = "Metric that the number which comes back is reported as"),
	CONF_END,
};

const struct conf_item redis_items[] = {
	CONF_STR(struct redis_opts, address,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_CONNECT | CONF_F_TARGET,
		 .help = "host, host:port, [IPv6 address]:port or unix:/path; port 6379 unless "
			 "given"),
	CONF_MAP(struct redis_opts, tls, tls_options_items, .bare = "enabled",
		 .help = "Speak TLS; `true`, or how"),
	CONF_STR(struct redis_opts, username, .flags = CONF_F_NONEMPTY,
		 .help = "Login, of servers that know users (ACL)"),
	CONF_STR(struct redis_opts, password, .flags = CONF_F_SECRET | CONF_F_NONEMPTY,
		 .help = "Password"),
	CONF_INT(struct redis_opts, db, .def = "0", .min = 0, .max = DB_MAX,
		 .help = "Number of the database that commands and `keys` are about"),
	CONF_ENUM(struct redis_opts, role, .def = "any", .choices = "any|master|replica",
		  .help = "What the server must be; a replica must be linked to its master too"),
	CONF_BOOL(struct redis_opts, info, .def = "true",
		  .help = "Ask INFO, which most metrics come from"),
	CONF_ARRAY(struct redis_opts, commands, command_items, struct redis_command_opts,
		   .help = "Commands that only look, and what they must give"),
	CONF_END,
};

static void validate_command(const struct redis_command_opts *o, size_t i,
			     service_problem_fn problem, void *ctx)
{
	HALE_CLEANUP(cleanup_free) char *at_name = mem_printf("/commands/%zu/command", i);
	HALE_CLEANUP(cleanup_free) char *at_metric = mem_printf("/commands/%zu/metric", i);
	struct err err;

	if (redis_command_check(&o->command, &err) != 0)
		problem(ctx, at_name, err.text);
	if (o->metric != NULL && !metric_name_is_good(o->metric))
		problem(ctx, at_metric, METRIC_NAME_RULE);
}

void redis_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct redis_opts *o = opts;
	const struct redis_command_opts *commands = o->commands.v;
	struct address address;
	struct err err;

	if (address_parse_or(o->address, REDIS_DEFAULT_PORT, &address, &err) != 0)
		problem(ctx, "/address", err.text);
	tls_options_validate(&o->tls, "/tls", problem, ctx);
	if (o->username != NULL && o->password == NULL)
		problem(ctx, "/username", "a login needs a password too");
	if (strcmp(o->role, "any") != 0 && !o->info)
		problem(ctx, "/role", "is told by INFO, which is turned off");
	for (size_t i = 0; i < o->commands.n; i++)
		validate_command(&commands[i], i, problem, ctx);
}
