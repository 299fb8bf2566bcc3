/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_upgrade.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "base/base64.h"
#include "base/sha1.h"
#include "excerpt.h"

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* ---- The URL ---- */

/* host, host:port, [v6], [v6]:port of len bytes. */
static int parse_authority(const char *text, size_t len, struct ws_url *u, struct err *err)
{
	const char *default_port = u->is_tls ? "443" : "80";
	char whole[WS_HOST_MAX + 16];
	struct address address;
	bool has_port;

	if (len == 0 || len > WS_HOST_MAX + 8)
		return err_set(err, -EINVAL, "there is no host in it");
	if (memchr(text, '@', len) != NULL)
		return err_set(err, -EINVAL, "a login belongs into headers, where it is not shown");
	/* A colon after the bracket of an IPv6 address, or any other. */
	has_port = *text == '[' ? text[len - 1] != ']' : memchr(text, ':', len) != NULL;
	(void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)len, text, has_port ? "" : ":",
		       has_port ? "" : default_port);
	if (address_parse(whole, &address, err) != 0)
		return -EINVAL;
	memcpy(u->host, address.host, sizeof(address.host));
	memcpy(u->port, address.port, sizeof(address.port));
	/* RFC 6455 4.1: without the port if it is the scheme's own. */
	if (strcmp(address.port, default_port) == 0 && has_port)
		len -= strlen(address.port) + 1;
	(void)snprintf(u->authority, sizeof(u->authority), "%.*s", (int)len, text);
	return 0;
}

int ws_url_parse(const char *url, struct ws_url *url_r, struct err *err)
{
	struct ws_url u = {0};
	const char *host;

	_Static_assert(WS_HOST_MAX == ADDRESS_HOST_MAX, "copied whole");
	if (strncasecmp(url, "ws://", 5) != 0 && strncasecmp(url, "wss://", 6) != 0)
		return err_set(err, -EINVAL, "expected ws://… or wss://…");
	u.is_tls = url[2] == 's' || url[2] == 'S';
	host = strstr(url, "://") + 3;
	for (const char *p = url; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, -EINVAL, "a blank must be written as %%20");
	}
	if (strchr(url, '#') != NULL)
		return err_set(err, -EINVAL, "a WebSocket's URL has no '#'");
	if (parse_authority(host, strcspn(host, "/?"), &u, err) != 0)
		return -EINVAL;
	u.path = host + strcspn(host, "/?");
	*url_r = u;
	return 0;
}

/* ---- The request ---- */

static void format_base64(const void *data, size_t len, char *text, size_t size)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	base64_add(&out, data, len);
	HALE_ASSERT(out.len < size);
	memcpy(text, out.data, out.len + 1);
}

void ws_key_format(const unsigned char nonce[WS_KEY_BYTES], char key_r[WS_KEY_SIZE])
{
	format_base64(nonce, WS_KEY_BYTES, key_r, WS_KEY_SIZE);
}

void ws_accept_of(const char *key, char accept_r[WS_ACCEPT_SIZE])
{
	HALE_CLEANUP(str_done) struct str text = {0};
	uint8_t digest[SHA1_BYTES];

	str_addf(&text, "%s" WS_GUID, key);
	sha1(text.data, text.len, digest);
	format_base64(digest, sizeof(digest), accept_r, WS_ACCEPT_SIZE);
}

