/* SPDX-License-Identifier: Apache-2.0 */
#include "notifier.h"

int main(int argc, char **argv)
{
	return service_main(argc, argv, &notifier_service);
}
