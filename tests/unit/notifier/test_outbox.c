/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "outbox.h"

static struct strlist every = GLOB("*");
static const struct engine_rule rule = {.name = "each",
					.type = RULE_STATUS_CHANGE,
					.components = &every,
					.on = ALL_BAD,
					.tells_recovery = true};

static char dir[64];
static char path[128];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/hale-outbox-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, OUTBOX_FILE);
	return 0;
}

static int teardown(void **state)
{
	static const char *const endings[] = {"", "-wal", "-shm"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		char name[160];

		(void)snprintf(name, sizeof(name), "%s%s", path, endings[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static struct outbox *reopen(struct outbox *old)
{
	struct outbox *o = NULL;
	struct err err = {0};

	outbox_close(old);
	if (outbox_open(path, &o, &err) < 0)
		fail_msg("%s", err.text);
	return o;
}

static struct outgoing message_of(const char *id, const char *key, const char *channel)
{
	struct outgoing g = {.key = mem_dup(key),
			     .channel = mem_dup(channel),
			     .rule = mem_dup("each"),
			     .created_ms = T0};

	(void)snprintf(g.id, sizeof(g.id), "%s", id);
	(void)snprintf(g.alert, sizeof(g.alert), "alert-of-%s", key);
	g.message = (struct message){.event = mem_dup("alert"),
				     .title = mem_dup(""),
				     .text = mem_dup("text"),
				     .payload = json_pack("{s:s}", "id", id),
				     .give_up_ms = T0 + 1000000};
	return g;
}

/* Commits one message, with whatever the talk's engine and effects hold. */
static void put(struct outbox *o, struct talk *t, uint64_t seq, const char *id, const char *key,
		const char *channel)
{
	struct feed_cursor cursor = {"e1", seq};
	struct outgoing g = message_of(id, key, channel);
	int64_t dropped = 0;
	struct err err = {0};

	if (outbox_commit(o,
			  &(struct outbox_batch){.engine = t->engine,
						 .cursor = &cursor,
						 .effects = &t->fx,
						 .out = &g,
						 .out_n = 1},
			  T0, &dropped, &err) < 0)
		fail_msg("%s", err.text);
	engine_saved(t->engine);
	effects_done(&t->fx);
	outgoing_done(&g);
}

static void next_is(struct outbox *o, const char *channel, int64_t now_ms, const char *id)
{
	struct message m = {0};
	struct err err = {0};
	int found = outbox_next(o, channel, now_ms, &m, &err);

	if (found < 0)
		fail_msg("%s", err.text);
	assert_int_equal(found, id != NULL);
	if (id)
		assert_string_equal(m.id, id);
	message_done(&m);
}

/* One attempt at the next message. */
static void attempt(struct outbox *o, const char *channel, int64_t now_ms,
		    enum outbox_verdict verdict, int64_t next_ms)
{
	struct delivery_result r = {.is_sent = verdict == OUTBOX_SENT};
	struct message m = {0};
	struct err err = {0};

	if (verdict != OUTBOX_SENT)
		(void)snprintf(r.error, sizeof(r.error), "HTTP 500");
	assert_int_equal(outbox_next(o, channel, now_ms, &m, &err), 1);
	assert_int_equal(outbox_attempt(o, m.seq, now_ms, &err), 0);
	assert_int_equal(outbox_attempted(o, m.seq, verdict, 5, &r, now_ms, next_ms, &err), 0);
	message_done(&m);
}

static void what_was_committed_is_there_after_a_restart(void **state)
{
	(void)state;
	struct outbox *o = reopen(NULL);
	struct talk t = {0}, again = {0};
	struct feed_cursor cursor = {0};
	struct err err = {0};

	talk_start(&t, &rule, 1);
	SAY(&t, 0, "api", STATUS_DOWN);
	put(o, &t, 7, "m1", "k", "ops");
	o = reopen(o);
	talk_start(&again, &rule, 1);
	assert_int_equal(outbox_load(o, again.engine, &cursor, &err), 0);
	assert_string_equal(cursor.epoch, "e1");
	assert_int_equal(cursor.seq, 7);
	json_t *before = engine_save(t.engine), *after = engine_save(again.engine);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	next_is(o, "ops", T0, "m1");
	json_t *alerts = outbox_alerts(o, "open", 10, &err);
	assert_int_equal(json_array_size(alerts), 1);
	json_decref(alerts);
	talk_end(&t);
	talk_end(&again);
	outbox_close(o);
}

static void messages_of_one_key_keep_their_order(void **state)
{
	(void)state;
	struct outbox *o = reopen(NULL);
	struct talk t = {0};
	int64_t due = 0;
	struct err err = {0};

	talk_start(&t, &rule, 1);
	put(o, &t, 1, "bad", "k", "ops");
	put(o, &t, 2, "other", "k2", "ops");
	put(o, &t, 3, "good", "k", "ops");
	put(o, &t, 4, "elsewhere", "k", "log");
	attempt(o, "ops", T0, OUTBOX_RETRY, T0 + 5000);
	next_is(o, "ops", T0, "other");
	attempt(o, "ops", T0, OUTBOX_SENT, T0);
	next_is(o, "ops", T0, NULL); /* "good" waits for "bad" */
	next_is(o, "log", T0, "elsewhere");
	assert_int_equal(outbox_due(o, "ops", &due, &err), 0);
	assert_int_equal(due, T0 + 5000);
	attempt(o, "ops", T0 + 5000, OUTBOX_FAILED, T0);
	next_is(o, "ops", T0 + 5000, "good");
	talk_end(&t);
	outbox_close(o);
}

static void every_attempt_is_kept(void **state)
{
	(void)state;
	struct outbox *o = reopen(NULL);
	struct talk t = {0};
	struct err err = {0};

	talk_start(&t, &rule, 1);
	SAY(&t, 0, "api", STATUS_DOWN);
	const char *alert = alert_text(notice(&t), "id");
	struct outgoing g = message_of("m1", "k", "ops");
	int64_t dropped;
	(void)snprintf(g.alert, sizeof(g.alert), "%s", alert);
	assert_int_equal(
		outbox_commit(o,
			      &(struct outbox_batch){
				      .engine = t.engine, .effects = &t.fx, .out = &g, .out_n = 1},
			      T0, &dropped, &err),
		0);
	attempt(o, "ops", T0, OUTBOX_RETRY, T0 + 1);
	attempt(o, "ops", T0 + 1, OUTBOX_SENT, T0 + 1);
	json_t *shown = outbox_alert(o, "id-1", &err);
	json_t *attempts = json_object_get(shown, "attempts");
	json_t *delivery = json_array_get(json_object_get(shown, "deliveries"), 0);
	assert_int_equal(json_array_size(attempts), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(attempts, 0), "error")),
		"HTTP 500");
	assert_string_equal(json_string_value(json_object_get(delivery, "status")), "sent");
	assert_int_equal(json_integer_value(json_object_get(delivery, "attempts")), 2);
	json_decref(shown);
	shown = outbox_alert(o, "nobody", &err);
	assert_true(json_is_null(shown));
	json_decref(shown);
	int64_t at[8];
	assert_int_equal(outbox_recent(o, "ops", T0 - 1, at, 8, &err), 2);
	assert_int_equal(at[1], T0 + 1);
	outgoing_done(&g);
	talk_end(&t);
	outbox_close(o);
}

static void too_many_waiting_messages_lose_the_oldest(void **state)
{
	(void)state;
	struct outbox *o = reopen(NULL);
	struct talk t = {0};
	struct outgoing *g = mem_array(OUTBOX_ROWS_MAX + 3, sizeof(*g));
	int64_t dropped = 0;
	struct err err = {0};

	talk_start(&t, &rule, 1);
	for (size_t i = 0; i < OUTBOX_ROWS_MAX + 3; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "m%zu", i);
		g[i] = message_of(id, id, "ops");
	}
	assert_int_equal(outbox_commit(o,
				       &(struct outbox_batch){.engine = t.engine,
							      .out = g,
							      .out_n = OUTBOX_ROWS_MAX + 3},
				       T0, &dropped, &err),
			 0);
	assert_int_equal(dropped, 3);
	next_is(o, "ops", T0, "m3");
	for (size_t i = 0; i < OUTBOX_ROWS_MAX + 3; i++)
		outgoing_done(&g[i]);
	free(g);
	talk_end(&t);
	outbox_close(o);
}

static void a_failed_batch_leaves_nothing_behind(void **state)
{
	(void)state;
	struct outbox *o = reopen(NULL);
	struct talk t = {0};
	struct outgoing twice[2] = {message_of("same", "k", "ops"), message_of("same", "k", "ops")};
	int64_t dropped;
	struct err err = {0};
	struct outbox_counts c = {0};

	talk_start(&t, &rule, 1);
	SAY(&t, 0, "api", STATUS_DOWN);
	assert_true(outbox_commit(
			    o,
			    &(struct outbox_batch){
				    .engine = t.engine, .effects = &t.fx, .out = twice, .out_n = 2},
			    T0, &dropped, &err) < 0);
	assert_int_equal(outbox_count(o, &c, &err), 0);
	assert_int_equal(c.waiting, 0);
	assert_int_equal(c.alerts_open, 0);
	/* The engine still has its changes to give. */
	put(o, &t, 1, "m1", "k", "ops");
	assert_int_equal(outbox_count(o, &c, &err), 0);
	assert_int_equal(c.alerts_open, 1);
	outgoing_done(&twice[0]);
	outgoing_done(&twice[1]);
	talk_end(&t);
	outbox_close(o);
}

static void channels_that_left_and_old_rows_are_cleaned_away(void **state)
{
	(void)state;
	struct outbox *o = reopen(NULL);
	struct talk t = {0};
	struct strlist configured = GLOB("ops");
	struct outbox_counts c = {0};
	struct err err = {0};

	talk_start(&t, &rule, 1);
	put(o, &t, 1, "m1", "k", "ops");
	put(o, &t, 2, "m2", "k", "gone");
	assert_int_equal(outbox_forget_channels(o, &configured, T0, &err), 0);
	next_is(o, "gone", T0, NULL);
	next_is(o, "ops", T0, "m1");
	assert_int_equal(outbox_purge(o, T0 + 1, &err), 0);
	assert_int_equal(outbox_count(o, &c, &err), 0);
	assert_int_equal(c.failed, 0);
	assert_int_equal(c.waiting, 1);
	talk_end(&t);
	outbox_close(o);
}

/* ---- killed between commit and send, at any point ---- */

#define LINES 40

static enum status status_at(uint64_t seq)
{
	return seq % 2 ? STATUS_DOWN : STATUS_HEALTHY;
}

/* What the service does with one line of the bus, up to and with the commit. */
static void process(struct outbox *o, struct talk *t, uint64_t seq)
{
	struct feed_cursor cursor = {"e1", seq};
	struct outgoing g = {0};
	int64_t dropped;
	struct err err = {0};

	SAY(t, (int64_t)seq, "api", status_at(seq));
	for (size_t i = 0; i < t->fx.n; i++) {
		char id[37];

		if (t->fx.v[i].type != EFFECT_NOTICE)
			continue;
		(void)snprintf(id, sizeof(id), "n%d-%u-%llu", getpid(), t->ids,
			       (unsigned long long)seq);
		g = message_of(id, "k", "ops");
		free(g.message.text);
		g.message.text = mem_printf("%llu", (unsigned long long)seq);
	}
	if (outbox_commit(o,
			  &(struct outbox_batch){.engine = t->engine,
						 .cursor = &cursor,
						 .effects = &t->fx,
						 .out = &g,
						 .out_n = g.key ? 1 : 0},
			  T0, &dropped, &err) < 0)
		_exit(3);
	engine_saved(t->engine);
	outgoing_done(&g);
}

/* Goes on from the cursor until the end, or until it is killed in the middle. Each sent message is
 * told to the pipe before its success is recorded, as a channel would. */
static void life(int fd, unsigned die_after)
{
	struct outbox *o = reopen(NULL);
	struct talk t = {0};
	struct feed_cursor cursor = {0};
	struct message m = {0};
	struct err err = {0};
	unsigned steps = 0;

	talk_start(&t, &rule, 1);
	if (outbox_load(o, t.engine, &cursor, &err) < 0)
		_exit(2);
	engine_adopt(t.engine, T0, &t.fx);
	for (uint64_t seq = cursor.seq + 1; seq <= LINES + 1; seq++) {
		while (outbox_next(o, "ops", T0, &m, &err) == 1) {
			struct delivery_result r = {.is_sent = true};
			char line[80];

			if (++steps == die_after)
				(void)kill(getpid(), SIGKILL);
			(void)outbox_attempt(o, m.seq, T0, &err);
			(void)snprintf(line, sizeof(line), "%s %s\n", m.id, m.text);
			if (write(fd, line, strlen(line)) < 0)
				_exit(4);
			if (++steps == die_after)
				(void)kill(getpid(), SIGKILL);
			(void)outbox_attempted(o, m.seq, OUTBOX_SENT, 1, &r, T0, T0, &err);
			message_done(&m);
		}
		if (seq > LINES)
			break;
		process(o, &t, seq);
		if (++steps == die_after)
			(void)kill(getpid(), SIGKILL);
	}
	_exit(0);
}

/* The sink forgets a message it has under the same id, as a receiver with idempotency keys does. */
static void a_killed_notifier_loses_nothing_and_tells_nothing_twice(void **state)
{
	(void)state;
	char seen[LINES * 8][48] = {{0}};
	unsigned told = 0, deaths = 0, next_text = 1;
	int pipes[2];
	int status = -1;
	char line[80];
	FILE *in;

	assert_int_equal(pipe(pipes), 0);
	for (unsigned round = 0; round < 200 && status != 0; round++) {
		pid_t pid = fork();

		if (pid == 0)
			life(pipes[1], 1 + round * 7 % 11);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		deaths += WIFSIGNALED(status) ? 1 : 0;
		assert_true(WIFSIGNALED(status) || status == 0);
	}
	assert_int_equal(status, 0);
	assert_true(deaths > 10);
	(void)close(pipes[1]);
	in = fdopen(pipes[0], "r");
	while (fgets(line, sizeof(line), in)) {
		char id[48];
		unsigned text;
		bool is_known = false;

		assert_int_equal(sscanf(line, "%47s %u", id, &text), 2);
		for (unsigned i = 0; i < told; i++)
			is_known = is_known || strcmp(seen[i], id) == 0;
		if (is_known)
			continue;
		assert_int_equal(text, next_text++); /* every transition, once, in order */
		(void)snprintf(seen[told++], sizeof(seen[0]), "%s", id);
	}
	assert_int_equal(told, LINES);
	(void)fclose(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_committed_is_there_after_a_restart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(messages_of_one_key_keep_their_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(every_attempt_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_waiting_messages_lose_the_oldest, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_failed_batch_leaves_nothing_behind, setup,
						teardown),
		cmocka_unit_test_setup_teardown(channels_that_left_and_old_rows_are_cleaned_away,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_killed_notifier_loses_nothing_and_tells_nothing_twice, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
