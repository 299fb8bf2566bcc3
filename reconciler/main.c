/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler.h"

int main(int argc, char **argv)
{
	return service_main(argc, argv, &reconciler_service);
}
