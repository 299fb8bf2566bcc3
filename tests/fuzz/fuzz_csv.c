/* SPDX-License-Identifier: Apache-2.0 */
/* Files that somebody exports. What was read is written with quotes and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each field in quotes; NUL ends what is known of it here, as it does for its users. */
static bool write_record(void *ctx, const struct csv_field *fields, size_t n, size_t line)
{
	struct str *out = ctx;

	if (n == 0 || n > CSV_FIELDS_MAX || line == 0)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (fields[i].text[fields[i].len] != '\0')
			abort();
		str_add(out, i > 0 ? ",\"" : "\"");
		for (size_t k = 0; k < fields[i].len; k++) {
			str_addc(out, fields[i].text[k]);
			if (fields[i].text[k] == '"')
				str_addc(out, '"');
		}
		str_addc(out, '"');
	}
	str_addc(out, '\n');
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str once = {0};
	HALE_CLEANUP(str_done) struct str twice = {0};
	struct err err;

	if (csv_parse((const char *)data, size, ',', write_record, &once, &err) != 0)
		return 0;
	if (csv_parse(str_text(&once), once.len, ',', write_record, &twice, &err) != 0)
		abort();
	if (once.len != twice.len || memcmp(str_text(&once), str_text(&twice), once.len) != 0)
		abort();
	return 0;
}
