/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "conf/manifest.h"

struct sub {
	int64_t every;
};

struct opts {
	char *url;
	char *method;
	int64_t port;
	struct sub sub;
	struct strlist to;
};

static const struct conf_item sub_items[] = {
	CONF_DURATION(struct sub, every, .def = "30s", .min = 1000, .max = 60000),
	CONF_END,
};

static const struct conf_item items[] = {
	CONF_STR(struct opts, url, .flags = CONF_F_REQUIRED | CONF_F_SECRET, .help = "where"),
	CONF_ENUM(struct opts, method, .choices = "GET|POST", .def = "GET"),
	CONF_INT(struct opts, port, .min = 0.5, .name = "count"),
	CONF_MAP(struct opts, sub, sub_items),
	CONF_LIST(struct opts, to, .ref = "alerts.channels", .flags = CONF_F_NONEMPTY),
	CONF_END,
};

static void is_json(json_t *json /* taken */, const char *text)
{
	char *got = json_dumps(json, JSON_COMPACT);

	assert_string_equal(got, text);
	free(got);
	json_decref(json);
}

/* ---- Writing ---- */

static void options_keep_their_order_and_everything_said_of_them(void **state)
{
	(void)state;
	is_json(manifest_options(items),
		"{\"url\":{\"type\":\"string\",\"help\":\"where\",\"required\":true,\"secret\":"
		"true},"
		"\"method\":{\"type\":\"enum\",\"default\":\"GET\",\"choices\":[\"GET\",\"POST\"]},"
		"\"count\":{\"type\":\"int\",\"min\":0.5},"
		"\"sub\":{\"type\":\"map\",\"options\":{\"every\":{\"type\":\"duration\","
		"\"default\":\"30s\",\"min\":1000,\"max\":60000}}},"
		"\"to\":{\"type\":\"list\",\"nonempty\":true,\"ref\":\"alerts.channels\"}}");
	is_json(manifest_options(NULL), "{}");
}

static void a_check_says_its_kind_and_metrics(void **state)
{
	static const struct metric_doc metrics[] = {
		{"connect_ms", "time to connect"}, {"rows", "rows read"}, {0}};
	static const struct metric_doc details[] = {{"ip", "who answered"}, {0}};
	static const struct reason_doc reasons[] = {{REASON_SQL_NO_ROW, "empty"}, REASON_DOC_END};

	(void)state;
	is_json(manifest_check("hale-check-x", &(struct manifest_kind){.kind = "x",
								       .summary = "looks",
								       .options = sub_items,
								       .metrics = metrics,
								       .details = details,
								       .reasons = reasons,
								       .example = "x: {}"}),
		"{\"manifest\":1,\"program\":\"hale-check-x\",\"service\":\"check.x\",\"role\":"
		"\"check\","
		"\"summary\":\"looks\",\"run\":\"when_configured\",\"kind\":\"x\",\"options\":{"
		"\"every\":"
		"{\"type\":\"duration\",\"default\":\"30s\",\"min\":1000,\"max\":60000}},"
		"\"metrics\":["
		"{\"name\":\"connect_ms\",\"unit\":\"ms\",\"help\":\"time to connect\"},"
		"{\"name\":\"rows\",\"unit\":\"\",\"help\":\"rows read\"}],"
		"\"details\":[{\"name\":\"ip\",\"help\":\"who answered\"}],\"reasons\":[{\"code\":"
		"\"sql_no_row\",\"outcome\":\"fail\",\"help\":\"empty\"}],"
		"\"example\":\"x: {}\"}");
}

