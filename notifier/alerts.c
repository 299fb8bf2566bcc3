/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "expr/jq.h"
#include "render.h"

#define DEFAULT_REPEAT_IS_COOLDOWN (-1)

struct rule_options {
	char *name;
	char *type;
	struct strlist components;
	struct strlist on;
	int64_t failures;
	int64_t cooldown;
	int64_t repeat;
	char *severity;
	struct strlist channels;
	bool recovery;
	char *title;
	char *message;
};

struct retry_options {
	int64_t first;
	int64_t max;
	int64_t give_up_after;
};

struct alerts_options {
	struct conf_vec channels; /* for the manifest; decoded by type below */
	struct conf_vec rules;
	struct retry_options retry;
	int64_t keep;
};

static const struct conf_item rule_items[] = {
	CONF_STR(struct rule_options, name, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "name of the rule; its state is kept under it over reloads"),
	CONF_ENUM(struct rule_options, type, .flags = CONF_F_REQUIRED,
		  .choices = "status_change|component_failures",
		  .help = "status_change: a status became another; component_failures: so many "
			  "failures in a row"),
	CONF_LIST(
		struct rule_options, components,
		.help = "ids or globs of components; without it status_change is about the overall "
			"status and component_failures about every component"),
	CONF_LIST(struct rule_options, on, .choices = "healthy|unknown|degraded|critical|down",
		  .help = "statuses that are trouble; all but healthy for status_change, critical "
			  "and "
			  "down for component_failures unless given"),
	CONF_INT(struct rule_options, failures, .def = "3", .min = 1, .max = 1000000,
		 .help = "component_failures: so many failed checks in a row"),
	CONF_DURATION(
		struct rule_options, cooldown, .max = 31 * 86400e3,
		.help = "between two notices of the same status; 5m for status_change, 15m for "
			"component_failures unless given, 0 for none"),
	CONF_DURATION(struct rule_options, repeat, .max = 31 * 86400e3,
		      .help = "remind so often while the alert is open; 0 never; the cooldown for "
			      "component_failures, never for status_change unless given"),
	CONF_ENUM(struct rule_options, severity, .choices = "info|warning|high|critical",
		  .help = "severity of its alerts; by status unless given"),
	CONF_LIST(struct rule_options, channels, .ref = "alerts.channels",
		  .help = "whom to tell; all channels unless given"),
	CONF_BOOL(struct rule_options, recovery, .def = "true", .help = "tell when it is over"),
	CONF_JQ(struct rule_options, title, .help = "jq program that makes the title"),
	CONF_JQ(struct rule_options, message, .help = "jq program that makes the text"),
	CONF_END,
};

static const struct conf_item retry_items[] = {
	CONF_DURATION(struct retry_options, first, .def = "5s", .min = 10, .max = 3600e3,
		      .help = "wait before the second attempt; doubles from there"),
	CONF_DURATION(struct retry_options, max, .def = "15m", .min = 10, .max = 86400e3,
		      .help = "longest wait between two attempts"),
	CONF_DURATION(struct retry_options, give_up_after, .def = "24h", .min = 1000,
		      .max = 31 * 86400e3, .help = "a message that old is given up"),
	CONF_END,
};

static const struct conf_item alerts_items[] = {
	CONF_DICT(struct alerts_options, channels, channel_items, struct channel,
		  .help = "ways to reach people and programs; each has one type"),
	CONF_ARRAY(struct alerts_options, rules, rule_items, struct rule_options,
		   .help = "when to tell; without any, a change of the overall status goes to all "
			   "channels"),
	CONF_MAP(struct alerts_options, retry, retry_items, .def = "{}",
		 .help = "what happens when a channel does not take a message"),
	CONF_DURATION(struct alerts_options, keep, .def = "90d", .min = 3600e3,
		      .help = "how long resolved alerts and finished deliveries are kept"),
	CONF_END,
};

const struct conf_section alerts_sections[] = {
	{"alerts", alerts_items, CONF_T_MAP, "who is told of what, and how"},
	{0},
};

/* ---- channels ---- */

/* The one type a channel has; NULL (and why) if it has none or two. */
static const struct channel_ops *type_of(const json_t *channel, const char **why_r)
{
	const struct channel_ops *found = NULL;

	for (size_t i = 0; channel_types[i]; i++) {
		if (!json_is_object(json_object_get(channel, channel_types[i]->type)))
			continue;
		if (found) {
			*why_r = "has more than one type; a channel has exactly one";
			return NULL;
		}
		found = channel_types[i];
	}
	if (!found)
		*why_r = "has no type: give it one of webhook, telegram, log, null, e.g. "
			 "webhook: {url: …} or log: {}";
	return found;
}

