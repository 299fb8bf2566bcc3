/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>

uint64_t hash_add(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

uint64_t hash_text(uint64_t h, const char *text)
{
	if (text == NULL)
		return hash_add(h, "\1", 1);
	return hash_add(h, text, strlen(text) + 1);
}

uint64_t hash_number(uint64_t h, uint64_t n)
{
	return hash_add(h, &n, sizeof(n));
}
