/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "sysinfo.h"

static const char stat_text[] = "cpu  100 10 40 800 50 0 0 0 7 0\n"
				"cpu0 50 5 20 400 25 0 0 0 0 0\n"
				"cpu1 50 5 20 400 25 0 0 0 7 0\n"
				"intr 12345 0 0\nctxt 1\nprocesses 99\n"
				"procs_running 3\nprocs_blocked 1\n";

static const char meminfo_text[] = "MemTotal:       1000 kB\nMemFree:         100 kB\n"
				   "MemAvailable:    600 kB\nBuffers:          50 kB\n"
				   "Cached:          200 kB\nSwapCached:       10 kB\n"
				   "SwapTotal:       400 kB\nSwapFree:        300 kB\n";

static const char net_text[] =
	"Inter-|   Receive                                                |  Transmit\n"
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
	"    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
	"  eth0: 1000 1 3 4 0 0 0 0 2000 1 5 6 0 0 0 0\n"
	"wlan0:10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n";

static void busy_is_all_but_idle_and_waiting(void **state)
{
	struct sysinfo_cpu cpu;

	(void)state;
	assert_int_equal(sysinfo_cpu_parse(stat_text, &cpu), 0);
	assert_int_equal(cpu.cores, 2);
	assert_int_equal(cpu.total, 1000);
	assert_int_equal(cpu.busy, 150);
	assert_int_equal(cpu.user, 110);
	assert_int_equal(cpu.system, 40);
	assert_int_equal(cpu.iowait, 50);
	assert_int_equal(cpu.steal, 0);
	assert_int_equal(cpu.running, 3);
	assert_int_equal(cpu.blocked, 1);
}

static void a_share_is_of_what_passed_between_samples(void **state)
{
	struct sysinfo_cpu a = {.busy = 100, .total = 1000};
	struct sysinfo_cpu b = {.busy = 150, .total = 1200};
	struct sysinfo_cpu less = {.busy = 90, .total = 1300};

	(void)state;
	assert_true(sysinfo_cpu_percent(&a, &b) == 25);
	assert_true(sysinfo_cpu_percent(&a, &a) == 0);
	assert_true(sysinfo_cpu_percent(&b, &a) == 0);
	assert_true(sysinfo_cpu_percent(&a, &less) == 0);
}

static void memory_counts_what_is_available(void **state)
{
	struct sysinfo_memory m;

	(void)state;
	assert_int_equal(sysinfo_memory_parse(meminfo_text, &m), 0);
	assert_int_equal(m.total_bytes, 1000 * 1024);
	assert_int_equal(m.available_bytes, 600 * 1024);
	assert_int_equal(m.swap_total_bytes, 400 * 1024);
	assert_int_equal(m.swap_free_bytes, 300 * 1024);
}

static void an_old_kernels_available_memory_is_guessed(void **state)
{
	struct sysinfo_memory m;

	(void)state;
	assert_int_equal(sysinfo_memory_parse("MemTotal: 1000 kB\nMemFree: 100 kB\n"
					      "Buffers: 50 kB\nCached: 200 kB\n",
					      &m),
			 0);
	assert_int_equal(m.available_bytes, 350 * 1024);
	assert_int_equal(m.swap_total_bytes, 0);
}

static void load_uptime_and_files_are_read(void **state)
{
	double load[3];
	double uptime;
	uint64_t open, max;

	(void)state;
	assert_int_equal(sysinfo_load_parse("0.20 1.50 12.00 2/345 6789\n", load), 0);
	assert_true(load[0] == 0.2 && load[1] == 1.5 && load[2] == 12);
	assert_int_equal(sysinfo_uptime_parse("12345.67 23456.78\n", &uptime), 0);
	assert_true(uptime == 12345.67);
	assert_int_equal(sysinfo_files_parse("1216\t16\t9223372036854775807\n", &open, &max), 0);
	assert_int_equal(open, 1200);
	assert_int_equal(max, INT64_MAX);
}

static void interfaces_add_up_without_lo(void **state)
{
	struct sysinfo_network n;

	(void)state;
	assert_int_equal(sysinfo_network_parse(net_text, NULL, &n), 0);
	assert_int_equal(n.rx_bytes, 1010);
	assert_int_equal(n.tx_bytes, 2020);
	assert_int_equal(n.errors, 18);
	assert_int_equal(sysinfo_network_parse(net_text, "wlan0", &n), 0);
	assert_int_equal(n.rx_bytes, 10);
	assert_int_equal(n.errors, 0);
	assert_int_equal(sysinfo_network_parse(net_text, "lo", &n), 0);
	assert_int_equal(n.rx_bytes, 999);
	assert_int_equal(sysinfo_network_parse(net_text, "eth", &n), -ENODEV);
}

static const char pressure_text[] = "some avg10=1.50 avg60=2.25 avg300=100.00 total=9228316384\n"
				    "full avg10=0.00 avg60=0.10 avg300=0.20 total=0\n";

