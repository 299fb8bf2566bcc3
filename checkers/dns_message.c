/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_message.h"

#include <ares.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define HEADER_LEN   12
#define QUESTION_LEN 4  /* type and class, behind the name */
#define RECORD_LEN   10 /* type, class, ttl and length, behind the name */

#define FLAG_AUTHORITATIVE 0x0400
#define FLAG_TRUNCATED     0x0200
#define FLAG_AUTHENTICATED 0x0020
#define FLAG_RESPONSE      0x8000

/* ares takes lengths as int. */
#define MESSAGE_MAX 65535

struct cursor {
	const uint8_t *all; /* the whole message: names point back into it */
	size_t len;
	size_t at;
};

static unsigned u16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t u32_at(const uint8_t *p)
{
	return (uint32_t)u16_at(p) << 16 | u16_at(p + 2);
}

static bool has(const struct cursor *c, size_t n)
{
	return c->len - c->at >= n;
}

/* Small letters, no last dot. False: not a name, or beyond `end`. */
static bool take_name(struct cursor *c, size_t end, struct str *out)
{
	char *name = NULL;
	long used = 0;

	if (c->at >= end ||
	    ares_expand_name(c->all + c->at, c->all, (int)c->len, &name, &used) != ARES_SUCCESS)
		return false;
	for (const char *p = name; *p != '\0'; p++)
		str_addc(out, (char)tolower((unsigned char)*p));
	ares_free_string(name);
	c->at += (size_t)used;
	return c->at <= end;
}

/* ---- The data of each type: appended as text; false if it is not what it should be ---- */

static bool read_address(struct cursor *c, size_t end, int family, struct str *out)
{
	char text[INET6_ADDRSTRLEN];

	if (end - c->at != (family == AF_INET ? 4 : 16) ||
	    inet_ntop(family, c->all + c->at, text, sizeof(text)) == NULL)
		return false;
	str_add(out, text);
	return true;
}

/* "10 mail.example.org", "0 5 5060 sip.example.org". */
static bool read_numbers_and_name(struct cursor *c, size_t end, int numbers, struct str *out)
{
	if (end - c->at < 2 * (size_t)numbers)
		return false;
	for (; numbers > 0; numbers--, c->at += 2)
		str_addf(out, "%u ", u16_at(c->all + c->at));
	return take_name(c, end, out);
}

static bool read_soa(struct cursor *c, size_t end, struct str *out, uint32_t *serial_r)
{
	if (!take_name(c, end, out))
		return false;
	str_addc(out, ' ');
	if (!take_name(c, end, out) || end - c->at != 20)
		return false;
	*serial_r = u32_at(c->all + c->at);
	for (int i = 0; i < 5; i++, c->at += 4)
		str_addf(out, " %u", u32_at(c->all + c->at));
	return true;
}

static bool read_texts(struct cursor *c, size_t end, struct str *out)
{
	while (c->at < end) {
		size_t n = c->all[c->at++];

		if (end - c->at < n)
			return false;
		str_addn(out, (const char *)c->all + c->at, n);
		c->at += n;
	}
	return true;
}

static bool read_caa(struct cursor *c, size_t end, struct str *out)
{
	size_t tag;

	if (end - c->at < 2)
		return false;
	str_addf(out, "%u ", c->all[c->at]);
	tag = c->all[c->at + 1];
	c->at += 2;
	if (tag == 0 || end - c->at < tag)
		return false;
	str_addn(out, (const char *)c->all + c->at, tag);
	str_addc(out, ' ');
	str_addn(out, (const char *)c->all + c->at + tag, end - c->at - tag);
	return true;
}

static bool read_data(struct cursor *c, size_t end, unsigned type, struct str *out,
		      uint32_t *serial_r)
{
	switch (type) {
	case DNS_A:
		return read_address(c, end, AF_INET, out);
	case DNS_AAAA:
		return read_address(c, end, AF_INET6, out);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return take_name(c, end, out);
	case DNS_MX:
		return read_numbers_and_name(c, end, 1, out);
	case DNS_SRV:
		return read_numbers_and_name(c, end, 3, out);
	case DNS_SOA:
		return read_soa(c, end, out, serial_r);
	case DNS_TXT:
		return read_texts(c, end, out);
	case DNS_CAA:
		return read_caa(c, end, out);
	default:
		str_addf(out, "TYPE%u", type);
		return true;
	}
}

/* ---- The message ---- */

static int read_record(struct cursor *c, struct dns_message *m, struct err *err)
{
	HALE_CLEANUP(str_done) struct str name = {0};
	HALE_CLEANUP(str_done) struct str raw = {0};
	struct dns_record r;
	size_t end, len;
	char *text;

	if (!take_name(c, c->len, &name) || !has(c, RECORD_LEN))
		return err_set(err, -EPROTO, "an answer is cut off");
	r.type = u16_at(c->all + c->at);
	r.ttl_seconds = u32_at(c->all + c->at + 4);
	len = u16_at(c->all + c->at + 8);
	c->at += RECORD_LEN;
	if (!has(c, len))
		return err_set(err, -EPROTO, "an answer is cut off");
	end = c->at + len;
	if (!read_data(c, end, r.type, &raw, &m->serial))
		return err_set(err, -EPROTO, "an answer of type %u is garbled", r.type);
	c->at = end;
	/* It goes into JSON and onto terminals. */
	text = mem_array(raw.len + 1, 4);
	(void)str_clean(text, (raw.len + 1) * 4, str_text(&raw));
	r.text = text;
	m->records = mem_grow(m->records, m->n + 1, sizeof(*m->records));
	m->records[m->n++] = r;
	return 0;
}

