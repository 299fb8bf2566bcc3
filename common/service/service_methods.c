/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service_private.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static void call_ping(void *ctx, struct command_request *rq, const json_t *params)
{
	const struct service *s = ctx;

	(void)params;
	command_reply(rq, json_pack("{s:s, s:I, s:i, s:I}", "service", s->name, "generation",
				    (json_int_t)s->generation, "pid", (int)getpid(), "uptime_ms",
				    (json_int_t)(clock_mono_ms() - s->started_ms)));
}

static json_t *encode_sent(const struct service *s)
{
	const struct pub_stats *p;

	if (s->pub == NULL)
		return json_null();
	p = pub_stats_get(s->pub);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "lines", (json_int_t)p->lines, "frames",
			 (json_int_t)p->frames, "pending", (json_int_t)p->pending, "dropped",
			 (json_int_t)p->dropped, "resent", (json_int_t)p->resent, "reopened",
			 (json_int_t)p->reopened);
}

static json_t *encode_heard(const struct service *s)
{
	if (s->feed != NULL) {
		const struct feed_stats *f = feed_stats_get(s->feed);

		return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "lines",
				 (json_int_t)f->lines, "gaps", (json_int_t)f->gaps, "healed",
				 (json_int_t)f->healed, "snapshots", (json_int_t)f->snapshots,
				 "lost", (json_int_t)f->lost, "garbage", (json_int_t)f->garbage,
				 "unknown", (json_int_t)f->unknown);
	}
	if (s->sync == NULL)
		return json_null();
	return json_pack("{s:I, s:I}", "garbage", (json_int_t)sub_stats_get(s->sync)->garbage,
			 "unknown", (json_int_t)sub_stats_get(s->sync)->unknown);
}

static void call_bus_status(void *ctx, struct command_request *rq, const json_t *params)
{
	const struct service *s = ctx;

	(void)params;
	command_reply(rq, json_pack("{s:o, s:o, s:o}", "sent", encode_sent(s), "heard",
				    encode_heard(s), "commands", command_stats_encode(s->server)));
}

static void call_log_level(void *ctx, struct command_request *rq, const json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "level"));
	enum log_level level;

	(void)ctx;
	if (name == NULL || !log_level_parse(name, &level)) {
		command_fail(rq, COMMAND_E_PARAMS, NULL,
			     "\"level\" must be one of debug, info, warn, error");
		return;
	}
	log_set_level(level);
	command_reply(rq, json_pack("{s:s}", "level", log_level_name(level)));
}

static void call_methods(void *ctx, struct command_request *rq, const json_t *params)
{
	const struct service *s = ctx;
	json_t *list = json_array();

	(void)params;
	for (const struct command_method *m = s->methods; m->name != NULL; m++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", m->name, "help",
						      m->help != NULL ? m->help : ""));
	command_reply(rq, json_pack("{s:o}", "methods", list));
}

static void call_confinement(void *ctx, struct command_request *rq, const json_t *params)
{
	const struct service *s = ctx;
	const char *config = json_string_value(json_object_get(params, "config"));
	json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:O}", "service", s->name, "row",
				   s->confine.row->service, "network",
				   confine_network_text(s->confine.network), "state_dir",
				   s->state_dir, "measures", s->confine.measures);

	if (json_is_true(json_object_get(params, "probe")))
		json_object_set_new(answer, "probes", confine_probe(&s->confine, config));
	command_reply(rq, answer);
}

static const struct command_method common[] = {
	{"ping", call_ping, "{} -> {service, generation, pid, uptime_ms}"},
	{"bus.status", call_bus_status, "{} -> {sent, heard, commands}: counters of its bus"},
	{"log.level", call_log_level, "{level} -> {level}; until the next start"},
	{"confinement", call_confinement,
	 "{probe, config} -> {service, row, network, state_dir, measures: [{measure, state, "
	 "detail}], probes: [{act,"
	 " expected, result, errno}]}; probe: try harmless forms of what is forbidden"},
	{"methods", call_methods, "{} -> {methods: [{name, help}]}"},
};

/* The common methods need the service, the others its state: one server has one ctx, so that the
 * latter are handed over here. */
static void call_own(void *ctx, struct command_request *rq, const json_t *params)
{
	struct service *s = ctx;
	const char *name = command_request_method(rq);
	const struct command_method *m = s->ops->methods;

	while (m->name != NULL && !str_eq(m->name, name))
		m++;
	HALE_ASSERT(m->name != NULL);
	m->call(s->state, rq, params);
}

struct command_method *service_methods(const struct service_ops *ops)
{
	struct command_method *table;
	size_t own = 0;

	while (ops->methods != NULL && ops->methods[own].name != NULL)
		own++;
	table = mem_array(own + ARRAY_LEN(common) + 1, sizeof(*table));
	for (size_t i = 0; i < own; i++)
		table[i] = (struct command_method){ops->methods[i].name, call_own,
						   ops->methods[i].help};
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		table[own + i] = common[i];
	return table;
}
