/* SPDX-License-Identifier: Apache-2.0 */
#include "hale_web.h"
#include "routes.h"

#include <stdio.h>
#include <string.h>

/* The table of docs/api.md, for the test that compares the two. */
static int print_routes(void)
{
	json_t *table = routes_describe();
	int rc = json_dumpf(table, stdout, JSON_INDENT(2));
	json_decref(table);
	putchar('\n');
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--routes") == 0)
		return print_routes();
	return service_main(argc, argv, &hale_web_service);
}
