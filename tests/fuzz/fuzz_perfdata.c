/* SPDX-License-Identifier: Apache-2.0 */
/* What Nagios plugins print: text, measurements and their ranges. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "nagios_range.h"
#include "perfdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_range(const char *text, double value)
{
	HALE_CLEANUP(str_done) struct str words = {0};
	struct nagios_range range;

	if (nagios_range_parse(text, &range) != 0)
		return;
	if (range.from > range.to)
		abort();
	(void)nagios_range_alerts(&range, value);
	nagios_range_describe(&range, &words);
}

static void on_item(void *ctx, const struct perfdata *p)
{
	size_t *n = ctx;

	if (!isfinite(p->value) || p->name[0] == '\0')
		abort();
	try_range(p->warning, p->printed);
	try_range(p->critical, p->printed);
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
