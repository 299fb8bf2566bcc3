/* SPDX-License-Identifier: Apache-2.0 */
#include "http_head.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http_headers.h"

#define SCHEME       "http://"
#define PORT_DEFAULT 80

/* Those that say where a message ends, what the connection becomes, or whom it is for. */
static const char *const framing_headers[] = {
	"host",    "connection", "content-length", "transfer-encoding", "te",
	"trailer", "expect",     "upgrade",        "keep-alive",
};

static bool is_plain(const struct http_request *rq)
{
	const char *method = rq->method == NULL ? "GET" : rq->method;

	return !rq->compressed && rq->username == NULL && rq->proxy.url == NULL &&
	       rq->connect_to == NULL && rq->unix_path == NULL && rq->ip_version == 0 &&
	       (rq->version == HTTP_VERSION_ANY || rq->version == HTTP_VERSION_1_1) &&
	       http_is_token(method) && strcmp(method, "CONNECT") != 0 &&
	       (strcmp(method, "HEAD") != 0 || rq->body == NULL);
}

/* A name, or an address as everybody writes it: 127.1, 0x7f.1 and 2130706433 are for curl. */
static bool take_host(const char *host, size_t len, struct http_head *h)
{
	const char *label;

	if (len == 0 || len >= sizeof(h->host))
		return false;
	memcpy(h->host, host, len);
	h->host[len] = '\0';
	if (strspn(h->host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != len)
		return false;
	if (inet_pton(AF_INET, h->host, &h->address.v4.sin_addr) == 1) {
		h->address.v4.sin_family = AF_INET;
		h->is_numeric = true;
		return true;
	}
	label = strrchr(h->host, '.');
	label = label == NULL ? h->host : label + 1;
	return isalpha((unsigned char)*label) != 0;
}

static bool take_host_v6(const char *host, size_t len, struct http_head *h)
{
	char text[INET6_ADDRSTRLEN];

	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	if (inet_pton(AF_INET6, text, &h->address.v6.sin6_addr) != 1)
		return false;
	(void)snprintf(h->host, sizeof(h->host), "[%s]", text);
	h->address.v6.sin6_family = AF_INET6;
	h->is_numeric = true;
	return true;
}

static bool take_port(const char *text, size_t len, struct http_head *h)
{
	unsigned port = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	h->port = (uint16_t)port;
	return port > 0 && port <= UINT16_MAX;
}

static bool take_authority(const char *text, size_t len, struct http_head *h)
{
	const char *bracket = text[0] == '[' ? memchr(text, ']', len) : NULL;
	const char *rest = bracket != NULL ? bracket + 1 : memchr(text, ':', len);
	size_t host_len = rest == NULL ? len : (size_t)(rest - text);
	bool is_good = bracket != NULL ? take_host_v6(text + 1, host_len - 2, h)
				       : take_host(text, host_len, h);

	h->port = PORT_DEFAULT;
	if (!is_good)
		return false;
	if (host_len < len &&
	    (text[host_len] != ':' || !take_port(text + host_len + 1, len - host_len - 1, h)))
		return false;
	/* Both have their port at the same place. */
	h->address.v4.sin_port = htons(h->port);
	return true;
}

/* Nothing that a server and we could read differently, and no "/../" to be resolved. */
static bool is_plain_path(const char *path, size_t len)
{
	static const char marks[] = "-._~:/?@!$&'()*+,;=%";

	for (size_t i = 0; i < len; i++) {
		if (path[i] == '\0' ||
		    (!isalnum((unsigned char)path[i]) && strchr(marks, path[i]) == NULL))
			return false;
		if (path[i] == '/' && i + 1 < len && path[i + 1] == '.')
			return false;
	}
	return true;
}

static void add_host(const struct http_head *h, struct str *out)
{
	str_add(out, h->host);
	if (h->port != PORT_DEFAULT)
		str_addf(out, ":%u", (unsigned)h->port);
}

/* The first line and who is asked. */
static bool begin(const struct http_request *rq, struct http_head *h)
{
	const char *authority = rq->url + strlen(SCHEME), *path;
	size_t len, path_len;

	if (!str_starts(rq->url, SCHEME))
		return false;
	len = strcspn(authority, "/?#");
	path = authority + len;
	path_len = strcspn(path, "#");
	if (path[path_len] == '#' || !take_authority(authority, len, h) ||
	    !is_plain_path(path, path_len))
		return false;
	str_add(&h->text, rq->method == NULL ? "GET" : rq->method);
	str_addc(&h->text, ' ');
	str_add(&h->url, SCHEME);
	add_host(h, &h->url);
	if (path[0] != '/') {
		str_addc(&h->text, '/');
		str_addc(&h->url, '/');
	}
	str_addn(&h->text, path, path_len);
	str_addn(&h->url, path, path_len);
	str_add(&h->text, " HTTP/1.1\r\nHost: ");
	add_host(h, &h->text);
	str_add(&h->text, "\r\n");
	return true;
}

static bool is_framing(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(framing_headers); i++) {
		if (strcasecmp(framing_headers[i], name) == 0)
			return true;
	}
	return strncasecmp(name, "proxy-", strlen("proxy-")) == 0;
}

