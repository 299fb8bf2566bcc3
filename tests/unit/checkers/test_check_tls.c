/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "certs.h"
#include "kind.h"
#include "openssl.h"
#include "script.h"

#define NAMES "DNS:localhost,DNS:*.shop.test,IP:127.0.0.1"
#define DAY_S 86400L

/* Who signs, who signs for them, and where each is. */
static struct {
	struct cert root, middle;
	char root_path[64], own_path[64];
} pki;

static int setup_pki(void **state)
{
	(void)state;
	pki.root = cert_new(&(struct cert_spec){.name = "Root", .is_authority = true});
	pki.middle = cert_new(&(struct cert_spec){.name = "Middle",
						  .is_authority = true,
						  .issuer = &pki.root,
						  .begin_s = -DAY_S,
						  .end_s = 10 * DAY_S});
	(void)snprintf(pki.root_path, sizeof(pki.root_path), "check-tls-root-%d.pem",
		       (int)getpid());
	(void)snprintf(pki.own_path, sizeof(pki.own_path), "check-tls-own-%d.pem", (int)getpid());
	(void)cert_write(&pki.root, false, pki.root_path);
	return 0;
}

static int teardown_pki(void **state)
{
	(void)state;
	(void)unlink(pki.root_path);
	(void)unlink(pki.own_path);
	cert_free(&pki.root);
	cert_free(&pki.middle);
	return 0;
}

/* A server's certificate as it should be, signed by the middle one. */
static struct cert good_cert(void)
{
	return cert_new(&(struct cert_spec){.name = "server",
					    .alt_names = NAMES,
					    .issuer = &pki.middle,
					    .begin_s = -DAY_S,
					    .end_s = 30 * DAY_S});
}

static const struct script_dialogue dialogue = {.is_tls = true};

/* One run against a server of that context; options are what comes after the address. */
static json_t *ask_ctx(SSL_CTX *ctx, const char *options)
{
	int port = script_start(&dialogue, ctx, 0);
	char *text = mem_printf("{\"address\": \"127.0.0.1:%d\", \"ca\": \"%s\"%s%s}", port,
				pki.root_path, *options != '\0' ? ", " : "", options);
	json_t *o;

	script_behave(&(struct script_manner){0});
	o = kind_ask(text, 20000);
	free(text);
	script_stop();
	while (uv_run(&kind_loop, UV_RUN_DEFAULT) != 0)
		;
	return o;
}

static json_t *ask(const struct cert *cert, const struct cert *chain, const char *options)
{
	SSL_CTX *ctx = cert_server(cert, chain);
	json_t *o = ask_ctx(ctx, options);

	SSL_CTX_free(ctx);
	return o;
}

static const char *detail(const json_t *o, const char *name)
{
	return kind_text(json_object_get(o, "details"), name);
}

static void assert_verdict(json_t *o, const char *reason, const char *message)
{
	assert_string_equal(kind_text(o, "message"), message);
	assert_string_equal(kind_text(o, "reason"), reason);
	json_decref(o);
}

static void assert_near(double value, double expected)
{
	if (value < expected - 60 || value > expected + 60)
		fail_msg("%.0f is not about %.0f", value, expected);
}

/* Before all others: what is loaded stays. Whoever installs it then need not restart anything. */
static void a_missing_library_is_named(void **state)
{
	const char *library = openssl_library;
	struct cert cert = good_cert();
	json_t *o;

	(void)state;
	openssl_library = "libssl.so.99";
	o = ask(&cert, &pki.middle, "");
	openssl_library = library;
	assert_string_equal(kind_text(o, "reason"), "internal_error");
	assert_true(
		str_starts(kind_text(o, "message"), "TLS library libssl.so.99 cannot be loaded: "));
	assert_true(str_ends(kind_text(o, "message"), "; install libssl3"));
	json_decref(o);
	o = ask(&cert, &pki.middle, "");
	assert_string_equal(kind_text(o, "outcome"), "pass");
	json_decref(o);
	cert_free(&cert);
}

