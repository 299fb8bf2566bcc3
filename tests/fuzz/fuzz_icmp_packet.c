/* SPDX-License-Identifier: Apache-2.0 */
/* What a socket for ICMP receives. */
#include <stdint.h>

#include "icmp_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct icmp_echo echo;

	(void)icmp_reply(false, true, data, size, &echo);
	(void)icmp_reply(false, false, data, size, &echo);
	(void)icmp_reply(true, false, data, size, &echo);
	return 0;
}
