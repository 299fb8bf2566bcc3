/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"

struct log_opts {
	char *file;
};

const struct conf_item log_items[] = {
	CONF_STR(struct log_opts, file, .flags = CONF_F_NONEMPTY | CONF_F_WRITE,
		 .help = "append one line of JSON per message to this local file (absolute path)"),
	CONF_END,
};

static void log_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct log_opts *o = opts;

	if (o->file && o->file[0] != '/')
		problem(ctx, "/file", "must be an absolute path");
}

/* One write, so that a line is whole also when others append. What a full disk cut short counts as
 * failed; the retry writes the whole line again. */
static int append(const char *path, const json_t *payload)
{
	char *text = json_dumps(payload, JSON_WIRE_FLAGS);
	char *line = mem_printf("%s\n", text);
	size_t len = strlen(line);
	HALE_CLEANUP(cleanup_fd)
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	ssize_t wrote = -1;
	int rc = -EIO;

	if (fd >= 0)
		wrote = write(fd, line, len);
	if (fd < 0 || wrote < 0)
		rc = -errno;
	else if ((size_t)wrote == len)
		rc = 0;
	free(line);
	free(text);
	return rc;
}

static void log_send(struct delivery *d)
{
	const struct log_opts *o = d->opts;
	struct delivery_result r = {.is_sent = true, .retry_after_ms = -1};
	char text[1024];
	int rc = 0;

	str_clean(text, sizeof(text), d->message->text);
	if (o->file)
		rc = append(o->file, d->message->payload);
	else
		log_info(text, KV_S("event", d->message->event), KV_S("delivery", d->message->id));
	if (rc < 0) {
		r.is_sent = false;
		(void)snprintf(r.error, sizeof(r.error), "%.180s: %s", o->file, strerror(-rc));
	}
	delivery_done(d, &r);
}

static void log_cancel(struct delivery *d)
{
	(void)d; /* send() has always ended */
}

const struct channel_ops channel_log = {
	.type = "log",
	.help = "a line in the notifier's log, or in a file",
	.items = log_items,
	.opts_size = sizeof(struct log_opts),
	.rate = 0,
	.validate = log_validate,
	.send = log_send,
	.cancel = log_cancel,
};
