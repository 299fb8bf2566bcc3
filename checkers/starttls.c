/* SPDX-License-Identifier: Apache-2.0 */
#include "starttls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "excerpt.h"

/* SSLRequest: length 8, code 80877103. */
#define POSTGRES_ASK "\x00\x00\x00\x08\x04\xd2\x16\x2f"

/* LDAPMessage 1, ExtendedRequest with the name of StartTLS. */
#define LDAP_ASK                                                                                   \
	"\x30\x1d\x02\x01\x01\x77\x18\x80\x16"                                                     \
	"1.3.6.1.4.1.1466.20037"

#define XMPP_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define XMPP_ASK "<starttls xmlns='" XMPP_TLS "'/>"

/* Looks at what has come since the last answer. used_r: how much of it the reply takes, if it is
 * complete; the rest is the next reply's. */
typedef enum starttls_result (*reply_fn)(const struct starttls *s, size_t *used_r);

struct step {
	const char *wanted; /* what the reply is held against, in the manner of its protocol */
	reply_fn judge;
	const char *say; /* after that reply; %s is the host; NULL: TLS begins */
};

struct starttls_protocol {
	const char *name;
	const char *port;
	const char *begin; /* said first; NULL: the server greets */
	size_t begin_len;  /* 0: a text, in which %s is the host */
	struct step steps[4];
};

static const struct step *step_of(const struct starttls *s)
{
	return &s->protocol->steps[s->step];
}

/* ---- Replies of lines ---- */

/* The length of the line at `at` with its end; 0: there is no whole one yet. */
static size_t line_len(const struct str *reply, size_t at)
{
	const char *end = at < reply->len ? memchr(reply->data + at, '\n', reply->len - at) : NULL;

	return end != NULL ? (size_t)(end - (reply->data + at)) + 1 : 0;
}

static bool is_digits(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return true;
}

/* SMTP and FTP: "220-first", anything, "220 last". */
static enum starttls_result judge_code(const struct starttls *s, size_t *used_r)
{
	const char *first = str_text(&s->reply);
	size_t at = 0, len;

	while ((len = line_len(&s->reply, at)) > 0) {
		const char *line = s->reply.data + at;

		if (at == 0 &&
		    (len < 4 || !is_digits(line, 3) || strchr(" -\r\n", line[3]) == NULL))
			return STARTTLS_BROKEN;
		at += len;
		if (len < 4 || strncmp(line, first, 3) != 0 || line[3] == '-')
			continue;
		*used_r = at;
		return strncmp(line, step_of(s)->wanted, 3) == 0 ? STARTTLS_READY
								 : STARTTLS_REFUSED;
	}
	return STARTTLS_MORE;
}

/* POP3: "+OK …" or "-ERR …". */
static enum starttls_result judge_sign(const struct starttls *s, size_t *used_r)
{
	size_t len = line_len(&s->reply, 0);

	if (len == 0)
		return STARTTLS_MORE;
	*used_r = len;
	if (strncmp(s->reply.data, step_of(s)->wanted, strlen(step_of(s)->wanted)) == 0)
		return STARTTLS_READY;
	return strncmp(s->reply.data, "-ERR", 4) == 0 ? STARTTLS_REFUSED : STARTTLS_BROKEN;
}

/* IMAP: "* …" tells something, "a OK …" answers. */
static enum starttls_result judge_tag(const struct starttls *s, size_t *used_r)
{
	const char *wanted = step_of(s)->wanted;
	size_t at = 0, len;

	while ((len = line_len(&s->reply, at)) > 0) {
		const char *line = s->reply.data + at;

		at += len;
		*used_r = at;
		if (strncasecmp(line, wanted, strlen(wanted)) == 0)
			return STARTTLS_READY;
		if (strncasecmp(line, "a ", 2) == 0 || strncasecmp(line, "* BYE", 5) == 0)
			return STARTTLS_REFUSED;
		if (strncmp(line, "* ", 2) != 0 || *wanted == '*')
			return STARTTLS_BROKEN;
	}
	return STARTTLS_MORE;
}

