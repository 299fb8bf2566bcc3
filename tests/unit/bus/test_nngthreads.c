/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "bus/nngthreads.h"
#include "bus/sub.h"

static void on_frame(void *ctx, const struct frame *frame)
{
	(void)ctx;
	(void)frame;
}

static bool is_named(const char *task, const char *name)
{
	char path[300], text[64] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	(void)fclose(f);
	return strncmp(text, name, strlen(name)) == 0;
}

static unsigned threads_named(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += is_named(entry->d_name, name);
	(void)closedir(dir);
	return n;
}

/* Threads say their names themselves; but for nng's poller, the test and one of TSan's all do. */
static bool are_all_named(void *ctx)
{
	(void)ctx;
	return threads_named("nng:task") >= 2 && threads_named("test_") <= 3;
}

static void two_task_threads_however_many_processors(void **state)
{
	struct harness h;
	struct err err = {0};
	struct sub *sub;

	(void)state;
	harness_open(&h);
	assert_int_equal(sub_dial(&h.loop, h.path, on_frame, NULL, &sub, &err), 0);
	harness_until(&h, are_all_named, NULL);
	assert_int_equal(threads_named("nng:task"), 2);
	h.closing++;
	sub_close(sub, harness_closed, &h);
	harness_close(&h);
}

static void everybody_else_hears_how_many_there_are(void **state)
{
	(void)state;
	assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), get_nprocs());
	assert_int_equal(sysconf(_SC_PAGESIZE), getpagesize());
	nngthreads_begin();
	assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), 1);
	assert_int_equal(sysconf(_SC_PAGESIZE), getpagesize());
	nngthreads_end();
	assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), get_nprocs());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_task_threads_however_many_processors),
		cmocka_unit_test(everybody_else_hears_how_many_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, harness_finish);
}
