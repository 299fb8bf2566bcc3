/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "redis_info.h"

static json_t *metrics;
static struct redis_info info;

static void on_metric(void *ctx, const char *name, double value)
{
	(void)ctx;
	assert_null(json_object_get(metrics, name)); /* each at most once */
	json_object_set_new(metrics, name, json_real(value));
}

static void parse(const char *text, int64_t db)
{
	json_decref(metrics);
	metrics = json_object();
	redis_info_parse(text, strlen(text), db, 1700000100000, on_metric, NULL, &info);
}

static double metric(const char *name)
{
	const json_t *value = json_object_get(metrics, name);

	return value == NULL ? NAN : json_number_value(value);
}

static void a_master_tells_of_itself(void **state)
{
	(void)state;
	parse("# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:33\r\n\r\n# Clients\r\n"
	      "connected_clients:5\r\nmaxclients:20\r\n# Memory\r\nused_memory:500\r\n"
	      "maxmemory:1000\r\n# Persistence\r\nloading:0\r\nrdb_last_save_time:1700000000\r\n"
	      "rdb_last_bgsave_status:err\r\n# Stats\r\nkeyspace_hits:3\r\nkeyspace_misses:1\r\n"
	      "instantaneous_ops_per_sec:9\r\n# Replication\r\nrole:master\r\n"
	      "slave0:ip=127.0.0.1,port=1,state=online,offset=100,lag=1\r\n"
	      "slave1:ip=127.0.0.1,port=2,state=online,offset=60,lag=7\r\n"
	      "master_repl_offset:140\r\n# Keyspace\r\ndb0:keys=4,expires=0,avg_ttl=0\r\n",
	      0);
	assert_string_equal(info.version, "7.0.15");
	assert_string_equal(info.role, "master");
	assert_false(info.is_loading);
	assert_true(metric("memory_percent") == 50);
	assert_true(metric("clients_percent") == 25);
	assert_true(metric("hit_percent") == 75);
	assert_true(metric("keys") == 4);
	assert_true(metric("ops_per_second") == 9);
	assert_true(metric("rdb_last_save_ok") == 0);
	assert_true(metric("rdb_last_save_age_seconds") == 100);
	assert_true(metric("replication_lag_bytes") == 80);
	assert_true(metric("replication_lag_seconds") == 7);
	assert_true(isnan(metric("master_link_up")));
}

static void a_replica_tells_of_its_link(void **state)
{
	(void)state;
	parse("redis_version:6.2.0\nrole:slave\nmaster_host:10.0.0.1\nmaster_port:6379\n"
	      "master_link_status:down\nmaster_last_io_seconds_ago:-1\n"
	      "master_link_down_since_seconds:12\nmaster_repl_offset:5\nmaxmemory:0\n"
	      "used_memory:500\n",
	      0);
	assert_string_equal(info.role, "replica");
	assert_string_equal(info.master, "10.0.0.1:6379");
	assert_string_equal(info.link, "down");
	assert_true(info.link_down_seconds == 12);
	assert_true(metric("master_link_up") == 0);
	assert_true(isnan(metric("master_last_io_seconds")));
	assert_true(isnan(metric("memory_percent")));
	assert_true(isnan(metric("maxmemory_bytes")));
	assert_true(isnan(metric("replication_lag_bytes")));
	assert_true(isnan(metric("keys")));
}

static void one_that_loads_tells_how_far_it_is(void **state)
{
	(void)state;
	parse("loading:1\r\nloading_loaded_perc:42.5\r\nloading_eta_seconds:13\r\n", 0);
	assert_true(info.is_loading);
	assert_true(info.loaded_percent == 42.5);
	assert_true(info.loading_eta_seconds == 13);
}

static void a_database_without_keys_has_none(void **state)
{
	(void)state;
	parse("# Keyspace\r\ndb0:keys=4,expires=0\r\n", 3);
	assert_true(metric("keys") == 0);
	parse("# Keyspace\r\ndb1:keys=4\r\ndb10:keys=7\r\n", 1);
	assert_true(metric("keys") == 4);
}

static void what_makes_no_sense_is_left_out(void **state)
{
	(void)state;
	parse("used_memory:a lot\r\nconnected_clients:nan\r\nuptime_in_seconds:0x10\r\nrole\r\n"
	      ":\r\nslave0:offset=,lag\r\nmaxclients:-1\r\nrole:\x01\xff\r\n",
	      0);
	assert_int_equal(json_object_size(metrics), 0);
	assert_string_equal(info.role, " ?");
}

static int teardown(void **state)
{
	(void)state;
	json_decref(metrics);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_master_tells_of_itself),
		cmocka_unit_test(a_replica_tells_of_its_link),
		cmocka_unit_test(one_that_loads_tells_how_far_it_is),
		cmocka_unit_test(a_database_without_keys_has_none),
		cmocka_unit_test(what_makes_no_sense_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