static bool is_token(const char *text)
{
	/* RFC 9110 5.6.2 */
	return *text != '\0' && text[strspn(text, "!#$%&'*+-.^_`|~0123456789"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						  "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

bool ws_header_is_good(const char *name, const char *value)
{
	static const char *const own[] = {"Host", "Upgrade", "Connection", "Content-Length",
					  "Transfer-Encoding"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (strcasecmp(name, own[i]) == 0)
			return false;
	}
	if (strncasecmp(name, "Sec-WebSocket-", 14) == 0 || !is_token(name))
		return false;
	for (const char *p = value; *p != '\0'; p++) {
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return false;
	}
	return true;
}

void ws_request_format(struct str *out, const struct ws_url *url, const char *key,
		       const struct strlist *subprotocols, const json_t *headers)
{
	const char *name;
	json_t *value;

	str_addf(out, "GET %s%s HTTP/1.1\r\nHost: %s\r\n", *url->path == '/' ? "" : "/", url->path,
		 url->authority);
	str_addf(out,
		 "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
		 "Sec-WebSocket-Version: 13\r\n",
		 key);
	for (size_t i = 0; i < subprotocols->n; i++)
		str_addf(out, "%s%s", i == 0 ? "Sec-WebSocket-Protocol: " : ", ",
			 subprotocols->v[i]);
	if (subprotocols->n > 0)
		str_add(out, "\r\n");
	json_object_foreach ((json_t *)(uintptr_t)headers, name, value)
		str_addf(out, "%s: %s\r\n", name, json_string_value(value));
	str_add(out, "\r\n");
}

/* ---- The answer ---- */

/* Is token one of the words of a list "a, b"? */
static bool list_has(const char *list, const char *token)
{
	size_t want = strlen(token);

	while (*list != '\0') {
		size_t n;

		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == want && strncasecmp(list, token, n) == 0)
			return true;
		list += n;
	}
	return false;
}

static void keep(char to[WS_VALUE_MAX], const char *value)
{
	(void)str_clean(to, WS_VALUE_MAX, value);
}

/* Of a URL that is shown: without its query, which may hand on a token of ours. */
static void keep_path(char to[WS_VALUE_MAX], const char *url)
{
	keep(to, url);
	to[strcspn(to, "?")] = '\0';
}

static void take_header(struct ws_answer *a, const char *name, const char *value)
{
	if (strcasecmp(name, "Upgrade") == 0)
		a->has_upgrade |= list_has(value, "websocket");
	else if (strcasecmp(name, "Connection") == 0)
		a->has_connection |= list_has(value, "upgrade");
	else if (strcasecmp(name, "Sec-WebSocket-Accept") == 0)
		keep(a->accept, value);
	else if (strcasecmp(name, "Sec-WebSocket-Extensions") == 0)
		a->has_extensions |= *value != '\0';
	else if (strcasecmp(name, "Sec-WebSocket-Protocol") == 0)
		keep(a->subprotocol, value), a->has_subprotocol = true;
	else if (strcasecmp(name, "Server") == 0)
		keep(a->server, value);
	else if (strcasecmp(name, "Location") == 0)
		keep_path(a->location, value);
}

static bool parse_status(const char *line, struct ws_answer *a)
{
	if (!str_starts(line, "HTTP/1.") || !isdigit((unsigned char)line[7]) || line[8] != ' ')
		return false;
	for (size_t i = 9; i < 12; i++) {
		if (!isdigit((unsigned char)line[i]))
			return false;
		a->status = a->status * 10 + (line[i] - '0');
	}
	if (line[12] != '\0' && line[12] != ' ')
		return false;
	keep(a->reason, line[12] == ' ' ? line + 13 : "");
	return a->status >= 100;
}

static void trim(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
		text[--len] = '\0';
}

static int parse_head(char *head, struct ws_answer *a, struct err *err)
{
	char shown[EXCERPT_SIZE];
	char *line = strsep(&head, "\n");

	trim(line);
	if (!parse_status(line, a))
		return err_set(err, -EPROTO, "the answer is not HTTP: %s",
			       excerpt(line, strlen(line), shown));
	while ((line = strsep(&head, "\n")) != NULL) {
		char *colon = strchr(line, ':');

		trim(line);
		if (*line == '\0')
			continue;
		if (colon == NULL || colon == line)
			return err_set(err, -EPROTO, "a line of the answer is no header: %s",
				       excerpt(line, strlen(line), shown));
		*colon = '\0';
		take_header(a, line, colon + 1 + strspn(colon + 1, " \t"));
	}
	return 0;
}

int ws_answer_parse(const char *data, size_t len, struct ws_answer *answer_r, size_t *used_r,
		    struct err *err)
{
	HALE_CLEANUP(str_done) struct str head = {0};
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	struct ws_answer a = {0};
	char shown[EXCERPT_SIZE];
	int rc;

	/* What speaks first, and is no HTTP, need not be waited for. */
	if (memcmp(data, "HTTP/1.", HALE_MIN(len, (size_t)7)) != 0)
		return err_set(err, -EPROTO, "the answer is not HTTP: %s",
			       excerpt(data, len, shown));
	if ((end == NULL && len > WS_HEAD_MAX) || (end != NULL && end - data > WS_HEAD_MAX))
		return err_set(err, -EMSGSIZE, "headers of more than %d bytes", WS_HEAD_MAX);
	if (end == NULL)
		return -EAGAIN;
	str_addn(&head, data, (size_t)(end - data));
	if (strlen(head.data) != head.len)
		return err_set(err, -EPROTO, "a NUL in the headers");
	rc = parse_head(head.data, &a, err);
	if (rc != 0)
		return rc;
	*used_r = (size_t)(end - data) + 4;
	*answer_r = a;
	return 0;
}

int ws_answer_check(const struct ws_answer *answer, const char *key,
		    const struct strlist *subprotocols, struct err *err)
{
	char accept[WS_ACCEPT_SIZE];

	ws_accept_of(key, accept);
	if (!answer->has_upgrade || !answer->has_connection)
		return err_set(err, -EPROTO,
			       "status 101 without 'Upgrade: websocket' and "
			       "'Connection: Upgrade'");
	if (strcmp(answer->accept, accept) != 0)
		return err_set(err, -EPROTO, "Sec-WebSocket-Accept is '%s', not that of our key",
			       answer->accept);
	if (answer->has_extensions)
		return err_set(err, -EPROTO, "it uses extensions that were not offered");
	if (answer->has_subprotocol && !strlist_has(subprotocols, answer->subprotocol))
		return err_set(err, -EPROTO, "it chose the subprotocol '%s', which was not offered",
			       answer->subprotocol);
	return 0;
}
