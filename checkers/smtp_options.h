/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_options - the options of the kind smtp
 *
 * Ownership: the texts are the options' own (conf_free).
 */
#ifndef HALE_CHECKERS_SMTP_OPTIONS_H
#define HALE_CHECKERS_SMTP_OPTIONS_H

#include "check.h"
#include "tls_options.h"

enum smtp_encryption {
	SMTP_ENCRYPT_NONE,
	SMTP_ENCRYPT_IF_OFFERED,
	SMTP_ENCRYPT_STARTTLS,
	SMTP_ENCRYPT_TLS
};

struct smtp_opts {
	char *address;
	char *encryption;
	struct tls_options tls;
	char *hello;
	char *username;
	char *password;
	char *auth;
	char *mail_from;
	struct strlist rcpt_to;
	char *expect_banner;
};

extern const struct conf_item smtp_items[];

void smtp_validate(const void *opts, service_problem_fn problem, void *ctx);
enum smtp_encryption smtp_encryption_of(const struct smtp_opts *o);
/* 465 where TLS begins at once, 25 otherwise. */
const char *smtp_default_port(const struct smtp_opts *o);

#endif
