/* SPDX-License-Identifier: Apache-2.0 */
#include "auth.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static const char *const role_names[ROLE_MAX] = {
	[ROLE_PUBLIC] = "public",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
};

const char *role_name(enum role r)
{
	HALE_ASSERT((unsigned)r < ROLE_MAX);
	return role_names[r];
}

static enum role role_from_name(const char *name)
{
	for (enum role r = ROLE_VIEWER; r < ROLE_MAX; r++)
		if (str_eq(name, role_names[r]))
			return r;
	return ROLE_PUBLIC;
}

const char *auth_bearer(const char *authorization)
{
	static const char scheme[] = "Bearer ";
	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1))
		return NULL;
	authorization += sizeof(scheme) - 1;
	while (*authorization == ' ')
		authorization++;
	return *authorization ? authorization : NULL;
}

/* Digests have one length, so comparing them in constant time hides the token's length too. */
static void digest(const char *token, unsigned char out[crypto_generichash_BYTES])
{
	crypto_generichash(out, crypto_generichash_BYTES, (const unsigned char *)token,
			   strlen(token), NULL, 0);
}

enum role auth_token(const struct web_options *o, const char *token, const char **name_r)
{
	if (!token || strnlen(token, AUTH_TOKEN_MAX + 1) > AUTH_TOKEN_MAX)
		return ROLE_PUBLIC;
	unsigned char given[crypto_generichash_BYTES], ours[crypto_generichash_BYTES];
	digest(token, given);
	const struct web_token *tokens = o->tokens.v;
	const struct web_token *found = NULL;
	for (size_t i = 0; i < o->tokens.n; i++) {
		digest(tokens[i].token, ours);
		if (sodium_memcmp(given, ours, sizeof(ours)) == 0)
			found = &tokens[i];
	}
	if (!found)
		return ROLE_PUBLIC;
	if (name_r)
		*name_r = found->name;
	return role_from_name(found->role);
}