static void a_service_says_its_sections_and_what_it_reads(void **state)
{
	static const struct conf_section sections[] = {
		{"alerts", sub_items, CONF_T_MAP, "who is told"},
		{"jobs", sub_items, CONF_T_DICT, NULL},
		{0},
	};
	static const char *const reads[] = {"store", NULL};

	(void)state;
	is_json(manifest_service("hale-x", "x", "does", "always", sections, reads),
		"{\"manifest\":1,\"program\":\"hale-x\",\"service\":\"x\",\"role\":\"service\","
		"\"summary\":\"does\",\"run\":\"always\",\"sections\":{\"alerts\":{\"shape\":"
		"\"map\","
		"\"help\":\"who is told\",\"options\":{\"every\":{\"type\":\"duration\","
		"\"default\":\"30s\",\"min\":1000,\"max\":60000}}},\"jobs\":{\"shape\":\"dict\","
		"\"options\":{\"every\":{\"type\":\"duration\",\"default\":\"30s\",\"min\":1000,"
		"\"max\":60000}}}},\"reads\":[\"store\"]}");
}

/* ---- Loading ---- */

static char dir[] = "/tmp/hale-test-manifest-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	char *command = mem_printf("rm -rf '%s'", dir);
	int rc = system(command); // NOLINT

	(void)state;
	free(command);
	return rc;
}

static char *sub_dir(const char *name)
{
	char *path = mem_printf("%s/%s", dir, name);

	assert_int_equal(dir_make(path, 0700, NULL), 0);
	return path;
}

static void put(const char *folder, const char *name, const char *text, unsigned mode)
{
	char *path = path_join(folder, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), mode, NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

static void put_json(const char *folder, const char *name, json_t *json /* taken */)
{
	char *text = json_dumps(json, 0);

	put(folder, name, text, 0644);
	free(text);
	json_decref(json);
}

static void manifests_find_their_programs(void **state)
{
	static const struct conf_section sections[] = {{"alerts", sub_items, CONF_T_MAP, NULL},
						       {0}};
	struct manifest_set set = {0};
	char *folder = sub_dir("good");
	char *bin = sub_dir("bin");
	const char *const bins[] = {"/nonexistent", bin, NULL};
	char *in_bin = path_join(bin, "hale-check-a");
	char *beside = path_join(folder, "hale-n");

	(void)state;
	put_json(folder, "a.json",
		 manifest_check("hale-check-a", &(struct manifest_kind){.kind = "a",
									.summary = "",
									.options = items,
									.metrics = NULL}));
	put_json(folder, "b.json",
		 manifest_check("hale-check-b", &(struct manifest_kind){.kind = "b",
									.summary = "",
									.options = items,
									.metrics = NULL}));
	put_json(folder, "n.json", manifest_service("hale-n", "n", "", "always", sections, NULL));
	put(folder, "README", "not a manifest", 0644);
	put(bin, "hale-check-a", "#!/bin/sh\n", 0755);
	put(folder, "hale-n", "#!/bin/sh\n", 0755);
	assert_int_equal(manifest_set_load(&set, folder, bins, NULL), 0);
	assert_int_equal(set.n, 3);
	assert_string_equal(manifest_program(&set, manifest_for_kind(&set, "a")), in_bin);
	assert_null(manifest_program(&set, manifest_for_kind(&set, "b")));
	assert_string_equal(manifest_program(&set, manifest_for_section(&set, "alerts")), beside);
	assert_null(manifest_for_kind(&set, "n"));
	assert_null(manifest_for_section(&set, "a"));
	manifest_set_done(&set);
	free(beside);
	free(in_bin);
	free(bin);
	free(folder);
}

static void loading_refuses(const char *folder, const char *why)
{
	struct manifest_set set = {0};
	struct err err = {{0}};
	char *wanted = mem_printf("%s%s", folder, why);

	assert_true(manifest_set_load(&set, folder, NULL, &err) < 0);
	assert_string_equal(err.text, wanted);
	free(wanted);
	manifest_set_done(&set);
}

static void broken_manifests_are_named(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{"{\"manifest\":2}", ": it is not a manifest of version 1"},
		{"[]", ": it is not a manifest of version 1"},
		{"{\"manifest\":1,\"program\":\"../x\"}", ": program must be a file name"},
		{"{\"manifest\":1,\"program\":\"x\"}", ": service is missing"},
		{"{\"manifest\":1,\"program\":\"x\",\"service\":\"x\",\"role\":\"core\"}",
		 ": role must be check or service"},
		{"{\"manifest\":1,\"program\":\"x\",\"service\":\"x\",\"role\":\"check\"}",
		 ": kind is missing"},
		{"{\"manifest\":1,\"program\":\"x\",\"service\":\"x\",\"role\":\"check\",\"kind\":"
		 "\"x\"}",
		 ": options must be an object"},
		{"{\"manifest\":1,\"program\":\"x\",\"service\":\"x\",\"role\":\"check\",\"kind\":"
		 "\"x\","
		 "\"options\":{\"a\":{\"type\":\"map\",\"options\":{\"b\":{\"type\":\"float\"}}}}}",
		 ": option 'a': option 'b': its type 'float' is none"},
		{"{\"manifest\":1,\"program\":\"x\",\"service\":\"x\",\"role\":\"check\",\"kind\":"
		 "\"x\","
		 "\"options\":{\"a\":{\"type\":\"enum\"}}}",
		 ": option 'a': an enum needs choices"},
		{"{\"manifest\":1,\"program\":\"x\",\"service\":\"x\",\"role\":\"check\",\"kind\":"
		 "\"x\","
		 "\"options\":{\"a\":{\"type\":\"int\",\"default\":3}}}",
		 ": option 'a': default must be text, as written in YAML"},
		{"{\"manifest\":1,\"program\":\"x\",\"service\":\"x\",\"role\":\"service\","
		 "\"sections\":{\"s\":{}}}",
		 ": section 's': shape must be map or dict"},
		{"{\"manifest\":1,\n \"manifest\":1}",
		 ":2:11: duplicate object key near '\"manifest\"'"},
	};
	char *folder = sub_dir("broken");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *why = mem_printf("/x.json%s", cases[i].why);

		put(folder, "x.json", cases[i].text, 0644);
		loading_refuses(folder, why);
		free(why);
	}
	free(folder);
}

