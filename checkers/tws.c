/* SPDX-License-Identifier: Apache-2.0 */
#include "tws.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_LEN 4

/* Read bytes are let go once there are so many of them, or all are read. */
#define COMPACT_BYTES 8192

void tws_feed(struct tws_reader *r, const void *data, size_t len)
{
	if (r->at > 0 && (r->at == r->bytes.len || r->at >= COMPACT_BYTES)) {
		size_t left = r->bytes.len - r->at;

		memmove(r->bytes.data, r->bytes.data + r->at, left);
		str_truncate(&r->bytes, left);
		r->at = 0;
	}
	str_addn(&r->bytes, data, len);
}

static size_t length_at(const unsigned char *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | (size_t)p[3];
}

static void split(const char *p, const char *end, struct tws_message *m)
{
	m->n = 0;
	while (p < end) {
		if (m->n < TWS_FIELDS_MAX)
			m->fields[m->n++] = p;
		p += strlen(p) + 1;
	}
}

int tws_next(struct tws_reader *r, struct tws_message *m_r, struct err *err)
{
	size_t left = r->bytes.len - r->at, len;
	const char *p;

	if (left < PREFIX_LEN)
		return 0;
	p = r->bytes.data + r->at;
	len = length_at((const unsigned char *)p);
	if (len == 0 || len > TWS_MESSAGE_MAX)
		return err_set(err, -EPROTO, "a message of %zu bytes was announced", len);
	if (left - PREFIX_LEN < len)
		return 0;
	p += PREFIX_LEN;
	if (p[len - 1] != '\0')
		return err_set(err, -EPROTO, "a message's last field does not end");
	split(p, p + len, m_r);
	r->at += PREFIX_LEN + len;
	return 1;
}

static void add_length(struct str *out, size_t len)
{
	for (size_t i = 0; i < PREFIX_LEN; i++)
		str_addc(out, (char)(len >> (8 * (PREFIX_LEN - 1 - i)) & 0xff));
}

void tws_hello(struct str *out)
{
	char range[32];
	int len = snprintf(range, sizeof(range), "v%d..%d", TWS_VERSION_MIN, TWS_VERSION_MAX);

	str_addn(out, "API", 4);
	add_length(out, (size_t)len);
	str_add(out, range);
}

void tws_encode(struct str *out, const char *const *fields, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += strlen(fields[i]) + 1;
	add_length(out, len);
	for (size_t i = 0; i < n; i++)
		str_addn(out, fields[i], strlen(fields[i]) + 1);
}

bool tws_number(const struct tws_message *m, size_t field, long min, long max, long *n_r)
{
	char *end;
	long n;

	if (field >= m->n || m->fields[field][0] == '\0')
		return false;
	errno = 0;
	n = strtol(m->fields[field], &end, 10);
	if (*end != '\0' || errno != 0 || n < min || n > max)
		return false;
	*n_r = n;
	return true;
}

enum tws_meaning tws_meaning(long code)
{
	static const struct {
		long code;
		enum tws_meaning meaning;
	} known[] = {
		{326, TWS_CLIENT_ID_USED}, {503, TWS_REFUSED},      {505, TWS_REFUSED},
		{506, TWS_REFUSED},        {507, TWS_REFUSED},      {1100, TWS_BROKER_LOST},
		{1101, TWS_BROKER_BACK},   {1102, TWS_BROKER_BACK}, {2103, TWS_FARM_BROKEN},
		{2104, TWS_FARM_OK},       {2105, TWS_FARM_BROKEN}, {2106, TWS_FARM_OK},
		{2107, TWS_FARM_OK},       {2108, TWS_FARM_OK},     {2110, TWS_BROKER_LOST},
		{2119, TWS_FARM_OK},       {2157, TWS_FARM_BROKEN}, {2158, TWS_FARM_OK},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].code == code)
			return known[i].meaning;
	}
	return TWS_NOTICE;
}
