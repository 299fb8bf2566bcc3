/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus/handshake.h"
#include "bus/pub.h"
#include "bus/sub.h"

struct fixture {
	struct harness h;
	struct sub *sub;
	unsigned frames;
	bool closes_in_callback;
	bool is_only_sync;
};

static void on_frame(void *ctx, const struct frame *frame)
{
	struct fixture *f = ctx;

	f->is_only_sync =
		strcmp(frame->topic, TOPIC_SYNC) == 0 && (f->frames == 0 || f->is_only_sync);
	f->frames++;
	assert_true(frame->count > 0);
	if (f->closes_in_callback) {
		f->h.closing++;
		sub_close(f->sub, harness_closed, &f->h);
		f->sub = NULL;
	}
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	harness_open(&f.h);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->sub != NULL) {
		f->h.closing++;
		sub_close(f->sub, harness_closed, &f->h);
	}
	harness_close(&f->h);
	return 0;
}

static nng_socket foreign_publisher(const char *path)
{
	char url[128];
	nng_socket s;

	(void)snprintf(url, sizeof(url), "ipc://%s", path);
	assert_int_equal(nng_pub0_open(&s), 0);
	assert_int_equal(nng_dial(s, url, NULL, 0), 0);
	return s;
}

static void foreign_send(nng_socket s, const char *text)
{
	assert_int_equal(nng_send(s, (void *)(uintptr_t)text, strlen(text), 0), 0);
}

static bool has_frame(void *ctx)
{
	struct fixture *f = ctx;

	return f->frames > 0;
}

static void garbage_is_counted_and_dropped(void **state)
{
	struct fixture *f = *state;
	nng_socket s;

	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	s = foreign_publisher(f->h.path);
	foreign_send(s, "");
	foreign_send(s, "hello");
	foreign_send(s, "observation a:1 1 2\n{}\n");
	foreign_send(s, "observation a:1 1 1 v2\n{}\n");
	foreign_send(s, "observation a:1 1 1\n{}\n");
	harness_until(&f->h, has_frame, f);
	assert_int_equal(f->frames, 1);
	assert_int_equal(sub_stats_get(f->sub)->garbage, 3);
	assert_int_equal(sub_stats_get(f->sub)->unknown, 1);
	assert_int_equal(sub_stats_get(f->sub)->lines, 1);
	assert_int_equal(sub_stats_get(f->sub)->refused, 0);
	(void)nng_close(s);
}

static void a_sub_may_be_closed_from_its_own_callback(void **state)
{
	struct fixture *f = *state;
	nng_socket s;

	f->closes_in_callback = true;
	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	s = foreign_publisher(f->h.path);
	for (int i = 0; i < 5; i++)
		foreign_send(s, "observation a:1 1 1\n{}\n");
	harness_until(&f->h, has_frame, f);
	harness_until_closed(&f->h);
	assert_int_equal(f->frames, 1);
	(void)nng_close(s);
}

