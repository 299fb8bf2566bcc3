/* SPDX-License-Identifier: Apache-2.0 */
/* A rule and two values, a line each; the first letter of a value is its type. Whatever they are,
 * order plays no part, and everything equals itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "compare_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cell cell_of(const char *text)
{
	static const char letters[] = "0ntbu";
	const char *at = text[0] != '\0' ? strchr(letters, text[0]) : NULL;

	if (at == NULL || at == letters)
		return (struct cell){.type = CELL_NULL};
	return (struct cell){
		.type = (enum cell_type)(at - letters), .text = text + 1, .len = strlen(text + 1)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	struct compare_rule rule;
	char *lines[3] = {NULL}, *rest;
	struct cell a, b;
	struct err err;

	str_addn(&text, (const char *)data, size);
	str_addc(&text, '\0');
	rest = text.data;
	for (size_t i = 0; i < 3; i++)
		lines[i] = rest != NULL ? strsep(&rest, "\n") : NULL;
	if (lines[2] == NULL || compare_rule_parse(lines[0], &rule, &err) != 0)
		return 0;
	a = cell_of(lines[1]);
	b = cell_of(lines[2]);
	if (compare_values(&rule, &a, &b) != compare_values(&rule, &b, &a) ||
	    !compare_values(&rule, &a, &a) || !compare_values(&rule, &b, &b))
		abort();
	(void)cell_sign(&a);
	return 0;
}
