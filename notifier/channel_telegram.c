/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/frame.h"

/* sendMessage takes 1 to 4096 characters (core.telegram.org/bots/api#sendmessage), counted in
 * UTF-16 code units. */
#define TELEGRAM_TEXT_UNITS 4096
#define ELLIPSIS            "…"

struct telegram_opts {
	char *token;
	char *chat;
	char *base_url;
	int64_t timeout;
	bool silent;
};

const struct conf_item telegram_items[] = {
	CONF_STR(struct telegram_opts, token,
		 .flags = CONF_F_REQUIRED | CONF_F_SECRET | CONF_F_NONEMPTY,
		 .help = "the bot's token, as BotFather gave it"),
	CONF_STR(struct telegram_opts, chat, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "chat id, or @channelname"),
	CONF_STR(struct telegram_opts, base_url, .def = "https://api.telegram.org",
		 .flags = CONF_F_NONEMPTY, .help = "where the Bot API is"),
	CONF_DURATION(struct telegram_opts, timeout, .def = "10s", .min = 100,
		      .max = CHANNEL_TIMEOUT_MAX_MS, .help = "for the whole request"),
	CONF_BOOL(struct telegram_opts, silent, .def = "false", .help = "deliver without a sound"),
	CONF_END,
};

static void telegram_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct telegram_opts *o = opts;

	if (!str_starts(o->base_url, "http://") && !str_starts(o->base_url, "https://"))
		problem(ctx, "/base_url", "must begin with http:// or https://");
	if (strpbrk(o->token, "/?# \t"))
		problem(ctx, "/token", "a bot token has no blanks and none of / ? #");
}

/* Length in bytes of what fits into `units` UTF-16 code units, cut between two characters. */
static size_t fit(const char *text, size_t units)
{
	size_t at = 0, used = 0;

	while (text[at]) {
		unsigned char c = (unsigned char)text[at];
		size_t bytes = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		size_t need = bytes == 4 ? 2 : 1;

		if (used + need > units)
			break;
		used += need;
		at += bytes;
	}
	return at;
}

static json_t *make_body(const struct telegram_opts *o, const char *text)
{
	HALE_CLEANUP(str_done) struct str fitted = {0};
	size_t len = fit(text, TELEGRAM_TEXT_UNITS);

	if (text[len] != '\0') {
		str_addn(&fitted, text, fit(text, TELEGRAM_TEXT_UNITS - 1));
		str_add(&fitted, ELLIPSIS);
	} else {
		str_add(&fitted, text);
	}
	return json_pack("{s:s, s:s, s:b, s:b}", "chat_id", o->chat, "text", str_text(&fitted),
			 "disable_web_page_preview", 1, "disable_notification", o->silent);
}

/* {"ok": false, "error_code": 429, "description": "…", "parameters": {"retry_after": 5}} */
static void telegram_judge(const struct http_response *r, struct delivery_result *out)
{
	json_t *answer =
		json_loadb(r->body ? r->body : "", r->body_len, JSON_REJECT_DUPLICATES, NULL);
	const char *why = json_string_value(json_object_get(answer, "description"));
	json_int_t after = json_integer_value(
		json_object_get(json_object_get(answer, "parameters"), "retry_after"));

	delivery_judge_status(r, out);
	if (out->is_sent && !json_is_true(json_object_get(answer, "ok"))) {
		out->is_sent = false;
		(void)snprintf(out->error, sizeof(out->error), "answer is not the Bot API's");
	}
	if (!out->is_sent && why) {
		char clean[DELIVERY_ERROR_MAX - 32];

		str_clean(clean, sizeof(clean), why);
		(void)snprintf(out->error, sizeof(out->error), "HTTP %ld: %s", r->status, clean);
	}
	if (after > 0 && after < INT32_MAX)
		out->retry_after_ms = (int64_t)after * 1000;
	json_decref(answer);
}

static void telegram_send(struct delivery *d)
{
	const struct telegram_opts *o = d->opts;
	size_t base_len = strlen(o->base_url);
	json_t *body = make_body(o, d->message->text);
	json_t *headers = json_pack("{s:s}", "Content-Type", "application/json");
	char *text = json_dumps(body, JSON_WIRE_FLAGS);
	char *url =
		mem_printf("%s%sbot%s/sendMessage", o->base_url,
			   base_len > 0 && o->base_url[base_len - 1] == '/' ? "" : "/", o->token);

	delivery_http(d,
		      &(struct http_request){
			      .method = "POST",
			      .url = url,
			      .headers = headers,
			      .body = text,
			      .body_len = strlen(text),
			      .timeout_ms = o->timeout,
		      },
		      telegram_judge);
	free(url);
	free(text);
	json_decref(headers);
	json_decref(body);
}

const struct channel_ops channel_telegram = {
	.type = "telegram",
	.help = "a message by a Telegram bot",
	.items = telegram_items,
	.opts_size = sizeof(struct telegram_opts),
	.rate = 30, /* people read it, and Telegram slows a bot down not far above that */
	.validate = telegram_validate,
	.send = telegram_send,
	.cancel = delivery_http_cancel,
};
