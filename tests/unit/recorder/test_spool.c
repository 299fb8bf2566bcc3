/* SPDX-License-Identifier: Apache-2.0 */
/* The spool on a real directory; a kill is played by closing it in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "inbox.h"
#include "model/frame.h"
#include "spool.h"

#define ROOM ((uint64_t)64 << 20)

struct fixture {
	char dir[64];
	struct spool *spool;
	struct inbox inbox;
	struct spool_facts facts;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-spool-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

/* Calls it with the name of each file. */
static size_t each_file(struct fixture *f, void (*with)(const char *path), const char *suffix)
{
	struct dirent *entry;
	DIR *dir = opendir(f->dir);
	char path[512];
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || !str_ends(entry->d_name, suffix))
			continue;
		n++;
		(void)snprintf(path, sizeof(path), "%s/%s", f->dir, entry->d_name);
		if (with != NULL)
			with(path);
	}
	(void)closedir(dir);
	return n;
}

static void remove_file(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	spool_close(f->spool);
	inbox_done(&f->inbox);
	(void)each_file(f, remove_file, "");
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void reopen(struct fixture *f, uint64_t bytes_max)
{
	struct err err = {0};

	spool_close(f->spool);
	f->spool = NULL;
	if (spool_open(f->dir, bytes_max, &f->spool, &err) != 0)
		fail_msg("%s", err.text);
	spool_facts(f->spool, &f->facts);
	f->inbox.last = HALE_MAX(f->inbox.last, f->facts.last);
}

static void push(struct fixture *f, enum line_class class, uint64_t seq, size_t len)
{
	char *text = mem_alloc(len + 1);

	memset(text, 'a' + (int)(seq % 26), len);
	inbox_push(&f->inbox, class,
		   &(struct store_line){.topic = TOPIC_HEALTH,
					.epoch = "e1",
					.seq = seq,
					.text = text,
					.len = len});
	free(text);
}

static int try_append(struct fixture *f, uint64_t taken)
{
	struct spool_ranges parts[LINE_CLASS_MAX] = {0};
	struct inbox_list lists[LINE_CLASS_MAX];
	struct err err = {0};
	int rc;

	inbox_move(&f->inbox, lists);
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		for (struct chunk *k = lists[c].first; k != NULL; k = k->next)
			spool_ranges_add(&parts[c], k->data + k->at, k->len - k->at);
	}
	rc = spool_append(f->spool, parts, taken, &err);
	for (size_t c = 0; c < LINE_CLASS_MAX; c++) {
		spool_ranges_done(&parts[c]);
		if (rc == 0)
			inbox_list_done(&lists[c]);
	}
	if (rc < 0)
		inbox_put_back(&f->inbox, lists);
	spool_facts(f->spool, &f->facts);
	return rc;
}

static void append(struct fixture *f)
{
	assert_int_equal(try_append(f, 0), 0);
}

/* Takes all there is, which must be what comes between; returns how many. */
static size_t take_all(struct fixture *f, uint64_t *numbers, size_t max)
{
	struct str out = {0};
	uint64_t last = 0;
	size_t all = 0, n;

	while ((n = spool_take(f->spool, 100, 1 << 20, &out)) > 0) {
		const char *at = out.data;

		for (size_t i = 0; i < n; i++) {
			struct record r;

			record_read(at, &r);
			assert_true(r.number > last);
			assert_string_equal(r.line.epoch, "e1");
			assert_int_equal(r.line.text[0], 'a' + (int)(r.line.seq % 26));
			assert_int_equal(strlen(r.line.text), r.line.len);
			last = r.number;
			if (numbers != NULL && all < max)
				numbers[all] = r.line.seq;
			all++;
			at += r.size;
		}
		str_clear(&out);
	}
	str_done(&out);
	spool_facts(f->spool, &f->facts);
	return all;
}

static size_t waiting(const struct fixture *f)
{
	return f->facts.lines[LINE_RESULT] + f->facts.lines[LINE_OTHER] +
	       f->facts.lines[LINE_TRANSITION];
}

static void commit(struct fixture *f, uint64_t number, uint64_t seq)
{
	const struct feed_cursor cursor = {.epoch = "e1", .seq = seq};
	struct err err;

	assert_int_equal(spool_commit(f->spool, number, &cursor, true, &err), 0);
	spool_facts(f->spool, &f->facts);
}

/* --- tests --- */

