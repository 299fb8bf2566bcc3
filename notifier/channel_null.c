/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest channel there is: a template to copy, and a test double that does as it is told. */
#include "channel.h"

#include <stdio.h>

struct null_opts {
	char *error;
	bool refuse;
	int64_t fail_first;
};

const struct conf_item null_items[] = {
	CONF_STR(struct null_opts, error, .help = "fail with this text instead of accepting"),
	CONF_BOOL(struct null_opts, refuse, .def = "false",
		  .help = "fail as if the message itself were refused"),
	CONF_INT(struct null_opts, fail_first, .def = "0", .min = 0, .max = 1000,
		 .help = "so many attempts of each message fail, then it is accepted"),
	CONF_END,
};

static void null_send(struct delivery *d)
{
	const struct null_opts *o = d->opts;
	bool fails = o->error || o->refuse || d->message->attempt <= o->fail_first;
	struct delivery_result r = {
		.is_sent = !fails,
		.is_refused = o->refuse,
		.retry_after_ms = -1,
	};

	if (fails)
		(void)snprintf(r.error, sizeof(r.error), "%s", o->error ? o->error : "as told");
	delivery_done(d, &r);
}

static void null_cancel(struct delivery *d)
{
	(void)d; /* send() has always ended */
}

const struct channel_ops channel_null = {
	.type = "null",
	.help = "nowhere: for trying out rules",
	.items = null_items,
	.opts_size = sizeof(struct null_opts),
	.rate = 0,
	.send = null_send,
	.cancel = null_cancel,
};
