/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

/* How much of a chatty process is read in one turn of the loop: each of these bytes may be a line,
 * and each line is written on. */
#define READ_MAX      (16u * 1024)
/* At its end all that is left: no pipe holds more (Linux: 64 KiB), unless somebody still writes. */
#define READ_LAST_MAX (256u * 1024)

/* "<4>text" as sd-daemon(3) has it. */
static int take_priority(const char **text)
{
	if ((*text)[0] == '<' && (*text)[1] >= '0' && (*text)[1] <= '7' && (*text)[2] == '>') {
		int priority = (*text)[1] - '0';

		*text += 3;
		return priority;
	}
	return 6;
}

/* When the disk is full the lines are in the tail, and told, all the same. */
static void write_log(struct output *o, int64_t at_ms, const char *text)
{
	int rc;

	if (o->log == NULL)
		return;
	rc = logfile_line(o->log, at_ms, text, strlen(text));
	if ((rc < 0) != o->has_log_error)
		o->hooks.on_log(o->hooks.ctx, rc, logfile_dropped(o->log));
	o->has_log_error = rc < 0;
}

static void on_line(void *ctx, const char *line, size_t len)
{
	struct output *o = ctx;
	int priority = take_priority(&line);
	int64_t at_ms = clock_wall_ms();
	char text[TAIL_LINE_MAX + 1];

	(void)len;
	/* A program may write anything; what travels as JSON must be UTF-8. */
	(void)str_clean(text, sizeof(text), line);
	tail_add(&o->tail, ++*o->counter, at_ms, priority, text);
	o->hooks.on_line(o->hooks.ctx, priority, text);
	write_log(o, at_ms, text);
}

void output_init(struct output *o, uv_loop_t *loop, uint64_t *counter,
		 const struct output_hooks *hooks)
{
	*o = (struct output){
		.loop = loop,
		.counter = counter,
		.hooks = *hooks,
		.fd = -1,
		.lines = {.max = TAIL_LINE_MAX, .on_line = on_line, .ctx = o},
	};
}

void output_done(struct output *o)
{
	logfile_free(o->log);
	tail_done(&o->tail);
	lines_done(&o->lines);
}

void output_log_to(struct output *o, const struct logfile_spec *spec)
{
	logfile_free(o->log);
	o->log = spec->path == NULL ? NULL : logfile_new(spec);
	o->has_log_error = false;
}

/* Reads what is there, max_bytes at most. False at the end of the pipe. */
static bool drain(struct output *o, size_t max_bytes)
{
	char buf[READ_MAX];
	size_t total = 0;

	while (total < max_bytes) {
		ssize_t got = read(o->fd, buf, HALE_MIN(sizeof(buf), max_bytes - total));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN;
		if (got == 0)
			return false;
		lines_feed(&o->lines, buf, (size_t)got);
		total += (size_t)got;
	}
	return true;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void output_close(struct output *o)
{
	if (o->poll == NULL)
		return;
	lines_finish(&o->lines);
	(void)uv_poll_stop(o->poll);
	uv_close((uv_handle_t *)o->poll, on_closed);
	o->poll = NULL;
	close(o->fd);
	o->fd = -1;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct output *o = poll->data;

	(void)events;
	if (status < 0 || !drain(o, READ_MAX))
		output_close(o);
}

void output_open(struct output *o, int fd)
{
	output_close(o); /* of a former run, kept open by one of its children */
	o->fd = fd;
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	o->poll = mem_alloc(sizeof(*o->poll));
	o->poll->data = o;
	if (uv_poll_init(o->loop, o->poll, fd) < 0 ||
	    uv_poll_start(o->poll, UV_READABLE, on_readable) < 0)
		hale_panic(__FILE__, __LINE__, "uv_poll on a fresh pipe");
}

void output_finish(struct output *o)
{
	if (o->poll != NULL && !drain(o, READ_LAST_MAX))
		output_close(o);
}

void output_add(struct output *o, const char *line)
{
	on_line(o, line, strlen(line));
}

json_t *output_hand_over(const struct output *o)
{
	json_t *out = json_pack("{s:i, s:o}", "fd", o->fd, "tail", tail_hand_over(&o->tail));

	/* Bytes of a line that is not finished may be anything; JSON takes only text. */
	if (o->lines.part.len > 0)
		(void)json_object_set_new(out, "part",
					  json_stringn(o->lines.part.data, o->lines.part.len));
	return out;
}

void output_take_over(struct output *o, const json_t *former)
{
	const char *part = json_string_value(json_object_get(former, "part"));
	const json_t *fd = json_object_get(former, "fd");

	tail_take_over(&o->tail, json_object_get(former, "tail"));
	if (json_integer_value(fd) > STDERR_FILENO)
		output_open(o, (int)json_integer_value(fd));
	if (part != NULL)
		lines_feed(&o->lines, part, strlen(part));
}
