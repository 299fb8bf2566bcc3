/* SPDX-License-Identifier: Apache-2.0 */
/* What databases and files hold as a time. What was read is written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	char written[CLOCK_TEXT_MAX];
	int64_t ms, again;

	str_addn(&text, (const char *)data, size);
	if (timestamp_parse(str_text(&text), &ms) != 0)
		return 0;
	(void)clock_format(ms, written);
	/* A zone may take it out of the years that can be written. */
	if (str_starts(written, "0000-00-00"))
		return 0;
	if (timestamp_parse_text(written, &again) != 0 || again != ms)
		abort();
	return 0;
}
