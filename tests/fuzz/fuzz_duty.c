/* SPDX-License-Identifier: Apache-2.0 */
/* Time zone files (first byte 'z'), and windows, holidays and schedules: one a line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "duty.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 2026-11-20, and some of the years around it. */
#define NOW_S  INT64_C(1795132800)
#define STEP_S INT64_C(7776000)

static void try_zone(const uint8_t *data, size_t size)
{
	struct zone *z;

	if (zone_new(data, size, &z, NULL) < 0)
		return;
	for (int i = -40; i < 40; i++) {
		int64_t s = NOW_S + i * STEP_S;
		struct zone_span span = zone_at(z, s);
		struct tm tm;

		if (span.since_s > s || span.end_s <= s)
			abort();
		zone_local(z, s, &tm);
		(void)zone_when(z, s);
	}
	zone_free(z);
}

static void try_plan(char *text)
{
	struct zone *utc;
	struct duty_plan p = {.grace_ms = 1000, .every_ms = 60000, .fail_missed = 1};
	char *rest = text;

	(void)zone_new(NULL, 0, &utc, NULL);
	p.zone = utc;
	for (int i = 0; rest != NULL && i < 8; i++) {
		const char *line = strsep(&rest, "\n");

		if (duty_window_add(&p, line, NULL) < 0 && duty_holiday_add(&p, line, NULL) < 0)
			(void)duty_cron_add(&p, line, NULL);
	}
	if (duty_is_open(&p, NOW_S * 1000) && duty_opened(&p, NOW_S * 1000) > NOW_S * 1000)
		abort();
	(void)duty_opens(&p, NOW_S * 1000);
	(void)duty_judge(&p, (NOW_S - 86400) * 1000, NOW_S * 1000);
	duty_plan_done(&p);
	zone_free(utc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HALE_CLEANUP(str_done) struct str text = {0};

	if (size == 0)
		return 0;
	str_addn(&text, (const char *)data, size);
	if (data[0] == 'z')
		try_zone(data + 1, size - 1);
	else
		try_plan(text.data);
	return 0;
}
