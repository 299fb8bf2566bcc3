/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "starttls.h"

/* A dialogue: what the server says at once, and all that we are to have said then. */
struct row {
	const char *protocol;
	const char *heard;
	size_t heard_len; /* 0: a text */
	enum starttls_result result;
	const char *said;  /* NULL: does not matter */
	const char *error; /* begins so; NULL: none */
};

#define EHLO "EHLO hale\r\n"
#define TLS  "STARTTLS\r\n"

static const struct row rows[] = {
	{"smtp", "220 a ESMTP\r\n", 0, STARTTLS_MORE, EHLO, NULL},
	{"smtp", "220-a\r\n220 b\r\n250-x\r\n250-STARTTLS\r\n250 y\r\n220 go\r\n", 0,
	 STARTTLS_READY, EHLO TLS, NULL},
	{"smtp", "220 a\n250\n220 go\n", 0, STARTTLS_READY, EHLO TLS, NULL},
	{"smtp", "220 a\r\n250 b\r\n454 not now\r\n", 0, STARTTLS_REFUSED, EHLO TLS,
	 "server refuses TLS: 454 not now"},
	{"smtp", "554 go away\r\n", 0, STARTTLS_REFUSED, "", "server refuses TLS: 554 go away"},
	{"smtp", "SSH-2.0-OpenSSH\r\n", 0, STARTTLS_BROKEN, "",
	 "not an answer of this protocol: SSH-2.0-OpenSSH"},
	{"smtp", "22\r\n", 0, STARTTLS_BROKEN, "", "not an answer of this protocol: 22"},
	{"smtp", "220 a\r\n250 b\r\n220 go\r\n250 injected\r\n", 0, STARTTLS_BROKEN, NULL,
	 "plain text follows where TLS should begin: 250 injected"},
	{"imap", "* OK ready\r\na OK begin\r\n", 0, STARTTLS_READY, "a STARTTLS\r\n", NULL},
	{"imap", "* OK ready\r\n* CAPABILITY x\r\na BAD no\r\n", 0, STARTTLS_REFUSED, NULL,
	 "server refuses TLS: * CAPABILITY x  a BAD no"},
	{"imap", "* BYE full\r\n", 0, STARTTLS_REFUSED, "", "server refuses TLS: * BYE full"},
	{"imap", "+OK pop\r\n", 0, STARTTLS_BROKEN, "", "not an answer of this protocol: +OK pop"},
	{"pop3", "+OK\r\n+OK go\r\n", 0, STARTTLS_READY, "STLS\r\n", NULL},
	{"pop3", "+OK\r\n-ERR no\r\n", 0, STARTTLS_REFUSED, "STLS\r\n",
	 "server refuses TLS: -ERR no"},
	{"pop3", "* OK\r\n", 0, STARTTLS_BROKEN, "", NULL},
	{"ftp", "220-hello\r\n any thing\r\n220 ftp\r\n234 go\r\n", 0, STARTTLS_READY,
	 "AUTH TLS\r\n", NULL},
	{"ftp", "220 ftp\r\n530 log in\r\n", 0, STARTTLS_REFUSED, "AUTH TLS\r\n", NULL},
	{"xmpp", "<?xml version='1.0'?><stream:stream id='1'><stream:features>", 0, STARTTLS_MORE,
	 NULL, NULL},
	{"xmpp",
	 "<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	 "</stream:features><proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
	 0, STARTTLS_READY, NULL, NULL},
	{"xmpp", "<stream:stream><stream:features></stream:features>", 0, STARTTLS_REFUSED, NULL,
	 "server refuses TLS: <stream:stream>"},
	{"xmpp", "<stream:error/>", 0, STARTTLS_REFUSED, NULL, "server refuses TLS: "},
	{"xmpp", "HTTP/1.1 400", 0, STARTTLS_BROKEN, NULL, NULL},
	{"xmpp", "<a\0b", 4, STARTTLS_BROKEN, NULL, NULL},
	{"ldap", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 14, STARTTLS_READY,
	 NULL, NULL},
	{"ldap", "\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 18,
	 STARTTLS_READY, NULL, NULL},
	{"ldap", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00", 14, STARTTLS_REFUSED,
	 NULL, NULL},
	{"ldap", "\x30\x84\x00\x00", 4, STARTTLS_MORE, NULL, NULL},
	{"ldap", "\x30\x84\xff\xff\xff\xff", 6, STARTTLS_BROKEN, NULL, NULL},
	{"ldap", "\x30\x80", 2, STARTTLS_BROKEN, NULL, NULL},
	{"ldap", "\x30\x04\x02\x01\x01\x78", 6, STARTTLS_BROKEN, NULL, NULL},
	{"ldap", "x", 1, STARTTLS_BROKEN, NULL, NULL},
	{"postgres", "S", 1, STARTTLS_READY, NULL, NULL},
	{"postgres", "N", 1, STARTTLS_REFUSED, NULL, "server refuses TLS: N"},
	{"postgres", "SS", 2, STARTTLS_BROKEN, NULL, "plain text follows"},
	{"postgres", "H", 1, STARTTLS_BROKEN, NULL, NULL},
};

