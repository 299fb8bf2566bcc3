/* SPDX-License-Identifier: Apache-2.0 */
#include "../db/pg_server.h"
#include "store_fixture.h"

static struct pg_server server;

int store_start_server(void **state)
{
	(void)state;
	pg_server_start(&server);
	return 0;
}

int store_stop_server(void **state)
{
	(void)state;
	pg_server_stop(&server);
	return 0;
}

int store_setup_postgres(void **state)
{
	struct fixture *f;

	assert_int_equal(store_setup(state), 0);
	f = *state;
	f->is_postgres = true;
	f->options.sqlite.path = NULL;
	f->options.postgres.dsn = server.conninfo;
	return 0;
}
