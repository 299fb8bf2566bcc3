/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

int main(int argc, char **argv)
{
	return service_main(argc, argv, &recorder_service_ops);
}