static void lines_come_out_in_the_order_they_went_in(void **state)
{
	struct fixture *f = *state;
	uint64_t seqs[3000];

	reopen(f, ROOM);
	for (uint64_t seq = 1; seq <= 3000; seq++) {
		push(f, (enum line_class)(seq % 7 % LINE_CLASS_MAX), seq, 100 + seq % 900);
		if (seq % 500 == 0)
			append(f);
	}
	assert_int_equal(waiting(f), 3000);
	assert_int_equal(take_all(f, seqs, ARRAY_LEN(seqs)), 3000);
	for (size_t i = 0; i < ARRAY_LEN(seqs); i++)
		assert_int_equal(seqs[i], i + 1);
	assert_int_equal(waiting(f), 0);
	assert_true(f->facts.bytes > 0);
	commit(f, f->inbox.last, 3000);
	assert_int_equal(f->facts.bytes, 0);
	assert_int_equal(each_file(f, NULL, ".lines"), 0);
}

static void what_is_not_stored_is_there_at_the_next_start(void **state)
{
	struct fixture *f = *state;
	uint64_t seqs[300];

	reopen(f, ROOM);
	for (uint64_t seq = 1; seq <= 300; seq++)
		push(f, (enum line_class)(seq % LINE_CLASS_MAX), seq, 100);
	append(f);
	assert_int_equal(take_all(f, NULL, 0), 300);
	commit(f, f->inbox.last - 200, 100);
	reopen(f, ROOM);
	assert_string_equal(f->facts.end.epoch, "e1");
	assert_int_equal(f->facts.end.seq, 300);
	assert_int_equal(f->facts.committed.seq, 100);
	assert_int_equal(waiting(f), 200);
	assert_int_equal(take_all(f, seqs, ARRAY_LEN(seqs)), 200);
	assert_int_equal(seqs[0], 101);
	assert_int_equal(seqs[199], 300);
	commit(f, f->facts.last, 300);
	reopen(f, ROOM);
	assert_string_equal(f->facts.end.epoch, "");
	assert_int_equal(f->facts.committed.seq, 300);
}

static void lines_in_hand_are_kept_and_not_taken_again(void **state)
{
	struct fixture *f = *state;
	uint64_t seqs[10];

	reopen(f, ROOM);
	for (uint64_t seq = 1; seq <= 10; seq++)
		push(f, LINE_RESULT, seq, 10);
	assert_int_equal(try_append(f, f->inbox.last - 6), 0);
	assert_int_equal(waiting(f), 6);
	assert_int_equal(take_all(f, seqs, ARRAY_LEN(seqs)), 6);
	assert_int_equal(seqs[0], 5);
	/* Not stored in the end. */
	reopen(f, ROOM);
	assert_int_equal(take_all(f, seqs, ARRAY_LEN(seqs)), 10);
}

static void the_oldest_of_the_least_class_makes_room(void **state)
{
	struct fixture *f = *state;
	uint64_t seqs[4000];
	size_t n, transitions = 0, first_result = 0;

	reopen(f, (uint64_t)1 << 20);
	for (uint64_t seq = 1; seq <= 4000; seq++) {
		push(f, seq % 10 == 0 ? LINE_TRANSITION : LINE_RESULT, seq, 500);
		if (seq % 100 == 0) {
			append(f);
			assert_true(f->facts.bytes <= (uint64_t)1 << 20);
		}
	}
	assert_int_equal(f->facts.dropped[LINE_TRANSITION], 0);
	assert_true(f->facts.dropped[LINE_RESULT] > 1500);
	n = take_all(f, seqs, ARRAY_LEN(seqs));
	assert_int_equal(n + f->facts.dropped[LINE_RESULT], 4000);
	for (size_t i = 0; i < n; i++) {
		transitions += seqs[i] % 10 == 0;
		if (first_result == 0 && seqs[i] % 10 != 0)
			first_result = seqs[i];
		/* Behind the first result that is left none is missing. */
		if (first_result != 0 && first_result != seqs[i])
			assert_int_equal(seqs[i], seqs[i - 1] + 1);
	}
	assert_int_equal(transitions, 400);
	assert_int_equal(seqs[n - 1], 4000);
}

static void where_there_is_room_for_nothing_else_results_do_not_drive_out_transitions(void **state)
{
	struct fixture *f = *state;

	reopen(f, (uint64_t)128 << 10);
	for (uint64_t seq = 1; seq <= 120; seq++)
		push(f, LINE_TRANSITION, seq, 900);
	append(f);
	for (uint64_t seq = 121; seq <= 220; seq++)
		push(f, LINE_RESULT, seq, 900);
	append(f);
	assert_int_equal(f->facts.lines[LINE_TRANSITION], 120);
	assert_true(f->facts.dropped[LINE_RESULT] > 70);
	assert_int_equal(f->facts.dropped[LINE_RESULT] + f->facts.lines[LINE_RESULT], 100);
}

static void cut(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 7), 0);
}

