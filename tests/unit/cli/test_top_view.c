/* SPDX-License-Identifier: Apache-2.0 */
/* The page of hale top: what stands where, in which order, and what fits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "field.h"
#include "top_view.h"

static const char status_text[] =
	"{\"status\": \"critical\", \"since\": \"2026-11-22T01:56:00.000Z\","
	" \"counts\": {\"total\": 3, \"healthy\": 1, \"degraded\": 1, \"down\": 1},"
	" \"bus\": {\"ring_bytes\": 3355443, \"lost\": 2},"
	" \"components\": ["
	"  {\"id\": \"slow\", \"status\": \"degraded\", \"message\": \"took 3 s\"},"
	"  {\"id\": \"fine\", \"status\": \"healthy\"},"
	"  {\"id\": \"db\", \"status\": \"down\", \"message\": \"refused\"}],"
	" \"processes\": ["
	"  {\"name\": \"web\", \"state\": \"ready\", \"pid\": 12, \"restarts\": 1,"
	"   \"since\": \"2026-11-22T01:58:00.000Z\", \"status_text\": \"listening\"},"
	"  {\"name\": \"bot\", \"state\": \"backoff\", \"pid\": null, \"restarts\": 9,"
	"   \"crash_looping\": true, \"next_start\": \"2026-11-22T02:00:05.000Z\"},"
	"  {\"name\": \"db\", \"state\": \"waiting\", \"restarts\": 0, \"status_text\": \"for "
	"net\"}]}";

static void sample_fill(struct top_sample *s)
{
	json_t *process;
	size_t i;

	*s = (struct top_sample){.status = json_loads(status_text, 0, NULL),
				 .has_pss = true,
				 .in_per_second = 4.25,
				 .out_per_second = 1200};
	assert_non_null(s->status);
	assert_int_equal(clock_parse("2026-11-22T02:00:00.000Z", &s->wall_ms), 0);
	s->rows = mem_array(3, sizeof(*s->rows));
	json_array_foreach (field_array(s->status, "processes"), i, process) {
		s->rows[s->rows_n++] = (struct top_row){
			.name = field_text(process, "name"), .process = process, .cpu_percent = -1};
	}
	s->rows[0].has_usage = true;
	s->rows[0].cpu_percent = 12.34;
	s->rows[0].usage = (struct proc_usage){
		.pss_bytes = 3355443, .rss_bytes = 9000000, .fds = 14, .stat = {.threads = 5}};
	top_sample_sort(s, TOP_BY_NAME);
}

static void a_snapshot_reads_so(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct top_look look = {0};
	struct top_sample s;

	(void)state;
	sample_fill(&s);
	top_view_format(&out, &s, &look);
	assert_string_equal(
		str_text(&out),
		"● critical for 4m\n"
		"3 components: 1 healthy, 1 degraded, 1 down\n"
		"3 processes: 1 backoff, 1 waiting, 1 ready   bus 4.2/s in, 1200/s out, ring 3.2 "
		"MB, "
		"2 lost\n"
		"\n"
		"STATE                     PROCESS  PID  UPTIME  RESTARTS  CPU%     PSS  FDS  THR  "
		"SAYS\n"
		"● backoff, crash-looping  bot        -       -         9     -       -    -    -  "
		"next start in 5s\n"
		"● waiting                 db         -       -         0     -       -    -    -  "
		"for net\n"
		"● ready                   web       12      2m         1  12.3  3.2 MB   14    5  "
		"listening\n"
		"\n"
		"STATUS      COMPONENT  MESSAGE\n"
		"● down      db         refused\n"
		"● degraded  slow       took 3 s\n");
	top_sample_done(&s);
}

static size_t lines_of(const struct str *page)
{
	size_t n = page->len > 0;

	for (size_t i = 0; i < page->len; i++)
		n += page->data[i] == '\n';
	return n;
}

static void a_live_page_fills_the_screen_and_no_more(void **state)
{
	(void)state;
	for (size_t height = 15; height < 60; height++) {
		HALE_CLEANUP(str_done) struct str out = {0};
		struct top_look look = {.is_live = true, .height = height, .width = 200};
		struct top_sample s;

		sample_fill(&s);
		top_view_format(&out, &s, &look);
		assert_int_equal(lines_of(&out), height);
		top_sample_done(&s);
	}
}

static void what_does_not_fit_is_scrolled(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct top_look look = {
		.is_live = true, .height = 9, .width = 200, .first = 1, .chosen = 2};
	struct top_sample s;

	(void)state;
	sample_fill(&s);
	s.rows = mem_grow(s.rows, 6, sizeof(*s.rows));
	for (size_t i = 3; i < 6; i++)
		s.rows[i] = s.rows[1];
	s.rows_n = 6;
	top_view_format(&out, &s, &look);
	assert_null(strstr(str_text(&out), "bot"));
	assert_non_null(strstr(str_text(&out), "\n> ● ready"));
	assert_non_null(strstr(str_text(&out), "by name; 2 to 4 of 6"));
	top_sample_done(&s);
}

static void the_chosen_row_is_reversed_without_other_colours(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct top_look look = {
		.is_live = true, .height = 24, .width = 200, .has_colour = true, .chosen = 2};
	struct top_sample s;

	(void)state;
	sample_fill(&s);
	top_view_format(&out, &s, &look);
	assert_non_null(strstr(str_text(&out), "\033[7m> ● ready                   web"));
	assert_non_null(strstr(str_text(&out), "listening\033[0m\n"));
	top_sample_done(&s);
}

static void rows_are_sorted(void **state)
{
	static const struct {
		enum top_sort sort;
		const char *first;
	} rows[] = {{TOP_BY_NAME, "bot"},
		    {TOP_BY_CPU, "web"},
		    {TOP_BY_MEMORY, "web"},
		    {TOP_BY_RESTARTS, "bot"}};
	struct top_sample s;

	(void)state;
	sample_fill(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum top_sort sort;

		top_sample_sort(&s, rows[i].sort);
		assert_string_equal(s.rows[0].name, rows[i].first);
		assert_true(top_sort_from_name(top_sort_name(rows[i].sort), &sort));
		assert_int_equal(sort, rows[i].sort);
	}
	top_sample_done(&s);
}

static void resident_memory_stands_in_where_pss_may_not_be_read(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct top_look look = {0};
	struct top_sample s;

	(void)state;
	sample_fill(&s);
	s.has_pss = false;
	top_view_format(&out, &s, &look);
	assert_non_null(strstr(str_text(&out), "RSS"));
	assert_non_null(strstr(str_text(&out), "8.58 MB"));
	top_sample_done(&s);
}

static void json_has_null_for_what_is_not_known(void **state)
{
	struct top_sample s;
	json_t *json, *bot, *web;

	(void)state;
	sample_fill(&s);
	json = top_sample_encode(&s);
	bot = field_find(field_array(json, "processes"), "name", "bot");
	web = field_find(field_array(json, "processes"), "name", "web");
	assert_true(json_is_null(json_object_get(bot, "cpu_percent")));
	assert_true(json_is_null(json_object_get(bot, "pss_bytes")));
	assert_int_equal(field_int(web, "pss_bytes", 0), 3355443);
	assert_int_equal(field_int(web, "threads", 0), 5);
	json_decref(json);
	top_sample_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_reads_so),
		cmocka_unit_test(a_live_page_fills_the_screen_and_no_more),
		cmocka_unit_test(what_does_not_fit_is_scrolled),
		cmocka_unit_test(the_chosen_row_is_reversed_without_other_colours),
		cmocka_unit_test(rows_are_sorted),
		cmocka_unit_test(resident_memory_stands_in_where_pss_may_not_be_read),
		cmocka_unit_test(json_has_null_for_what_is_not_known),
	};

	return cmocka_run_group_tests_name("cli.top_view", tests, NULL, NULL);
}