static void a_good_certificate_is_described(void **state)
{
	struct cert cert = good_cert();
	json_t *o = ask(&cert, &pki.middle, "");

	(void)state;
	assert_string_equal(kind_text(o, "message"),
			    "TLSv1.3, certificate is good for another 29d23h");
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_near(kind_metric(o, "cert_expires_seconds"), 30.0 * DAY_S);
	assert_near(kind_metric(o, "chain_expires_seconds"), 10.0 * DAY_S);
	assert_near(kind_metric(o, "cert_age_seconds"), DAY_S);
	assert_true(kind_metric(o, "tls_ms") > 0);
	assert_string_equal(detail(o, "subject"), "CN=server");
	assert_string_equal(detail(o, "issuer"), "CN=Middle");
	assert_string_equal(detail(o, "names"), "localhost, *.shop.test, 127.0.0.1");
	assert_string_equal(detail(o, "tls_version"), "TLSv1.3");
	assert_true(str_starts(detail(o, "cipher"), "TLS_"));
	assert_int_equal(strlen(detail(o, "sha256")), 64);
	assert_non_null(detail(o, "not_after"));
	assert_null(detail(o, "verify_error"));
	json_decref(o);
	cert_free(&cert);
}

static void a_server_must_send_its_chain(void **state)
{
	struct cert cert = good_cert();

	(void)state;
	assert_verdict(ask(&cert, NULL, ""), "tls_cert",
		       "certificate's issuer is neither trusted nor sent along: CN=Middle");
	cert_free(&cert);
}

/* All that can be told of it is told although it is refused. */
static void an_expired_certificate_is_described_too(void **state)
{
	struct cert cert = cert_new(&(struct cert_spec){.name = "server",
							.alt_names = NAMES,
							.issuer = &pki.root,
							.begin_s = -9 * DAY_S,
							.end_s = -3 * DAY_S - 60});
	json_t *o = ask(&cert, NULL, "");

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "tls_expired");
	assert_true(str_starts(kind_text(o, "message"), "certificate expired 3d ago, on 20"));
	assert_string_equal(detail(o, "verify_error"), kind_text(o, "message"));
	assert_string_equal(detail(o, "subject"), "CN=server");
	assert_near(kind_metric(o, "cert_expires_seconds"), -3.0 * DAY_S - 60);
	json_decref(o);
	cert_free(&cert);
}

static void what_is_refused_is_shown_without_verifying(void **state)
{
	struct cert cert = cert_new(&(struct cert_spec){.name = "alone", .alt_names = NAMES});

	(void)state;
	assert_verdict(ask(&cert, NULL, ""), "tls_cert", "certificate is self-signed");
	assert_verdict(ask(&cert, NULL, "\"verify\": false"), "ok",
		       "TLSv1.3, not verified: certificate is self-signed");
	cert_free(&cert);
}

static void a_certificate_may_be_too_young_or_anothers(void **state)
{
	struct cert young = cert_new(&(struct cert_spec){.name = "server",
							 .alt_names = NAMES,
							 .issuer = &pki.root,
							 .begin_s = DAY_S,
							 .end_s = 2 * DAY_S});
	struct cert cert = good_cert();
	json_t *o = ask(&young, NULL, "");

	(void)state;
	assert_true(str_starts(kind_text(o, "message"), "certificate is not valid before 20"));
	assert_string_equal(kind_text(o, "reason"), "tls_cert");
	json_decref(o);
	assert_verdict(ask(&cert, &pki.middle, "\"server_name\": \"other.test\""), "tls_cert",
		       "certificate is for localhost, *.shop.test, 127.0.0.1, not for other.test");
	assert_verdict(ask(&cert, &pki.middle, "\"server_name\": \"a.shop.test.\""), "ok",
		       "TLSv1.3, certificate is good for another 29d23h");
	cert_free(&young);
	cert_free(&cert);
}

static void expectations_are_held_against_it(void **state)
{
	struct cert cert = good_cert();
	json_t *o = ask(&cert, &pki.middle,
			"\"names\": [\"localhost\", \"b.shop.test\"], "
			"\"issuer\": \"Middle\"");
	char *options = mem_printf("\"fingerprints\": [\"%s\"]", detail(o, "sha256"));
	char *other;

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	json_decref(o);
	o = ask(&cert, &pki.middle, options);
	assert_string_equal(kind_text(o, "outcome"), "pass");
	other = mem_printf("another certificate: SHA-256 %s", detail(o, "sha256"));
	json_decref(o);
	assert_verdict(ask(&cert, &pki.middle,
			   "\"fingerprints\": [\"00112233445566778899aabbccddeeff"
			   "00112233445566778899aabbccddeeff\"]"),
		       "value_mismatch", other);
	assert_verdict(ask(&cert, &pki.middle, "\"names\": [\"c.test\"]"), "value_mismatch",
		       "certificate is not for c.test but for localhost, *.shop.test, 127.0.0.1");
	assert_verdict(ask(&cert, &pki.middle, "\"issuer\": \"Let's\""), "value_mismatch",
		       "issuer is not 'Let's' but CN=Middle");
	assert_verdict(ask(&cert, &pki.middle, "\"alpn\": \"h2\""), "value_mismatch",
		       "no agreement on h2");
	free(options);
	free(other);
	cert_free(&cert);
}

