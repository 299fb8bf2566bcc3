/* SPDX-License-Identifier: Apache-2.0 */
/* options - the `web:` section of the configuration
 *
 * Without the section, or without `listen`, hale-web serves 127.0.0.1:5051 with public details:
 * whoever is on the machine may read, nobody may change anything without a token.
 *
 * Ownership: web_options_load fills a zeroed struct; web_options_done frees it.
 */
#ifndef HALE_WEB_OPTIONS_H
#define HALE_WEB_OPTIONS_H

#include "base/err.h"
#include "conf/option.h"

#include <jansson.h>
#include <stdbool.h>

#define WEB_DEFAULT_ADDRESS "127.0.0.1:5051"
#define WEB_DEFAULT_PREFIX  "hale"

struct web_listen {
	char *address;
	bool public_details;
};

struct web_token {
	char *name;
	char *token;
	char *role;
};

struct web_options {
	struct conf_vec listen; /* of struct web_listen; never empty once loaded */
	struct conf_vec tokens; /* of struct web_token */
	char *metrics_prefix;
	char *degraded_status; /* "200" or "503" */
	struct strlist origins;
};

extern const struct conf_item web_items[];

/* `section` may be NULL. -EINVAL names the option that is wrong. */
int web_options_load(const json_t *section, struct web_options *o_r, struct err *err);
void web_options_done(struct web_options *o);

#endif
