/* SPDX-License-Identifier: Apache-2.0 */
/* What servers write into headers about limits and dates: lines "name: value". */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "http_limits.h"

#define NOW_MS INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_line(json_t *headers, char *line)
{
	char *colon = strchr(line, ':');

	if (colon == NULL)
		return;
	*colon = '\0';
	/* As common/http has it: what is not UTF-8 does not come here. */
	(void)json_object_set_new(headers, line, json_string(colon + 1 + strspn(colon + 1, " ")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	json_t *headers = json_object();
	struct rate_limit limit;
	int64_t at_ms;
	char *rest;

	str_addn(&text, (const char *)data, size);
	str_addc(&text, '\n');
	(void)http_date_parse(str_text(&text), &at_ms);
	for (char *line = strtok_r(text.data, "\r\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\r\n", &rest)) {
		(void)http_date_parse(line, &at_ms);
		add_line(headers, line);
	}
	if (http_rate_limit(headers, NOW_MS, &limit) &&
	    ((isnan(limit.limit) && isnan(limit.remaining)) || isinf(limit.limit) ||
	     isinf(limit.remaining) || limit.used_percent < 0 || limit.used_percent > 100 ||
	     limit.reset_seconds < 0))
		abort();
	json_decref(headers);
	return 0;
}
