/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "kind.h"

static void this_machine_is_measured(void **state)
{
	json_t *o = kind_ask("{}", 20000);

	(void)state;
	assert_string_equal(kind_text(o, "outcome"), "pass");
	assert_true(strncmp(kind_text(o, "message"), "cpu ", 4) == 0);
	assert_true(kind_metric(o, "cpu_percent") >= 0 && kind_metric(o, "cpu_percent") <= 100);
	assert_true(kind_metric(o, "cpu_cores") >= 1);
	assert_true(kind_metric(o, "memory_used_percent") > 0);
	assert_true(kind_metric(o, "memory_used_bytes") < kind_metric(o, "memory_total_bytes"));
	assert_true(kind_metric(o, "disk_used_bytes") <= kind_metric(o, "disk_total_bytes"));
	assert_true(kind_metric(o, "disk_used_percent") <= 100);
	assert_true(kind_metric(o, "processes") >= 1);
	assert_true(kind_metric(o, "uptime_seconds") > 0);
	assert_true(kind_metric(o, "open_files") > 0);
	assert_true(kind_metric(o, "load1") >= 0);
	assert_true(kind_metric(o, "swap_used_percent") >= 0);
	/* The first run takes its own earlier sample; the loop's time is in whole ms. */
	assert_true(json_number_value(json_object_get(o, "took_ms")) >= 98);
	json_decref(o);
}

static void a_run_right_after_another_measures_long_enough(void **state)
{
	json_t *o = kind_ask_twice("{}");

	(void)state;
	assert_true(json_number_value(json_object_get(o, "took_ms")) >= 98);
	assert_true(kind_metric(o, "network_rx_bytes_per_second") >= 0);
	json_decref(o);
}

static void write_proc(const char *dir, const char *name, const char *text)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(dir, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void another_proc_may_be_read(void **state)
{
	char dir[] = "/tmp/hale-test-proc-XXXXXX";
	HALE_CLEANUP(cleanup_free) char *options = NULL;
	HALE_CLEANUP(cleanup_free) char *removal = NULL;
	HALE_CLEANUP(cleanup_free) char *net = NULL;
	HALE_CLEANUP(cleanup_free) char *fs = NULL;
	HALE_CLEANUP(cleanup_free) char *one = NULL;
	json_t *o;

	(void)state;
	assert_non_null(mkdtemp(dir));
	net = path_join(dir, "self/net");
	fs = path_join(dir, "sys/fs");
	one = path_join(dir, "123");
	assert_int_equal(dir_make(net, 0755, NULL), 0);
	assert_int_equal(dir_make(fs, 0755, NULL), 0);
	assert_int_equal(dir_make(one, 0755, NULL), 0);
	write_proc(dir, "stat", "cpu  1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\n");
	write_proc(dir, "self/net/dev", "eth0: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n");
	write_proc(dir, "loadavg", "1.5 1 1 1/1 1\n");
	write_proc(dir, "meminfo", "MemTotal: 100 kB\nMemAvailable: 40 kB\n");
	write_proc(dir, "uptime", "5.5 1\n");
	write_proc(dir, "sys/fs/file-nr", "17 0 100\n");
	options = mem_printf("{\"proc\": \"%s\"}", dir);
	o = kind_ask(options, 20000);
	assert_true(kind_metric(o, "cpu_cores") == 1);
	assert_true(kind_metric(o, "load_per_core") == 1.5);
	assert_true(kind_metric(o, "memory_used_percent") == 60);
	assert_true(kind_metric(o, "processes") == 1);
	assert_true(kind_metric(o, "uptime_seconds") == 5.5);
	assert_true(kind_metric(o, "open_files") == 17);
	json_decref(o);
	removal = mem_printf("rm -r '%s'", dir);
	assert_int_equal(system(removal), 0);
}

static void a_path_that_is_not_there_is_a_config_error(void **state)
{
	(void)state;
	kind_expect("{\"path\": \"/nosuch\"}", "error", "config_error",
		    "/nosuch: No such file or directory");
}

static void a_proc_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	kind_expect("{\"proc\": \"/nosuch\"}", "error", "internal_error", NULL);
}

static void the_first_sample_can_be_cut_short(void **state)
{
	json_t *o = kind_ask("{}", 20);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "timeout");
	json_decref(o);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(this_machine_is_measured),
		TEST(a_run_right_after_another_measures_long_enough),
		TEST(another_proc_may_be_read),
		TEST(a_path_that_is_not_there_is_a_config_error),
		TEST(a_proc_that_is_not_there_is_an_error),
		TEST(the_first_sample_can_be_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
