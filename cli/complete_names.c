/* SPDX-License-Identifier: Apache-2.0 */
#include "complete_names.h"

#include <string.h>

#include "base/mem.h"
#include "catalog.h"
#include "field.h"
#include "process_names.h"
#include "store/transfer.h"
#include "topic.h"

/* Longer than this and a person at the keyboard takes it for hung. */
#define ASK_TIMEOUT_MS 700
#define ALERTS_MAX     100
/* As many letters of an alert's id as `hale alerts` shows. */
#define ALERT_ID_LEN   8

struct source {
	const char *name;
	void (*add)(struct cli *cli, const struct complete *c, struct str *out);
};

static json_t *ask(struct cli *cli, const char *service, const char *method, json_t *params)
{
	json_t *answer = NULL;
	struct err err;

	(void)cli_try(cli, service, method, params, ASK_TIMEOUT_MS, &answer, NULL, &err);
	return answer;
}

/* Each element's member `key`, described by another of its members. */
static void add_members(const json_t *answer, const char *list, const char *key, const char *why,
			const struct complete *c, struct str *out)
{
	json_t *element;
	size_t i;

	json_array_foreach (field_array(answer, list), i, element) {
		if (field_text(element, key) != NULL)
			complete_add(out, c, field_text(element, key), field_text(element, why));
	}
}

static void add_processes(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *status = ask(cli, "haled", "status", NULL);

	add_members(status, "processes", "name", "state", c, out);
	json_decref(status);
}

static void add_processes_and_groups(struct cli *cli, const struct complete *c, struct str *out)
{
	add_processes(cli, c, out);
	for (size_t i = 0; process_groups[i] != NULL; i++)
		complete_add(out, c, process_groups[i], "group of processes");
}

/* Those that came with hale and with the plugins of the hale that runs. */
static void add_kinds(struct cli *cli, const struct complete *c, struct str *out)
{
	struct catalog catalog = {0};
	struct err err = {0};

	if (catalog_load_known(&catalog, cli, &err) == 0) {
		for (size_t i = 0; i < catalog.manifests.n; i++) {
			const json_t *m = catalog.manifests.v[i];

			if (field_text(m, "kind") != NULL)
				complete_add(out, c, field_text(m, "kind"),
					     field_text(m, "summary"));
		}
	}
	catalog_done(&catalog);
}

static void add_components(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *status = ask(cli, "haled", "status", NULL), *component;
	size_t i;

	json_array_foreach (field_array(status, "components"), i, component) {
		/* haled's own word on its processes is nothing that could be checked now. */
		if (!str_eq(field_text(component, "process"), "haled"))
			complete_add(out, c, field_or(component, "id", ""),
				     field_text(component, "status"));
	}
	json_decref(status);
}

static void add_both(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *status = ask(cli, "haled", "status", NULL);

	add_members(status, "components", "id", "status", c, out);
	add_members(status, "processes", "name", "state", c, out);
	json_decref(status);
}

/* The metrics of every component: which one is meant stands elsewhere on the line. */
static void add_metrics(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *status = ask(cli, "haled", "status", NULL), *component;
	struct strlist seen = {0};
	size_t i;

	complete_add(out, c, "took_ms", "how long checks took");
	json_array_foreach (field_array(status, "components"), i, component) {
		const char *name;
		json_t *value;

		json_object_foreach (json_object_get(component, "metrics"), name, value) {
			if (strlist_has(&seen, name))
				continue;
			strlist_add(&seen, name);
			complete_add(out, c, name, NULL);
		}
	}
	strlist_done(&seen);
	json_decref(status);
}

static void add_alerts(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *answer = ask(cli, "notifier", "alerts.list",
			     json_pack("{s:s, s:i}", "state", "open", "limit", ALERTS_MAX));
	json_t *alert;
	size_t i;

	json_array_foreach (field_array(answer, "alerts"), i, alert) {
		HALE_CLEANUP(cleanup_free)
		char *id = mem_dupn(field_or(alert, "id", ""),
				    strnlen(field_or(alert, "id", ""), ALERT_ID_LEN));

		complete_add(out, c, id, field_text(alert, "message"));
	}
	json_decref(answer);
}

static void add_jobs(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *answer = ask(cli, "reconciler", "reconcile.jobs", NULL);

	add_members(answer, "jobs", "name", "schedule", c, out);
	json_decref(answer);
}

static void add_actions(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *answer = ask(cli, "reconciler", "action.list", NULL);

	add_members(answer, "actions", "name", "kind", c, out);
	json_decref(answer);
}

static void add_keys(const json_t *object, const struct complete *c, struct str *out)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value)
		complete_add(out, c, key, NULL);
}

static void add_channels(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *config = ask(cli, "haled", "config.show", json_pack("{s:b}", "masked", 1));

	add_keys(json_object_get(json_object_get(config, "alerts"), "channels"), c, out);
	json_decref(config);
}

static void add_sections(struct cli *cli, const struct complete *c, struct str *out)
{
	json_t *config = ask(cli, "haled", "config.show", json_pack("{s:b}", "masked", 1));

	add_keys(config, c, out);
	json_decref(config);
}

static void add_topics(struct cli *cli, const struct complete *c, struct str *out)
{
	(void)cli;
	for (size_t i = 0; topic_names[i] != NULL; i++)
		complete_add(out, c, topic_names[i], NULL);
}

static void add_rows(struct cli *cli, const struct complete *c, struct str *out)
{
	(void)cli;
	for (int what = 0; what < TRANSFER_EPOCHS; what++)
		complete_add(out, c, transfer_what_name(what), NULL);
	complete_add(out, c, "all", NULL);
}

static void ask_files(struct cli *cli, const struct complete *c, struct str *out)
{
	(void)cli;
	(void)c;
	str_add(out, ":files\n");
}

static void ask_directories(struct cli *cli, const struct complete *c, struct str *out)
{
	(void)cli;
	(void)c;
	str_add(out, ":directories\n");
}

/* What only its author knows: numbers, times, free text. */
static void add_nothing(struct cli *cli, const struct complete *c, struct str *out)
{
	(void)cli;
	(void)c;
	(void)out;
}

static const struct source sources[] = {
	{"PROCESS", add_processes_and_groups},
	{"COMPONENT", add_components},
	{"NAME", add_both},
	{"METRIC", add_metrics},
	{"ALERT", add_alerts},
	{"JOB", add_jobs},
	{"KIND", add_kinds},
	{"ACTION", add_actions},
	{"CHANNEL", add_channels},
	{"SECTION", add_sections},
	{"FILE", ask_files},
	{"DIR", ask_directories},
	{"TOPIC", add_topics},
	{"ROWS", add_rows},
	{"N", add_nothing},
	{"TEXT", add_nothing},
	{"TIME", add_nothing},
};

static const struct source *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		if (strlen(sources[i].name) == len && strncmp(sources[i].name, name, len) == 0)
			return &sources[i];
	}
	return NULL;
}

bool complete_knows(const char *name, size_t len)
{
	return find(name, len) != NULL;
}

void complete_names(struct cli *cli, const struct complete *c, struct str *out)
{
	const struct source *source = find(c->what, c->what_len);

	if (c->run_dir != NULL)
		cli->run_dir = c->run_dir;
	if (source != NULL)
		source->add(cli, c, out);
}