static void grow(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, "\x64\0\0\0half a record", 17), 17);
	(void)close(fd);
}

static void what_a_kill_has_torn_is_cut_off(void **state)
{
	struct fixture *f = *state;
	uint64_t seqs[30];

	reopen(f, ROOM);
	for (uint64_t seq = 1; seq <= 30; seq++)
		push(f, (enum line_class)(seq % LINE_CLASS_MAX), seq, 50);
	append(f);
	assert_int_equal(each_file(f, grow, ".lines"), LINE_CLASS_MAX);
	reopen(f, ROOM);
	assert_int_equal(f->facts.cut_bytes, 3 * 17);
	assert_int_equal(take_all(f, seqs, ARRAY_LEN(seqs)), 30);
	assert_int_equal(f->facts.files_set_aside, 0);
}

/* The note is what counts: whole lines behind it belong to an append that did not end. */
static void an_append_that_did_not_end_comes_from_the_bus_again(void **state)
{
	struct fixture *f = *state;
	char note[128], old[1024];
	int fd;

	reopen(f, ROOM);
	push(f, LINE_RESULT, 1, 50);
	push(f, LINE_TRANSITION, 2, 50);
	append(f);
	(void)snprintf(note, sizeof(note), "%s/cursor", f->dir);
	fd = open(note, O_RDWR);
	assert_int_equal(pread(fd, old, sizeof(old), 0), sizeof(old));
	/* Over several files of a class. */
	push(f, LINE_RESULT, 3, 50);
	push(f, LINE_TRANSITION, 4, 50);
	push(f, LINE_RESULT, 5, 1200000);
	push(f, LINE_RESULT, 6, 1200000);
	append(f);
	assert_int_equal(each_file(f, NULL, ".lines"), 4);
	assert_int_equal(pwrite(fd, old, sizeof(old), 0), sizeof(old));
	(void)close(fd);
	reopen(f, ROOM);
	assert_int_equal(waiting(f), 2);
	assert_int_equal(f->facts.cut_lines, 2);
	assert_true(f->facts.cut_bytes > 2400000);
	assert_int_equal(f->facts.end.seq, 2);
	assert_int_equal(f->facts.files_set_aside, 0);
	assert_int_equal(each_file(f, NULL, ".lines"), 2);
}

static void scribble(const char *path)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, "XX", 2, 400), 2);
	(void)close(fd);
}

static void a_damaged_file_gives_what_is_good_and_is_set_aside(void **state)
{
	struct fixture *f = *state;
	uint64_t seqs[20];
	size_t n;

	reopen(f, ROOM);
	for (uint64_t seq = 1; seq <= 20; seq++)
		push(f, LINE_OTHER, seq, 50);
	append(f);
	(void)each_file(f, scribble, ".lines");
	reopen(f, ROOM);
	n = take_all(f, seqs, ARRAY_LEN(seqs));
	assert_true(n > 1 && n < 10);
	assert_int_equal(seqs[n - 1], n);
	commit(f, f->facts.last, 20);
	assert_int_equal(f->facts.files_set_aside, 1);
	assert_int_equal(each_file(f, NULL, ".damaged"), 1);
	assert_int_equal(each_file(f, NULL, ".lines"), 0);
}

static void foreign_files_are_set_aside_or_left_alone(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"r-0000000000000007.lines", "t-00000000000000ff.lines",
					    "notes.txt", "r-7.lines"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		FILE *file;

		(void)snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		file = fopen(path, "w");
		assert_non_null(file);
		(void)fputs("something else, long enough for a head of one", file);
		(void)fclose(file);
	}
	reopen(f, ROOM);
	assert_int_equal(waiting(f), 0);
	assert_int_equal(f->facts.files_set_aside, 2);
	assert_int_equal(each_file(f, NULL, "notes.txt"), 1);
	assert_int_equal(each_file(f, NULL, "r-7.lines"), 1);
	push(f, LINE_RESULT, 1, 10);
	append(f);
	assert_int_equal(take_all(f, NULL, 0), 1);
}

