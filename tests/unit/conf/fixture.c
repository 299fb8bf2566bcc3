/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conf/option.h"

/* Only the manifest is made of these tables here, so the fields need no struct of their own. */
struct none {
	int64_t x;
};

#define OPTION(t, n, ...)                                                                          \
	{                                                                                          \
		.name = (n), .type = (t), __VA_ARGS__                                              \
	}

static const struct conf_item http_items[] = {
	OPTION(CONF_T_STR, "url", .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_TARGET,
	       .help = "address to ask"),
	OPTION(CONF_T_ENUM, "method", .choices = "GET|POST|HEAD", .def = "GET"),
	OPTION(CONF_T_STRMAP, "headers"),
	OPTION(CONF_T_LIST, "status", .def = "[200]", .flags = CONF_F_NONEMPTY),
	OPTION(CONF_T_JQ, "jq"),
	OPTION(CONF_T_JSON, "body"),
	OPTION(CONF_T_STR, "token", .flags = CONF_F_SECRET),
	OPTION(CONF_T_INT, "retries", .def = "0", .max = 10),
	OPTION(CONF_T_BOOL, "verify", .def = "true"),
	OPTION(CONF_T_SIZE, "max_body", .def = "1MB", .min = 1, .max = 1024.0 * 1024 * 1024),
	CONF_END,
};

static const struct conf_item tcp_items[] = {
	OPTION(CONF_T_STR, "host", .def = "127.0.0.1"),
	OPTION(CONF_T_PORT, "port", .flags = CONF_F_REQUIRED, .min = 1, .max = 65535),
	CONF_END,
};

static const struct conf_item telegram_items[] = {
	OPTION(CONF_T_STR, "token", .flags = CONF_F_REQUIRED | CONF_F_SECRET),
	OPTION(CONF_T_STR, "chat", .flags = CONF_F_REQUIRED),
	CONF_END,
};

static const struct conf_item channel_items[] = {
	OPTION(CONF_T_MAP, "telegram", .items = telegram_items),
	CONF_END,
};

static const struct conf_item rule_items[] = {
	OPTION(CONF_T_STR, "name", .flags = CONF_F_REQUIRED),
	OPTION(CONF_T_LIST, "channels", .ref = "alerts.channels"),
	OPTION(CONF_T_REF, "component", .ref = "components"),
	CONF_END,
};

static const struct conf_item quiet_items[] = {
	OPTION(CONF_T_DURATION, "for", .def = "8h"),
	CONF_END,
};

static const struct conf_item alerts_items[] = {
	OPTION(CONF_T_DICT, "channels", .items = channel_items),
	OPTION(CONF_T_ARRAY, "rules", .items = rule_items),
	OPTION(CONF_T_DURATION, "cooldown", .def = "5m"),
	OPTION(CONF_T_MAP, "quiet", .items = quiet_items, .def = "{}"),
	CONF_END,
};

static const struct conf_item store_items[] = {
	OPTION(CONF_T_STR, "path", .flags = CONF_F_REQUIRED),
	CONF_END,
};

static const struct conf_item instance_items[] = {
	OPTION(CONF_T_STR, "name", .def = "hale", .flags = CONF_F_NONEMPTY),
	CONF_END,
};

static const struct conf_item program_items[] = {
	OPTION(CONF_T_LIST, "command", .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY),
	CONF_END,
};

static const struct conf_item threshold_items[] = {
	OPTION(CONF_T_THRESHOLD, "degraded"),
	OPTION(CONF_T_THRESHOLD, "critical"),
	CONF_END,
};

static const struct conf_item component_items[] = {
	OPTION(CONF_T_STR, "label"),
	OPTION(CONF_T_DURATION, "interval", .def = "30s", .min = 1000, .max = 86400000),
	OPTION(CONF_T_DURATION, "timeout", .def = "10s"),
	OPTION(CONF_T_NUM, "weight", .def = "1", .max = 100),
	OPTION(CONF_T_BOOL, "enabled", .def = "true"),
	OPTION(CONF_T_CRON, "window"),
	OPTION(CONF_T_DICT, "thresholds", .items = threshold_items),
	OPTION(CONF_T_LIST, "depends_on", .ref = "components"),
	CONF_END,
};

static json_t *core_manifest(void)
{
	const struct conf_section instance = {"instance", instance_items, CONF_T_MAP, NULL};
	const struct conf_section programs = {"programs", program_items, CONF_T_DICT, NULL};

	return json_pack("{s:i,s:s,s:s,s:{s:o,s:o},s:o}", "manifest", 1, "program", "haled", "role",
			 "core", "sections", "instance", manifest_section(&instance), "programs",
			 manifest_section(&programs), "component",
			 manifest_options(component_items));
}

void world_init(struct world *w)
{
	static const struct conf_section sections[] = {
		{"alerts", alerts_items, CONF_T_MAP, "who is told what"},
		{"store", store_items, CONF_T_MAP, NULL},
		{0},
	};

	*w = (struct world){.core = core_manifest()};
	manifest_set_add(
		&w->manifests,
		manifest_check("hale-check-http", &(struct manifest_kind){.kind = "http",
									  .summary = "asks by HTTP",
									  .options = http_items,
									  .metrics = NULL}),
		NULL);
	manifest_set_add(
		&w->manifests,
		manifest_check("hale-check-tcp", &(struct manifest_kind){.kind = "tcp",
									 .summary = "connects",
									 .options = tcp_items,
									 .metrics = NULL}),
		NULL);
	manifest_set_add(&w->manifests,
			 manifest_service("hale-notifier", "notifier", "tells people", "always",
					  sections, NULL),
			 NULL);
}

void world_done(struct world *w)
{
	manifest_set_done(&w->manifests);
	json_decref(w->core);
}

json_t *apply(const char *yaml, struct report *report)
{
	struct tree *tree = tree_load_text("hale.yaml", yaml, report);
	struct world w;
	json_t *out;

	world_init(&w);
	out = schema_apply(tree, &w.manifests, w.core, report);
	world_done(&w);
	tree_free(tree);
	return out;
}

static char *format(const struct report *report)
{
	struct str text = {0};

	report_format(report, false, &text);
	return str_take(&text);
}

void expect_report(const char *yaml, const char *text)
{
	struct report report = {0};
	json_t *out = apply(yaml, &report);
	char *said = format(&report);

	assert_string_equal(said, text);
	assert_null(out);
	free(said);
	report_done(&report);
}

const json_t *json_at(const json_t *root, const char *path)
{
	while (root != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		char *word = mem_dupn(path, len);

		root = json_is_array(root) ? json_array_get(root, (size_t)atoi(word))
					   : json_object_get(root, word);
		free(word);
		path += len + (path[len] == '.');
	}
	return root;
}

void expect_json(const char *yaml, const char *path, const char *json)
{
	struct report report = {0};
	json_t *out = apply(yaml, &report);
	char *said = format(&report);
	char *value;

	if (out == NULL)
		fail_msg("%s", said);
	value = json_dumps(json_at(out, path), JSON_ENCODE_ANY | JSON_COMPACT);
	if (value == NULL)
		fail_msg("nothing at %s", path);
	assert_string_equal(value, json);
	free(value);
	free(said);
	json_decref(out);
	report_done(&report);
}
