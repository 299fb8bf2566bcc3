/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics.h"
#include "prom.h"

static void label_values_are_escaped(void **state)
{
	(void)state;
	struct prom p = {.prefix = "hale"};
	p.family = "x";
	prom_sample(&p, PROM_LABELS({"a", "q\"b\\s\nn"}), 1);
	assert_string_equal(str_text(&p.out), "hale_x{a=\"q\\\"b\\\\s\\nn\"} 1\n");
	str_done(&p.out);
}

static void numbers_are_written_as_the_format_wants(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0, "x_n 0\n"},
		{-1, "x_n -1\n"},
		{0.5, "x_n 0.5\n"},
		{INFINITY, "x_n +Inf\n"},
		{-INFINITY, "x_n -Inf\n"},
		{NAN, "x_n NaN\n"},
		{1800000000.123, "x_n 1800000000.123\n"},
		{1e20, "x_n 1e+20\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct prom p = {.prefix = "x", .family = "n"};
		prom_sample(&p, NULL, rows[i].value);
		assert_string_equal(str_text(&p.out), rows[i].text);
		str_done(&p.out);
	}
}

static const char snapshot_text[] =
	"{\"status\":\"critical\",\"score\":83.3,\"node\":\"n1\",\"head\":10,"
	"\"config\":{\"last_reload_ok\":false,\"loaded_at\":\"2026-01-01T00:00:00.000Z\"},"
	"\"bus\":{\"garbage\":2,\"ring_bytes\":4096,\"losses\":["
	"{\"leg\":\"in\",\"process\":\"web\",\"lines\":7,\"times\":1},"
	"{\"leg\":\"out\",\"process\":\"hale\",\"lines\":9,\"times\":2}]},"
	"\"components\":["
	"{\"id\":\"ok\",\"label\":\"O "
	"\\\"K\\\"\",\"kind\":\"http\",\"status\":\"healthy\",\"took_ms\":1500,"
	"\"consecutive_failures\":0,\"last_check\":\"2026-01-01T00:00:00.500Z\","
	"\"metrics\":{\"status_code\":200,\"cpu_percent\":12.5}},"
	"{\"id\":\"soft\",\"status\":\"degraded\",\"consecutive_failures\":1},"
	"{\"id\":\"hard\",\"status\":\"critical\",\"consecutive_failures\":3,\"error_count\":17},"
	"{\"id\":\"gone\",\"status\":\"down\",\"consecutive_failures\":9,\"took_ms\":null},"
	"{\"id\":\"new\",\"status\":\"unknown\",\"last_check\":null}],"
	"\"processes\":[{\"name\":\"web\",\"state\":\"ready\",\"restarts\":2},"
	"{\"name\":\"check.http\",\"state\":\"backoff\",\"restarts\":7,\"crash_looping\":true}]}";

static const char past_json[] =
	"{\"uptime_percent\":{\"24h\":97.5,\"7d\":null},"
	"\"components\":{\"ok\":{\"24h\":100,\"7d\":99.5},\"left\":{\"24h\":1}}}";

static struct str rendered(const char *prefix, bool is_stale)
{
	struct live *l = live_new();
	json_t *snapshot = json_loads(snapshot_text, 0, NULL);
	assert_non_null(snapshot);
	live_snapshot(l, snapshot);
	json_decref(snapshot);
	live_set_stale(l, is_stale, 1);
	struct str out = {0};
	json_t *past = json_loads(past_json, 0, NULL);
	metrics_render(l, prefix,
		       &(struct metrics_web){.requests = 5, .stream_dropped = 1, .past = past},
		       &out);
	json_decref(past);
	live_free(l);
	return out;
}

static void has(const struct str *out, const char *line)
{
	HALE_CLEANUP(str_done) struct str whole = {0};
	str_addf(&whole, "\n%s\n", line);
	if (!strstr(str_text(out), str_text(&whole)))
		fail_msg("no line: %s", line);
}

static void each_status_has_its_gauge_and_its_state(void **state)
{
	(void)state;
	HALE_CLEANUP(str_done) struct str out = rendered("hale", false);
	has(&out, "hale_health_status{component=\"ok\"} 1");
	has(&out, "hale_health_status{component=\"soft\"} 0.5");
	has(&out, "hale_health_status{component=\"hard\"} 0");
	has(&out, "hale_health_status{component=\"gone\"} 0");
	has(&out, "hale_health_status{component=\"new\"} -1");
	has(&out, "hale_component_state{component=\"gone\",state=\"down\"} 1");
	has(&out, "hale_component_state{component=\"gone\",state=\"critical\"} 0");
	has(&out, "hale_overall_status 0");
	has(&out, "hale_overall_score 83.3");
}