static void an_old_server_is_an_old_version(void **state)
{
	struct cert cert = good_cert();
	SSL_CTX *ctx = cert_server(&cert, &pki.middle);
	json_t *o;

	(void)state;
	SSL_CTX_set_security_level(ctx, 0);
	assert_true(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) == 1);
	assert_true(SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION) == 1);
	assert_verdict(ask_ctx(ctx, ""), "tls_version", "server does not speak TLS 1.2 or later");
	o = ask_ctx(ctx, "\"min_version\": \"any\"");
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_string_equal(detail(o, "tls_version"), "TLSv1.1");
	json_decref(o);
	assert_true(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1);
	assert_verdict(ask_ctx(ctx, "\"min_version\": \"1.3\""), "tls_version",
		       "server does not speak TLS 1.3");
	SSL_CTX_free(ctx);
	cert_free(&cert);
}

/* TLS 1.2: with 1.3 a server says only afterwards that it wants one. */
static void a_client_may_have_to_show_who_it_is(void **state)
{
	struct cert cert = good_cert();
	struct cert own = cert_new(&(struct cert_spec){.name = "hale", .issuer = &pki.root});
	SSL_CTX *ctx = cert_server(&cert, &pki.middle);
	char *options = mem_printf("\"cert\": \"%s\"", cert_write(&own, true, pki.own_path));

	(void)state;
	assert_true(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1);
	assert_true(SSL_CTX_load_verify_locations(ctx, pki.root_path, NULL) == 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	assert_verdict(ask_ctx(ctx, ""), "tls_failed", "TLS failed: sslv3 alert handshake failure");
	assert_verdict(ask_ctx(ctx, options), "ok",
		       "TLSv1.2, certificate is good for another 29d23h");
	free(options);
	SSL_CTX_free(ctx);
	cert_free(&cert);
	cert_free(&own);
}

static void files_that_do_not_work_are_configuration_errors(void **state)
{
	struct cert cert = good_cert();
	json_t *o = ask(&cert, NULL, "\"cert\": \"no-such-file.pem\"");

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "config_error");
	assert_true(str_starts(kind_text(o, "message"), "no-such-file.pem: no certificate: "));
	json_decref(o);
	cert_free(&cert);
}

static void assert_problem(const char *options, const char *problem)
{
	char *found = kind_problem(options);

	assert_string_equal(found, problem);
	free(found);
}

static void validation_reads_what_is_written(void **state)
{
	(void)state;
	assert_problem("{\"address\": \"a.org\"}", "");
	assert_problem("{\"address\": \"a.org:0\"}", "/address: '0' is not a port from 1 to 65535");
	assert_problem("{\"address\": \"a.org\", \"fingerprints\": [\"12\"]}",
		       "/fingerprints/0: is not a SHA-256: 64 hex digits");
	assert_problem("{\"address\": \"a.org\", \"key\": \"/k\"}",
		       "/key: is of no use without 'cert'");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_missing_library_is_named),
		TEST(a_good_certificate_is_described),
		TEST(a_server_must_send_its_chain),
		TEST(an_expired_certificate_is_described_too),
		TEST(what_is_refused_is_shown_without_verifying),
		TEST(a_certificate_may_be_too_young_or_anothers),
		TEST(expectations_are_held_against_it),
		TEST(an_old_server_is_an_old_version),
		TEST(a_client_may_have_to_show_who_it_is),
		TEST(files_that_do_not_work_are_configuration_errors),
		TEST(validation_reads_what_is_written),
	};

	return cmocka_run_group_tests(tests, setup_pki, teardown_pki);
}
