/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/access.h"

#define OWN   1000
#define HALE  990
#define OTHER 1001

static void who_is_welcome(void **state)
{
	static const struct {
		struct bus_access access;
		uid_t peer;
		bool is_welcome;
	} table[] = {
		{{0600, (gid_t)-1, (uid_t)-1}, 0, true},
		{{0600, (gid_t)-1, (uid_t)-1}, OWN, true},
		{{0600, (gid_t)-1, (uid_t)-1}, OTHER, false},
		{{0600, (gid_t)-1, (uid_t)-1}, (uid_t)-1, false},
		{{0600, (gid_t)-1, HALE}, HALE, true},
		{{0600, (gid_t)-1, HALE}, OTHER, false},
		{{0640, 5, (uid_t)-1}, OTHER, false}, /* who may only read cannot connect */
		{{0660, 5, (uid_t)-1}, OTHER, true},  /* the kernel has looked at the group */
		{{0666, (gid_t)-1, (uid_t)-1}, OTHER, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (bus_access_lets(&table[i].access, table[i].peer, OWN) != table[i].is_welcome)
			fail_msg("row %zu", i);
	}
}

static void none_is_the_owner_alone(void **state)
{
	struct bus_access a = bus_access_of(NULL);

	(void)state;
	assert_int_equal(a.mode, 0600);
	assert_true(bus_access_lets(&a, OWN, OWN));
	assert_false(bus_access_lets(&a, OTHER, OWN));
}

static void a_dialer_believes_the_owner_of_the_file(void **state)
{
	char path[] = "/tmp/hale-access-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_true(bus_access_believes(path, 0, OWN));
	assert_true(bus_access_believes(path, OWN, OWN));
	assert_true(bus_access_believes(path, geteuid(), OTHER));
	assert_false(bus_access_believes(path, geteuid() + 7, OTHER));
	assert_int_equal(unlink(path), 0);
	assert_false(bus_access_believes(path, geteuid() + 7, OTHER));
	(void)close(fd);
}

static void mode_and_group_come_onto_the_file(void **state)
{
	char path[] = "/tmp/hale-access-XXXXXX";
	int fd = mkstemp(path);
	struct bus_access a = {.mode = 0660, .gid = getegid(), .uid = (uid_t)-1};
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bus_access_apply(&a, path), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bus_access_apply(&a, path), -ENOENT);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_welcome),
		cmocka_unit_test(none_is_the_owner_alone),
		cmocka_unit_test(a_dialer_believes_the_owner_of_the_file),
		cmocka_unit_test(mode_and_group_come_onto_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
