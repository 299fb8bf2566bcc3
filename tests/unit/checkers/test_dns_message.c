/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "dns_message.h"

#define BYTES(text) (text), sizeof(text) - 1

/* "a.b" in an answer with one record of this type and data; its name points at the question's. */
static int read_one(unsigned type, const char *data, size_t len, struct dns_message *m)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct err err = {0};

	str_addn(&out, BYTES("\0\1\x84\0\0\1\0\1\0\0\0\0\1a\1b\0\0\1\0\1\xc0\x0c"));
	str_addc(&out, (char)(type >> 8));
	str_addc(&out, (char)type);
	str_addn(&out, BYTES("\0\1\0\0\1\54"));
	str_addc(&out, (char)(len >> 8));
	str_addc(&out, (char)len);
	str_addn(&out, data, len);
	return dns_message_read((const uint8_t *)out.data, out.len, m, &err);
}

static void reads(unsigned type, const char *data, size_t len, const char *text)
{
	struct dns_message m = {0};

	assert_int_equal(read_one(type, data, len, &m), 0);
	assert_true(m.is_authoritative && !m.is_truncated && m.rcode == DNS_NOERROR);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.records[0].type, type);
	assert_int_equal(m.records[0].ttl_seconds, 300);
	assert_string_equal(m.records[0].text, text);
	dns_message_done(&m);
}

static void refuses(unsigned type, const char *data, size_t len)
{
	struct dns_message m = {0};

	assert_int_equal(read_one(type, data, len, &m), -EPROTO);
	assert_null(m.records);
}

static void records_read_as_zone_files_have_them(void **state)
{
	(void)state;
	reads(DNS_A, BYTES("\xc0\0\2\1"), "192.0.2.1");
	reads(DNS_AAAA, BYTES("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1");
	reads(DNS_CNAME, BYTES("\3WwW\xc0\x0c"), "www.a.b");
	reads(DNS_MX, BYTES("\0\12\4mail\xc0\x0c"), "10 mail.a.b");
	reads(DNS_SRV, BYTES("\0\1\0\2\x13\xc4\3sip\xc0\x0c"), "1 2 5060 sip.a.b");
	reads(DNS_TXT, BYTES("\5v=spf\4 -al"), "v=spf -al");
	reads(DNS_CAA, BYTES("\0\5issueca.org"), "0 issue ca.org");
	reads(DNS_SOA, BYTES("\2ns\xc0\x0c\4root\xc0\x0c\0\0\0\7\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"),
	      "ns.a.b root.a.b 7 1 2 3 4");
	reads(64, BYTES("\1\2\3"), "TYPE64");
}

static void garbled_records_are_refused(void **state)
{
	(void)state;
	refuses(DNS_A, BYTES("\xc0\0\2"));
	refuses(DNS_AAAA, BYTES("\xc0\0\2\1"));
	refuses(DNS_CNAME, BYTES("\77www"));
	refuses(DNS_MX, BYTES("\0"));
	refuses(DNS_SRV, BYTES("\0\1\0\2\x13"));
	refuses(DNS_TXT, BYTES("\11short"));
	refuses(DNS_CAA, BYTES("\0\77x"));
	refuses(DNS_SOA, BYTES("\xc0\x0c\xc0\x0c\0\0\0\7"));
	/* A name that points to itself. */
	refuses(DNS_CNAME, BYTES("\xc0\x20"));
}

static void what_is_no_answer_is_refused(void **state)
{
	struct dns_message m = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(dns_message_read((const uint8_t *)"", 0, &m, &err), -EPROTO);
	assert_int_equal(
		dns_message_read((const uint8_t *)"\0\1\1\0\0\0\0\0\0\0\0\0", 12, &m, &err),
		-EPROTO);
	assert_string_equal(err.text, "this is a question");
	assert_int_equal(
		dns_message_read((const uint8_t *)"\0\1\x80\3\0\0\0\0\0\0\0\0", 12, &m, &err), 0);
	assert_int_equal(m.rcode, DNS_NXDOMAIN);
	dns_message_done(&m);
}

static void reverses(const char *address, const char *name)
{
	HALE_CLEANUP(cleanup_free) char *made = NULL;

	assert_int_equal(dns_reverse_name(address, &made), 0);
	assert_string_equal(made, name);
}

static void an_address_has_a_name_to_ask_for(void **state)
{
	char *made = NULL;

	(void)state;
	reverses("192.0.2.1", "1.2.0.192.in-addr.arpa");
	reverses("2001:db8::567:89ab",
		 "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	assert_int_equal(dns_reverse_name("example.org", &made), -EINVAL);
}

static void codes_and_types_have_names(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(dns_rcode_name(3, buf), "NXDOMAIN");
	assert_string_equal(dns_rcode_name(12, buf), "RCODE12");
	assert_int_equal(dns_type_from_name("AAAA"), DNS_AAAA);
	assert_int_equal(dns_type_from_name("aaaa"), 0);
}

static bool is(unsigned type, char *text, const char *wanted)
{
	const struct dns_record record = {.type = type, .text = text};

	return dns_record_is(&record, wanted);
}

static void a_record_is_what_a_zone_file_says(void **state)
{
	char name[] = "10 mail.example.org", text[] = "v=DKIM1; p=MIGf.", v6[] = "2001:db8::1";
	char caa[] = "0 iodef mailto:a@b.org.";

	(void)state;
	assert_true(is(DNS_MX, name, "10 Mail.Example.org."));
	assert_false(is(DNS_MX, name, "10 mail.example"));
	assert_false(is(DNS_MX, name, ""));
	/* A key in other letters is another key, and a dot at the end belongs to the text. */
	assert_true(is(DNS_TXT, text, "v=DKIM1; p=MIGf."));
	assert_false(is(DNS_TXT, text, "v=DKIM1; p=migF."));
	assert_false(is(DNS_TXT, text, "v=DKIM1; p=MIGf"));
	assert_true(is(DNS_CAA, caa, "0 iodef mailto:a@b.org."));
	assert_true(is(DNS_AAAA, v6, "2001:DB8:0:0:0:0:0:1"));
	assert_false(is(DNS_AAAA, v6, "2001:db8::2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_read_as_zone_files_have_them),
		cmocka_unit_test(garbled_records_are_refused),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(a_record_is_what_a_zone_file_says),
		cmocka_unit_test(an_address_has_a_name_to_ask_for),
		cmocka_unit_test(codes_and_types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
