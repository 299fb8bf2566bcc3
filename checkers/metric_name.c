/* SPDX-License-Identifier: Apache-2.0 */
#include "metric_name.h"

#include <string.h>

bool metric_name_is_good(const char *name)
{
	return *name >= 'a' && *name <= 'z' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}
