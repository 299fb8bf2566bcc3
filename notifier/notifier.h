/* SPDX-License-Identifier: Apache-2.0 */
/* notifier - the service: bus lines in, decisions committed, messages out
 *
 * Loop thread only. One timer stands at the next due thing: the end of a cooldown, a reminder, a
 * retry, the minute's rate, or a commit to try again.
 */
#ifndef HALE_NOTIFIER_NOTIFIER_H
#define HALE_NOTIFIER_NOTIFIER_H

#include "alerts.h"
#include "outbox.h"
#include "render.h"
#include "sender.h"
#include "service/service.h"

struct notifier {
	struct service *service;
	char *instance;
	struct alerts alerts;
	struct engine *engine;
	struct renderer *renderer;
	struct outbox *outbox;
	struct sender *sender;
	uv_timer_t timer; /* the next due thing */
	uv_timer_t purge;
	/* Decided, not yet committed. */
	struct effects effects;
	struct outgoing *out;
	size_t out_n;
	struct feed_cursor cursor;
	bool is_cursor_moved;
	bool is_news;             /* something came that may be committed or sent */
	int64_t committed_ms;     /* monotonic */
	unsigned commit_failures; /* in a row */
	int64_t quiet_until_ms;   /* 0: the bus has been heard */
	bool is_stopping;
	uint64_t lines, bad_lines, dropped, template_errors;
	char trouble[256]; /* why the outbox does not work; "" it does */
};

extern const struct service_ops notifier_service;
extern const struct command_method notifier_methods[]; /* commands.c */

#endif
