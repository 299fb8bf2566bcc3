/* SPDX-License-Identifier: Apache-2.0 */
/* What Nagios plugins print. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "perfdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_item(void *ctx, const struct perfdata *p)
{
	size_t *n = ctx;

	if (!isfinite(p->value) || p->name[0] == '\0')
		abort();
	(*n)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	HALE_CLEANUP(str_done) struct str message = {0};
	HALE_CLEANUP(str_done) struct str more = {0};
	HALE_CLEANUP(str_done) struct str measurements = {0};
	size_t n = 0;

	str_addn(&text, (const char *)data, size);
	perfdata_split(str_text(&text), &message, &more, &measurements);
	(void)perfdata_parse(str_text(&measurements), on_item, &n);
	return 0;
}
