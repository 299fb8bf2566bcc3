/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "service/child_proto.h"
#include "service/service_private.h"

/* How often it is looked whether a file was replaced: soon enough for a network that changed. */
#define LOOK_MS 10000
/* How long after it asked for a restart that did not come it asks again. */
#define ASK_MS  60000

static void log_measures(const json_t *measures)
{
	size_t i;
	json_t *m;

	json_array_foreach (measures, i, m) {
		const char *state = json_string_value(json_object_get(m, "state"));
		const struct log_kv fields[] = {
			KV_S("measure", json_string_value(json_object_get(m, "measure"))),
			KV_S("state", state),
			KV_S("detail", json_string_value(json_object_get(m, "detail"))),
			{.key = NULL},
		};

		log_event(str_eq(state, "refused") ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
			  "confinement", fields);
	}
}

void service_confine(struct service *s, const json_t *slice)
{
	struct confine_needs needs = {0};

	if (s->ops->needs != NULL)
		s->ops->needs(slice, &needs);
	else
		confine_needs_sections(&needs, s->ops->sections, slice);
	confine_apply(&s->confine, s->name, s->run_dir, s->state_dir, &needs);
	s->looked_ms = clock_mono_ms();
	log_measures(s->confine.measures);
}

static void on_asked(void *ctx, const json_t *result, int code, const char *message,
		     const json_t *data)
{
	const struct service *s = ctx;

	(void)result;
	(void)data;
	/* The signal may be here before the answer: then what was asked for is under way. */
	if (code != 0 && s->phase == SERVICE_RUNNING)
		log_warn("restart refused; what was replaced cannot be read until then",
			 KV_S("error", message));
}

void service_confine_look(struct service *s)
{
	int64_t now = clock_mono_ms();
	const char *path;

	if (!s->is_supervised || s->phase != SERVICE_RUNNING || now - s->looked_ms < LOOK_MS)
		return;
	s->looked_ms = now;
	if (!confine_is_outdated(&s->confine, &path))
		return;
	s->looked_ms = now + ASK_MS;
	log_info("restarting, to be allowed to read a file that was replaced", KV_S("path", path));
	service_call(s, "haled", "process.restart", json_pack("{s:[s]}", "names", s->name), LOOK_MS,
		     on_asked, s);
}
