/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_names.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static bool matches(const char *name, size_t len, const char *wanted)
{
	const char *rest;

	if (strlen(wanted) == len && strncasecmp(name, wanted, len) == 0)
		return true;
	if (len < 3 || strncmp(name, "*.", 2) != 0)
		return false;
	rest = strchr(wanted, '.');
	return rest != NULL && rest != wanted && strlen(rest) == len - 1 &&
	       strncasecmp(name + 1, rest, len - 1) == 0;
}

bool tls_names_have(const char *names, const char *wanted)
{
	while (*names != '\0') {
		size_t len = strcspn(names, ",");

		if (matches(names, len, wanted))
			return true;
		names += len;
		names += strspn(names, ", ");
	}
	return false;
}

bool tls_sha256_parse(const char *text, char hex[TLS_SHA256_SIZE])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ':' && n > 0 && n % 2 == 0)
			continue;
		if (!isxdigit((unsigned char)*text) || n == TLS_SHA256_SIZE - 1)
			return false;
		hex[n++] = (char)tolower((unsigned char)*text);
	}
	hex[n] = '\0';
	return n == TLS_SHA256_SIZE - 1;
}

bool tls_sha256_is_among(const char *hex, const struct strlist *texts)
{
	char one[TLS_SHA256_SIZE];

	for (size_t i = 0; i < texts->n; i++) {
		if (tls_sha256_parse(texts->v[i], one) && strcmp(one, hex) == 0)
			return true;
	}
	return false;
}
