/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/handover.h"
#include "bus/hub.h"
#include "bus/pub.h"
#include "bus/sub.h"

#define RING_BYTES (64u << 20)

struct fixture {
	struct harness h;
	struct hub *hub;
	size_t records; /* read back from the journal */
	struct str heard;
	struct sub *sub;
	unsigned syncs;
	json_t *sync; /* the last one */
};

static void on_line(void *ctx, const char *service, uint64_t generation, const char *topic,
		    const json_t *line)
{
	struct fixture *f = ctx;

	(void)topic;
	str_addf(&f->heard, "%s:%llu=%lld ", service, (unsigned long long)generation,
		 (long long)json_integer_value(json_object_get(line, "n")));
}

static void on_loss(void *ctx, const char *process, const char *message, json_t *details)
{
	struct fixture *f = ctx;

	assert_non_null(strstr(message, process));
	str_addf(&f->heard, "%s %s %lld ", process,
		 json_string_value(json_object_get(details, "leg")),
		 (long long)json_integer_value(json_object_get(details, "lines")));
	json_decref(details);
}

static void on_record(void *ctx, const char *epoch, uint64_t seq, const char *topic,
		      const json_t *line, const json_t *save)
{
	struct fixture *f = ctx;

	(void)epoch;
	(void)seq;
	(void)topic;
	(void)line;
	(void)save;
	f->records++;
}

static void open_hub_with(struct fixture *f, const char *handover, size_t len)
{
	struct hub_hooks hooks = {
		.on_line = on_line, .on_loss = on_loss, .on_record = on_record, .ctx = f};
	HALE_CLEANUP(cleanup_free) char *bus = path_join(f->h.dir, "bus.ipc");
	HALE_CLEANUP(cleanup_free) char *results = path_join(f->h.dir, "results.ipc");
	struct hub_home home = {.bus = bus,
				.results = results,
				.state_dir = f->h.dir,
				.ring_bytes = RING_BYTES,
				.handover = handover,
				.handover_len = len};
	struct err err;

	f->records = 0;
	assert_int_equal(hub_open(&f->h.loop, &home, &hooks, &f->hub, &err), 0);
}

static void open_hub(struct fixture *f)
{
	open_hub_with(f, NULL, 0);
}

/* As an exec does it. */
static void hand_over(struct fixture *f)
{
	HALE_CLEANUP(cleanup_fd) int fd = memfd_create("handover", MFD_CLOEXEC);
	char text[4096];
	struct err err;
	ssize_t len;

	assert_int_equal(hub_hand_over(f->hub, fd, &err), 0);
	len = pread(fd, text, sizeof(text), 0);
	assert_true(len > 0 && (size_t)len < sizeof(text));
	hub_close(f->hub);
	(void)uv_run(&f->h.loop, UV_RUN_DEFAULT);
	open_hub_with(f, text, (size_t)len);
}

