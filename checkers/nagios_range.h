/* SPDX-License-Identifier: Apache-2.0 */
/* nagios_range - the thresholds of Nagios plugins
 *
 * Pure. As in the Monitoring Plugins' development guidelines, "Threshold and Ranges":
 *   10      alert outside of 0 to 10        10:     below 10       ~:10   above 10
 *   10:20   outside of 10 to 20             @10:20  inside of 10 to 20, ends included
 */
#ifndef HALE_CHECKERS_NAGIOS_RANGE_H
#define HALE_CHECKERS_NAGIOS_RANGE_H

#include "base/str.h"

#include <stdbool.h>

struct nagios_range {
	double from, to; /* infinite where there is no limit */
	bool is_inside;  /* alert within */
};

/* 0, or -EINVAL. */
int nagios_range_parse(const char *text, struct nagios_range *range_r);
bool nagios_range_alerts(const struct nagios_range *range, double value);
/* When it alerts, in words: "above 10", "below 0 or above 10", "from 10 to 20". Appends. */
void nagios_range_describe(const struct nagios_range *range, struct str *out);

#endif
