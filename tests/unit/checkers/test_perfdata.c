/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "perfdata.h"

static void write_item(void *ctx, const struct perfdata *p)
{
	str_addf(ctx, "%s=%.10g", p->name, p->value);
	if (*p->warning != '\0' || *p->critical != '\0' || *p->min != '\0' || *p->max != '\0')
		str_addf(ctx, " [%s;%s;%s;%s]", p->warning, p->critical, p->min, p->max);
	str_addc(ctx, '\n');
}

static void assert_parsed(const char *text, const char *want, size_t want_broken)
{
	struct str got = {0};
	size_t broken = perfdata_parse(text, write_item, &got);

	assert_string_equal(str_text(&got), want);
	assert_int_equal(broken, want_broken);
	str_done(&got);
}

static void units_become_suffixes(void **state)
{
	(void)state;
	assert_parsed("time=0.5s rta=12ms lat=1500us tick=2000000ns",
		      "time_seconds=0.5\nrta_ms=12\nlat_ms=1.5\ntick_ms=2\n", 0);
	assert_parsed("used=41% hits=7c size=1B a=2KB b=3MB c=1GB d=1KiB",
		      "used_percent=41\nhits_total=7\nsize_bytes=1\na_bytes=2048\n"
		      "b_bytes=3145728\nc_bytes=1073741824\nd_bytes=1024\n",
		      0);
	assert_parsed("users=3 volts=1.2V temp=20C", "users=3\nvolts_v=1.2\ntemp_c=20\n", 0);
	assert_parsed("time_seconds=1s", "time_seconds=1\n", 0);
}

static void labels_become_names(void **state)
{
	(void)state;
	assert_parsed("/=1 /var/log=2 'C:\\ Label'=3 'it''s'=4 5min=5 Über=6 -=7",
		      "root=1\nvar_log=2\nc_label=3\nit_s=4\nn5min=5\nber=6\nvalue=7\n", 0);
}

static void ranges_are_kept_as_printed(void **state)
{
	(void)state;
	assert_parsed("load1=0.420;5.000;10.000;0; a=1;@10:20;~:5;;100 b=2;;;",
		      "load1=0.42 [5.000;10.000;0;]\na=1 [@10:20;~:5;;100]\nb=2\n", 0);
}

static void a_decimal_comma_is_a_point(void **state)
{
	(void)state;
	assert_parsed("a=0,5s b=-1e3", "a_seconds=0.5\nb=-1000\n", 0);
}

static void an_unknown_value_is_left_out(void **state)
{
	(void)state;
	assert_parsed("a=U b=1 c=U;1;2", "b=1\n", 0);
}

static void what_cannot_be_read_is_skipped_and_counted(void **state)
{
	(void)state;
	assert_parsed("garbage a=1 =2 b= c=x d=1e999 'open=1", "a=1\n", 6);
	assert_parsed("a=nan b=inf c=0x10", "c_x10=0\n", 2);
}

static void assert_split(const char *output, const char *message, const char *more,
			 const char *measurements)
{
	struct str got[3] = {0};

	perfdata_split(output, &got[0], &got[1], &got[2]);
	assert_string_equal(str_text(&got[0]), message);
	assert_string_equal(str_text(&got[1]), more);
	assert_string_equal(str_text(&got[2]), measurements);
	for (size_t i = 0; i < ARRAY_LEN(got); i++)
		str_done(&got[i]);
}

/* The examples of the plugin API page. */
static void output_is_message_text_and_measurements(void **state)
{
	(void)state;
	assert_split("", "", "", "");
	assert_split("DISK OK - free space: / 3326 MB (56%);\n",
		     "DISK OK - free space: / 3326 MB (56%);", "", "");
	assert_split("DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968",
		     "DISK OK - free space: / 3326 MB (56%);", "", " /=2643MB;5948;5958;0;5968");
	assert_split("OK | a=1\nline 2\nline 3 | b=2\nc=3\n", "OK", "line 2\nline 3 ",
		     " a=1  b=2\nc=3\n");
}

/* ---- Anything may come ---- */

static uint32_t seed = 20260104;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

static void check_item(void *ctx, const struct perfdata *p)
{
	size_t len = strlen(p->name);

	(void)ctx;
	assert_true(len > 0 && len < PERFDATA_NAME_MAX);
	assert_true(isfinite(p->value));
	assert_true(islower((unsigned char)p->name[0]));
	for (size_t i = 0; i < len; i++)
		assert_true(islower((unsigned char)p->name[i]) ||
			    isdigit((unsigned char)p->name[i]) || p->name[i] == '_');
}

static void mutations_of_good_output_break_nothing(void **state)
{
	static const char *const seeds[] = {
		"DISK OK | /=2643MB;5948;5958;0;5968 '/a b'=1%;80;90",
		"OK | time=0.004823s;;;0.000000;10.000000 size=1256B;;;0\nlong\ntext | x=1us y=U",
		"PING OK - rta 12ms|rta=12.3ms;100;500;0; pl=0%;20;60;0;100",
		"load average: 0.1|load1=0,120;15;30;0; load5=1e3c;@1:2;~:3;;",
	};
	char text[256];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct str parts[3] = {0};
		size_t len;

		(void)strcpy(text, seeds[below(ARRAY_LEN(seeds))]);
		len = strlen(text);
		for (uint32_t n = 1 + below(6); n > 0 && len > 2; n--) {
			size_t at = below((uint32_t)len);

			switch (below(4)) {
			case 0:
				text[at] = (char)(1 + below(255));
				break;
			case 1:
				text[at] = "'=;|% \n.,-eU"[below(12)];
				break;
			case 2:
				memmove(text + at, text + at + 1, len - at);
				len--;
				break;
			default:
				text[len = at + 1] = '\0';
				break;
			}
		}
		perfdata_split(text, &parts[0], &parts[1], &parts[2]);
		(void)perfdata_parse(str_text(&parts[2]), check_item, NULL);
		for (size_t j = 0; j < ARRAY_LEN(parts); j++)
			str_done(&parts[j]);
	}
}

static void very_long_pieces_are_bounded(void **state)
{
	struct str text = {0};

	(void)state;
	for (int i = 0; i < 5000; i++)
		str_addc(&text, 'a');
	str_add(&text, "=1ms;");
	for (int i = 0; i < 5000; i++)
		str_addc(&text, '9');
	str_add(&text, " b=");
	for (int i = 0; i < 5000; i++)
		str_addc(&text, '9');
	assert_int_equal(perfdata_parse(str_text(&text), check_item, NULL), 1);
	str_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_become_suffixes),
		cmocka_unit_test(labels_become_names),
		cmocka_unit_test(ranges_are_kept_as_printed),
		cmocka_unit_test(a_decimal_comma_is_a_point),
		cmocka_unit_test(an_unknown_value_is_left_out),
		cmocka_unit_test(what_cannot_be_read_is_skipped_and_counted),
		cmocka_unit_test(output_is_message_text_and_measurements),
		cmocka_unit_test(mutations_of_good_output_break_nothing),
		cmocka_unit_test(very_long_pieces_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