static int decode_channel(const char *name, const json_t *object, struct channel *c,
			  struct err *err)
{
	const json_t *rate = json_object_get(object, "rate");
	const char *why, *key;
	json_t *value;
	int rc;

	c->name = mem_dup(name);
	c->ops = type_of(object, &why);
	if (!c->ops)
		return err_set(err, -EINVAL, "%s", why);
	json_object_foreach ((json_t *)object, key, value)
		if (!str_eq(key, "rate") && !str_eq(key, c->ops->type))
			return err_set(err, -EINVAL, "unknown option '%s'", key);
	c->opts = mem_alloc(c->ops->opts_size);
	rc = conf_decode(c->ops->items, json_object_get(object, c->ops->type), c->opts, err);
	if (rc < 0) {
		err_prefix(err, "%s", c->ops->type);
		free(c->opts);
		c->opts = NULL;
		return rc;
	}
	c->rate = json_is_integer(rate) ? (uint32_t)json_integer_value(rate) : c->ops->rate;
	return 0;
}

static int decode_channels(const json_t *section, struct alerts *a, struct err *err)
{
	json_t *channels = json_object_get(section, "channels");
	const char *name;
	json_t *object;

	a->channels = mem_array(json_object_size(channels) + 1, sizeof(*a->channels));
	json_object_foreach (channels, name, object) {
		int rc = decode_channel(name, object, &a->channels[a->channels_n++], err);

		if (rc < 0) {
			err_prefix(err, "channels: %s", name);
			return rc;
		}
	}
	return 0;
}

const struct channel *alerts_channel(const struct alerts *a, const char *name)
{
	for (size_t i = 0; i < a->channels_n; i++)
		if (str_eq(a->channels[i].name, name))
			return &a->channels[i];
	return NULL;
}

/* ---- rules ---- */

static uint32_t status_mask(const struct strlist *on, enum rule_type type)
{
	uint32_t mask = 0;
	enum status s;

	for (size_t i = 0; i < on->n; i++)
		if (status_from_name(on->v[i], &s))
			mask |= 1u << s;
	if (on->n > 0)
		return mask;
	if (type == RULE_COMPONENT_FAILURES)
		return 1u << STATUS_CRITICAL | 1u << STATUS_DOWN;
	return 1u << STATUS_UNKNOWN | 1u << STATUS_DEGRADED | 1u << STATUS_CRITICAL |
	       1u << STATUS_DOWN;
}

static void fill_times(const struct rule_options *o, const json_t *raw, struct engine_rule *r)
{
	bool is_failures = r->type == RULE_COMPONENT_FAILURES;
	int64_t repeat = is_failures ? DEFAULT_REPEAT_IS_COOLDOWN : 0;

	r->cooldown_ms = o->cooldown;
	if (!json_is_integer(json_object_get(raw, "cooldown")))
		r->cooldown_ms =
			is_failures ? COOLDOWN_COMPONENT_FAILURES_MS : COOLDOWN_STATUS_CHANGE_MS;
	if (json_is_integer(json_object_get(raw, "repeat")))
		repeat = o->repeat;
	if (repeat == DEFAULT_REPEAT_IS_COOLDOWN)
		repeat = r->cooldown_ms;
	/* A reminder is a notice too, and no two come within the cooldown. */
	r->repeat_ms = repeat > 0 ? HALE_MAX(repeat, r->cooldown_ms) : 0;
}

static void fill_rule(struct rule_options *o, const json_t *raw, const struct alerts *a,
		      struct alert_rule *rule, struct engine_rule *r)
{
	r->type = str_eq(o->type, rule_type_name(RULE_COMPONENT_FAILURES)) ? RULE_COMPONENT_FAILURES
									   : RULE_STATUS_CHANGE;
	r->on = status_mask(&o->on, r->type);
	r->failures = (uint32_t)o->failures;
	r->tells_recovery = o->recovery;
	if (o->severity)
		(void)severity_from_name(o->severity, &r->severity);
	fill_times(o, raw, r);
	rule->name = TAKE_PTR(o->name);
	rule->components = o->components;
	rule->channels = o->channels;
	o->components = o->channels = (struct strlist){0};
	if (rule->channels.n == 0)
		for (size_t i = 0; i < a->channels_n; i++)
			strlist_add(&rule->channels, a->channels[i].name);
	rule->title = o->title ? TAKE_PTR(o->title) : mem_dup(render_default_title(r->type));
	rule->message = o->message
				? TAKE_PTR(o->message)
				: mem_dup(render_default_message(r->type, rule->components.n > 0));
	r->name = rule->name;
	r->components = &rule->components;
}