static void pressure_is_some_and_full(void **state)
{
	struct sysinfo_pressure p;

	(void)state;
	assert_int_equal(sysinfo_pressure_parse(pressure_text, &p), 0);
	assert_true(p.some[0] == 1.5 && p.some[1] == 2.25 && p.some[2] == 100);
	assert_true(p.has_full && p.full[1] == 0.1);
	assert_int_equal(sysinfo_pressure_parse("some avg10=1 avg60=2 avg300=3 total=4\n", &p), 0);
	assert_false(p.has_full);
	assert_int_equal(sysinfo_pressure_parse("full avg10=1 avg60=2 avg300=3\n", &p), -EINVAL);
	assert_int_equal(sysinfo_pressure_parse("some avg10=nan avg60=2 avg300=3\n", &p), -EINVAL);
	assert_int_equal(sysinfo_pressure_parse("some avg10=101 avg60=2 avg300=3\n", &p), -EINVAL);
	assert_int_equal(sysinfo_pressure_parse("", &p), -EINVAL);
}

static const char tcp_text[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
	"   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
	"   1: 0100007F:95EF 0100007F:A4DE 06 00000000:00000000 03:0000048C 00000000     0\n"
	"   2: 0100007F:95F0 0100007F:A4DE 01 00000000:00000000 00:00000000 00000000     0\n"
	"1000: 00000000000000000000000001000000:95F0 00000000000000000000000001000000:A4DE 01 0:0\n"
	"   4: 0100007F:95F2 0100007F:A4DE 08 00000000:00000000 00:00000000 00000000     0\n";

static void connections_are_counted_by_state(void **state)
{
	struct sysinfo_tcp all = {0};

	(void)state;
	assert_int_equal(sysinfo_tcp_add(&all, tcp_text), strlen(tcp_text));
	assert_int_equal(all.states[SYSINFO_TCP_ESTABLISHED], 2);
	assert_int_equal(all.states[SYSINFO_TCP_LISTEN], 1);
	assert_int_equal(all.states[SYSINFO_TCP_TIME_WAIT], 1);
	assert_int_equal(all.states[SYSINFO_TCP_CLOSE_WAIT], 1);
	assert_int_equal(sysinfo_tcp_connections(&all), 4);
	/* Cut into two pieces anywhere, it is the same. */
	for (size_t cut = 0; cut <= strlen(tcp_text); cut++) {
		struct sysinfo_tcp two = {0};
		char text[sizeof(tcp_text)];
		size_t taken;

		memcpy(text, tcp_text, cut);
		text[cut] = '\0';
		taken = sysinfo_tcp_add(&two, text);
		assert_true(taken <= cut);
		(void)sysinfo_tcp_add(&two, tcp_text + taken);
		assert_memory_equal(&two, &all, sizeof(all));
	}
}

static void broken_texts_are_refused_and_change_nothing(void **state)
{
	struct sysinfo_cpu cpu = {.cores = 7};
	struct sysinfo_memory memory = {.total_bytes = 7};
	struct sysinfo_network network = {.rx_bytes = 7};
	double load[3] = {7, 7, 7};
	double uptime = 7;
	uint64_t open = 7, max = 7;

	(void)state;
	assert_int_equal(sysinfo_cpu_parse("", &cpu), -EINVAL);
	assert_int_equal(sysinfo_cpu_parse("cpu  1 2\ncpu0 1 2\n", &cpu), -EINVAL);
	assert_int_equal(sysinfo_cpu_parse("cpu  1 2 3 4\n", &cpu), -EINVAL);
	assert_int_equal(sysinfo_memory_parse("MemTotal: lots\n", &memory), -EINVAL);
	assert_int_equal(sysinfo_network_parse("eth0: 1 2 3\n", NULL, &network), -EINVAL);
	assert_int_equal(sysinfo_load_parse("0.1 0.2", load), -EINVAL);
	assert_int_equal(sysinfo_uptime_parse("up", &uptime), -EINVAL);
	assert_int_equal(sysinfo_files_parse("12 0", &open, &max), -EINVAL);
	assert_int_equal(sysinfo_files_parse("1 2 3", &open, &max), -EINVAL);
	assert_int_equal(cpu.cores, 7);
	assert_int_equal(memory.total_bytes, 7);
	assert_int_equal(network.rx_bytes, 7);
	assert_true(load[0] == 7 && uptime == 7 && open == 7);
}

/* Cut anywhere, a text is read or refused. */
static void any_prefix_is_read_or_refused(void **state)
{
	static const char *const texts[] = {stat_text, meminfo_text, net_text};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			struct sysinfo_cpu cpu;
			struct sysinfo_memory memory;
			struct sysinfo_network network;

			memcpy(text, texts[i], len);
			text[len] = '\0';
			if (sysinfo_cpu_parse(text, &cpu) == 0)
				assert_true(cpu.busy <= cpu.total && cpu.cores > 0);
			if (sysinfo_memory_parse(text, &memory) == 0)
				assert_true(memory.available_bytes <= memory.total_bytes);
			(void)sysinfo_network_parse(text, NULL, &network);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_is_all_but_idle_and_waiting),
		cmocka_unit_test(a_share_is_of_what_passed_between_samples),
		cmocka_unit_test(memory_counts_what_is_available),
		cmocka_unit_test(an_old_kernels_available_memory_is_guessed),
		cmocka_unit_test(load_uptime_and_files_are_read),
		cmocka_unit_test(interfaces_add_up_without_lo),
		cmocka_unit_test(pressure_is_some_and_full),
		cmocka_unit_test(connections_are_counted_by_state),
		cmocka_unit_test(broken_texts_are_refused_and_change_nothing),
		cmocka_unit_test(any_prefix_is_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