/* As after a crash: the next one finds what is on disk. */
static void reopen_hub(struct fixture *f)
{
	hub_close(f->hub);
	(void)uv_run(&f->h.loop, UV_RUN_DEFAULT);
	open_hub(f);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	harness_open(&f->h);
	open_hub(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hub_close(f->hub);
	harness_close(&f->h);
	str_done(&f->heard);
	json_decref(f->sync);
	free(f);
	return 0;
}

static void publish(struct fixture *f, int n, bool must_survive)
{
	json_t *line = json_pack("{s:i}", "n", n);

	hub_publish(f->hub, "event", line, NULL, must_survive);
	json_decref(line);
}

static json_t *no_snapshot(void *ctx)
{
	(void)ctx;
	return json_string("snapshot");
}

/* All lines after (epoch, after), as one text. */
static char *replay(struct fixture *f, const char *epoch, int after)
{
	json_t *params = json_pack("{s:s, s:i}", "epoch", epoch, "after", after);
	struct err err;
	json_t *answer = hub_replay(f->hub, params, no_snapshot, f, &err);
	char *text = json_dumps(json_object_get(answer, "frames"), JSON_COMPACT);

	assert_non_null(text);
	json_decref(answer);
	json_decref(params);
	return text;
}

static void what_must_survive_is_replayed_by_the_next_haled(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *epoch = mem_dup(hub_epoch(f->hub));
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	publish(f, 1, true);
	publish(f, 2, false);
	publish(f, 3, true);
	reopen_hub(f);
	assert_int_equal(f->records, 2);
	assert_true(hub_is_earlier(epoch, hub_epoch(f->hub)));
	assert_int_equal(hub_head(f->hub), 0);
	publish(f, 4, true);
	text = replay(f, epoch, 1);
	assert_null(strstr(text, "\\\"n\\\":1"));
	assert_non_null(strstr(text, "\\\"n\\\":3"));
	assert_non_null(strstr(text, "\\\"n\\\":4"));
}

static void an_exec_goes_on_in_the_same_epoch_and_keeps_everything(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *epoch = mem_dup(hub_epoch(f->hub));
	HALE_CLEANUP(cleanup_free) char *text = NULL;

	publish(f, 1, true);
	publish(f, 2, false);
	hand_over(f);
	assert_int_equal(f->records, 0);
	assert_string_equal(hub_epoch(f->hub), epoch);
	assert_int_equal(hub_head(f->hub), 2);
	publish(f, 3, true);
	assert_int_equal(hub_head(f->hub), 3);
	text = replay(f, epoch, 1);
	assert_non_null(strstr(text, "\\\"n\\\":2"));
	assert_non_null(strstr(text, "\\\"n\\\":3"));
}

static void a_handover_that_is_cut_or_edited_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{}\n",
		"{\"version\":1,\"epoch\":\"e1\",\"head\":2,\"acks\":{}}",
		"{\"version\":2,\"epoch\":\"e1\",\"head\":2,\"acks\":{}}\n",
		"{\"version\":1,\"epoch\":\"e1\",\"head\":2,\"acks\":{}}\ne1 1 event {}",
		"{\"version\":1,\"epoch\":\"e1\",\"head\":2,\"acks\":{}}\ne1 x event {}\n",
		"{\"version\":1,\"epoch\":\"e1\",\"head\":2,\"acks\":{}}\ne1 1 event\n",
		"{\"version\":1,\"epoch\":\"e1\",\"head\":2,\"acks\":{}}\ne1 2 event {}\ne1 2 "
		"event {}\n",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ring *ring = ring_new(RING_BYTES);
		struct inbox *inbox = inbox_new();
		struct handover h;
		struct err err;

		assert_int_equal(handover_read(texts[i], strlen(texts[i]), &h, ring, inbox, &err),
				 -EINVAL);
		ring_free(ring);
		inbox_free(inbox);
	}
}

static void a_line_that_no_frame_holds_takes_no_number(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *big = mem_alloc(FRAME_MAX_BYTES + 1);
	json_t *line;

	(void)memset(big, 'x', FRAME_MAX_BYTES);
	line = json_pack("{s:s}", "text", big);
	publish(f, 1, true);
	hub_publish(f->hub, "event", line, NULL, true);
	publish(f, 2, true);
	json_decref(line);
	assert_int_equal(hub_head(f->hub), 2);
	reopen_hub(f);
	assert_int_equal(f->records, 2);
}

static void a_damaged_journal_stops_nobody(void **state)
{
	static const char text[] =
		"{\"epoch\":\"e1\",\"seq\":5,\"topic\":\"event\",\"line\":{}}\n"
		"{\"epoch\":\"e1\",\"seq\":5,\"topic\":\"event\",\"line\":{}}\n"
		"{\"epoch\":\"e1\",\"seq\":4,\"topic\":\"event\",\"line\":{}}\n"
		"{\"epoch\":\"e1\",\"seq\":6,\"topic\":\"event\",\"line\":7}\n"
		"{\"epoch\":\"\",\"seq\":6,\"topic\":\"event\",\"line\":{}}\n"
		"{\"epoch\":\"e1\",\"seq\":6,\"topic\":\"\",\"line\":{}}\n"
		"{\"epoch\":\"e1\",\"seq\":6,\"topic\":\"a-topic-that-is-longer-than-any-topic-"
		"is\","
		"\"line\":{}}\n"
		"{\"epoch\":"
		"\"e11111111111111111111111111111111111111111111111111111111111111111111\","
		"\"seq\":1,\"topic\":\"event\",\"line\":{}}\n"
		"[]\n"
		"{\"epoch\":\"e1\",\"seq\":7,\"topic\":\"event\",\"line\":{}}\n";
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = path_join(f->h.dir, "journal.ndjson");
	struct err err;

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
	reopen_hub(f);
	assert_int_equal(f->records, 2);
}