/* ---- Other replies ---- */

/* XMPP: not read as XML; an element's end is enough, as for openssl's s_client. */
static enum starttls_result judge_xml(const struct starttls *s, size_t *used_r)
{
	const char *text = str_text(&s->reply);
	const char *wanted = step_of(s)->wanted;
	const char *found = strstr(text, wanted);

	if (s->reply.len > 0 && *text != '<')
		return STARTTLS_BROKEN;
	if (strlen(text) < s->reply.len) /* NUL is nowhere in XML */
		return STARTTLS_BROKEN;
	if (found != NULL)
		found = strchr(found, '>');
	if (found == NULL)
		return strstr(text, "<failure") != NULL || strstr(text, "<stream:error") != NULL
			       ? STARTTLS_REFUSED
			       : STARTTLS_MORE;
	*used_r = (size_t)(found - text) + 1;
	if (*wanted != '/')
		return STARTTLS_READY;
	/* The features tell whether it is among them. */
	return memmem(text, *used_r, XMPP_TLS, sizeof(XMPP_TLS) - 1) != NULL ? STARTTLS_READY
									     : STARTTLS_REFUSED;
}

static enum starttls_result judge_postgres(const struct starttls *s, size_t *used_r)
{
	*used_r = 1;
	switch (s->reply.data[0]) {
	case 'S':
		return STARTTLS_READY;
	case 'N':
	case 'E': /* an error message follows */
		*used_r = s->reply.len;
		return STARTTLS_REFUSED;
	default:
		return STARTTLS_BROKEN;
	}
}

/* BER of a LDAPMessage (RFC 4511 section 4.2): 30 len, 02 01 id, 78 len, 0a 01 resultCode … Lengths
 * are of one byte, or 81 and one, 82 and two, … 84 and four. */
static bool ber_length(const unsigned char *p, size_t n, size_t *at, size_t *len_r)
{
	size_t bytes;

	if (*at >= n)
		return false;
	*len_r = p[(*at)++];
	if (*len_r < 0x80)
		return true;
	bytes = *len_r - 0x80;
	*len_r = bytes == 0 || bytes > 4 ? STARTTLS_REPLY_MAX + 1 : 0;
	for (; bytes <= 4 && bytes > 0; bytes--) {
		if (*at >= n)
			return false;
		*len_r = *len_r << 8 | p[(*at)++];
	}
	return true;
}

static enum starttls_result judge_ldap(const struct starttls *s, size_t *used_r)
{
	const unsigned char *p = (const unsigned char *)s->reply.data;
	size_t n = s->reply.len, at = 1, len, inner;

	if (p[0] != 0x30)
		return STARTTLS_BROKEN;
	if (!ber_length(p, n, &at, &len))
		return STARTTLS_MORE;
	if (len > STARTTLS_REPLY_MAX)
		return STARTTLS_BROKEN;
	if (n < at + len)
		return STARTTLS_MORE;
	*used_r = at + len;
	n = at + len;
	if (len < 4 || p[at] != 0x02 || p[at + 1] != 1 || p[at + 3] != 0x78)
		return STARTTLS_BROKEN;
	at += 4;
	if (!ber_length(p, n, &at, &inner) || n - at < 3 || p[at] != 0x0a || p[at + 1] != 1)
		return STARTTLS_BROKEN;
	return p[at + 2] == 0 ? STARTTLS_READY : STARTTLS_REFUSED;
}

/* ---- The protocols ---- */

