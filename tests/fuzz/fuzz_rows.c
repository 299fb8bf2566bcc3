/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the bus, each "topic {json}": whatever they are, rows come of them or nothing, and a
 * reader that has seen lines like it before reads the same as one that has not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text(struct str *out, struct row_text t)
{
	if (t.text == NULL)
		str_add(out, " -");
	else
		str_addf(out, " '%.*s'", (int)t.len, t.text);
}

static int on_result(void *ctx, const struct row_result *r)
{
	struct row_text texts[] = {r->component.node,  r->component.name, r->component.kind,
				   r->component.label, r->reason,         r->message,
				   r->details,         r->metric_names,   r->metrics};

	str_addf(ctx, "result %lld %d %d %lld", (long long)r->at_ms, r->status, r->outcome,
		 (long long)r->took_us);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		text(ctx, texts[i]);
	return 0;
}

static int on_transition(void *ctx, const struct row_transition *r)
{
	str_addf(ctx, "transition %lld %d %d", (long long)r->at_ms, r->from_status, r->to_status);
	text(ctx, r->component.name);
	text(ctx, r->message);
	return 0;
}

static int on_state(void *ctx, const struct row_state *r)
{
	str_addf(ctx, "state %d %lld", r->status, (long long)r->since_ms);
	text(ctx, r->component.name);
	text(ctx, r->metrics);
	return 0;
}

static int on_process(void *ctx, const struct row_process *r)
{
	text(ctx, r->process);
	text(ctx, r->last_exit);
	return 0;
}

static int on_event(void *ctx, const struct row_event *r)
{
	text(ctx, r->kind);
	text(ctx, r->severity);
	text(ctx, r->details);
	return 0;
}

static int on_alert(void *ctx, const struct row_alert *r)
{
	text(ctx, r->id);
	text(ctx, r->state);
	return 0;
}

static int on_delivery(void *ctx, const struct row_delivery *r)
{
	text(ctx, r->id);
	text(ctx, r->channel);
	return 0;
}

static int on_run(void *ctx, const struct row_run *r)
{
	text(ctx, r->run);
	text(ctx, r->errors);
	return 0;
}

static int on_recovery(void *ctx, const struct row_recovery *r)
{
	text(ctx, r->action);
	text(ctx, r->outcome);
	return 0;
}

static const struct row_sink sink = {
	.result = on_result,
	.transition = on_transition,
	.state = on_state,
	.process = on_process,
	.event = on_event,
	.alert = on_alert,
	.delivery = on_delivery,
	.run = on_run,
	.recovery = on_recovery,
	.standing = on_transition,
	.vanished = on_transition,
};

/* By a reader that has read all lines before, and by a new one. */
static void compare(struct rows_reader *experienced, const struct store_line *line)
{
	struct rows_reader *fresh = rows_reader_new();
	HALE_CLEANUP(str_done) struct str a = {0};
	HALE_CLEANUP(str_done) struct str b = {0};
	struct row_state state;
	int rc_a = rows_read(experienced, line, &sink, &a);
	int rc_b = rows_read(fresh, line, &sink, &b);

	(void)rows_read_state(experienced, line, &state);
	(void)line_classify(line);
	if (rc_a != rc_b || strcmp(str_text(&a), str_text(&b)) != 0)
		abort();
	rows_reader_free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(cleanup_free) char *all = mem_dupn((const char *)data, size);
	struct rows_reader *reader = rows_reader_new();
	uint64_t seq = 0;

	for (char *p = all, *end = all + size; p < end;) {
		char *newline = memchr(p, '\n', (size_t)(end - p));
		char *stop = newline != NULL ? newline : end;
		char *blank = memchr(p, ' ', (size_t)(stop - p));

		*stop = '\0';
		if (blank != NULL) {
			*blank = '\0';
			compare(reader, &(struct store_line){.topic = p,
							     .epoch = "e",
							     .seq = ++seq,
							     .text = blank + 1,
							     .len = (size_t)(stop - blank) - 1});
		}
		p = stop + 1;
	}
	rows_reader_free(reader);
	return 0;
}
