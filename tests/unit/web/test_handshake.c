/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/strlist.h"
#include "base/sha1.h"
#include "ws.h"

static void expect_sha1(const void *data, size_t len, const char *want)
{
	uint8_t digest[SHA1_BYTES];
	char hex[2 * SHA1_BYTES + 1];
	sha1(data, len, digest);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	assert_string_equal(hex, want);
}

/* The examples published with FIPS 180. */
static void sha1_gives_the_known_answers(void **state)
{
	(void)state;
	expect_sha1("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	expect_sha1("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	expect_sha1(two_blocks, sizeof(two_blocks) - 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	char *million = malloc(1000000);
	assert_non_null(million);
	memset(million, 'a', 1000000);
	expect_sha1(million, 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
	free(million);
}

/* Lengths around the padding's edges, from `printf a… | sha1sum`. */
static void sha1_pads_right_at_the_edges(void **state)
{
	(void)state;
	static const struct {
		size_t n;
		const char *want;
	} rows[] = {
		{55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
		{56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
		{63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
		{64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
		{65, "11655326c708d70319be2610e8a57d9a5b959d3b"},
	};
	char text[80];
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_sha1(text, rows[i].n, rows[i].want);
}

/* RFC 6455 section 1.3. */
static void the_accept_key_is_the_standards_example(void **state)
{
	(void)state;
	char out[WS_ACCEPT_SIZE];
	assert_int_equal(ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", out), 0);
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void keys_that_are_not_sixteen_bytes_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {"",
					   "dGhlIHNhbXBsZQ==",
					   "dGhlIHNhbXBsZSBub25jZSE=",
					   "!!!!IHNhbXBsZSBub25jZQ==",
					   "dGhlIHNhbXBsZSBub25jZQ",
					   NULL};
	char out[WS_ACCEPT_SIZE];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(ws_accept_key(rows[i], out), -EINVAL);
}

static void tokens_are_found_in_header_lists(void **state)
{
	(void)state;
	assert_true(ws_header_has("Upgrade", "upgrade"));
	assert_true(ws_header_has("keep-alive, Upgrade", "Upgrade"));
	assert_true(ws_header_has("keep-alive ,  UPGRADE ", "Upgrade"));
	assert_false(ws_header_has("keep-alive", "Upgrade"));
	assert_false(ws_header_has("Upgraded", "Upgrade"));
	assert_false(ws_header_has(NULL, "Upgrade"));
	assert_false(ws_header_has("", "Upgrade"));
}

static void pages_of_other_sites_may_not_open_the_stream(void **state)
{
	(void)state;
	struct strlist origins = {0};
	strlist_add(&origins, "https://ops.example.com");
	assert_true(ws_origin_allowed("http://127.0.0.1:5051", "127.0.0.1:5051", &origins));
	assert_true(ws_origin_allowed("https://ops.example.com", "127.0.0.1:5051", &origins));
	assert_false(ws_origin_allowed("http://127.0.0.1:8080", "127.0.0.1:5051", &origins));
	assert_false(ws_origin_allowed("https://evil.example", "127.0.0.1:5051", &origins));
	assert_false(ws_origin_allowed("null", "127.0.0.1:5051", &origins));
	strlist_done(&origins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha1_gives_the_known_answers),
		cmocka_unit_test(sha1_pads_right_at_the_edges),
		cmocka_unit_test(the_accept_key_is_the_standards_example),
		cmocka_unit_test(keys_that_are_not_sixteen_bytes_are_refused),
		cmocka_unit_test(tokens_are_found_in_header_lists),
		cmocka_unit_test(pages_of_other_sites_may_not_open_the_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
