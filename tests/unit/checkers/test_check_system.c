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

/* A folder with the files of a machine: /proc, and control groups beside it. */
struct machine {
	char dir[40];
	char *options; /* that point there */
};

static void put(const struct machine *m, const char *name, const char *text)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(m->dir, name);
	HALE_CLEANUP(cleanup_free)
	char *folder = mem_dupn(path, (size_t)(strrchr(path, '/') - path));

	assert_int_equal(dir_make(folder, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void machine_make(struct machine *m, const char *more_options)
{
	(void)strcpy(m->dir, "/tmp/hale-test-machine-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	put(m, "proc/stat",
	    "cpu  1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\ncpu1 1 2 3 4 5 6 7 8\n"
	    "procs_running 3\nprocs_blocked 2\n");
	put(m, "proc/self/net/dev", "eth0: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n");
	put(m, "proc/loadavg", "1.5 1 1 1/1 1\n");
	/* S4-49: 6.2 of 16 GB are 38.75 %. */
	put(m, "proc/meminfo",
	    "MemTotal: 16777216 kB\nMemAvailable: 10276045 kB\n"
	    "SwapTotal: 1000 kB\nSwapFree: 750 kB\n");
	put(m, "proc/uptime", "273906.5 1\n");
	put(m, "proc/sys/fs/file-nr", "17 0 100\n");
	put(m, "proc/123/x", "");
	m->options = mem_printf("{\"proc\": \"%s/proc\", \"cgroup\": \"%s/cgroup\"%s%s}", m->dir,
				m->dir, *more_options == '\0' ? "" : ", ", more_options);
}

static void machine_remove(struct machine *m)
{
	HALE_CLEANUP(cleanup_free) char *removal = mem_printf("rm -r '%s'", m->dir);

	assert_int_equal(system(removal), 0);
	free(m->options);
}

static double detail_number(const json_t *o, const char *detail, const char *name)
{
	const json_t *value =
		json_object_get(json_object_get(json_object_get(o, "details"), detail), name);

	assert_true(json_is_number(value));
	return json_number_value(value);
}

static bool has_metric(const json_t *o, const char *name)
{
	return json_object_get(json_object_get(o, "metrics"), name) != NULL;
}

static void another_proc_may_be_read(void **state)
{
	struct machine m;
	json_t *o;

	(void)state;
	machine_make(&m, "");
	o = kind_ask(m.options, 20000);
	assert_true(kind_metric(o, "cpu_cores") == 2);
	assert_true(kind_metric(o, "load_per_core") == 0.75);
	assert_true(kind_metric(o, "processes") == 1);
	assert_true(kind_metric(o, "processes_running") == 3);
	assert_true(kind_metric(o, "processes_blocked") == 2);
	assert_true(kind_metric(o, "open_files") == 17 &&
		    kind_metric(o, "open_files_percent") == 17);
	assert_true(kind_metric(o, "swap_used_bytes") == 250 * 1024);
	assert_true(kind_metric(o, "swap_used_percent") == 25);
	assert_true(kind_metric(o, "uptime_seconds") == 273906.5);
	assert_string_equal(kind_text(json_object_get(o, "details"), "uptime"), "3d4h");
	assert_string_equal(kind_text(json_object_get(o, "details"), "scope"), "host");
	/* What this machine has not is left out. */
	assert_false(has_metric(o, "network_connections"));
	assert_false(has_metric(o, "pressure_cpu_avg10"));
	json_decref(o);
	machine_remove(&m);
}

static void gigabytes_are_as_people_say_them(void **state)
{
	struct machine m;
	json_t *o;

	(void)state;
	machine_make(&m, "");
	o = kind_ask(m.options, 20000);
	assert_true(detail_number(o, "memory", "used_gb") == 6.2);
	assert_true(detail_number(o, "memory", "total_gb") == 16);
	assert_true(detail_number(o, "memory", "percent") == 38.75);
	assert_true(detail_number(o, "cpu", "cores") == 2);
	json_decref(o);
	machine_remove(&m);
}

static void connections_and_pressure_are_told_where_they_are(void **state)
{
	struct machine m;
	json_t *o;

	(void)state;
	machine_make(&m, "");
	put(&m, "proc/self/net/tcp",
	    "  sl  local rem st\n   0: 1:1 0:0 0A x\n   1: 1:1 0:0 01 x\n"
	    "   2: 1:1 0:0 08 x\n");
	put(&m, "proc/self/net/tcp6", "  sl  local rem st\n   0: 1:1 0:0 01 x\n");
	put(&m, "proc/pressure/io",
	    "some avg10=1.5 avg60=2 avg300=3 total=4\n"
	    "full avg10=0.5 avg60=1 avg300=2 total=4\n");
	o = kind_ask(m.options, 20000);
	assert_true(kind_metric(o, "network_connections") == 3);
	assert_true(kind_metric(o, "tcp_established") == 2);
	assert_true(kind_metric(o, "tcp_close_wait") == 1);
	assert_true(kind_metric(o, "tcp_listen") == 1);
	assert_true(kind_metric(o, "pressure_io_avg10") == 1.5);
	assert_true(kind_metric(o, "pressure_io_full_avg300") == 2);
	assert_false(has_metric(o, "pressure_memory_avg10"));
	json_decref(o);
	machine_remove(&m);
}

static void a_container_is_measured_against_its_limits(void **state)
{
	struct machine m;
	json_t *o;

	(void)state;
	machine_make(&m, "");
	put(&m, "cgroup/memory.max", "2147483648\n");
	put(&m, "cgroup/memory.current", "1610612736\n");
	put(&m, "cgroup/memory.stat", "anon 1\ninactive_file 536870912\n");
	put(&m, "cgroup/memory.swap.max", "0\n");
	put(&m, "cgroup/memory.swap.current", "0\n");
	put(&m, "cgroup/memory.pressure", "some avg10=9 avg60=9 avg300=9 total=9\n");
	put(&m, "cgroup/cpu.max", "50000 100000\n");
	put(&m, "cgroup/cpu.stat", "usage_usec 100\nnr_periods 10\nnr_throttled 5\n");
	o = kind_ask(m.options, 20000);
	assert_true(kind_metric(o, "memory_total_bytes") == 2147483648.0);
	assert_true(kind_metric(o, "memory_used_percent") == 50);
	assert_true(kind_metric(o, "cpu_cores") == 0.5);
	assert_true(kind_metric(o, "cpu_percent") == 0);
	assert_true(kind_metric(o, "cpu_throttled_percent") == 0);
	assert_true(kind_metric(o, "swap_total_bytes") == 0);
	assert_true(kind_metric(o, "pressure_memory_avg10") == 9);
	assert_string_equal(kind_text(json_object_get(o, "details"), "scope"), "cgroup");
	json_decref(o);
	machine_remove(&m);
	/* The older control groups, and a limit beyond what there is. */
	machine_make(&m, "");
	put(&m, "cgroup/memory/memory.limit_in_bytes", "1073741824\n");
	put(&m, "cgroup/memory/memory.usage_in_bytes", "268435456\n");
	put(&m, "cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 0\n");
	put(&m, "cgroup/cpu/cpu.cfs_quota_us", "800000\n");
	put(&m, "cgroup/cpu/cpu.cfs_period_us", "100000\n");
	put(&m, "cgroup/cpuacct/cpuacct.usage", "5000000\n");
	o = kind_ask(m.options, 20000);
	assert_true(kind_metric(o, "memory_used_percent") == 25);
	assert_true(kind_metric(o, "cpu_cores") == 2);
	assert_false(has_metric(o, "cpu_throttled_percent"));
	json_decref(o);
	machine_remove(&m);
}

static void the_scope_says_whose_limits_count(void **state)
{
	struct machine m;
	json_t *o;

	(void)state;
	machine_make(&m, "\"scope\": \"host\"");
	put(&m, "cgroup/memory.max", "2147483648\n");
	put(&m, "cgroup/memory.current", "0\n");
	o = kind_ask(m.options, 20000);
	assert_true(kind_metric(o, "memory_total_bytes") == 17179869184.0);
	json_decref(o);
	machine_remove(&m);
	/* One without limits is measured against the machine, if it was asked for. */
	machine_make(&m, "\"scope\": \"cgroup\"");
	put(&m, "cgroup/memory.max", "max\n");
	put(&m, "cgroup/memory.current", "1717986918\n");
	put(&m, "cgroup/cpu.stat", "usage_usec 100\n");
	o = kind_ask(m.options, 20000);
	assert_true(kind_metric(o, "memory_used_bytes") == 1717986918.0);
	assert_true(kind_metric(o, "memory_total_bytes") == 17179869184.0);
	assert_true(kind_metric(o, "cpu_cores") == 2);
	json_decref(o);
	machine_remove(&m);
	machine_make(&m, "\"scope\": \"cgroup\"");
	kind_expect(m.options, "error", "config_error", NULL);
	machine_remove(&m);
}

static void several_disks_and_interfaces_have_names(void **state)
{
	struct machine m;
	json_t *o;

	(void)state;
	machine_make(&m, "\"disks\": [\"/\", \"/dev/shm\"], \"interfaces\": [\"eth0\"]");
	o = kind_ask(m.options, 20000);
	assert_true(kind_metric(o, "disk_used_percent") ==
		    HALE_MAX(kind_metric(o, "disk_root_used_percent"),
			     kind_metric(o, "disk_dev_shm_used_percent")));
	assert_true(kind_metric(o, "disk_dev_shm_available_bytes") >= 0);
	assert_true(kind_metric(o, "network_eth0_rx_bytes_per_second") == 0);
	assert_true(kind_metric(o, "network_errors_per_second") == 0);
	json_decref(o);
	machine_remove(&m);
	machine_make(&m, "\"interfaces\": [\"nosuch0\"]");
	kind_expect(m.options, "error", "config_error", "there is no interface nosuch0");
	machine_remove(&m);
}

static void a_path_that_is_not_there_is_a_config_error(void **state)
{
	(void)state;
	kind_expect("{\"disks\": [\"/\", \"/nosuch\"]}", "error", "config_error",
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
		TEST(gigabytes_are_as_people_say_them),
		TEST(connections_and_pressure_are_told_where_they_are),
		TEST(a_container_is_measured_against_its_limits),
		TEST(the_scope_says_whose_limits_count),
		TEST(several_disks_and_interfaces_have_names),
		TEST(a_path_that_is_not_there_is_a_config_error),
		TEST(a_proc_that_is_not_there_is_an_error),
		TEST(the_first_sample_can_be_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
