/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "deploy/slice.h"

/* What schema_apply would have made of a small file: no defaults missing. */
static const char *const normalised =
	"{'instance': {'name': 'test'},"
	" 'components': {"
	"  'api': {'kind': 'http', 'label': 'API', 'enabled': true, 'interval': 1000, 'timeout': "
	"500,"
	"          'http': {'url': 'http://a', 'token': 'secret-http'}},"
	"  'db': {'kind': 'sql', 'enabled': true, 'interval': 1000, 'timeout': 500,"
	"         'sql': {'password': 'secret-sql'}},"
	"  'far': {'kind': 'http', 'group': 'slow', 'enabled': true, 'interval': 1000, 'timeout': "
	"500,"
	"          'http': {'url': 'http://b'}},"
	"  'off': {'kind': 'tcp', 'enabled': false, 'interval': 1000, 'timeout': 500, 'tcp': {}},"
	"  'web': {'kind': 'http', 'enabled': true, 'interval': 1000, 'timeout': 500,"
	"          'http': {'url': 'http://c'}}},"
	" 'store': {'sqlite': {'path': '/h.db'}},"
	" 'alerts': {'channels': {'ops': {'token': 'secret-alerts'}}},"
	" 'reconcile': {}}";

static json_t *parse(const char *text)
{
	HALE_CLEANUP(cleanup_free) char *copy = mem_dup(text);
	json_t *json;

	for (char *p = copy; *p != '\0'; p++) {
		if (*p == '\'')
			*p = '"';
	}
	json = json_loads(copy, 0, NULL);
	assert_non_null(json);
	return json;
}

struct fixture {
	struct config config;
	struct manifest_set manifests;
};

static void add_manifest(struct fixture *f, const char *text, const char *program)
{
	manifest_set_add(&f->manifests, parse(text), program);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->config.node = mem_dup("n1");
	f->config.json = parse(normalised);
	add_manifest(f, "{'role': 'check', 'kind': 'http'}", "/bin/http");
	add_manifest(f, "{'role': 'check', 'kind': 'sql'}", "/bin/sql");
	add_manifest(f, "{'role': 'check', 'kind': 'tcp'}", "/bin/tcp");
	add_manifest(f,
		     "{'role': 'service', 'service': 'notifier', 'run': 'always',"
		     " 'sections': {'alerts': {}}, 'reads': ['store', 'absent']}",
		     "/bin/notifier");
	add_manifest(f,
		     "{'role': 'service', 'service': 'reconciler', 'run': 'when_configured',"
		     " 'sections': {'reconcile': {}}}",
		     "/bin/reconciler");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->config.processes_n; i++)
		process_spec_done(&f->config.processes[i]);
	free(f->config.processes);
	free(f->config.node);
	json_decref(f->config.json);
	manifest_set_done(&f->manifests);
	free(f);
	return 0;
}

static const struct process_spec *find(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->config.processes_n; i++) {
		if (str_eq(f->config.processes[i].name, name))
			return &f->config.processes[i];
	}
	return NULL;
}

static const struct process_spec *process(struct fixture *f, const char *name)
{
	const struct process_spec *p;
	struct err err;

	if (f->config.processes == NULL)
		assert_int_equal(slice_processes(&f->config, &f->manifests, &err), 0);
	p = find(f, name);
	assert_non_null(p);
	return p;
}

static json_t *ids_of(const struct process_spec *p)
{
	json_t *slice = json_loads(p->slice, 0, NULL);
	json_t *out = json_array();
	json_t *component;
	size_t i;

	json_array_foreach (json_object_get(slice, "components"), i, component)
		json_array_append(out, json_object_get(component, "id"));
	json_decref(slice);
	return out;
}

static void assert_ids(const struct process_spec *p, const char *wanted)
{
	json_t *ids = ids_of(p);
	HALE_CLEANUP(cleanup_free) char *text = json_dumps(ids, JSON_COMPACT);

	assert_string_equal(text, wanted);
	json_decref(ids);
}

static void one_process_per_kind_and_group_that_has_work(void **state)
{
	struct fixture *f = *state;

	assert_ids(process(f, "check.http"), "[\"api\",\"web\"]");
	assert_ids(process(f, "check.http.slow"), "[\"far\"]");
	assert_ids(process(f, "check.sql"), "[\"db\"]");
	assert_string_equal(process(f, "check.http.slow")->program, "/bin/http");
	/* Its only component is disabled. */
	assert_null(find(f, "check.tcp"));
}

static void a_process_knows_only_its_own(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(process(f, "check.http")->slice, "secret-http"));
	assert_null(strstr(process(f, "check.http")->slice, "secret-sql"));
	assert_null(strstr(process(f, "check.http")->slice, "secret-alerts"));
	assert_null(strstr(process(f, "check.sql")->slice, "secret-http"));
	assert_null(strstr(process(f, "notifier")->slice, "secret-http"));
}