static void the_socket_is_for_its_owner_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	assert_int_equal(stat(f->h.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_group_may_be_let_in(void **state)
{
	struct fixture *f = *state;
	const struct bus_access access = {.mode = 0660, .gid = getegid(), .uid = (uid_t)-1};
	struct stat st;

	assert_int_equal(sub_listen(&f->h.loop, f->h.path, &access, on_frame, f, &f->sub, NULL), 0);
	assert_int_equal(stat(f->h.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, getegid());
}

static void assert_listen_fails(struct fixture *f, const char *path, int code, const char *text)
{
	struct err err = {.text = ""};
	struct sub *none = NULL;

	assert_int_equal(sub_listen(&f->h.loop, path, NULL, on_frame, f, &none, &err), code);
	assert_null(none);
	if (strstr(err.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void a_path_too_long_is_refused_with_advice(void **state)
{
	char path[200] = "/tmp/";

	memset(path + 5, 'x', 150);
	assert_listen_fails(*state, path, -ENAMETOOLONG,
			    "at most 107 bytes, this one has 155: choose a shorter run directory");
}

static void a_file_in_the_way_is_not_deleted(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->h.path, "w");

	assert_non_null(file);
	(void)fclose(file);
	assert_listen_fails(f, f->h.path, -EEXIST, "remove it");
	assert_int_equal(access(f->h.path, F_OK), 0);
}

/* As a peer that is killed in the middle of connecting. */
static void break_off(const char *path, const char *said)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (said[0] != '\0')
		assert_true(send(fd, said, strlen(said), MSG_NOSIGNAL) > 0);
	(void)close(fd);
}

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static bool has_no_more_fds(void *ctx)
{
	return open_fds() <= *(const unsigned *)ctx;
}

static void publish_once(struct fixture *f)
{
	struct pub *pub;

	f->frames = 0;
	assert_int_equal(pub_dial(&f->h.loop, f->h.path, "a:1", 1 << 20, &pub, NULL), 0);
	(void)pub_line(pub, "observation", "{}", 2);
	harness_until(&f->h, has_frame, f);
	f->h.closing++;
	pub_close(pub, harness_closed, &f->h);
	harness_until_closed(&f->h);
}

/* nng issue 1518: each was a listener deaf for ever, mended only by the guard, and with it went the
 * fds of all who had come meanwhile. */
static void who_breaks_off_makes_nobody_deaf_and_leaves_no_fd(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	publish_once(f);
	before = open_fds();
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 20; i++)
			break_off(f->h.path, "");
		publish_once(f);
	}
	harness_until(&f->h, has_no_more_fds, &before);
	assert_int_equal(sub_stats_get(f->sub)->reopened, 0);
}

/* Nor does garbage. The listener is not the first of its process, because the guard's
 * nng_stat_find_listener() would only ever find that one. */
static void peers_that_break_off_in_the_handshake_do_not_make_it_deaf(void **state)
{
	struct fixture *f = *state;
	char path[sizeof(f->h.path) + 8];
	struct sub *first;
	struct pub *pub;

	(void)snprintf(path, sizeof(path), "%s.first", f->h.path);
	assert_int_equal(sub_listen(&f->h.loop, path, NULL, on_frame, f, &first, NULL), 0);
	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	for (int round = 0; round < 2; round++) {
		break_off(f->h.path, "");
		break_off(f->h.path, "GET / HTTP/1.0\r\n\r\n");
		f->frames = 0;
		assert_int_equal(pub_dial(&f->h.loop, f->h.path, "a:1", 1 << 20, &pub, NULL), 0);
		(void)pub_line(pub, "observation", "{}", 2);
		harness_until(&f->h, has_frame, f);
		f->h.closing++;
		pub_close(pub, harness_closed, &f->h);
	}
	f->h.closing++;
	sub_close(first, harness_closed, &f->h);
}

static uint64_t sum_stats(nng_stat *tree, const char *name)
{
	uint64_t sum = 0;

	for (nng_stat *one = nng_stat_child(tree); one != NULL; one = nng_stat_next(one)) {
		if (strcmp(nng_stat_name(one), name) == 0)
			sum += nng_stat_value(one);
		sum += sum_stats(one, name);
	}
	return sum;
}

/* hale does so before each command. */
static void asking_whether_anyone_listens_is_no_breaking_off(void **state)
{
	struct fixture *f = *state;
	nng_stat *all;

	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(handshake_probe(f->h.path, 10000), 0);
	assert_int_equal(nng_stats_get(&all), 0);
	assert_int_equal(sum_stats(all, "accept"), 200);
	assert_int_equal(sum_stats(all, "other"), 0);
	nng_stats_free(all);
}

/* The other way round: a listener that dies while its peers say hello. */
static void a_dialer_survives_a_listener_that_breaks_off(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer;
	struct pub *pub;

	strcpy(addr.sun_path, f->h.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(pub_dial(&f->h.loop, f->h.path, "a:1", 1 << 20, &pub, NULL), 0);
	(void)pub_line(pub, "observation", "{}", 2);
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	(void)close(peer);
	(void)close(fd);
	(void)unlink(f->h.path);
	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	harness_until(&f->h, has_frame, f);
	f->h.closing++;
	pub_close(pub, harness_closed, &f->h);
}

static void a_second_listener_and_a_missing_directory_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sub_listen(&f->h.loop, f->h.path, NULL, on_frame, f, &f->sub, NULL), 0);
	assert_listen_fails(f, f->h.path, -EADDRINUSE, "in use by another process");
	assert_listen_fails(f, "/nonexistent/x.ipc", -ENOENT, "no such directory");
}

struct two_topics {
	struct fixture *f;
	struct pub *pub;
};

/* Nobody knows when the connection is made, so both are sent until one arrives. */
static bool publishes_until_seen(void *ctx)
{
	struct two_topics *t = ctx;

	(void)pub_line(t->pub, "health", "{}", 2);
	pub_sync(t->pub, json_object());
	return t->f->frames > 0;
}

static void one_topic_may_be_asked_for_alone(void **state)
{
	struct fixture *f = *state;
	struct two_topics t = {.f = f};

	assert_int_equal(pub_listen(&f->h.loop, f->h.path, NULL, "e", NULL, &t.pub, NULL), 0);
	assert_int_equal(
		sub_dial_topic(&f->h.loop, f->h.path, TOPIC_SYNC, on_frame, f, &f->sub, NULL), 0);
	harness_until(&f->h, publishes_until_seen, &t);
	assert_true(f->is_only_sync);
	f->h.closing++;
	pub_close(t.pub, harness_closed, &f->h);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(garbage_is_counted_and_dropped),
		T(a_sub_may_be_closed_from_its_own_callback),
		T(the_socket_is_for_its_owner_alone),
		T(a_group_may_be_let_in),
		T(a_path_too_long_is_refused_with_advice),
		T(a_file_in_the_way_is_not_deleted),
		T(who_breaks_off_makes_nobody_deaf_and_leaves_no_fd),
		T(peers_that_break_off_in_the_handshake_do_not_make_it_deaf),
		T(asking_whether_anyone_listens_is_no_breaking_off),
		T(a_dialer_survives_a_listener_that_breaks_off),
		T(a_second_listener_and_a_missing_directory_are_refused),
		T(one_topic_may_be_asked_for_alone),
	};

	return cmocka_run_group_tests_name("bus.sub", tests, NULL, harness_finish);
}
