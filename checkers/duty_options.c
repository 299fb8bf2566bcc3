/* SPDX-License-Identifier: Apache-2.0 */
#include "duty_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define ZONES_DIR "/usr/share/zoneinfo"
#define ZONE_HERE "/etc/localtime"

static bool is_zone_name(const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("/_+-", *p) == NULL)
			return false;
	return *name != '\0' && *name != '/';
}

static int read_zone(const char *path, struct zone **zone_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str bytes = {0};
	int rc = file_read(path, ZONE_FILE_MAX, &bytes, err);

	if (rc == 0)
		rc = zone_new(str_text(&bytes), bytes.len, zone_r, err);
	return rc;
}

static int read_named(const char *name, struct zone **zone_r, struct err *err)
{
	HALE_CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", ZONES_DIR, name);
	int rc = is_zone_name(name) ? read_zone(path, zone_r, NULL) : -EINVAL;

	if (rc < 0)
		return err_set(err, rc,
			       "timezone: there is no zone '%s' in %s; expected one as "
			       "America/New_York",
			       name, ZONES_DIR);
	return 0;
}

int duty_zone_load(const char *name, struct zone **zone_r, struct err *err)
{
	const char *tz = getenv("TZ");

	if (name != NULL)
		return read_named(name, zone_r, err);
	/* ":Europe/Berlin" is POSIX's way to write it. */
	if (tz != NULL && read_named(tz + (*tz == ':'), zone_r, NULL) == 0)
		return 0;
	if (read_zone(ZONE_HERE, zone_r, NULL) == 0)
		return 0;
	return zone_new(NULL, 0, zone_r, err);
}

static int add_all(struct duty_plan *p, const struct strlist *texts, const char *option,
		   int (*add)(struct duty_plan *p, const char *text, struct err *err),
		   struct err *err)
{
	for (size_t i = 0; i < texts->n; i++) {
		if (add(p, texts->v[i], err) < 0) {
			err_prefix(err, "%s", option);
			return -EINVAL;
		}
	}
	return 0;
}

static int add_holiday_line(struct duty_plan *p, char *line, struct err *err)
{
	char *end;

	line[strcspn(line, "#\r")] = '\0';
	line += strspn(line, " \t");
	/* Behind the date there may be the holiday's name. */
	end = line + strcspn(line, " \t,;");
	*end = '\0';
	return *line == '\0' ? 0 : duty_holiday_add(p, line, err);
}

static int add_holidays_of(struct duty_plan *p, const char *path, struct err *err)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int rc = file_read(path, DUTY_HOLIDAYS_FILE_MAX, &text, err);
	char *rest = rc == 0 && text.len > 0 ? text.data : NULL;

	for (size_t n = 1; rc == 0 && rest != NULL; n++) {
		rc = add_holiday_line(p, strsep(&rest, "\n"), err);
		if (rc < 0)
			err_prefix(err, "line %zu", n);
	}
	if (rc < 0)
		err_prefix(err, "holidays_file");
	return rc;
}

static int fill(struct duty *d, const struct duty_opts *o, struct err *err)
{
	struct duty_plan *p = &d->plan;
	int rc = duty_zone_load(o->timezone, &d->zone, err);

	p->zone = d->zone;
	p->every_ms = o->every;
	p->grace_ms = o->grace;
	p->opening_grace_ms = o->opening_grace;
	p->fail_missed = 1;
	if (rc == 0)
		rc = add_all(p, &o->cron, "cron", duty_cron_add, err);
	if (rc == 0)
		rc = add_all(p, &o->active_window, "active_window", duty_window_add, err);
	if (rc == 0)
		rc = add_all(p, &o->holidays, "holidays", duty_holiday_add, err);
	if (rc == 0 && o->holidays_file != NULL)
		rc = add_holidays_of(p, o->holidays_file, err);
	if (rc == 0 && p->crons_n > 0 && duty_due(p, clock_wall_ms(), 0) < 0)
		rc = err_set(err, -EINVAL, "cron: none of its times lies in active_window");
	return rc;
}

int duty_new(const struct duty_opts *o, struct duty **d_r, struct err *err)
{
	struct duty *d = mem_alloc(sizeof(*d));
	int rc = fill(d, o, err);

	if (rc < 0)
		duty_free(d);
	else
		*d_r = d;
	return rc;
}

void duty_free(struct duty *d)
{
	if (d == NULL)
		return;
	duty_plan_done(&d->plan);
	zone_free(d->zone);
	free(d);
}

void duty_options_validate(const struct duty_opts *o, service_problem_fn problem, void *ctx)
{
	struct err err = {0};
	struct duty *d;

	if (duty_new(o, &d, &err) < 0)
		problem(ctx, "", err.text);
	else
		duty_free(d);
}
