/* SPDX-License-Identifier: Apache-2.0 */
#include "nats_proto.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "excerpt.h"

#define WORDS_MAX 6 /* HMSG subject sid reply headers total */
#define CRLF_LEN  2

void nats_proto_done(struct nats_proto *p)
{
	str_done(&p->line);
	str_done(&p->body);
	*p = (struct nats_proto){0};
}

/* Cuts the line into words; how many, or 0 if there are too many. */
static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t n = 0;
	char *word;

	while ((word = strsep(&line, " \t")) != NULL) {
		if (*word == '\0')
			continue;
		if (n == WORDS_MAX)
			return 0;
		words[n++] = word;
	}
	return n;
}

static bool size_of(const char *word, size_t *size_r)
{
	if (strlen(word) > 10 || word[strspn(word, "0123456789")] != '\0')
		return false;
	*size_r = (size_t)strtoull(word, NULL, 10);
	return true;
}

/* MSG subject sid [reply] size; HMSG subject sid [reply] headers size. -EAGAIN: the body is next.
 */
static int begin_message(struct nats_proto *p, bool has_headers, struct err *err)
{
	char *words[WORDS_MAX];
	size_t n = split(p->line.data, words);
	size_t min = has_headers ? 5 : 4;
	size_t size, sid;

	p->headers_len = 0;
	if (n < min || n > min + 1 || !size_of(words[2], &sid) || !size_of(words[n - 1], &size) ||
	    (has_headers && !size_of(words[n - 2], &p->headers_len)) || p->headers_len > size ||
	    strlen(words[1]) >= sizeof(p->message.subject))
		return err_set(err, -EPROTO, "a message announced in a way that is not NATS");
	if (size > NATS_PAYLOAD_MAX)
		return err_set(err, -EMSGSIZE, "a message of %zu bytes", size);
	(void)memcpy(p->message.subject, words[1], strlen(words[1]) + 1);
	p->message.sid = (long long)sid;
	p->message.op = NATS_MSG;
	p->body_len = size + CRLF_LEN;
	return -EAGAIN;
}

/* -ERR 'Authorization Violation' */
static const char *unquoted(char *text)
{
	size_t len = strlen(text);

	if (len < 2 || text[0] != '\'' || text[len - 1] != '\'')
		return text;
	text[len - 1] = '\0';
	return text + 1;
}

static const struct {
	const char *name;
	enum nats_op op;
	bool has_text;
} ops[] = {
	{"INFO", NATS_INFO, true}, {"PING", NATS_PING, false}, {"PONG", NATS_PONG, false},
	{"+OK", NATS_OK, false},   {"-ERR", NATS_ERR, true},
};

/* The line is whole. */
static int take_line(struct nats_proto *p, struct err *err)
{
	char *line = p->line.data;
	size_t n = strcspn(line, " \t");
	char shown[EXCERPT_SIZE];

	if (n == 3 && strncasecmp(line, "MSG", n) == 0)
		return begin_message(p, false, err);
	if (n == 4 && strncasecmp(line, "HMSG", n) == 0)
		return begin_message(p, true, err);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (n != strlen(ops[i].name) || strncasecmp(line, ops[i].name, n) != 0)
			continue;
		p->message.op = ops[i].op;
		p->message.text = "";
		if (ops[i].has_text)
			p->message.text = unquoted(line + n + strspn(line + n, " \t"));
		return 0;
	}
	return err_set(err, -EPROTO, "not the protocol of NATS: %s",
		       excerpt(line, strlen(line), shown));
}

/* "NATS/1.0 503\r\n…" */
static int status_of(const char *headers, size_t len)
{
	static const char version[] = "NATS/1.0 ";
	size_t at = sizeof(version) - 1;

	if (len < at + 3 || memcmp(headers, version, at) != 0 ||
	    strspn(headers + at, "0123456789") < 3)
		return 0;
	return (headers[at] - '0') * 100 + (headers[at + 1] - '0') * 10 + (headers[at + 2] - '0');
}

static int take_body(struct nats_proto *p, struct err *err)
{
	size_t size = p->body_len - CRLF_LEN;

	if (memcmp(p->body.data + size, "\r\n", CRLF_LEN) != 0)
		return err_set(err, -EPROTO, "a message that does not end where it should");
	p->body.data[size] = '\0';
	p->message.status = status_of(p->body.data, p->headers_len);
	p->message.payload = p->body.data + p->headers_len;
	p->message.payload_len = size - p->headers_len;
	return 0;
}

static void begin_anew(struct nats_proto *p)
{
	str_clear(&p->line);
	str_clear(&p->body);
	p->body_len = 0;
	p->message = (struct nats_message){0};
	p->is_taken = false;
}

/* One piece of a line, or of a body. */
static int take_piece(struct nats_proto *p, const char *data, size_t len, size_t *used_r,
		      struct err *err)
{
	const char *end;
	size_t n;

	if (p->body_len > 0) {
		n = HALE_MIN(len, p->body_len - p->body.len);
		str_addn(&p->body, data, n);
		*used_r = n;
		return p->body.len == p->body_len ? take_body(p, err) : -EAGAIN;
	}
	end = memchr(data, '\n', len);
	n = end == NULL ? len : (size_t)(end - data);
	if (p->line.len + n > NATS_LINE_MAX)
		return err_set(err, -EMSGSIZE, "a line of more than %d bytes", NATS_LINE_MAX);
	str_addn(&p->line, data, n);
	*used_r = n + (end != NULL);
	if (end == NULL)
		return -EAGAIN;
	if (p->line.len > 0 && p->line.data[p->line.len - 1] == '\r')
		str_truncate(&p->line, p->line.len - 1);
	if (p->line.len == 0)
		return err_set(err, -EPROTO, "an empty line");
	return take_line(p, err);
}

int nats_proto_feed(struct nats_proto *p, const char *data, size_t len, size_t *used_r,
		    struct err *err)
{
	size_t at = 0;

	if (p->is_taken)
		begin_anew(p);
	while (at < len) {
		size_t used = 0;
		int rc = take_piece(p, data + at, len - at, &used, err);

		at += used;
		if (rc == -EAGAIN)
			continue;
		p->is_taken = rc == 0;
		*used_r = at;
		return rc;
	}
	*used_r = at;
	return -EAGAIN;
}

bool nats_subject_is_good(const char *subject)
{
	size_t token = 0;

	for (const char *p = subject; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '*' || *p == '>')
			return false;
		if (*p == '.' && token == 0)
			return false;
		token = *p == '.' ? 0 : token + 1;
	}
	return token > 0;
}
