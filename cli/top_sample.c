/* SPDX-License-Identifier: Apache-2.0 */
#include "top_sample.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/command.h"
#include "field.h"

static const char *const sort_names[TOP_SORT_MAX] = {
	[TOP_BY_NAME] = "name",
	[TOP_BY_CPU] = "cpu",
	[TOP_BY_MEMORY] = "memory",
	[TOP_BY_RESTARTS] = "restarts",
};

const char *top_sort_name(enum top_sort sort)
{
	return sort_names[sort];
}

bool top_sort_from_name(const char *name, enum top_sort *sort_r)
{
	for (size_t i = 0; i < TOP_SORT_MAX; i++) {
		if (str_eq(sort_names[i], name)) {
			*sort_r = (enum top_sort)i;
			return true;
		}
	}
	return false;
}

/* ---- taking ---- */

/* haled among its processes, in their form. */
static void add_haled(json_t *status)
{
	const json_t *started = json_object_get(status, "started");
	json_t *row;

	if (!json_is_integer(json_object_get(status, "pid")))
		return;
	row = json_pack("{s:s, s:s, s:O, s:O?, s:i}", "name", "haled", "state", "ready", "pid",
			json_object_get(status, "pid"), "since", started, "restarts", 0);
	json_array_insert_new(field_array(status, "processes"), 0, row);
}

static const struct top_row *find(const struct top_sample *s, const char *name)
{
	for (size_t i = 0; s != NULL && i < s->rows_n; i++) {
		if (str_eq(s->rows[i].name, name))
			return &s->rows[i];
	}
	return NULL;
}

static void measure(struct top_sample *s, struct top_row *row, const struct top_sample *before)
{
	const struct top_row *was = find(before, row->name);
	json_int_t pid = field_int(row->process, "pid", 0);

	row->cpu_percent = -1;
	row->has_usage = pid > 0 && proc_usage_read((pid_t)pid, &row->usage) == 0;
	if (row->has_usage && row->usage.pss_bytes < 0)
		s->has_pss = false;
	if (row->has_usage && was != NULL && was->has_usage)
		row->cpu_percent =
			procinfo_cpu_percent(&was->usage.stat, &row->usage.stat,
					     s->mono_ms - before->mono_ms, sysconf(_SC_CLK_TCK));
}

static double rate(const struct top_sample *before, const struct top_sample *now, const char *key)
{
	const json_t *was = json_object_get(before == NULL ? NULL : before->status, "bus");
	const json_t *is = json_object_get(now->status, "bus");
	double first, last;

	if (!field_number(was, key, &first) || !field_number(is, key, &last) || last < first ||
	    now->mono_ms <= before->mono_ms)
		return -1;
	return (last - first) * 1000 / (double)(now->mono_ms - before->mono_ms);
}

int top_sample_take(const struct cli *cli, const struct top_sample *before, uint32_t timeout_ms,
		    struct top_sample *sample_r, struct err *err)
{
	struct top_sample s = {.has_pss = true};
	json_t *process;
	size_t i;
	int code = cli_try(cli, "haled", "status", NULL, timeout_ms, &s.status, NULL, err);

	if (code != 0)
		return code;
	add_haled(s.status);
	s.wall_ms = cli_now(cli);
	s.mono_ms = clock_mono_ms();
	s.rows = mem_array(json_array_size(field_array(s.status, "processes")), sizeof(*s.rows));
	json_array_foreach (field_array(s.status, "processes"), i, process) {
		struct top_row *row = &s.rows[s.rows_n++];

		row->process = process;
		row->name = field_or(process, "name", "?");
		measure(&s, row, before);
	}
	s.in_per_second = rate(before, &s, "received_lines");
	s.out_per_second = rate(before, &s, "published_lines");
	*sample_r = s;
	return 0;
}

void top_sample_done(struct top_sample *s)
{
	json_decref(s->status);
	free(s->rows);
	*s = (struct top_sample){0};
}

/* ---- order ---- */

int64_t top_row_memory(const struct top_sample *s, const struct top_row *row)
{
	if (!row->has_usage)
		return -1;
	return s->has_pss ? row->usage.pss_bytes : row->usage.rss_bytes;
}

struct order {
	const struct top_sample *sample;
	enum top_sort sort;
};

static double weight(const struct order *o, const struct top_row *row)
{
	switch (o->sort) {
	case TOP_BY_CPU:
		return row->cpu_percent;
	case TOP_BY_MEMORY:
		return (double)top_row_memory(o->sample, row);
	case TOP_BY_RESTARTS:
		return (double)field_int(row->process, "restarts", 0);
	default:
		return 0;
	}
}

static int compare(const void *a, const void *b, void *ctx)
{
	double x = weight(ctx, a), y = weight(ctx, b);

	if (x > y || x < y)
		return x < y ? 1 : -1;
	return strcmp(((const struct top_row *)a)->name, ((const struct top_row *)b)->name);
}

void top_sample_sort(struct top_sample *s, enum top_sort sort)
{
	struct order order = {.sample = s, .sort = sort};

	if (s->rows_n > 0)
		qsort_r(s->rows, s->rows_n, sizeof(*s->rows), compare, &order);
}

/* ---- JSON ---- */

static json_t *known(double n)
{
	return n < 0 ? json_null() : json_real(n);
}

static json_t *known_int(int64_t n)
{
	return n < 0 ? json_null() : json_integer((json_int_t)n);
}

static json_t *encode_row(const struct top_row *row)
{
	json_t *o = json_copy((json_t *)(uintptr_t)row->process);
	const struct proc_usage *u = &row->usage;

	json_object_set_new(o, "cpu_percent", known(row->cpu_percent));
	json_object_set_new(o, "pss_bytes", known_int(row->has_usage ? u->pss_bytes : -1));
	json_object_set_new(o, "rss_bytes", known_int(row->has_usage ? u->rss_bytes : -1));
	json_object_set_new(o, "fds", known_int(row->has_usage ? u->fds : -1));
	json_object_set_new(o, "threads", known_int(row->has_usage ? u->stat.threads : -1));
	return o;
}

json_t *top_sample_encode(const struct top_sample *s)
{
	json_t *rows = json_array(), *o;
	char at[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < s->rows_n; i++)
		json_array_append_new(rows, encode_row(&s->rows[i]));
	o = json_pack("{s:s, s:O?, s:O?, s:O?, s:o, s:{s:o, s:o}}", "at",
		      clock_format(s->wall_ms, at), "status", json_object_get(s->status, "status"),
		      "score", json_object_get(s->status, "score"), "counts",
		      json_object_get(s->status, "counts"), "processes", rows, "bus",
		      "received_per_second", known(s->in_per_second), "published_per_second",
		      known(s->out_per_second));
	return o;
}
