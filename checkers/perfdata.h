/* SPDX-License-Identifier: Apache-2.0 */
/* perfdata - what a Nagios plugin prints: a message, and measurements after a "|"
 *
 * Pure. The format is that of the Monitoring Plugins' development guidelines, "Performance data":
 *   'label'=value[UOM];[warn];[crit];[min];[max]   separated by blanks
 * and of the plugin API, "Plugin output": the first line may have measurements after a "|"; so may
 * the longer text below it, and from that "|" on all is measurements.
 * A label becomes a metric's name: small letters, digits and _, with the unit as suffix. Seconds
 * stay seconds; us and ns become ms; bytes of any size become bytes (K is 1024).
 */
#ifndef HALE_CHECKERS_PERFDATA_H
#define HALE_CHECKERS_PERFDATA_H

#include "base/str.h"

#include <stddef.h>

#define PERFDATA_NAME_MAX  96
#define PERFDATA_RANGE_MAX 48 /* "@-1234567890.5:1234567890.5" and room */

struct perfdata {
	char name[PERFDATA_NAME_MAX]; /* metric name with its unit */
	double value;                 /* finite */
	double printed;               /* in the plugin's own unit, as its ranges are */
	/* As printed, "" if not there; ranges are the plugin's business. */
	char warning[PERFDATA_RANGE_MAX];
	char critical[PERFDATA_RANGE_MAX];
	char min[PERFDATA_RANGE_MAX];
	char max[PERFDATA_RANGE_MAX];
};

/* A metric's name out of any label: small letters, digits and _. */
void perfdata_name(const char *label, char name_r[PERFDATA_NAME_MAX]);

typedef void (*perfdata_fn)(void *ctx, const struct perfdata *p);

/* Calls on_item for each measurement that has a value, in order. Returns how many pieces of the
 * text could not be read; they are skipped up to the next blank. */
size_t perfdata_parse(const char *text, perfdata_fn on_item, void *ctx);

/* Appends the three parts of a plugin's output: its first line, the longer text, all
 * measurements. */
void perfdata_split(const char *output, struct str *message, struct str *more,
		    struct str *measurements);

#endif