static void add_field(struct str *out, const char *name, const char *value)
{
	str_add(out, name);
	str_add(out, ": ");
	str_add(out, value);
	str_add(out, "\r\n");
}

struct given {
	bool agent, accept, type, login;
};

static bool note_given(const json_t *headers, struct given *given)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)headers, name, value) {
		const char *text = json_string_value(value);

		if (text == NULL || *text == '\0' || !http_is_token(name) ||
		    !http_is_header_value(text) || is_framing(name))
			return false;
		given->agent |= strcasecmp(name, "user-agent") == 0;
		given->accept |= strcasecmp(name, "accept") == 0;
		given->type |= strcasecmp(name, "content-type") == 0;
		given->login |= strcasecmp(name, "authorization") == 0;
	}
	return true;
}

static bool add_fields(const struct http_request *rq, const char *agent, struct str *out)
{
	struct given given = {0};
	const char *name;
	json_t *value;

	if (!note_given(rq->headers, &given) || (given.login && rq->bearer_token != NULL))
		return false;
	if (!given.agent)
		add_field(out, "User-Agent", agent);
	if (!given.accept)
		add_field(out, "Accept", "*/*");
	json_object_foreach ((json_t *)rq->headers, name, value)
		add_field(out, name, json_string_value(value));
	if (rq->bearer_token != NULL) {
		if (!http_is_header_value(rq->bearer_token))
			return false;
		str_add(out, "Authorization: Bearer ");
		str_add(out, rq->bearer_token);
		str_add(out, "\r\n");
	}
	if (rq->body != NULL && !given.type)
		add_field(out, "Content-Type", "application/json");
	return true;
}

static void add_body(const struct http_request *rq, struct str *out)
{
	bool is_post = rq->method != NULL && strcmp(rq->method, "POST") == 0;

	if (rq->body != NULL || is_post)
		str_addf(out, "Content-Length: %zu\r\n", rq->body == NULL ? 0 : rq->body_len);
	str_add(out, "\r\n");
	if (rq->body != NULL)
		str_addn(out, rq->body, rq->body_len);
}

bool http_head_make(const struct http_request *rq, const char *default_agent,
		    struct http_head *head_r)
{
	const char *agent = rq->user_agent == NULL ? default_agent : rq->user_agent;
	struct http_head *h = head_r;

	*h = (struct http_head){0};
	h->is_head = rq->method != NULL && strcmp(rq->method, "HEAD") == 0;
	h->is_idempotent = http_is_idempotent(rq->method);
	h->is_safe = h->is_head || rq->method == NULL || strcmp(rq->method, "GET") == 0;
	if (!is_plain(rq) || (rq->follow_redirects && !h->is_safe) ||
	    !http_is_header_value(agent) || !begin(rq, h) || !add_fields(rq, agent, &h->text))
		return false;
	add_body(rq, &h->text);
	return true;
}

void http_head_done(struct http_head *head)
{
	str_done(&head->url);
	str_done(&head->text);
}
