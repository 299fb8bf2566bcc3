/* SPDX-License-Identifier: Apache-2.0 */
/* What a TWS or IB Gateway sends, arriving in pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* However it is cut, the same messages come out. */
static size_t read_all(const uint8_t *data, size_t size, size_t piece)
{
	struct tws_reader reader = {0};
	struct tws_message m;
	struct err err = {0};
	size_t messages = 0;
	long n;
	int rc = 0;

	for (size_t at = 0; at < size && rc >= 0; at += piece) {
		tws_feed(&reader, data + at, HALE_MIN(piece, size - at));
		while ((rc = tws_next(&reader, &m, &err)) > 0) {
			messages++;
			for (size_t i = 0; i < m.n; i++) {
				(void)strlen(m.fields[i]);
				(void)tws_number(&m, i, 0, 100000, &n);
			}
		}
	}
	str_done(&reader.bytes);
	return messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole = size > 0 ? read_all(data, size, size) : 0;

	if (size > 0 && (read_all(data, size, 1) != whole || read_all(data, size, 7) != whole))
		abort();
	return 0;
}
