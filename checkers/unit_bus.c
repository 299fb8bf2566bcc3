/* SPDX-License-Identifier: Apache-2.0 */
/* All work is done in turn(), from the loop: whoever asks or cancels only changes the lists and
 * wakes it. So no answer comes from within a question, and nothing is torn down under sd-bus's
 * feet.
 *
 *   closed -> connecting -> ready        and back to closed whenever the connection is lost
 */
#include "unit_bus.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "sdbus.h"
#include "unit_name.h"
#include "unit_props.h"

#define SYSTEMD        "org.freedesktop.systemd1"
#define SYSTEMD_UNIT   SYSTEMD ".Unit"
#define SYSTEMD_UNITS  "/org/freedesktop/systemd1/unit"
#define SYSTEM_ADDRESS "unix:path=/run/dbus/system_bus_socket"

/* Messages handled in one turn of the loop; others want theirs, too. */
#define TURN_MESSAGES_MAX 64
/* A unit is asked for what all units have, and for what its type has. */
#define CALLS_MAX         2
#define INTERFACE_MAX     64
#define TEXT_MAX          384 /* with the address of the bus */

#define US_PER_MS 1000

enum bus_state { BUS_CLOSED, BUS_CONNECTING, BUS_READY };
enum ask_state { ASK_WAITING, ASK_SENT, ASK_OVER };

struct call {
	struct unit_ask *ask;
	sd_bus_slot *slot; /* NULL: not under way */
	enum unit_props known;
};

struct unit_ask {
	struct unit_bus *bus;
	struct unit_ask *next;
	struct unit_ask **link; /* what points to this one */
	struct check *check;
	char name[UNIT_NAME_SIZE];
	unit_answer_fn on_answer;
	void *ctx;

	enum ask_state state;
	bool was_cut_off; /* once already */
	bool is_at_triggered;
	struct call calls[CALLS_MAX];
	unsigned open_calls;
	int64_t answer_by_ms;
	struct unit_reading reading;
	enum reason reason; /* OK: there is a status */
	char text[TEXT_MAX];
};

struct unit_bus {
	uv_loop_t *loop;
	char *address;
	char *what;       /* "the system bus", for messages */
	const char *hint; /* what helps if it is not there */
	enum bus_state state;
	sd_bus *bus; /* NULL: closed */
	uv_poll_t *poll;
	int fd; /* that is polled */
	int events;
	uv_timer_t timer;
	bool is_shut;
	bool has_more; /* messages left for the next turn */
	int64_t connect_by_ms;
	unsigned sent;       /* questions under way */
	unsigned unanswered; /* calls since the last answer */
	struct unit_ask *asks;
	struct unit_ask *over; /* to be told */
};

/* All buses of the process. */
struct unit_buses {
	uv_loop_t *loop;
	struct map by_address;
};

static void wake(struct unit_bus *b);

/* ---- The list of questions ---- */

static void ask_link(struct unit_ask **list, struct unit_ask *ask)
{
	while (*list != NULL)
		list = &(*list)->next;
	ask->next = NULL;
	ask->link = list;
	*list = ask;
}

static void ask_unlink(struct unit_ask *ask)
{
	*ask->link = ask->next;
	if (ask->next != NULL)
		ask->next->link = ask->link;
}

/* What still comes for it is dropped by sd-bus. */
static void ask_recall(struct unit_ask *ask)
{
	for (size_t i = 0; i < CALLS_MAX; i++) {
		if (ask->calls[i].slot != NULL)
			(void)sdbus.slot_unref(TAKE_PTR(ask->calls[i].slot));
	}
	ask->open_calls = 0;
	if (ask->state == ASK_SENT)
		ask->bus->sent--;
	ask->state = ASK_WAITING;
}

HALE_PRINTF(3, 4)
static void ask_end(struct unit_ask *ask, enum reason reason, const char *fmt, ...)
{
	va_list args;

	ask_recall(ask);
	ask->state = ASK_OVER;
	ask->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(ask->text, sizeof(ask->text), fmt, args);
	va_end(args);
	ask_unlink(ask);
	ask_link(&ask->bus->over, ask);
}

/* ---- Answers ---- */

