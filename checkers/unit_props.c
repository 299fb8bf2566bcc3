/* SPDX-License-Identifier: Apache-2.0 */
#include "unit_props.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define US_PER_MS 1000

enum prop_type {
	PROP_WORD,    /* s, UNIT_WORD_MAX */
	PROP_NAME,    /* s, UNIT_NAME_SIZE */
	PROP_COUNT,   /* u, i, t; systemd's "not set" is the greatest number */
	PROP_TIME_MS, /* t: µs since 1970 */
	PROP_TIME_US, /* t: µs of the monotonic clock */
};

struct property {
	const char *name;
	enum prop_type type;
	size_t offset; /* in struct unit_reading */
};

#define AT(field)     offsetof(struct unit_reading, field)
#define STATUS(field) AT(status.field)

static const struct property unit_properties[] = {
	{"LoadState", PROP_WORD, STATUS(load)},
	{"ActiveState", PROP_WORD, STATUS(active)},
	{"SubState", PROP_WORD, STATUS(sub)},
	{"UnitFileState", PROP_WORD, STATUS(enabled)},
	{"ActiveEnterTimestamp", PROP_TIME_MS, STATUS(active_since_ms)},
	{"ActiveEnterTimestampMonotonic", PROP_TIME_US, AT(active_mono_us)},
	{NULL, PROP_WORD, 0},
};

static const struct property type_properties[] = {
	{"Result", PROP_WORD, STATUS(result)},
	{"NRestarts", PROP_COUNT, STATUS(restarts)},
	{"MainPID", PROP_COUNT, STATUS(main_pid)},
	{"MemoryCurrent", PROP_COUNT, STATUS(memory_bytes)},
	{"TasksCurrent", PROP_COUNT, STATUS(tasks)},
	{"ExecMainStatus", PROP_COUNT, STATUS(exit_status)},
	{"LastTriggerUSec", PROP_TIME_MS, STATUS(last_trigger_ms)},
	{"NextElapseUSecRealtime", PROP_TIME_MS, STATUS(next_elapse_ms)},
	{"NextElapseUSecMonotonic", PROP_TIME_US, AT(next_mono_us)},
	{"Unit", PROP_NAME, STATUS(triggers)},
	{NULL, PROP_WORD, 0},
};

static const struct property triggered_properties[] = {
	{"ActiveState", PROP_WORD, STATUS(triggered_active)},
	{"Result", PROP_WORD, STATUS(triggered_result)},
	{"ExecMainStatus", PROP_COUNT, STATUS(triggered_exit_status)},
	{NULL, PROP_WORD, 0},
};

static const struct property *const tables[] = {
	[UNIT_PROPS_UNIT] = unit_properties,
	[UNIT_PROPS_TYPE] = type_properties,
	[UNIT_PROPS_TRIGGERED] = triggered_properties,
};

static const struct property *find(const struct property *table, const char *name)
{
	for (; table->name != NULL; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

static void store_text(struct unit_reading *r, const struct property *p, const char *text)
{
	char *field = (char *)r + p->offset;

	if (p->type == PROP_WORD)
		(void)snprintf(field, UNIT_WORD_MAX, "%s", text);
	else if (p->type == PROP_NAME)
		(void)snprintf(field, UNIT_NAME_SIZE, "%s", text);
}

/* UINT64_MAX is systemd's "not set", and no time either. */
static void store_number(struct unit_reading *r, const struct property *p, uint64_t n)
{
	int64_t value = n > INT64_MAX ? -1 : (int64_t)n;

	if (p->type == PROP_WORD || p->type == PROP_NAME)
		return;
	if (p->type != PROP_COUNT && value < 0)
		value = 0;
	if (p->type == PROP_TIME_MS)
		value /= US_PER_MS;
	memcpy((char *)r + p->offset, &value, sizeof(value));
}

/* In the variant. */
static int read_value(struct unit_reading *r, const struct property *p, sd_bus_message *m,
		      char type)
{
	union {
		const char *s;
		uint32_t u;
		int32_t i;
		uint64_t t;
	} value;
	int rc = sdbus.message_read_basic(m, type, &value);

	if (rc < 0)
		return rc;
	if (type == 's')
		store_text(r, p, value.s);
	else if (type == 'u')
		store_number(r, p, value.u);
	else if (type == 'i')
		store_number(r, p, (uint64_t)value.i);
	else
		store_number(r, p, value.t);
	return 0;
}

static int read_property(struct unit_reading *r, const struct property *table, sd_bus_message *m)
{
	const struct property *p;
	const char *name, *contents;
	char type;
	int rc = sdbus.message_read_basic(m, 's', &name);

	if (rc < 0)
		return rc;
	p = find(table, name);
	rc = sdbus.message_peek_type(m, &type, &contents);
	if (rc < 0)
		return rc;
	if (p == NULL || type != 'v' || strlen(contents) != 1 || strchr("suit", *contents) == NULL)
		return sdbus.message_skip(m, "v");
	rc = sdbus.message_enter_container(m, 'v', contents);
	if (rc >= 0)
		rc = read_value(r, p, m, *contents);
	return rc < 0 ? rc : sdbus.message_exit_container(m);
}

int unit_reading_take(struct unit_reading *r, enum unit_props known, sd_bus_message *m)
{
	int rc = sdbus.message_enter_container(m, 'a', "{sv}");

	while (rc >= 0 && (rc = sdbus.message_enter_container(m, 'e', "sv")) > 0) {
		rc = read_property(r, tables[known], m);
		if (rc >= 0)
			rc = sdbus.message_exit_container(m);
	}
	return rc < 0 ? -EBADMSG : 0;
}

void unit_reading_init(struct unit_reading *r)
{
	*r = (struct unit_reading){
		.status = {.active_for_ms = -1,
			   .restarts = -1,
			   .memory_bytes = -1,
			   .tasks = -1,
			   .exit_status = -1,
			   .triggered_exit_status = -1},
	};
}

void unit_reading_none(struct unit_reading *r)
{
	unit_reading_init(r);
	(void)strcpy(r->status.load, "not-found");
	(void)strcpy(r->status.active, "inactive");
	(void)strcpy(r->status.sub, "dead");
}

bool unit_reading_triggers(const struct unit_reading *r)
{
	return *r->status.triggers != '\0';
}

void unit_reading_finish(struct unit_reading *r, int64_t wall_ms, int64_t mono_us)
{
	struct unit_status *s = &r->status;

	if (strcmp(s->active, "active") == 0 && r->active_mono_us > 0)
		s->active_for_ms = HALE_MAX((mono_us - r->active_mono_us) / US_PER_MS, (int64_t)0);
	if (s->next_elapse_ms == 0 && r->next_mono_us > 0)
		s->next_elapse_ms = wall_ms + (r->next_mono_us - mono_us) / US_PER_MS;
}
