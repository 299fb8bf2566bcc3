/* SPDX-License-Identifier: Apache-2.0 */
/* errand - the on_failing command of a process, run for it
 *
 * It is a child like any other, run once: its lines go to haled's log as those of
 * "<process>.on_failing", and it is ended when it takes too long.
 */
#include "haled.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "deploy/process_env.h"

/* A mail command that hangs must not be the next thing nobody hears of. */
#define ERRAND_TIME_MAX_MS 60000
/* haled does not wait for it longer than this when it is told to stop. */
#define ERRAND_STOP_MS     1000
#define ERRAND_SUFFIX      ".on_failing"

static void on_event(void *ctx, struct child *c, const char *event)
{
	struct haled *d = ctx;

	log_info("on_failing command", KV_S("process", child_name(c)), KV_S("event", event));
	tend_soon(d);
}

static void on_line(void *ctx, struct child *c, int priority, const char *text)
{
	(void)ctx;
	log_foreign(child_name(c), priority, text);
}

static char **environment(const struct haled *d, struct child *c, const char *message)
{
	const char *state =
		child_is_crash_looping(c) ? "crash-looping" : process_state_name(child_state_of(c));
	char **env = mem_array(6, sizeof(*env));
	size_t n = 0;

	env[n++] = mem_printf("HALE_PROCESS=%s", child_name(c));
	env[n++] = mem_printf("HALE_STATE=%s", state);
	env[n++] = mem_printf("HALE_MESSAGE=%s", message);
	env[n++] = mem_printf("HALE_NODE=%s", d->config->node);
	env[n++] = mem_printf("HALE_INSTANCE=%s", d->config->instance);
	return env;
}

void errand_start(struct haled *d, struct child *c)
{
	struct child_hooks hooks = {.on_event = on_event, .on_line = on_line, .ctx = d};
	HALE_CLEANUP(cleanup_free) char *message = roster_message(c);
	HALE_CLEANUP(cleanup_free) char *name = mem_printf("%s" ERRAND_SUFFIX, child_name(c));
	char log_level[] = "info";
	char **command = child_spec(c)->on_failing;
	char **env = environment(d, c, message);
	struct process_spec spec = {
		.name = name,
		.program = command[0],
		.argv = command,
		.env = env,
		.log_level = log_level,
		.is_user = true,
		.is_enabled = true,
		.rights = d->config->service, /* child_new copies */
		.policy = {.backoff = {.base_ms = 1, .factor = 1, .cap_ms = 1},
			   .stable_after_ms = ERRAND_TIME_MAX_MS,
			   .burst = 1,
			   .window_ms = 1,
			   .start_timeout_ms = ERRAND_TIME_MAX_MS,
			   .stop_timeout_ms = ERRAND_STOP_MS,
			   .when = RESTART_NEVER,
			   .ready_after_ms = -1},
	};
	struct err err = {0};
	struct child *errand;

	log_warn("process cannot be kept running; on_failing is run",
		 KV_S("process", child_name(c)), KV_S("why", message));
	if (child_new(&d->loop, &spec, &d->home, &hooks, NULL, &errand, &err) == 0) {
		d->errands = mem_grow(d->errands, d->errands_n + 1, sizeof(struct child *));
		d->errands[d->errands_n++] = errand;
		child_event(errand, CHILD_EV_START);
	} else {
		log_error("on_failing cannot be run", KV_S("process", child_name(c)),
			  KV_S("error", err.text));
		failing_ended(&child_care(c)->failing);
	}
	process_env_free(env);
}

/* What became of it is history, too: when nobody was told, that is where one sees it. */
static void conclude(struct haled *d, struct child *errand)
{
	HALE_CLEANUP(cleanup_free) char *name = mem_dup(child_name(errand));
	struct child *c;
	HALE_CLEANUP(cleanup_free) char *text = NULL;
	bool is_good = child_is_finished(errand);
	json_t *state = child_encode(errand);

	name[strlen(name) - strlen(ERRAND_SUFFIX)] = '\0';
	c = roster_find(d, name);
	if (c != NULL)
		failing_ended(&child_care(c)->failing);
	text = mem_printf("%s cannot be kept running; its on_failing command ended: %s", name,
			  child_report(errand));
	if (!is_good)
		log_error("on_failing command failed", KV_S("process", name),
			  KV_S("how", child_report(errand)));
	haled_event(d, "on_failing", is_good ? "warning" : "critical", name, text,
		    json_pack("{s:O}", "exit", json_object_get(state, "last_exit")));
	json_decref(state);
}

void errand_collect(struct haled *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->errands_n; i++) {
		struct child *errand = d->errands[i];
		enum process_state state = child_state_of(errand);

		if (state == PROCESS_STOPPED || state == PROCESS_HELD) {
			conclude(d, errand);
			child_close(errand);
		} else {
			d->errands[kept++] = errand;
		}
	}
	d->errands_n = kept;
}