static void a_kind_or_section_belongs_to_one_program(void **state)
{
	static const struct conf_section sections[] = {{"alerts", sub_items, CONF_T_MAP, NULL},
						       {0}};
	char *kinds = sub_dir("kinds");
	char *both = sub_dir("sections");

	(void)state;
	put_json(kinds, "1.json",
		 manifest_check("hale-check-a", &(struct manifest_kind){.kind = "a",
									.summary = "",
									.options = items,
									.metrics = NULL}));
	put_json(kinds, "2.json",
		 manifest_check("other-a", &(struct manifest_kind){.kind = "a",
								   .summary = "",
								   .options = items,
								   .metrics = NULL}));
	loading_refuses(kinds, "/2.json: kind 'a' is already that of hale-check-a");
	put_json(both, "1.json", manifest_service("one", "x", "", "always", sections, NULL));
	put_json(both, "2.json", manifest_service("two", "y", "", "always", sections, NULL));
	loading_refuses(both, "/2.json: section 'alerts' is already that of one");
	free(kinds);
	free(both);
}

static void a_missing_directory_is_told_apart(void **state)
{
	struct manifest_set set = {0};
	struct err err = {{0}};

	(void)state;
	assert_int_equal(manifest_set_load(&set, "/nonexistent", NULL, &err), -ENOENT);
	assert_string_equal(err.text, "cannot read the manifests in /nonexistent: No such file or "
				      "directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_keep_their_order_and_everything_said_of_them),
		cmocka_unit_test(a_check_says_its_kind_and_metrics),
		cmocka_unit_test(a_service_says_its_sections_and_what_it_reads),
		cmocka_unit_test(manifests_find_their_programs),
		cmocka_unit_test(broken_manifests_are_named),
		cmocka_unit_test(a_kind_or_section_belongs_to_one_program),
		cmocka_unit_test(a_missing_directory_is_told_apart),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