static void epochs_rise_when_the_clock_was_set_back(void **state)
{
	static const char text[] =
		"{\"epoch\":\"effffffffffff\",\"seq\":1,\"topic\":\"event\",\"line\":{}}\n";
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = path_join(f->h.dir, "journal.ndjson");
	struct err err;

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
	reopen_hub(f);
	assert_true(hub_is_earlier("effffffffffff", hub_epoch(f->hub)));
}

/* ---- children ---- */

static struct pub *dial(struct fixture *f, const char *epoch)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(f->h.dir, "results.ipc");
	struct pub *p;
	struct err err;

	assert_int_equal(pub_dial(&f->h.loop, path, epoch, 1u << 20, &p, &err), 0);
	return p;
}

static void say(struct pub *p, int n)
{
	(void)pub_json(p, "alert", json_pack("{s:i}", "n", n));
}

static void hang_up(struct fixture *f, struct pub *p)
{
	f->h.closing++;
	pub_close(p, harness_closed, &f->h);
	harness_until_closed(&f->h);
}

struct wanted {
	struct fixture *f;
	const char *text;
};

static bool is_heard(void *ctx)
{
	struct wanted *w = ctx;

	return str_eq(str_text(&w->f->heard), w->text);
}

static void until_heard(struct fixture *f, const char *text)
{
	struct wanted w = {.f = f, .text = text};

	harness_until(&f->h, is_heard, &w);
}

static void a_process_that_comes_back_begins_at_one_again(void **state)
{
	struct fixture *f = *state;
	struct pub *p = dial(f, "check.x:1");

	say(p, 1);
	say(p, 2);
	until_heard(f, "check.x:1=1 check.x:1=2 ");
	hang_up(f, p);
	/* A reload took it away, and another one brings it back. */
	hub_forget(f->hub, "check.x", UINT64_MAX);
	hub_forget(f->hub, "check.x", 0);
	p = dial(f, "check.x:1");
	say(p, 3);
	until_heard(f, "check.x:1=1 check.x:1=2 check.x:1=3 ");
	hang_up(f, p);
}

static void what_a_child_repeats_after_an_exec_is_not_taken_twice(void **state)
{
	struct fixture *f = *state;
	struct pub *p = dial(f, "check.x:1");

	say(p, 1);
	say(p, 2);
	until_heard(f, "check.x:1=1 check.x:1=2 ");
	hang_up(f, p);
	hand_over(f);
	p = dial(f, "check.x:1");
	say(p, 1); /* as one does whom nobody has acknowledged */
	say(p, 2);
	say(p, 3);
	until_heard(f, "check.x:1=1 check.x:1=2 check.x:1=3 ");
	hang_up(f, p);
}

static json_int_t stat_of(struct fixture *f, const char *name)
{
	json_t *stats = hub_stats(f->hub);
	json_int_t value = json_integer_value(json_object_get(stats, name));

	assert_non_null(json_object_get(stats, name));
	json_decref(stats);
	return value;
}

static bool is_loss_heard(void *ctx)
{
	struct fixture *f = ctx;

	return strstr(str_text(&f->heard), "check.x in ") != NULL;
}

/* Its outbox holds a few lines of fifty when it connects. */
static void what_a_child_gives_up_is_told_once_and_counted(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = path_join(f->h.dir, "results.ipc");
	struct err err;
	struct pub *p;

	assert_int_equal(pub_dial(&f->h.loop, path, "check.x:1", 400, &p, &err), 0);
	for (int n = 1; n <= 50; n++)
		say(p, n);
	assert_true(pub_stats_get(p)->dropped > 40);
	harness_until(&f->h, is_loss_heard, f);
	assert_int_equal(stat_of(f, "lost"), pub_stats_get(p)->dropped);
	hang_up(f, p);
}

static void a_subscriber_that_gets_a_snapshot_is_a_loss(void **state)
{
	struct fixture *f = *state;
	json_t *params = json_pack("{s:s, s:i, s:s}", "epoch", "gone", "after", 7, "name", "web");
	struct err err;

	publish(f, 1, false);
	publish(f, 2, false);
	json_decref(hub_replay(f->hub, params, no_snapshot, f, &err));
	json_decref(params);
	assert_int_equal(stat_of(f, "missed"), 2);
	until_heard(f, "web out 2 ");
}

