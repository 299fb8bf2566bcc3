/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/finish.h"

#include <nng/nng.h>

void bus_finish(void)
{
	nng_fini();
}