static void what_no_file_of_ours_can_be_keeps_none_of_ours_out(void **state)
{
	struct fixture *f = *state;
	char path[128];

	reopen(f, ROOM);
	push(f, LINE_RESULT, 1, 10);
	append(f);
	(void)snprintf(path, sizeof(path), "%s/r-0000000000000005.lines", f->dir);
	assert_int_equal(symlink("/dev/zero", path), 0);
	(void)snprintf(path, sizeof(path), "%s/o-0000000000000006.lines", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/t-0000000000000007.lines", f->dir);
	(void)fclose(fopen(path, "w"));
	assert_int_equal(truncate(path, 200 << 20), 0);
	/* A note would have files behind the newest line taken for an append that did not end. */
	assert_int_equal(each_file(f, remove_file, "cursor"), 1);
	reopen(f, ROOM);
	assert_int_equal(f->facts.files_set_aside, 3);
	assert_int_equal(take_all(f, NULL, 0), 1);
	(void)snprintf(path, sizeof(path), "%s/o-0000000000000006.lines.damaged", f->dir);
	assert_int_equal(rmdir(path), 0);
}

static void a_note_that_is_lost_loses_no_line(void **state)
{
	struct fixture *f = *state;

	reopen(f, ROOM);
	for (uint64_t seq = 1; seq <= 50; seq++)
		push(f, (enum line_class)(seq % LINE_CLASS_MAX), seq, 50);
	append(f);
	assert_int_equal(each_file(f, cut, "cursor"), 1);
	assert_int_equal(each_file(f, remove_file, "cursor"), 1);
	reopen(f, ROOM);
	assert_int_equal(waiting(f), 50);
	assert_int_equal(f->facts.end.seq, 50);
	assert_string_equal(f->facts.end.epoch, "e1");
}

/* A limit on the size of files stands in for a disk that is full. */
static void a_full_disk_takes_back_the_whole_append(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, limit;
	uint64_t bytes;

	reopen(f, ROOM);
	for (uint64_t seq = 1; seq <= 20; seq++)
		push(f, (enum line_class)(seq % LINE_CLASS_MAX), seq, 500);
	append(f);
	bytes = f->facts.bytes;
	for (uint64_t seq = 21; seq <= 60; seq++)
		push(f, (enum line_class)(seq % 2), seq, 500);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 8000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(try_append(f, 0), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(f->facts.bytes, bytes);
	assert_int_equal(waiting(f), 20);
	assert_int_equal(f->inbox.n, 40);
	append(f);
	assert_int_equal(waiting(f), 60);
	assert_int_equal(take_all(f, NULL, 0), 60);
}

/* --- anything, in any order, against what must come out --- */

static void nothing_is_lost_doubled_or_misplaced_whatever_happens(void **state)
{
	struct fixture *f = *state;
	uint64_t pushed = 0, stored = 0, in_hand = 0, on_disk = 0;
	struct str out = {0};

	reopen(f, 16 * ROOM);
	for (int step = 0; step < 400; step++) {
		uint32_t what = rnd_u32() % 10;

		if (what < 4) {
			for (uint32_t i = rnd_u32() % 40; i > 0; i--)
				push(f, (enum line_class)(rnd_u32() % LINE_CLASS_MAX), ++pushed,
				     rnd_u32() % 30 == 0 ? 300000 : 100);
		} else if (what < 6) {
			append(f);
			on_disk = pushed;
		} else if (what < 8 && in_hand == stored) {
			size_t n = spool_take(f->spool, rnd_u32() % 50, 1 << 22, &out);
			const char *at = out.data;

			for (size_t i = 0; i < n; i++) {
				struct record r;

				record_read(at, &r);
				assert_int_equal(r.line.seq, ++in_hand);
				at += r.size;
			}
			str_clear(&out);
		} else if (what == 8 && in_hand > stored) {
			stored = in_hand;
			commit(f, f->inbox.last - (pushed - stored), stored);
		} else if (what == 9 && rnd_u32() % 10 == 0) {
			/* What was in memory only comes again, with other numbers. */
			inbox_done(&f->inbox);
			reopen(f, 16 * ROOM);
			assert_int_equal(waiting(f), on_disk - stored);
			assert_int_equal(f->facts.files_set_aside + f->facts.cut_bytes, 0);
			in_hand = stored;
			pushed = on_disk;
		}
	}
	assert_true(stored > 100);
	assert_int_equal(f->facts.dropped[LINE_RESULT], 0);
	str_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_come_out_in_the_order_they_went_in),
		TEST(what_is_not_stored_is_there_at_the_next_start),
		TEST(lines_in_hand_are_kept_and_not_taken_again),
		TEST(the_oldest_of_the_least_class_makes_room),
		TEST(where_there_is_room_for_nothing_else_results_do_not_drive_out_transitions),
		TEST(what_a_kill_has_torn_is_cut_off),
		TEST(an_append_that_did_not_end_comes_from_the_bus_again),
		TEST(a_damaged_file_gives_what_is_good_and_is_set_aside),
		TEST(foreign_files_are_set_aside_or_left_alone),
		TEST(what_no_file_of_ours_can_be_keeps_none_of_ours_out),
		TEST(a_note_that_is_lost_loses_no_line),
		TEST(a_full_disk_takes_back_the_whole_append),
		TEST(nothing_is_lost_doubled_or_misplaced_whatever_happens),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
