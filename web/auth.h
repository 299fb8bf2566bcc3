/* SPDX-License-Identifier: Apache-2.0 */
/* auth - who may do what: roles in order, tokens compared in constant time
 *
 * viewer < operator < admin; `public` is everybody. Tokens come from the configuration.
 */
#ifndef HALE_WEB_AUTH_H
#define HALE_WEB_AUTH_H

#include "options.h"

enum role { ROLE_PUBLIC, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, ROLE_MAX };

/* Longer ones are not looked at: no token is that long, and hashing costs by the byte. */
#define AUTH_TOKEN_MAX 512

const char *role_name(enum role r);

/* The token of "Bearer TOKEN" (the scheme's case does not matter), or NULL. */
const char *auth_bearer(const char *authorization);
/* Role of the token, ROLE_PUBLIC if it is none of ours. The time taken tells nothing about how
 * much of it was right, or which one it was. name_r (may be NULL) is borrowed from the options. */
enum role auth_token(const struct web_options *o, const char *token, const char **name_r);

#endif
