/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/notify.h"

struct listener {
	int fd;
	char name[64]; /* "@hale-test-…" */
};

/* An abstract socket: nothing is left behind, and names do not meet between processes. */
static void listen_here(struct listener *l)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(l->name, sizeof(l->name), "@hale-test-%d", (int)getpid());
	memcpy(address.sun_path, l->name, strlen(l->name));
	address.sun_path[0] = '\0';
	l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(
		bind(l->fd, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(l->name))),
		0);
	setenv("NOTIFY_SOCKET", l->name, 1);
}

static void expect(const struct listener *l, const char *message)
{
	char got[512] = "";
	ssize_t len = recv(l->fd, got, sizeof(got) - 1, 0);

	if (message == NULL)
		assert_int_equal(len, -1);
	else
		assert_string_equal(got, message);
}

static int clear_environment(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

static void without_a_socket_nothing_is_sent_and_nothing_fails(void **state)
{
	struct notify n;

	(void)state;
	assert_int_equal(notify_open(&n), 0);
	assert_int_equal(n.fd, -1);
	assert_int_equal(notify_send(&n, "READY=1"), 0);
	assert_int_equal(notify_status(&n, "fine"), 0);
	notify_close(&n);
}

static void messages_arrive_one_by_one(void **state)
{
	struct listener l;
	struct notify n;

	(void)state;
	listen_here(&l);
	assert_int_equal(notify_open(&n), 0);
	assert_int_equal(notify_send(&n, "READY=1"), 0);
	assert_int_equal(notify_status(&n, "12 checks"), 0);
	expect(&l, "READY=1");
	expect(&l, "STATUS=12 checks");
	notify_close(&n);
	close(l.fd);
}

static void an_equal_status_is_not_sent_again(void **state)
{
	struct listener l;
	struct notify n;

	(void)state;
	listen_here(&l);
	assert_int_equal(notify_open(&n), 0);
	notify_status(&n, "one");
	notify_status(&n, "one");
	notify_status(&n, "two");
	expect(&l, "STATUS=one");
	expect(&l, "STATUS=two");
	expect(&l, NULL);
	notify_close(&n);
	close(l.fd);
}

static void a_newline_in_a_status_begins_no_other_assignment(void **state)
{
	struct listener l;
	struct notify n;

	(void)state;
	listen_here(&l);
	assert_int_equal(notify_open(&n), 0);
	notify_status(&n, "evil\nMAINPID=1");
	expect(&l, "STATUS=evil MAINPID=1");
	notify_close(&n);
	close(l.fd);
}

static void a_socket_nobody_listens_on_is_an_error_once(void **state)
{
	struct notify n;

	(void)state;
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(notify_open(&n), -ENOENT);
	assert_int_equal(notify_send(&n, "READY=1"), 0);
	setenv("NOTIFY_SOCKET", "nonsense", 1);
	assert_int_equal(notify_open(&n), -EINVAL);
}

static void the_watchdog_is_only_for_the_process_it_names(void **state)
{
	struct listener l;
	struct notify n;
	char pid[16];

	(void)state;
	listen_here(&l);
	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_int_equal(notify_open(&n), 0);
	assert_true(n.watchdog_us == 3000000);
	notify_close(&n);

	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_open(&n), 0);
	assert_true(n.watchdog_us == 0);
	notify_close(&n);

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "3s", 1);
	assert_int_equal(notify_open(&n), 0);
	assert_true(n.watchdog_us == 0);
	notify_close(&n);
	close(l.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_a_socket_nothing_is_sent_and_nothing_fails,
				       clear_environment),
		cmocka_unit_test_setup(messages_arrive_one_by_one, clear_environment),
		cmocka_unit_test_setup(an_equal_status_is_not_sent_again, clear_environment),
		cmocka_unit_test_setup(a_newline_in_a_status_begins_no_other_assignment,
				       clear_environment),
		cmocka_unit_test_setup(a_socket_nobody_listens_on_is_an_error_once,
				       clear_environment),
		cmocka_unit_test_setup(the_watchdog_is_only_for_the_process_it_names,
				       clear_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
