/* SPDX-License-Identifier: Apache-2.0 */
#include "period.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "text.h"

/* "2026-11-22", "2026-11-22 01:30" or with seconds, or a T between them; local. */
static bool local_parse(const char *text, int64_t *ms_r)
{
	static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
					      "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, formats[i], &tm);
		int month = tm.tm_mon, day = tm.tm_mday;
		time_t at;

		if (end == NULL || *end != '\0')
			continue;
		at = mktime(&tm);
		/* There is no 31st of February: mktime() makes a day of March of it. */
		if (at <= 0 || tm.tm_mon != month || tm.tm_mday != day)
			return false;
		*ms_r = (int64_t)at * 1000;
		return true;
	}
	return false;
}

static int time_of(const char *option, const char *text, int64_t now_ms, int64_t *ms_r,
		   struct err *err)
{
	int64_t ago_ms, at_ms;

	if (str_eq(text, "now"))
		at_ms = now_ms;
	else if (duration_parse(text, &ago_ms) == 0)
		at_ms = now_ms - ago_ms;
	else if (!local_parse(text, &at_ms) && (clock_parse(text, &at_ms) != 0 || at_ms <= 0))
		return err_set(err, -EINVAL,
			       "--%s: '%s' is no time (7d, 2026-11-22, '2026-11-22 01:30', "
			       "2026-11-22T01:30:00Z)",
			       option, text);
	/* 0 would mean that it is open. */
	*ms_r = HALE_MAX(at_ms, 1);
	return 0;
}

int period_of(const struct args *a, int64_t now_ms, int64_t default_ms, struct period *p_r,
	      struct err *err)
{
	const char *from = args_text(a, "from"), *to = args_text(a, "to");
	const char *since = args_text(a, "since");
	struct period p = {0};
	int rc = 0;

	if (from != NULL && since != NULL)
		return err_set(err, -EINVAL, "--since and --from say the same: give one of them");
	if (to != NULL)
		rc = time_of("to", to, now_ms, &p.to_ms, err);
	if (rc == 0 && from != NULL)
		rc = time_of("from", from, now_ms, &p.from_ms, err);
	else if (rc == 0 && since != NULL)
		rc = time_of("since", since, now_ms, &p.from_ms, err);
	else if (rc == 0 && default_ms > 0)
		p.from_ms = HALE_MAX((to == NULL ? now_ms : p.to_ms) - default_ms, 1);
	if (rc == 0 && p.to_ms != 0 && p.from_ms >= p.to_ms)
		return err_set(err, -EINVAL, "--to: the time ends before it begins");
	if (rc == 0)
		*p_r = p;
	return rc;
}

/* A day reads as the options have it. */
static const char *default_text(int64_t ms, char buf[UNITS_TEXT_MAX])
{
	return ms == 86400000 ? "24h" : duration_format_short(ms, buf);
}

void period_add(struct str *out, const struct args *a, const struct period *p, int64_t now_ms)
{
	const char *since = args_text(a, "since");
	char text[TEXT_TIME_MAX], span[UNITS_TEXT_MAX];
	int64_t ms;

	if (p->to_ms == 0 && p->from_ms == 0)
		str_add(out, "ever");
	else if (p->to_ms == 0 && since != NULL && duration_parse(since, &ms) == 0)
		str_addf(out, "in the last %s", since);
	else if (p->to_ms == 0 && since == NULL && !args_is(a, "from"))
		str_addf(out, "in the last %s", default_text(now_ms - p->from_ms, span));
	else if (p->to_ms == 0)
		str_addf(out, "since %s", text_date(p->from_ms, text));
	else if (p->from_ms == 0)
		str_addf(out, "before %s", text_date(p->to_ms, text));
	else {
		str_addf(out, "from %s ", text_date(p->from_ms, text));
		str_addf(out, "to %s", text_date(p->to_ms, text));
	}
}
