/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
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

/* A directory with a bound socket in it, and the socket's fd. */
static int make_socket(char *dir, struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_non_null(mkdtemp(dir));
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/s", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
	return fd;
}

static void mode_group_and_owner_come_onto_the_socket(void **state)
{
	char dir[] = "/tmp/hale-access-XXXXXX";
	struct sockaddr_un addr;
	int fd = make_socket(dir, &addr);
	struct bus_access a = {.mode = 0660, .gid = getegid(), .uid = (uid_t)-1};
	struct stat st;

	(void)state;
	assert_int_equal(bus_access_apply(&a, addr.sun_path), 0);
	assert_int_equal(stat(addr.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	if (geteuid() == 0) {
		a = (struct bus_access){.mode = 0600, .gid = 7, .uid = 8};
		assert_int_equal(bus_access_apply(&a, addr.sun_path), 0);
		assert_int_equal(stat(addr.sun_path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_int_equal(st.st_gid, 7);
		assert_int_equal(st.st_uid, 8);
		/* Not ours any more. */
		assert_int_equal(bus_access_apply(&a, addr.sun_path), -EPERM);
	}
	assert_int_equal(unlink(addr.sun_path), 0);
	assert_int_equal(bus_access_apply(&a, addr.sun_path), -ENOENT);
	(void)close(fd);
	assert_int_equal(rmdir(dir), 0);
}

/* Somebody who may write to the directory put something else in the socket's place. */
static void nothing_but_the_socket_itself_is_touched(void **state)
{
	char dir[] = "/tmp/hale-access-XXXXXX", link[64], file[64];
	struct sockaddr_un addr;
	int fd = make_socket(dir, &addr);
	const struct bus_access a = {.mode = 0666, .gid = (gid_t)-1, .uid = (uid_t)-1};
	struct stat st;
	int other;

	(void)state;
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	other = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(other >= 0);
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(bus_access_apply(&a, link), -EPERM);
	assert_int_equal(bus_access_apply(&a, file), -EPERM);
	assert_int_equal(fstat(other, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	(void)close(other);
	(void)close(fd);
	(void)unlink(link);
	(void)unlink(file);
	(void)unlink(addr.sun_path);
	assert_int_equal(rmdir(dir), 0);
}

static void a_socket_is_as_open_as_its_directory(void **state)
{
	static const struct {
		mode_t dir, socket;
	} cases[] = {{0700, 0600}, {0755, 0600}, {0750, 0660}, {02750, 0660}, {0770, 0660},
		     {0710, 0600}, {0751, 0600}, {0777, 0600}, {0500, 0600}};
	char dir[] = "/tmp/hale-access-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bus_access a;

		assert_int_equal(chmod(dir, cases[i].dir), 0);
		a = bus_access_within(dir);
		assert_int_equal(a.mode, cases[i].socket);
		assert_int_equal(a.gid, a.mode == 0660 ? getegid() : (gid_t)-1);
		assert_int_equal(a.uid, (uid_t)-1);
		assert_int_equal(bus_access_private(&a).mode, 0600);
	}
	if (geteuid() == 0) {
		assert_int_equal(chown(dir, 8, 7), 0);
		assert_int_equal(bus_access_within(dir).uid, 8);
		assert_int_equal(bus_access_private(&(struct bus_access){.uid = 8}).uid, 8);
	}
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(bus_access_within(dir).mode, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_welcome),
		cmocka_unit_test(none_is_the_owner_alone),
		cmocka_unit_test(a_dialer_believes_the_owner_of_the_file),
		cmocka_unit_test(mode_group_and_owner_come_onto_the_socket),
		cmocka_unit_test(nothing_but_the_socket_itself_is_touched),
		cmocka_unit_test(a_socket_is_as_open_as_its_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