static enum starttls_result feed(const struct row *r, size_t piece, struct str *said,
				 struct err *err)
{
	size_t len = r->heard_len > 0 ? r->heard_len : strlen(r->heard);
	enum starttls_result result = STARTTLS_MORE;
	struct starttls s;

	assert_int_equal(starttls_init(&s, r->protocol, "a.test"), 0);
	for (size_t at = 0; at < len && result == STARTTLS_MORE; at += piece)
		result = starttls_feed(&s, r->heard + at, piece < len - at ? piece : len - at, said,
				       err);
	starttls_done(&s);
	return result;
}

static void assert_row(const struct row *r, size_t piece)
{
	struct str said = {0};
	struct err err = {0};
	enum starttls_result result = feed(r, piece, &said, &err);

	if (result != r->result)
		fail_msg("%s '%s': %d (%s)", r->protocol, r->heard, (int)result, err.text);
	if (r->said != NULL)
		assert_string_equal(str_text(&said), r->said);
	if (r->error != NULL && !str_starts(err.text, r->error))
		fail_msg("%s '%s': %s", r->protocol, r->heard, err.text);
	str_done(&said);
}

static void dialogues_end_as_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_row(&rows[i], 100000);
}

/* What follows the last reply cannot be known when that came alone. */
static void pieces_make_no_difference(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].error == NULL || !str_starts(rows[i].error, "plain text follows"))
			assert_row(&rows[i], 1);
	}
}

/* Two replies at once: of the second as much is shown as it has, and not as the first had. */
static void a_reply_that_is_none_is_shown_as_it_came(void **state)
{
	static const char heard[] = "220 a.very.long.name.of.a.server.example.org\r\nxyz\r\n";
	struct str said = {0};
	struct starttls s;
	struct err err = {0};

	(void)state;
	assert_int_equal(starttls_init(&s, "smtp", "a.test"), 0);
	assert_int_equal(starttls_feed(&s, heard, sizeof(heard) - 1, &said, &err), STARTTLS_BROKEN);
	assert_string_equal(err.text, "not an answer of this protocol: xyz");
	starttls_done(&s);
	str_done(&said);
}

static void the_client_begins_where_the_server_is_silent(void **state)
{
	struct str say = {0};
	struct starttls s;

	(void)state;
	assert_int_equal(starttls_init(&s, "smtp", "a"), 0);
	starttls_begin(&s, &say);
	assert_int_equal(say.len, 0);
	assert_int_equal(starttls_init(&s, "postgres", "a"), 0);
	starttls_begin(&s, &say);
	assert_int_equal(say.len, 8);
	assert_memory_equal(say.data, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
	str_clear(&say);
	assert_int_equal(starttls_init(&s, "ldap", "a"), 0);
	starttls_begin(&s, &say);
	assert_int_equal(say.len, 31);
	assert_int_equal(say.data[1], 31 - 2);
	str_clear(&say);
	assert_int_equal(starttls_init(&s, "xmpp", "a'b"), 0);
	starttls_begin(&s, &say);
	assert_non_null(strstr(str_text(&say), " to='a?b' "));
	str_done(&say);
}

static void a_reply_without_end_is_cut_off(void **state)
{
	char piece[1000];
	struct str say = {0};
	struct starttls s;
	struct err err = {0};
	int fed = 0;

	(void)state;
	memset(piece, '2', sizeof(piece));
	assert_int_equal(starttls_init(&s, "smtp", "a"), 0);
	while (starttls_feed(&s, piece, sizeof(piece), &say, &err) == STARTTLS_MORE)
		fed++;
	assert_int_equal(fed, STARTTLS_REPLY_MAX / 1000);
	assert_string_equal(err.text, "no end of a reply after 16384 bytes");
	starttls_done(&s);
	str_done(&say);
}

static void other_protocols_are_unknown(void **state)
{
	struct starttls s;

	(void)state;
	assert_int_equal(starttls_init(&s, "none", "a"), -ENOENT);
	assert_string_equal(starttls_port("none"), "443");
	assert_string_equal(starttls_port("smtp"), "25");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_end_as_they_should),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(a_reply_that_is_none_is_shown_as_it_came),
		cmocka_unit_test(the_client_begins_where_the_server_is_silent),
		cmocka_unit_test(a_reply_without_end_is_cut_off),
		cmocka_unit_test(other_protocols_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