static void a_service_gets_its_sections_and_those_it_reads(void **state)
{
	json_t *slice = json_loads(process(*state, "notifier")->slice, 0, NULL);

	assert_non_null(json_object_get(slice, "alerts"));
	assert_non_null(json_object_get(slice, "store"));
	assert_null(json_object_get(slice, "absent"));
	assert_null(json_object_get(slice, "components"));
	assert_string_equal(json_string_value(json_object_get(slice, "node")), "n1");
	assert_string_equal(json_string_value(json_object_get(slice, "service")), "notifier");
	json_decref(slice);
}

static void a_service_without_configuration_does_not_run(void **state)
{
	struct fixture *f = *state;

	(void)process(f, "notifier");
	assert_null(find(f, "reconciler"));
}

static void a_service_with_configuration_runs(void **state)
{
	struct fixture *f = *state;

	json_object_set_new(json_object_get(f->config.json, "reconcile"), "positions",
			    json_object());
	(void)process(f, "reconciler");
}

static void what_listens_stops_first_and_what_remembers_last(void **state)
{
	struct fixture *f = *state;

	json_object_set_new(json_object_get(f->config.json, "reconcile"), "positions",
			    json_object());
	assert_true(process(f, "check.http.slow")->stop_stage <
		    process(f, "reconciler")->stop_stage);
	assert_true(process(f, "reconciler")->stop_stage < SLICE_PROGRAMS_STAGE);
	assert_true(process(f, "notifier")->stop_stage > SLICE_PROGRAMS_STAGE);
	assert_true(process(f, "notifier")->stop_stage < CONFIG_STOP_STAGES);
}

static void a_missing_program_is_named(void **state)
{
	struct fixture *f = *state;
	struct err err;

	manifest_set_done(&f->manifests);
	f->manifests = (struct manifest_set){0};
	add_manifest(f, "{'role': 'check', 'kind': 'http'}", NULL);
	assert_true(slice_processes(&f->config, &f->manifests, &err) < 0);
	assert_non_null(strstr(err.text, "'http'"));
}

static void equal_configuration_makes_equal_slices(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *before = mem_dup(process(f, "check.http")->slice);
	struct config again = {.node = f->config.node};
	struct err err;
	json_t *api;

	/* The order in which options stand in the file is none of the slice's. */
	again.json = json_deep_copy(f->config.json);
	api = json_object_get(json_object_get(json_object_get(again.json, "components"), "api"),
			      "http");
	json_object_del(api, "url");
	json_object_set_new(api, "url", json_string("http://a"));
	assert_int_equal(slice_processes(&again, &f->manifests, &err), 0);
	json_decref(again.json);
	assert_string_equal(again.processes[0].name, "check.http");
	assert_string_equal(again.processes[0].slice, before);
	for (size_t i = 0; i < again.processes_n; i++)
		process_spec_done(&again.processes[i]);
	free(again.processes);
}

static void assert_pointer(struct fixture *f, const char *process_name, const char *pointer,
			   const char *wanted)
{
	HALE_CLEANUP(cleanup_free)
	char *got = slice_pointer(process(f, process_name)->slice, pointer);

	assert_string_equal(got, wanted);
}

static void a_pointer_into_a_slice_becomes_one_into_the_file(void **state)
{
	assert_pointer(*state, "check.http", "/components/1/options/expect/jq",
		       "/components/web/http/expect/jq");
	assert_pointer(*state, "check.http", "/components/0/options", "/components/api/http");
	/* These stand beside the kind's mapping, not in it. */
	assert_pointer(*state, "check.http", "/components/0/interval", "/components/api/interval");
	assert_pointer(*state, "check.http", "/components/0", "/components/api");
	assert_pointer(*state, "notifier", "/alerts/channels/ops", "/alerts/channels/ops");
}

static void a_pointer_to_nothing_stays_as_it_is(void **state)
{
	assert_pointer(*state, "check.http", "/components/7/options", "/components/7/options");
	assert_pointer(*state, "check.http", "/components/x/options", "/components/x/options");
	assert_pointer(*state, "check.http", "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_process_per_kind_and_group_that_has_work, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_process_knows_only_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(a_service_gets_its_sections_and_those_it_reads,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_service_without_configuration_does_not_run, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_service_with_configuration_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(what_listens_stops_first_and_what_remembers_last,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_program_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(equal_configuration_makes_equal_slices, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_pointer_into_a_slice_becomes_one_into_the_file,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_pointer_to_nothing_stays_as_it_is, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