static int read_question(struct cursor *c, struct err *err)
{
	HALE_CLEANUP(str_done) struct str name = {0};

	if (!take_name(c, c->len, &name) || !has(c, QUESTION_LEN))
		return err_set(err, -EPROTO, "its question is cut off");
	c->at += QUESTION_LEN;
	return 0;
}

int dns_message_read(const uint8_t *data, size_t len, struct dns_message *m_r, struct err *err)
{
	struct cursor c = {.all = data, .len = len, .at = HEADER_LEN};
	struct dns_message m = {0};
	unsigned flags, questions;
	int rc = 0;

	if (len < HEADER_LEN || len > MESSAGE_MAX)
		return err_set(err, -EPROTO, "%zu bytes are no DNS message", len);
	flags = u16_at(data + 2);
	if ((flags & FLAG_RESPONSE) == 0)
		return err_set(err, -EPROTO, "this is a question");
	questions = u16_at(data + 4);
	m.answers = u16_at(data + 6);
	m.rcode = flags & 0xf;
	m.is_authoritative = (flags & FLAG_AUTHORITATIVE) != 0;
	m.is_truncated = (flags & FLAG_TRUNCATED) != 0;
	m.is_authenticated = (flags & FLAG_AUTHENTICATED) != 0;
	for (unsigned i = 0; rc == 0 && i < questions; i++)
		rc = read_question(&c, err);
	for (size_t i = 0; rc == 0 && i < m.answers && i < DNS_RECORDS_MAX; i++)
		rc = read_record(&c, &m, err);
	if (rc < 0) {
		dns_message_done(&m);
		return rc;
	}
	*m_r = m;
	return 0;
}

void dns_message_done(struct dns_message *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->records[i].text);
	free(m->records);
	*m = (struct dns_message){0};
}

/* ---- Comparing ---- */

static bool is_same_v6(const char *a, const char *b)
{
	unsigned char x[16], y[16];

	return inet_pton(AF_INET6, a, x) == 1 && inet_pton(AF_INET6, b, y) == 1 &&
	       memcmp(x, y, sizeof(x)) == 0;
}

bool dns_record_is(const struct dns_record *record, const char *wanted)
{
	size_t len = strlen(wanted);

	if (record->type == DNS_TXT)
		return strcmp(record->text, wanted) == 0;
	if (record->type == DNS_AAAA)
		return is_same_v6(record->text, wanted);
	if (strcasecmp(record->text, wanted) == 0)
		return true;
	if (len > 1 && wanted[len - 1] == '.')
		len--;
	return strncasecmp(record->text, wanted, len) == 0 && record->text[len] == '\0';
}

/* ---- Names ---- */

static const struct {
	const char *name;
	enum dns_type type;
} types[] = {
	{"A", DNS_A},     {"AAAA", DNS_AAAA}, {"CAA", DNS_CAA}, {"CNAME", DNS_CNAME},
	{"MX", DNS_MX},   {"NS", DNS_NS},     {"PTR", DNS_PTR}, {"SOA", DNS_SOA},
	{"SRV", DNS_SRV}, {"TXT", DNS_TXT},
};

enum dns_type dns_type_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	}
	return (enum dns_type)0;
}

const char *dns_type_name(unsigned type, char buf[16])
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if ((unsigned)types[i].type == type)
			return types[i].name;
	}
	(void)snprintf(buf, 16, "TYPE%u", type);
	return buf;
}

const char *dns_rcode_name(unsigned rcode, char buf[16])
{
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
					    "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
					    "NXRRSET", "NOTAUTH", "NOTZONE"};

	if (rcode < ARRAY_LEN(names))
		(void)snprintf(buf, 16, "%s", names[rcode]);
	else
		(void)snprintf(buf, 16, "RCODE%u", rcode);
	return buf;
}

int dns_reverse_name(const char *address, char **name_r)
{
	HALE_CLEANUP(str_done) struct str name = {0};
	unsigned char ip[16];

	if (inet_pton(AF_INET, address, ip) == 1) {
		for (int i = 3; i >= 0; i--)
			str_addf(&name, "%u.", ip[i]);
		str_add(&name, "in-addr.arpa");
	} else if (inet_pton(AF_INET6, address, ip) == 1) {
		for (int i = 15; i >= 0; i--)
			str_addf(&name, "%x.%x.", ip[i] & 0xf, ip[i] >> 4);
		str_add(&name, "ip6.arpa");
	} else {
		return -EINVAL;
	}
	*name_r = mem_dup(str_text(&name));
	return 0;
}
