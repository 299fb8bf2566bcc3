/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "fixture.h"

struct tls_server {
	FILE *out;
	pid_t pid;
	char url[64];
};

static void tls_start(struct tls_server *s, const char *pem, const char *more)
{
	char command[512];
	char line[256];
	int port = 0;

	(void)snprintf(
		command, sizeof(command),
		"echo $$; exec openssl s_server -accept 127.0.0.1:0 -cert '%s/%s' -key '%s/%s'"
		" %s 2>&1",
		TEST_DIR, pem, TEST_DIR, pem, more);
	s->out = popen(command, "r");
	assert_non_null(s->out);
	assert_non_null(fgets(line, sizeof(line), s->out));
	s->pid = (pid_t)strtol(line, NULL, 10);
	while (port == 0 && fgets(line, sizeof(line), s->out) != NULL)
		(void)sscanf(line, "ACCEPT 127.0.0.1:%d", &port);
	assert_int_not_equal(port, 0);
	(void)snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%d/", port);
}

static void tls_stop(struct tls_server *s)
{
	assert_int_equal(kill(s->pid, SIGKILL), 0);
	(void)pclose(s->out);
}

static void test_a_trusted_certificate_shows_its_end(void **state)
{
	struct tls_server tls;
	struct seen seen;
	int64_t want;

	(void)state;
	tls_start(&tls, "tls_good.pem", "-www");
	seen = fetch((struct http_request){.url = tls.url, .ca_file = TEST_DIR "/tls_good.pem"});
	tls_stop(&tls);
	assert_reason(&seen, REASON_OK);
	assert_int_equal(clock_parse("2099-12-31T23:59:59Z", &want), 0);
	assert_true(seen.r.cert_expires_ms == want);
	assert_true(seen.r.tls_ms > seen.r.connect_ms);
	assert_true(str_starts(seen.tls_version, "TLSv1."));
	assert_string_not_equal(seen.cert_subject, "");
}

static void test_an_untrusted_certificate_is_tls_cert(void **state)
{
	struct tls_server tls;
	struct seen seen;

	(void)state;
	tls_start(&tls, "tls_good.pem", "-www");
	seen = fetch((struct http_request){.url = tls.url});
	assert_reason(&seen, REASON_TLS_CERT);
	seen = fetch((struct http_request){.url = tls.url, .skip_tls_verify = true});
	assert_reason(&seen, REASON_OK);
	tls_stop(&tls);
}

static void test_an_expired_certificate_is_tls_expired(void **state)
{
	struct tls_server tls;
	struct seen seen;

	(void)state;
	tls_start(&tls, "tls_expired.pem", "-www");
	seen = fetch((struct http_request){.url = tls.url, .ca_file = TEST_DIR "/tls_expired.pem"});
	tls_stop(&tls);
	assert_reason(&seen, REASON_TLS_EXPIRED);
}

static void test_a_missing_ca_file_is_a_config_error(void **state)
{
	struct tls_server tls;
	struct seen seen;

	(void)state;
	tls_start(&tls, "tls_good.pem", "-www");
	seen = fetch((struct http_request){.url = tls.url, .ca_file = TEST_DIR "/nosuch.pem"});
	tls_stop(&tls);
	assert_reason(&seen, REASON_CONFIG);
}

static void test_plain_text_on_a_tls_port_is_tls_failed(void **state)
{
	struct seen seen;
	char url[64];

	(void)state;
	server.answer = OK_HELLO;
	server.manner = ANSWER_AT_ONCE;
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
	seen = fetch((struct http_request){.url = url});
	assert_reason(&seen, REASON_TLS_FAILED);
}

static void test_a_version_that_the_server_has_not_is_tls_version(void **state)
{
	struct tls_server tls;
	struct seen seen;

	(void)state;
	tls_start(&tls, "tls_good.pem", "-tls1_2 -www");
	seen = fetch((struct http_request){
		.url = tls.url, .skip_tls_verify = true, .tls_min = HTTP_TLS_1_3});
	assert_reason(&seen, REASON_TLS_VERSION);
	seen = fetch((struct http_request){
		.url = tls.url, .skip_tls_verify = true, .tls_min = HTTP_TLS_1_2});
	tls_stop(&tls);
	assert_reason(&seen, REASON_OK);
	assert_string_equal(seen.tls_version, "TLSv1.2");
}

static void test_a_client_certificate_is_shown(void **state)
{
	struct tls_server tls;
	struct seen seen;

	(void)state;
	tls_start(&tls, "tls_good.pem", "-Verify 1 -CAfile '" TEST_DIR "/tls_good.pem' -www");
	seen = fetch((struct http_request){.url = tls.url, .skip_tls_verify = true});
	assert_reason(&seen, REASON_TLS_FAILED);
	seen = fetch((struct http_request){
		.url = tls.url, .skip_tls_verify = true, .client_cert = TEST_DIR "/tls_good.pem"});
	assert_reason(&seen, REASON_OK);
	seen = fetch((struct http_request){
		.url = tls.url, .skip_tls_verify = true, .client_cert = TEST_DIR "/nosuch.pem"});
	tls_stop(&tls);
	assert_reason(&seen, REASON_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_trusted_certificate_shows_its_end),
		TEST(an_untrusted_certificate_is_tls_cert),
		TEST(an_expired_certificate_is_tls_expired),
		TEST(a_missing_ca_file_is_a_config_error),
		TEST(plain_text_on_a_tls_port_is_tls_failed),
		TEST(a_version_that_the_server_has_not_is_tls_version),
		TEST(a_client_certificate_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