static int check_rule(const struct alerts *a, size_t at, struct err *err)
{
	const struct alert_rule *rule = &a->rules[at];

	for (size_t i = 0; i < at; i++)
		if (str_eq(a->rules[i].name, rule->name))
			return err_set(err, -EINVAL, "rules: '%s' is there twice", rule->name);
	for (size_t i = 0; i < rule->channels.n; i++)
		if (!alerts_channel(a, rule->channels.v[i]))
			return err_set(err, -EINVAL, "rules: %s: no channel '%s'", rule->name,
				       rule->channels.v[i]);
	return 0;
}

static int decode_rules(struct conf_vec *options, const json_t *raw, struct alerts *a,
			struct err *err)
{
	struct rule_options *o = options->v;
	int rc = 0;

	a->rules = mem_array(options->n + 1, sizeof(*a->rules));
	a->engine_rules = mem_array(options->n + 1, sizeof(*a->engine_rules));
	for (size_t i = 0; i < options->n && rc == 0; i++) {
		a->rules_n++;
		fill_rule(&o[i], json_array_get(raw, i), a, &a->rules[i], &a->engine_rules[i]);
		rc = check_rule(a, i, err);
	}
	if (options->n == 0 && a->channels_n > 0) {
		struct rule_options def = {
			.name = mem_dup(DEFAULT_RULE_NAME), .failures = 1, .recovery = true};

		def.type = mem_dup(rule_type_name(RULE_STATUS_CHANGE));
		a->rules_n = 1;
		fill_rule(&def, NULL, a, &a->rules[0], &a->engine_rules[0]);
		conf_free(rule_items, &def);
	}
	return rc;
}

static void fill_retry(const struct alerts_options *o, struct alerts *a)
{
	a->retry = (struct backoff_policy){
		.base_ms = (uint32_t)o->retry.first,
		.factor = 2.0,
		.cap_ms = (uint32_t)HALE_MAX(o->retry.first, o->retry.max),
		.jitter_percent = 20,
	};
	a->give_up_after_ms = o->retry.give_up_after;
	a->keep_ms = o->keep;
}

int alerts_decode(const json_t *section, struct alerts *a_r, struct err *err)
{
	json_t *rest = section ? json_copy((json_t *)section) : json_object();
	struct alerts_options o = {0};
	struct alerts a = {0};
	int rc = decode_channels(section, &a, err);

	json_object_del(rest, "channels");
	if (rc == 0)
		rc = conf_decode(alerts_items, rest, &o, err);
	if (rc == 0) {
		fill_retry(&o, &a);
		rc = decode_rules(&o.rules, json_object_get(section, "rules"), &a, err);
		conf_free(alerts_items, &o);
	}
	json_decref(rest);
	if (rc < 0) {
		alerts_done(&a);
		return rc;
	}
	*a_r = a;
	return 0;
}

void alerts_done(struct alerts *a)
{
	for (size_t i = 0; i < a->channels_n; i++) {
		struct channel *c = &a->channels[i];

		if (c->opts)
			conf_free(c->ops->items, c->opts);
		free(c->opts);
		free(c->name);
	}
	for (size_t i = 0; i < a->rules_n; i++) {
		struct alert_rule *r = &a->rules[i];

		free(r->name);
		free(r->title);
		free(r->message);
		strlist_done(&r->components);
		strlist_done(&r->channels);
	}
	free(a->channels);
	free(a->rules);
	free(a->engine_rules);
	*a = (struct alerts){0};
}

/* ---- --check ---- */

struct checking {
	service_problem_fn problem;
	void *ctx;
	const char *prefix;
};

static void prefixed(void *ctx, const char *path, const char *message)
{
	const struct checking *c = ctx;
	char *full = mem_printf("%s%s", c->prefix, path);

	c->problem(c->ctx, full, message);
	free(full);
}

