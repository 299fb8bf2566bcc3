/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "proc/notify_socket.h"

/* "nobody" on every Linux. */
#define NOBODY 65534

struct fixture {
	uv_loop_t loop;
	struct notify_socket *socket;
	struct str heard; /* "READY=1;…" */
};

static void on_notify(void *ctx, const char *key, const char *value)
{
	struct fixture *f = ctx;

	str_addf(&f->heard, "%s=%s;", key, value);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	*state = f;
	return uv_loop_init(&f->loop);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int rc;

	notify_socket_close(f->socket);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	rc = uv_loop_close(&f->loop);
	str_done(&f->heard);
	free(f);
	return rc;
}

static void open_socket(struct fixture *f, const char *path)
{
	struct err err = {0};

	if (notify_socket_open(&f->loop, path, on_notify, f, &f->socket, &err) < 0)
		fail_msg("%s", err.text);
}

/* As sd_notify(3) does it, from a session of its own that is the expected one (or not). */
static void say(struct fixture *f, const char *text, uid_t uid, bool is_expected)
{
	const char *address = notify_socket_address(f->socket);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int go[2];
	pid_t pid;
	char byte = 0;

	assert_int_equal(pipe(go), 0);
	memcpy(addr.sun_path, address, strlen(address));
	if (address[0] == '@')
		addr.sun_path[0] = '\0';
	pid = fork();
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		(void)setsid();
		if (read(go[0], &byte, 1) != 1 || (uid != 0 && setuid(uid) < 0))
			_exit(1);
		if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&addr,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address))) <
		    0)
			_exit(2);
		/* A sender that is gone is nobody: stay until it was read. */
		_exit(read(go[0], &byte, 1) == 1 ? 0 : 3);
	}
	notify_socket_expect(f->socket, is_expected ? pid : pid + 1);
	assert_int_equal(write(go[1], &byte, 1), 1);
	(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(go[0]);
	(void)close(go[1]);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void a_child_is_heard(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/hale-notify-XXXXXX";

	assert_int_equal(close(mkstemp(path)), 0);
	open_socket(f, path);
	assert_string_equal(notify_socket_address(f->socket), path);
	say(f, "READY=1\nSTATUS=well", 0, true);
	assert_string_equal(str_text(&f->heard), "READY=1;STATUS=well;");
	notify_socket_close(TAKE_PTR(f->socket));
	assert_int_equal(access(path, F_OK), -1);
}

static void a_stranger_is_not(void **state)
{
	struct fixture *f = *state;

	open_socket(f, "@hale-test");
	say(f, "READY=1", 0, false);
	assert_string_equal(str_text(&f->heard), "");
}

static void another_user_can_reach_an_abstract_name(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	open_socket(f, "@hale-test");
	say(f, "READY=1", NOBODY, true);
	assert_string_equal(str_text(&f->heard), "READY=1;");
}

static void an_abstract_name_cannot_be_guessed(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *first = NULL;

	open_socket(f, "@hale-test");
	first = mem_dup(notify_socket_address(f->socket));
	assert_true(str_starts(first, "@hale-test-"));
	notify_socket_close(TAKE_PTR(f->socket));
	open_socket(f, "@hale-test");
	assert_string_not_equal(notify_socket_address(f->socket), first);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_child_is_heard),
		TEST(a_stranger_is_not),
		TEST(another_user_can_reach_an_abstract_name),
		TEST(an_abstract_name_cannot_be_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
