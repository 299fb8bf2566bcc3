/* SPDX-License-Identifier: Apache-2.0 */
/* What a name server answers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_message m = {0};
	struct err err = {0};
	char rcode[16];

	if (dns_message_read(data, size, &m, &err) < 0) {
		if (m.records != NULL || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (m.n > DNS_RECORDS_MAX || m.n > m.answers || dns_rcode_name(m.rcode, rcode)[0] == '\0')
		abort();
	for (size_t i = 0; i < m.n; i++)
		(void)strlen(m.records[i].text);
	dns_message_done(&m);
	return 0;
}