/* A name in a JSON pointer (RFC 6901): ~ is ~0 and / is ~1. */
static char *pointer_word(const char *name)
{
	struct str out = {0};

	for (; *name; name++) {
		if (*name == '~' || *name == '/')
			str_add(&out, *name == '~' ? "~0" : "~1");
		else
			str_addc(&out, *name);
	}
	return out.data ? str_take(&out) : mem_dup("");
}

static void check_channel(const char *name, const json_t *object, service_problem_fn problem,
			  void *ctx)
{
	HALE_CLEANUP(cleanup_free) char *word = pointer_word(name);
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("/alerts/channels/%s", word);
	HALE_CLEANUP(cleanup_free) char *deep = NULL;
	struct channel c = {0};
	struct err err = {0};

	if (decode_channel(name, object, &c, &err) < 0) {
		problem(ctx, path, err.text);
	} else if (c.ops->validate) {
		deep = mem_printf("%s/%s", path, c.ops->type);
		c.ops->validate(c.opts, prefixed, &(struct checking){problem, ctx, deep});
	}
	if (c.opts)
		conf_free(c.ops->items, c.opts);
	free(c.opts);
	free(c.name);
}

/* A glob that can match no component id ([a-z0-9_.-]+) is a mistake. */
static const char *glob_problem(const char *glob)
{
	bool is_in_class = false;

	if (*glob == '\0')
		return "is empty and matches no component";
	for (const char *p = glob; *p; p++) {
		if (*p == '[' && !is_in_class)
			is_in_class = true;
		else if (*p == ']' && is_in_class)
			is_in_class = false;
		else if (*p == '*' || *p == '?' || (is_in_class && (*p == '!' || *p == '^')))
			continue;
		else if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
			 !strchr("_.-", *p))
			return "matches no component: ids are made of a-z 0-9 _ . -";
	}
	return is_in_class ? "has a [ without its ]" : NULL;
}

static void check_jq(const json_t *rule, const char *option, size_t at, service_problem_fn problem,
		     void *ctx)
{
	const char *program = json_string_value(json_object_get(rule, option));
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("/alerts/rules/%zu/%s", at, option);
	struct err err = {0};
	struct jq_expr *e;

	if (!program)
		return;
	e = jq_new(program);
	if (jq_check(e, &err) < 0)
		problem(ctx, path, err.text);
	jq_free(e);
}

static void check_one_rule(const json_t *rule, size_t at, service_problem_fn problem, void *ctx)
{
	const json_t *globs = json_object_get(rule, "components");
	json_t *one =
		json_is_string(globs) ? json_pack("[O]", globs) : json_incref((json_t *)globs);
	const json_t *glob;
	size_t i;

	json_array_foreach (one, i, glob) {
		const char *why =
			json_is_string(glob) ? glob_problem(json_string_value(glob)) : NULL;
		HALE_CLEANUP(cleanup_free)
		char *path = mem_printf("/alerts/rules/%zu/components/%zu", at, i);
		HALE_CLEANUP(cleanup_free)
		char *text = why ? mem_printf("'%s' %s", json_string_value(glob), why) : NULL;

		if (why)
			problem(ctx, path, text);
	}
	json_decref(one);
	check_jq(rule, "title", at, problem, ctx);
	check_jq(rule, "message", at, problem, ctx);
}

static void check_names(const json_t *rules, service_problem_fn problem, void *ctx)
{
	for (size_t i = 1; i < json_array_size(rules); i++) {
		const json_t *name = json_object_get(json_array_get(rules, i), "name");

		for (size_t k = 0; k < i; k++) {
			char path[64];

			if (!name ||
			    !json_equal(name, json_object_get(json_array_get(rules, k), "name")))
				continue;
			(void)snprintf(path, sizeof(path), "/alerts/rules/%zu/name", i);
			problem(ctx, path, "another rule has this name already");
			break;
		}
	}
}

void alerts_check(const json_t *section, service_problem_fn problem, void *ctx)
{
	json_t *channels = json_object_get(section, "channels");
	const json_t *rules = json_object_get(section, "rules");
	const json_t *rule;
	const char *name;
	json_t *object;
	size_t i;

	json_object_foreach (channels, name, object)
		check_channel(name, object, problem, ctx);
	json_array_foreach ((json_t *)rules, i, rule)
		check_one_rule(rule, i, problem, ctx);
	check_names(rules, problem, ctx);
	if (json_array_size(rules) > 0 && json_object_size(channels) == 0)
		problem(ctx, "/alerts/rules", "there are rules, but no channels to tell");
}