static const struct starttls_protocol protocols[] = {
	{"smtp",
	 "25",
	 NULL,
	 0,
	 {{"220", judge_code, "EHLO hale\r\n"},
	  {"250", judge_code, "STARTTLS\r\n"},
	  {"220", judge_code, NULL}}},
	{"imap",
	 "143",
	 NULL,
	 0,
	 {{"* OK", judge_tag, "a STARTTLS\r\n"}, {"a OK", judge_tag, NULL}}},
	{"pop3", "110", NULL, 0, {{"+OK", judge_sign, "STLS\r\n"}, {"+OK", judge_sign, NULL}}},
	{"ftp", "21", NULL, 0, {{"220", judge_code, "AUTH TLS\r\n"}, {"234", judge_code, NULL}}},
	{"xmpp",
	 "5222",
	 "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
	 "xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>",
	 0,
	 {{"/stream:features", judge_xml, XMPP_ASK}, {"<proceed", judge_xml, NULL}}},
	{"ldap", "389", LDAP_ASK, sizeof(LDAP_ASK) - 1, {{"", judge_ldap, NULL}}},
	{"postgres", "5432", POSTGRES_ASK, sizeof(POSTGRES_ASK) - 1, {{"", judge_postgres, NULL}}},
};

static const struct starttls_protocol *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (strcmp(protocols[i].name, name) == 0)
			return &protocols[i];
	}
	return NULL;
}

const char *starttls_port(const char *protocol)
{
	const struct starttls_protocol *p = find(protocol);

	return p != NULL ? p->port : "443";
}

int starttls_init(struct starttls *s, const char *protocol, const char *host)
{
	const struct starttls_protocol *p = find(protocol);
	size_t n = 0;

	if (p == NULL)
		return -ENOENT;
	*s = (struct starttls){.protocol = p};
	/* A name has no quotes; what is none must not leave its place in the XML. */
	for (; *host != '\0' && n < sizeof(s->host) - 1; host++)
		s->host[n++] = strchr("'\"<>&", *host) != NULL ? '?' : *host;
	return 0;
}

void starttls_done(struct starttls *s)
{
	str_done(&s->reply);
}

static void add_text(const struct starttls *s, const char *text, struct str *say)
{
	const char *mark = strstr(text, "%s");

	if (mark == NULL) {
		str_add(say, text);
		return;
	}
	str_addn(say, text, (size_t)(mark - text));
	str_add(say, s->host);
	str_add(say, mark + 2);
}

void starttls_begin(struct starttls *s, struct str *say)
{
	const struct starttls_protocol *p = s->protocol;

	if (p->begin_len > 0)
		str_addn(say, p->begin, p->begin_len);
	else if (p->begin != NULL)
		add_text(s, p->begin, say);
}

static void tell(const struct starttls *s, size_t len, const char *what, struct err *err)
{
	char shown[EXCERPT_SIZE];
	size_t n = len > 0 ? len : s->reply.len;

	while (n > 0 && (s->reply.data[n - 1] == '\n' || s->reply.data[n - 1] == '\r'))
		n--;
	(void)err_set(err, -EPROTO, "%s: %s", what, excerpt(str_text(&s->reply), n, shown));
}

enum starttls_result starttls_feed(struct starttls *s, const char *data, size_t len,
				   struct str *say, struct err *err)
{
	enum starttls_result result = STARTTLS_MORE;

	if (len > STARTTLS_REPLY_MAX - s->heard) {
		(void)err_set(err, -EPROTO, "no end of a reply after %d bytes", STARTTLS_REPLY_MAX);
		return STARTTLS_BROKEN;
	}
	s->heard += len;
	str_addn(&s->reply, data, len);
	while (s->reply.len > 0) {
		const struct step *step = step_of(s);
		size_t used = 0;

		result = step->judge(s, &used);
		if (result == STARTTLS_REFUSED)
			tell(s, used, "server refuses TLS", err);
		else if (result == STARTTLS_BROKEN)
			tell(s, used, "not an answer of this protocol", err);
		if (result != STARTTLS_READY)
			return result;
		str_drop_front(&s->reply, used);
		if (step->say == NULL)
			break;
		add_text(s, step->say, say);
		s->step++;
		result = STARTTLS_MORE;
	}
	if (result == STARTTLS_READY && s->reply.len > 0) {
		tell(s, 0, "plain text follows where TLS should begin", err);
		return STARTTLS_BROKEN;
	}
	return result;
}
