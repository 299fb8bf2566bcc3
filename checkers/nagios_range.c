/* SPDX-License-Identifier: Apache-2.0 */
#include "nagios_range.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

static bool read_number(const char **text, double *number_r)
{
	char *end;
	double number;

	/* strtod also takes "inf", "nan" and hexadecimal numbers. */
	if ((*text)[strspn(*text, "+-0123456789.eE")] != '\0' &&
	    (*text)[strspn(*text, "+-0123456789.eE")] != ':')
		return false;
	number = strtod(*text, &end);
	if (end == *text || !isfinite(number))
		return false;
	*text = end;
	*number_r = number;
	return true;
}

int nagios_range_parse(const char *text, struct nagios_range *range_r)
{
	struct nagios_range range = {.from = 0, .to = INFINITY};
	const char *colon = strchr(text, ':');

	if (*text == '@') {
		range.is_inside = true;
		text++;
	}
	if (colon != NULL) {
		if (*text == '~' && text + 1 == colon)
			range.from = -INFINITY;
		else if (text != colon && (!read_number(&text, &range.from) || text != colon))
			return -EINVAL;
		text = colon + 1;
	}
	if (*text == '\0' && colon == NULL)
		return -EINVAL;
	if (*text != '\0' && (!read_number(&text, &range.to) || *text != '\0'))
		return -EINVAL;
	if (range.from > range.to)
		return -EINVAL;
	*range_r = range;
	return 0;
}

bool nagios_range_alerts(const struct nagios_range *range, double value)
{
	bool is_within = value >= range->from && value <= range->to;

	return is_within == range->is_inside;
}

static const char *number(double n, char buf[UNITS_TEXT_MAX])
{
	return number_format(n, buf);
}

void nagios_range_describe(const struct nagios_range *range, struct str *out)
{
	const bool has_from = isfinite(range->from), has_to = isfinite(range->to);
	char from[UNITS_TEXT_MAX], to[UNITS_TEXT_MAX];

	(void)number(has_from ? range->from : 0, from);
	(void)number(has_to ? range->to : 0, to);
	if (range->is_inside && has_from && has_to)
		str_addf(out, "from %s to %s", from, to);
	else if (range->is_inside && (has_from || has_to))
		str_addf(out, has_from ? "%s or more" : "%s or less", has_from ? from : to);
	else if (range->is_inside)
		str_add(out, "always");
	else if (has_from && has_to)
		str_addf(out, "below %s or above %s", from, to);
	else if (has_from || has_to)
		str_addf(out, has_from ? "below %s" : "above %s", has_from ? from : to);
	else
		str_add(out, "never");
}