static const char *const no_systemd_errors[] = {
	SD_BUS_ERROR_SERVICE_UNKNOWN,
	SD_BUS_ERROR_NAME_HAS_NO_OWNER,
	"org.freedesktop.DBus.Error.Spawn.ChildExited",
	"org.freedesktop.DBus.Error.Spawn.Failed",
	NULL,
};
static const char *const no_unit_errors[] = {
	"org.freedesktop.systemd1.NoSuchUnit",
	SD_BUS_ERROR_UNKNOWN_OBJECT,
	NULL,
};
/* No answer: of the connection's end or too late (sd-bus), of systemd's end (the bus). */
static const char *const silence_errors[] = {
	SD_BUS_ERROR_NO_REPLY,
	SD_BUS_ERROR_DISCONNECTED,
	SD_BUS_ERROR_TIMEOUT,
	NULL,
};

static bool is_one_of(const char *const *names, const char *name)
{
	for (; *names != NULL; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static bool is_about_unit(const sd_bus_error *error)
{
	return is_one_of(no_unit_errors, error->name);
}

static bool is_silence(const sd_bus_error *error)
{
	return is_one_of(silence_errors, error->name);
}

static void ask_send(struct unit_ask *ask);

static void take_error(struct unit_ask *ask, const sd_bus_error *error)
{
	const char *why = error->message != NULL ? error->message : error->name;
	const char *what = ask->bus->what;

	if (is_about_unit(error)) {
		unit_reading_none(&ask->reading);
		ask_end(ask, REASON_OK, "no such unit");
	} else if (is_silence(error) && clock_mono_ms() >= ask->answer_by_ms) {
		ask_end(ask, REASON_TIMEOUT_READ, "systemd does not answer on %s (after %d s)",
			what, UNIT_BUS_ANSWER_MS / 1000);
	} else if (is_one_of(no_systemd_errors, error->name)) {
		ask_end(ask, REASON_NO_BUS, "there is no systemd on %s: %s", what, why);
	} else if (!is_silence(error)) {
		ask_end(ask, REASON_NO_BUS, "systemd on %s refuses: %s", what, why);
	} else if (ask->was_cut_off) {
		ask_end(ask, REASON_NO_BUS, "%s: %s, twice", what, why);
	} else {
		ask->was_cut_off = true;
		ask_recall(ask);
	}
}

/* A timer is told together with what became of the unit that it starts. */
static void go_on(struct unit_ask *ask)
{
	if (!ask->is_at_triggered && unit_reading_triggers(&ask->reading)) {
		ask->is_at_triggered = true;
		ask->bus->sent--;
		ask->state = ASK_WAITING;
		ask_send(ask);
	} else {
		unit_reading_finish(&ask->reading, clock_wall_ms(), clock_mono_us());
		ask_end(ask, REASON_OK, "%s", ask->reading.status.active);
	}
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret HALE_UNUSED)
{
	struct call *call = userdata;
	struct unit_ask *ask = call->ask;
	const sd_bus_error *error = sdbus.message_get_error(m);

	(void)sdbus.slot_unref(TAKE_PTR(call->slot));
	ask->open_calls--;
	if (error == NULL || !is_silence(error))
		ask->bus->unanswered = 0;
	if (error != NULL) {
		/* A type has nothing of its own to tell; a timer's unit is not there. */
		if (call == &ask->calls[0] && !(ask->is_at_triggered && is_about_unit(error)))
			take_error(ask, error);
	} else if (unit_reading_take(&ask->reading, call->known, m) < 0) {
		ask_end(ask, REASON_PROTOCOL, "systemd's answer on %s is not understood",
			ask->bus->what);
	}
	if (ask->state == ASK_SENT && ask->open_calls == 0)
		go_on(ask);
	return 0;
}

/* ---- Questions ---- */

static const char *interface_of(const char *unit, char buf[INTERFACE_MAX])
{
	const char *type = unit_name_type(unit);

	(void)snprintf(buf, INTERFACE_MAX, SYSTEMD ".%c%s", *type - 'a' + 'A', type + 1);
	return buf;
}

static int send_call(struct unit_ask *ask, size_t i, const char *path, const char *interface,
		     enum unit_props known)
{
	struct call *call = &ask->calls[i];
	int rc;

	*call = (struct call){.ask = ask, .known = known};
	rc = sdbus.call_method_async(ask->bus->bus, &call->slot, SYSTEMD, path,
				     "org.freedesktop.DBus.Properties", "GetAll", on_reply, call,
				     "s", interface);
	if (rc < 0)
		return rc;
	ask->open_calls++;
	ask->answer_by_ms = clock_mono_ms() + UNIT_BUS_ANSWER_MS;
	ask->bus->unanswered++;
	return 0;
}

/* By the path that belongs to the name: systemd then loads the unit, as for `systemctl show`. */
static void ask_send(struct unit_ask *ask)
{
	const char *name = ask->is_at_triggered ? ask->reading.status.triggers : ask->name;
	char interface[INTERFACE_MAX];
	char *path = NULL;
	/* What a timer triggers is the bus's word, which may be anything. */
	int rc = *unit_name_type(name) == '\0' ? -EBADMSG
					       : sdbus.path_encode(SYSTEMD_UNITS, name, &path);

	check_stage(ask->check, REASON_TIMEOUT_READ);
	ask->state = ASK_SENT;
	ask->bus->sent++;
	if (rc >= 0)
		rc = send_call(ask, 0, path, SYSTEMD_UNIT,
			       ask->is_at_triggered ? UNIT_PROPS_TRIGGERED : UNIT_PROPS_UNIT);
	if (rc >= 0)
		rc = send_call(ask, 1, path, interface_of(name, interface),
			       ask->is_at_triggered ? UNIT_PROPS_TRIGGERED : UNIT_PROPS_TYPE);
	free(path);
	if (rc < 0)
		ask_end(ask, REASON_NO_BUS, "cannot ask on %s: %s", ask->bus->what, strerror(-rc));
}

static void send_waiting(struct unit_bus *b)
{
	struct unit_ask *next;

	for (struct unit_ask *ask = b->asks; ask != NULL; ask = next) {
		next = ask->next;
		if (b->unanswered >= UNIT_BUS_UNANSWERED_MAX)
			return;
		if (ask->state == ASK_WAITING) {
			ask->is_at_triggered = false;
			unit_reading_init(&ask->reading);
			ask_send(ask);
		}
	}
}

/* ---- The connection ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void stop_polling(struct unit_bus *b)
{
	if (b->poll != NULL)
		uv_close((uv_handle_t *)TAKE_PTR(b->poll), on_poll_closed);
	b->events = 0;
}

/* The loop must have forgotten the descriptor before it is closed. */
static void disconnect(struct unit_bus *b)
{
	stop_polling(b);
	for (struct unit_ask *ask = b->asks; ask != NULL; ask = ask->next)
		ask_recall(ask);
	if (b->bus != NULL)
		(void)sdbus.close_unref(TAKE_PTR(b->bus));
	b->state = BUS_CLOSED;
	b->unanswered = 0;
	b->has_more = false;
}

HALE_PRINTF(2, 3)
static void fail_all(struct unit_bus *b, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	while (b->asks != NULL)
		ask_end(b->asks, REASON_NO_BUS, "%s", text);
}

/* Whoever was cut off the first time waits for the next connection. */
static void lose(struct unit_bus *b, int rc)
{
	struct unit_ask *next;

	if (b->state == BUS_CONNECTING) {
		disconnect(b);
		fail_all(b, "%s does not let us in: %s", b->what, strerror(-rc));
		return;
	}
	for (struct unit_ask *ask = b->asks; ask != NULL; ask = next) {
		next = ask->next;
		if (ask->state != ASK_SENT)
			continue;
		if (ask->was_cut_off)
			ask_end(ask, REASON_NO_BUS, "%s hung up: %s", b->what, strerror(-rc));
		ask->was_cut_off = true;
	}
	disconnect(b);
}

static int connect_bus(struct unit_bus *b)
{
	int rc = sdbus.new(&b->bus);

	if (rc >= 0)
		rc = sdbus.set_address(b->bus, b->address);
	if (rc >= 0)
		rc = sdbus.set_bus_client(b->bus, 1);
	if (rc >= 0)
		rc = sdbus.set_method_call_timeout(b->bus,
						   (uint64_t)UNIT_BUS_ANSWER_MS * US_PER_MS);
	return rc < 0 ? rc : sdbus.start(b->bus);
}

static void open_bus(struct unit_bus *b)
{
	struct err err = {0};
	int rc = sdbus_load(&err);

	if (rc < 0) {
		fail_all(b, "%s", err.text);
		return;
	}
	rc = connect_bus(b);
	if (rc < 0) {
		disconnect(b);
		fail_all(b, "cannot connect to %s (%s): %s; %s", b->what, b->address, strerror(-rc),
			 b->hint);
		return;
	}
	b->state = BUS_CONNECTING;
	b->connect_by_ms = clock_mono_ms() + UNIT_BUS_CONNECT_MS;
}

static void process(struct unit_bus *b)
{
	int rc = 1;

	for (int i = 0; i < TURN_MESSAGES_MAX && rc > 0; i++)
		rc = sdbus.process(b->bus, NULL);
	b->has_more = rc > 0;
	if (rc < 0) {
		lose(b, rc);
		return;
	}
	if (b->state == BUS_CONNECTING && sdbus.is_ready(b->bus) > 0)
		b->state = BUS_READY;
	if (b->state == BUS_CONNECTING && clock_mono_ms() >= b->connect_by_ms)
		lose(b, -ETIMEDOUT);
}

/* ---- On the loop ---- */

static void tell(struct unit_bus *b)
{
	while (b->over != NULL) {
		struct unit_ask *ask = b->over;

		ask_unlink(ask);
		ask->on_answer(ask->ctx, ask->reason == REASON_OK ? &ask->reading.status : NULL,
			       ask->reason, ask->text);
		free(ask);
	}
}

static void turn(struct unit_bus *b);

static void on_poll(uv_poll_t *poll, int status HALE_UNUSED, int events HALE_UNUSED)
{
	turn(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
	turn(timer->data);
}

static void arm_poll(struct unit_bus *b)
{
	int wanted = sdbus.get_events(b->bus);
	int fd = sdbus.get_fd(b->bus);
	int events = ((wanted & POLLIN) != 0 ? UV_READABLE : 0) |
		     ((wanted & POLLOUT) != 0 ? UV_WRITABLE : 0);

	if (fd < 0 || wanted < 0)
		return; /* it is closing: process() says so in the next turn */
	if (b->poll != NULL && b->fd != fd)
		stop_polling(b);
	if (b->poll == NULL) {
		b->poll = mem_alloc(sizeof(*b->poll));
		HALE_ASSERT(uv_poll_init(b->loop, b->poll, fd) == 0);
		b->poll->data = b;
		b->fd = fd;
	}
	if (events != b->events)
		HALE_ASSERT(uv_poll_start(b->poll, events, on_poll) == 0);
	b->events = events;
}

static int64_t next_turn_ms(const struct unit_bus *b)
{
	uint64_t timeout_us = UINT64_MAX;
	int64_t next_ms = INT64_MAX;

	if (b->bus == NULL)
		return b->asks != NULL ? 0 : INT64_MAX;
	if (b->has_more)
		return 0;
	if (b->state == BUS_CONNECTING)
		next_ms = b->connect_by_ms;
	if (sdbus.get_timeout(b->bus, &timeout_us) < 0)
		return 0;
	if (timeout_us != UINT64_MAX)
		next_ms = HALE_MIN(next_ms, (int64_t)(timeout_us / US_PER_MS) + 1);
	return next_ms;
}

static void arm(struct unit_bus *b)
{
	int64_t next_ms = next_turn_ms(b);
	int64_t wait_ms = HALE_MAX(next_ms - clock_mono_ms(), (int64_t)0);

	if (b->bus != NULL)
		arm_poll(b);
	if (next_ms == INT64_MAX)
		uv_timer_stop(&b->timer);
	else
		(void)uv_timer_start(&b->timer, on_timer, (uint64_t)wait_ms, 0);
}

static void turn(struct unit_bus *b)
{
	if (b->bus == NULL && b->asks != NULL)
		open_bus(b);
	if (b->bus != NULL)
		process(b);
	if (b->state == BUS_READY)
		send_waiting(b);
	/* Nobody waits for what was asked and never answered: a bus that hangs is left. */
	if (b->state == BUS_READY && b->sent == 0 && b->unanswered > 0)
		disconnect(b);
	tell(b);
	if (!b->is_shut)
		arm(b);
}

static void wake(struct unit_bus *b)
{
	(void)uv_timer_start(&b->timer, on_timer, 0, 0);
}

/* ---- Which bus ---- */

static char *make_address(const struct unit_bus_at *at)
{
	const char *told = getenv(at->scope == UNIT_SYSTEM ? "DBUS_SYSTEM_BUS_ADDRESS"
							   : "DBUS_SESSION_BUS_ADDRESS");

	if (at->address != NULL)
		return mem_dup(at->address);
	if (told != NULL && *told != '\0' && !at->has_uid)
		return mem_dup(told);
	if (at->scope == UNIT_SYSTEM)
		return mem_dup(SYSTEM_ADDRESS);
	return mem_printf("unix:path=/run/user/%" PRIu32 "/bus",
			  (uint32_t)(at->has_uid ? at->uid : getuid()));
}

static char *make_what(const struct unit_bus_at *at)
{
	if (at->scope == UNIT_SYSTEM)
		return mem_dup("the system bus");
	if (at->has_uid)
		return mem_printf("the bus of user %" PRIu32, (uint32_t)at->uid);
	return mem_dup("the user's bus");
}

static void *buses_make(const struct check *c)
{
	struct unit_buses *all = mem_alloc(sizeof(*all));

	all->loop = check_loop(c);
	return all;
}

static void shut(struct unit_bus *b)
{
	b->is_shut = true;
	while (b->asks != NULL)
		unit_bus_cancel(b->asks);
	disconnect(b);
	uv_close((uv_handle_t *)&b->timer, NULL);
}

static void buses_close(void *shared)
{
	const struct unit_buses *all = shared;
	const char *address;
	struct unit_bus *b;

	for (size_t i = 0; map_each(&all->by_address, &i, &address, (void **)&b);)
		shut(b);
}

static void buses_free(void *shared)
{
	struct unit_buses *all = shared;
	const char *address;
	struct unit_bus *b;

	for (size_t i = 0; map_each(&all->by_address, &i, &address, (void **)&b);) {
		free(b->address);
		free(b->what);
		free(b);
	}
	map_done(&all->by_address);
	free(all);
}

static struct unit_bus *bus_at(struct check *c, const struct unit_bus_at *at)
{
	struct unit_buses *all = check_shared_open(c, buses_make, buses_close, buses_free);
	HALE_CLEANUP(cleanup_free) char *address = make_address(at);
	struct unit_bus *b = map_get(&all->by_address, address);

	if (b != NULL)
		return b;
	b = mem_alloc(sizeof(*b));
	b->loop = all->loop;
	b->what = make_what(at);
	b->hint = at->scope == UNIT_USER ? "`loginctl enable-linger` starts it without a login"
					 : "without one, an exec check can ask systemctl";
	HALE_ASSERT(uv_timer_init(b->loop, &b->timer) == 0);
	b->timer.data = b;
	map_put(&all->by_address, address, b);
	b->address = TAKE_PTR(address);
	return b;
}

struct unit_ask *unit_bus_ask(struct check *c, const struct unit_bus_at *at, const char *unit,
			      unit_answer_fn on_answer, void *ctx)
{
	struct unit_ask *ask = mem_alloc(sizeof(*ask));
	struct err err = {0};

	ask->bus = bus_at(c, at);
	ask->check = c;
	ask->on_answer = on_answer;
	ask->ctx = ctx;
	unit_reading_init(&ask->reading);
	ask_link(&ask->bus->asks, ask);
	check_stage(c, ask->bus->state == BUS_READY ? REASON_TIMEOUT_READ : REASON_NO_BUS);
	if (unit_name_complete(unit, ask->name, &err) < 0)
		ask_end(ask, REASON_CONFIG, "%s", err.text);
	wake(ask->bus);
	return ask;
}

void unit_bus_cancel(struct unit_ask *ask)
{
	struct unit_bus *b;

	if (ask == NULL)
		return;
	b = ask->bus;
	if (ask->state != ASK_OVER)
		ask_recall(ask);
	ask_unlink(ask);
	free(ask);
	if (!b->is_shut)
		wake(b);
}
