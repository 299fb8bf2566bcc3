/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp_reply.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "excerpt.h"

#define CODE_LEN 3

void smtp_reply_done(struct smtp_reply *r)
{
	str_done(&r->text);
	str_done(&r->line);
	*r = (struct smtp_reply){0};
}

static int code_of(const char *line, size_t len)
{
	if (len < CODE_LEN || line[0] < '2' || line[0] > '5' || !isdigit((unsigned char)line[1]) ||
	    !isdigit((unsigned char)line[2]))
		return 0;
	if (len > CODE_LEN && line[CODE_LEN] != ' ' && line[CODE_LEN] != '-')
		return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* 0: it was the last one. */
static int take_line(struct smtp_reply *r, struct err *err)
{
	size_t len = r->line.len;
	const char *line = str_text(&r->line);
	bool is_first = r->lines == 0;
	char shown[EXCERPT_SIZE];
	int code;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	code = code_of(line, len);
	if (code == 0)
		return err_set(err, -EPROTO, "not a reply of SMTP: %s", excerpt(line, len, shown));
	if (!is_first && code != r->code)
		return err_set(err, -EPROTO, "a reply of two codes, %d and %d", r->code, code);
	if (++r->lines > SMTP_LINES_MAX)
		return err_set(err, -EPROTO, "a reply of more than %d lines", SMTP_LINES_MAX);
	r->code = code;
	if (len > CODE_LEN + 1)
		str_addn(&r->text, line + CODE_LEN + 1, len - CODE_LEN - 1);
	str_addc(&r->text, '\n');
	return len > CODE_LEN && line[CODE_LEN] == '-' ? -EAGAIN : 0;
}

int smtp_reply_feed(struct smtp_reply *r, const char *data, size_t len, size_t *used_r,
		    struct err *err)
{
	size_t at = 0;

	if (r->code != 0 && r->lines == 0) {
		r->code = 0;
		str_clear(&r->text);
	}
	while (at < len) {
		const char *end = memchr(data + at, '\n', len - at);
		size_t n = end == NULL ? len - at : (size_t)(end - data) - at;
		int rc;

		if (r->line.len + n > SMTP_LINE_MAX)
			return err_set(err, -EPROTO, "a line of more than %d bytes", SMTP_LINE_MAX);
		str_addn(&r->line, data + at, n);
		at += n;
		if (end == NULL)
			break;
		at++;
		rc = take_line(r, err);
		str_clear(&r->line);
		if (rc == 0) {
			r->lines = 0;
			*used_r = at;
			return 0;
		}
		if (rc != -EAGAIN)
			return rc;
	}
	*used_r = at;
	return -EAGAIN;
}

bool smtp_reply_offers(const struct smtp_reply *r, const char *keyword, const char **params_r)
{
	size_t len = strlen(keyword);
	const char *at = strchr(str_text(&r->text), '\n');

	/* The first line greets. */
	for (; at != NULL && at[1] != '\0'; at = strchr(at + 1, '\n')) {
		const char *line = at + 1;

		if (strncasecmp(line, keyword, len) != 0 || strchr(" =\n", line[len]) == NULL ||
		    line[len] == '\0')
			continue;
		if (params_r != NULL)
			*params_r = line + len + (line[len] != '\n');
		return true;
	}
	return false;
}

bool smtp_params_have(const char *params, const char *word)
{
	size_t len = strlen(word);

	while (*params != '\0' && *params != '\n') {
		size_t n = strcspn(params, " \t\n");

		if (n == len && strncasecmp(params, word, len) == 0)
			return true;
		params += n;
		params += strspn(params, " \t");
	}
	return false;
}