static void what_nobody_knows_is_counted_and_dropped(void **state)
{
	struct fixture *f = *state;
	struct pub *p = dial(f, "check.x:1");

	(void)pub_line(p, "gossip", "{}", 2);
	(void)pub_line(p, "observation", "[1]", 3);
	(void)pub_line(p, "observation", "{\"n\":", 5);
	say(p, 4);
	until_heard(f, "check.x:1=4 ");
	assert_int_equal(stat_of(f, "unknown"), 1);
	assert_int_equal(stat_of(f, "garbage"), 2);
	hang_up(f, p);
}

static void on_sync_frame(void *ctx, const struct frame *frame)
{
	struct fixture *f = ctx;
	size_t cursor = 0, len;
	const char *line;

	assert_true(frame_line(frame, &cursor, &line, &len));
	json_decref(f->sync);
	f->sync = json_loadb(line, len, 0, NULL);
	f->syncs++;
}

static void listen_to_syncs(struct fixture *f)
{
	HALE_CLEANUP(cleanup_free) char *path = path_join(f->h.dir, "bus.ipc");
	struct err err;

	assert_int_equal(sub_dial_topic(&f->h.loop, path, "sync", on_sync_frame, f, &f->sub, &err),
			 0);
}

static void stop_listening(struct fixture *f)
{
	f->h.closing++;
	sub_close(f->sub, harness_closed, &f->h);
	harness_until_closed(&f->h);
}

static bool has_acks(void *ctx)
{
	struct wanted *w = ctx;
	HALE_CLEANUP(cleanup_free)
	char *text = json_dumps(json_object_get(w->f->sync, "acks"), JSON_COMPACT | JSON_SORT_KEYS);

	return str_eq(text, w->text);
}

static void until_acks(struct fixture *f, const char *text)
{
	struct wanted w = {.f = f, .text = text};

	harness_until(&f->h, has_acks, &w);
}

static void all_former_generations_are_forgotten_and_only_they(void **state)
{
	static const char *const epochs[] = {"a:1", "a:2", "a:3", "a:10", "ab:1", "b:1"};
	struct fixture *f = *state;
	struct pub *pubs[ARRAY_LEN(epochs)];

	listen_to_syncs(f);
	for (size_t i = 0; i < ARRAY_LEN(epochs); i++) {
		pubs[i] = dial(f, epochs[i]);
		say(pubs[i], 1);
	}
	until_acks(f, "{\"a:1\":1,\"a:10\":1,\"a:2\":1,\"a:3\":1,\"ab:1\":1,\"b:1\":1}");
	hub_forget(f->hub, "a", 3);
	publish(f, 1, false);
	until_acks(f, "{\"a:10\":1,\"a:3\":1,\"ab:1\":1,\"b:1\":1}");
	for (size_t i = 0; i < ARRAY_LEN(epochs); i++)
		hang_up(f, pubs[i]);
	stop_listening(f);
}

static bool has_two_syncs(void *ctx)
{
	struct fixture *f = ctx;

	return f->syncs >= 2;
}

static void who_missed_the_last_frame_is_told_even_in_silence(void **state)
{
	struct fixture *f = *state;

	listen_to_syncs(f);
	harness_until(&f->h, has_two_syncs, f);
	stop_listening(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_must_survive_is_replayed_by_the_next_haled),
		TEST(an_exec_goes_on_in_the_same_epoch_and_keeps_everything),
		TEST(what_a_child_repeats_after_an_exec_is_not_taken_twice),
		cmocka_unit_test(a_handover_that_is_cut_or_edited_is_refused),
		TEST(a_line_that_no_frame_holds_takes_no_number),
		TEST(a_damaged_journal_stops_nobody),
		TEST(epochs_rise_when_the_clock_was_set_back),
		TEST(a_process_that_comes_back_begins_at_one_again),
		TEST(all_former_generations_are_forgotten_and_only_they),
		TEST(what_a_child_gives_up_is_told_once_and_counted),
		TEST(a_subscriber_that_gets_a_snapshot_is_a_loss),
		TEST(what_nobody_knows_is_counted_and_dropped),
		TEST(who_missed_the_last_frame_is_told_even_in_silence),
	};

	return cmocka_run_group_tests(tests, NULL, harness_finish);
}
