/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp_options.h"

#include <string.h>

#include "address.h"
#include "base/cleanup.h"

const struct conf_item smtp_items[] = {
	CONF_STR(
		struct smtp_opts, address,
		.flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_CONNECT | CONF_F_TARGET,
		.help = "host, host:port, [IPv6 address]:port or unix:/path; port 25 unless given, "
			"465 with `encryption: tls`"),
	CONF_ENUM(struct smtp_opts, encryption, .def = "if_offered",
		  .choices = "none|if_offered|starttls|tls",
		  .help = "`starttls`: must be offered; `tls`: from the first byte on (port 465)"),
	CONF_MAP(struct smtp_opts, tls, tls_options_items, .def = "{}",
		 .help = "TLS, where it is spoken"),
	CONF_STR(struct smtp_opts, hello, .flags = CONF_F_NONEMPTY,
		 .help = "Name to introduce ourselves by; default: this machine's"),
	CONF_STR(struct smtp_opts, username, .flags = CONF_F_NONEMPTY, .help = "Login"),
	CONF_STR(struct smtp_opts, password, .flags = CONF_F_SECRET | CONF_F_NONEMPTY,
		 .help = "Its password; not sent unencrypted, unless `encryption: none` says so"),
	CONF_ENUM(struct smtp_opts, auth, .def = "any", .choices = "any|plain|login",
		  .help = "How to log in; any: by what the server offers"),
	CONF_STR(struct smtp_opts, mail_from,
		 .help = "Sender to ask the server to accept; \"\" is the sender of bounces"),
	CONF_LIST(struct smtp_opts, rcpt_to,
		  .help = "Recipients to ask the server to accept; nothing is sent to them"),
	CONF_STR(struct smtp_opts, expect_banner, .flags = CONF_F_NONEMPTY,
		 .help = "Text that the banner must contain"),
	CONF_END,
};

enum smtp_encryption smtp_encryption_of(const struct smtp_opts *o)
{
	static const char *const names[] = {"none", "if_offered", "starttls", "tls"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(o->encryption, names[i]) == 0)
			return (enum smtp_encryption)i;
	}
	return SMTP_ENCRYPT_IF_OFFERED;
}

const char *smtp_default_port(const struct smtp_opts *o)
{
	return smtp_encryption_of(o) == SMTP_ENCRYPT_TLS ? "465" : "25";
}

/* What would end a command's line or its brackets. */
static bool is_mailbox(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '<' || *p == '>')
			return false;
	}
	return true;
}

void smtp_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct smtp_opts *o = opts;
	struct address address;
	struct err err;

	if (address_parse_or(o->address, smtp_default_port(o), &address, &err) != 0)
		problem(ctx, "/address", err.text);
	tls_options_validate(&o->tls, "/tls", problem, ctx);
	if (!o->tls.enabled && smtp_encryption_of(o) != SMTP_ENCRYPT_NONE)
		problem(ctx, "/tls/enabled", "write 'encryption: none' to go without TLS");
	if ((o->username == NULL) != (o->password == NULL))
		problem(ctx, o->username == NULL ? "/password" : "/username",
			"'username' and 'password' go together");
	if (o->hello != NULL && !is_mailbox(o->hello))
		problem(ctx, "/hello", "is a name, without blanks");
	if (o->mail_from != NULL && !is_mailbox(o->mail_from))
		problem(ctx, "/mail_from", "is an address without blanks and brackets");
	if (o->rcpt_to.n > 0 && o->mail_from == NULL)
		problem(ctx, "/rcpt_to", "needs 'mail_from' before it");
	for (size_t i = 0; i < o->rcpt_to.n; i++) {
		if (*o->rcpt_to.v[i] == '\0' || !is_mailbox(o->rcpt_to.v[i]))
			problem(ctx, "/rcpt_to", "is an address without blanks and brackets");
	}
}