static void times_are_in_seconds_and_left_out_where_there_are_none(void **state)
{
	(void)state;
	HALE_CLEANUP(str_done) struct str out = rendered("hale", false);
	has(&out, "hale_component_check_duration_seconds{component=\"ok\"} 1.5");
	has(&out, "hale_component_last_check_timestamp_seconds{component=\"ok\"} 1767225600.5");
	assert_null(strstr(str_text(&out), "duration_seconds{component=\"gone\"}"));
	assert_null(strstr(str_text(&out), "last_check_timestamp_seconds{component=\"new\"}"));
	has(&out, "hale_component_metric{component=\"ok\",metric=\"cpu_percent\"} 12.5");
}

static void uptime_is_told_of_what_is_configured(void **state)
{
	(void)state;
	HALE_CLEANUP(str_done) struct str out = rendered("hale", false);
	has(&out, "hale_overall_uptime_ratio{range=\"24h\"} 0.975");
	has(&out, "hale_component_uptime_ratio{component=\"ok\",range=\"24h\"} 1");
	has(&out, "hale_component_uptime_ratio{component=\"ok\",range=\"7d\"} 0.995");
	assert_null(strstr(str_text(&out), "uptime_ratio{range=\"7d\"}"));
	assert_null(strstr(str_text(&out), "left"));
	has(&out, "hale_health_errors_total{component=\"ok\"} 0");
	has(&out, "hale_health_errors_total{component=\"hard\"} 17");
}

static void processes_bus_and_config_are_told(void **state)
{
	(void)state;
	HALE_CLEANUP(str_done) struct str out = rendered("hale", false);
	has(&out, "hale_process_up{process=\"web\"} 1");
	has(&out, "hale_process_up{process=\"check.http\"} 0");
	has(&out, "hale_process_restarts_total{process=\"web\"} 2");
	has(&out, "hale_process_crash_looping{process=\"check.http\"} 1");
	has(&out, "hale_bus_garbage_total 2");
	has(&out, "hale_bus_lost_total{leg=\"in\",process=\"web\"} 7");
	has(&out, "hale_bus_lost_total{leg=\"out\",process=\"web\"} 0");
	has(&out, "hale_bus_lost_total{leg=\"out\",process=\"hale\"} 9");
	has(&out, "hale_bus_ring_bytes 4096");
	has(&out, "hale_config_last_reload_successful 0");
	has(&out, "hale_web_requests_total 5");
	has(&out, "hale_snapshot_stale 0");
}

static void a_stale_snapshot_shows_nothing_as_healthy(void **state)
{
	(void)state;
	HALE_CLEANUP(str_done) struct str out = rendered("hale", true);
	has(&out, "hale_health_status{component=\"ok\"} -1");
	has(&out, "hale_process_up{process=\"web\"} 0");
	has(&out, "hale_overall_status -1");
	has(&out, "hale_snapshot_stale 1");
}

static void the_prefix_is_the_configured_one(void **state)
{
	(void)state;
	HALE_CLEANUP(str_done) struct str out = rendered("polymarket", false);
	has(&out, "polymarket_health_status{component=\"soft\"} 0.5");
	has(&out, "polymarket_health_failures{component=\"hard\"} 3");
	assert_null(strstr(str_text(&out), "hale_"));
}

/* Every sample follows the TYPE of its own family, families come once, the text ends in \n. */
static void the_text_is_grouped_by_family(void **state)
{
	(void)state;
	HALE_CLEANUP(str_done) struct str out = rendered("hale", false);
	char families[64][80];
	size_t n = 0;
	assert_int_equal(out.data[out.len - 1], '\n');
	char *save = NULL;
	for (char *l = strtok_r(out.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(l, "# HELP ", 7)) {
			assert_true(n < ARRAY_LEN(families));
			snprintf(families[n], sizeof(families[n]), "%.*s", (int)strcspn(l + 7, " "),
				 l + 7);
			for (size_t i = 0; i < n; i++)
				assert_string_not_equal(families[i], families[n]);
			n++;
		} else if (l[0] != '#') {
			size_t len = strcspn(l, "{ ");
			assert_int_equal(len, strlen(families[n - 1]));
			assert_memory_equal(l, families[n - 1], len);
		}
	}
	assert_true(n > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(numbers_are_written_as_the_format_wants),
		cmocka_unit_test(each_status_has_its_gauge_and_its_state),
		cmocka_unit_test(times_are_in_seconds_and_left_out_where_there_are_none),
		cmocka_unit_test(uptime_is_told_of_what_is_configured),
		cmocka_unit_test(processes_bus_and_config_are_told),
		cmocka_unit_test(a_stale_snapshot_shows_nothing_as_healthy),
		cmocka_unit_test(the_prefix_is_the_configured_one),
		cmocka_unit_test(the_text_is_grouped_by_family),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
