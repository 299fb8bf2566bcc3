/* SPDX-License-Identifier: Apache-2.0 */
/* duty_options - the options of a plan (duty.h), shared by the kinds that judge by one
 *
 * Zones are read from the system's time zone database; without the option it is the zone of the
 * process: TZ, else /etc/localtime, else UTC.
 *
 * Ownership: duty_new/_free; the options are borrowed for the call.
 * Errors:    -EINVAL, -ENOENT …: what is wrong, with the option's name first.
 * Loop:      reads small local files.
 */
#ifndef HALE_CHECKERS_DUTY_OPTIONS_H
#define HALE_CHECKERS_DUTY_OPTIONS_H

#include "duty.h"

#include "conf/option.h"
#include "service/service.h"

/* A line a day, for centuries. */
#define DUTY_HOLIDAYS_FILE_MAX (1u << 20)

struct duty_opts {
	struct strlist cron;
	int64_t every;
	char *timezone;
	struct strlist active_window;
	struct strlist holidays;
	char *holidays_file;
	int64_t grace;
	int64_t opening_grace;
};

/* Rows for a kind's table; `s` has a member `struct duty_opts duty`. */
#define DUTY_ITEMS(s)                                                                              \
	CONF_LIST(s, duty.cron, .name = "cron", .flags = CONF_F_NONEMPTY,                          \
		  .help = "When it runs: five cron fields, or a list of such schedules"),          \
		CONF_DURATION(s, duty.every, .name = "every", .min = 1000, .max = 400 * 86400e3,   \
			      .help = "It runs so often, counted from its last run"),              \
		CONF_STR(s, duty.timezone, .name = "timezone", .flags = CONF_F_NONEMPTY,           \
			 .help = "Zone of schedule, window and holidays (America/New_York); "      \
				 "default: that of the instance, or the host's"),                  \
		CONF_LIST(s, duty.active_window, .name = "active_window",                          \
			  .help = "Days and hours in which it runs: \"mon-fri 09:30-16:00\", "     \
				  "\"22:00-06:00\", \"sat,sun\"; a list of them; default: "        \
				  "always"),                                                       \
		CONF_LIST(s, duty.holidays, .name = "holidays",                                    \
			  .help = "Dates on which the window stays closed: 2026-11-26, or 12-25 "  \
				  "for each year"),                                                \
		CONF_STR(s, duty.holidays_file, .name = "holidays_file",                           \
			 .flags = CONF_F_READ_BESIDE | CONF_F_NONEMPTY,                            \
			 .help = "File of such dates, one a line; # begins a comment"),            \
		CONF_DURATION(                                                                     \
			s, duty.opening_grace, .name = "opening_grace", .def = "0",                \
			.help = "After the window opens, nothing counts as missed for so long")

struct duty {
	struct duty_plan plan;
	struct zone *zone;
};

int duty_new(const struct duty_opts *o, struct duty **d_r, struct err *err);
void duty_free(struct duty *d);
/* All that duty_new() would find wrong, the first of it. */
void duty_options_validate(const struct duty_opts *o, service_problem_fn problem, void *ctx);
/* The zone of this name, NULL for that of the process. Caller frees. */
int duty_zone_load(const char *name, struct zone **zone_r, struct err *err);

#endif
