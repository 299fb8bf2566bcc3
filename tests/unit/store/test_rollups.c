/* SPDX-License-Identifier: Apache-2.0 */
/* Rollups made live, while rows come late, out of order, and not at all because somebody was
 * killed, are those made from scratch, and what plain arithmetic says. */
#include "keep_rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/keep_private.h"

#define ERROR_MAX  (1.0 / 64) /* of a percentile: test_sketch.c */
#define COMPONENTS 5
#define SETS       4

static unsigned seed = 11;

static unsigned upto(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

/* --- the model: every row that was committed --- */

static const char *const set_names[SETS + 1] = {NULL, "[\"bytes\",\"status_code\"]", "[\"bytes\"]",
						"[\"load\",\"bytes\",\"took_ms\"]",
						"[\"quote \\\" here\",\"load\"]"};

struct fact {
	struct rig_result row;
	char text[96];
	double load, bytes, code; /* NAN: not in it */
};

struct model {
	struct fact *v;
	size_t n, cap;
};

static double made_up(void)
{
	switch (upto(4)) {
	case 0:
		return upto(1000);
	case 1:
		return upto(100000) / 1000.0 - 50;
	case 2:
		return ldexp(upto(1000), (int)upto(200) - 100);
	default:
		return 0;
	}
}

/* As metric_text writes it, or as results had it before there were sets. */
static void write_metrics(struct fact *f)
{
	char *text = f->text;
	size_t size = sizeof(f->text);

	f->load = f->bytes = f->code = NAN;
	switch (f->row.set) {
	case 0:
		f->row.metrics = upto(2) == 0 ? NULL : text;
		if (f->row.metrics == NULL)
			return;
		f->load = made_up();
		(void)snprintf(text, size, "{\"load\":%.17g,\"took_ms\":5,\"word\":\"x\"}",
			       f->load);
		return;
	case 1:
		f->bytes = made_up();
		f->code = upto(2) == 0 ? 200 : 503;
		(void)snprintf(text, size, "%.17g,%g", f->bytes, f->code);
		break;
	case 2:
		f->bytes = made_up();
		(void)snprintf(text, size, "%.17g", f->bytes);
		break;
	case 3:
		f->load = made_up();
		f->bytes = made_up();
		(void)snprintf(text, size, "%.17g,%.17g,77", f->load, f->bytes);
		break;
	default:
		f->load = made_up();
		(void)snprintf(text, size, "1,%.17g", f->load);
	}
	f->row.metrics = text;
}

static void make_fact(struct fact *f, int64_t now_ms, int64_t seq)
{
	static const int64_t late[] = {1000, 60000, 20 * MINUTE, 3 * HOUR, 30 * HOUR};

	*f = (struct fact){.row = {.epoch = 1 + upto(3),
				   .seq = seq,
				   .component = 1 + upto(COMPONENTS),
				   .took_us = upto(10) == 0 ? -1 : (int64_t)upto(2000000),
				   .set = upto(SETS + 1)}};
	f->row.at_ms = now_ms - upto((unsigned)late[upto(20) < 18 ? upto(2) : upto(5)]);
	write_metrics(f);
}

static void remember(struct model *m, const struct fact *f)
{
	if (m->n == m->cap) {
		m->cap = m->cap > 0 ? 2 * m->cap : 64;
		m->v = mem_grow(m->v, m->cap, sizeof(*m->v));
	}
	m->v[m->n++] = *f;
}

static void put(struct rig *r, const struct fact *f)
{
	struct rig_result row = f->row;

	row.metrics = row.metrics != NULL ? f->text : NULL;
	rig_put(r, &row);
}

/* One batch, as the recorder writes it; every fifth writer is killed before it commits. */
static void write_batch(struct rig *r, struct model *m, int64_t now_ms, int64_t *seq)
{
	size_t n = 1 + upto(60), before = m->n;

	rig_must(r, db_begin(r->hand, &r->err));
	for (size_t i = 0; i < n; i++) {
		struct fact f;

		make_fact(&f, now_ms, ++*seq);
		put(r, &f);
		rig_touch(r, f.row.at_ms);
		remember(m, &f);
	}
	if (upto(5) == 0) {
		db_rollback(r->hand);
		m->n = before;
		return;
	}
	rig_must(r, db_commit(r->hand, &r->err));
}

static int by_key(const void *a, const void *b)
{
	const struct rig_result *x = &((const struct fact *)a)->row;
	const struct rig_result *y = &((const struct fact *)b)->row;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

static struct rig *open_rig(enum db_engine engine)
{
	struct rig *r = rig_open(engine);

	rig_components(r, COMPONENTS);
	for (int i = 1; i <= SETS; i++)
		rig_set(r, i, set_names[i]);
	return r;
}

static void dump_level(struct rig *r, const char *level, struct str *out)
{
	char sql[400];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT r.day, r.slot, m.name, r.component_id, r.count, r.sum, r.min, r.max,"
		       " r.p95, r.sketch FROM metric_rollups_%s r JOIN metrics m"
		       " ON m.id = r.metric_id ORDER BY r.day, r.slot, m.name, r.component_id",
		       level);
	str_addf(out, "-- %s\n", level);
	rig_dump(r, sql, out);
}

static void dump_all(struct rig *r, struct str *out)
{
	dump_level(r, "5m", out);
	dump_level(r, "1h", out);
	dump_level(r, "1d", out);
}

/* --- plain arithmetic --- */

static double value_of(const struct fact *f, const char *metric)
{
	if (strcmp(metric, "took_ms") == 0)
		return f->row.took_us >= 0 ? (double)f->row.took_us / 1000.0 : (double)NAN;
	if (strcmp(metric, "load") == 0)
		return f->load;
	if (strcmp(metric, "bytes") == 0)
		return f->bytes;
	if (strcmp(metric, "status_code") == 0)
		return f->code;
	return f->row.set == 4 ? 1 : (double)NAN; /* quote " here */
}

struct checking {
	const struct model *m;
	int64_t bucket_ms;
	size_t rows;
	uint64_t numbers;
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void assert_near(double got, double want, double share)
{
	if (fabs(got - want) > fabs(want) * share)
		fail_msg("%.17g is not near %.17g", got, want);
}

static bool check_row(void *ctx, const struct db_row *row)
{
	struct checking *c = ctx;
	const struct db_value *v = row->values;
	int64_t from = v[0].integer * DAY + v[1].integer * c->bucket_ms;
	double *values = mem_array(c->m->n + 1, sizeof(*values)), sum = 0, size = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->m->n; i++) {
		const struct fact *f = &c->m->v[i];
		double value = value_of(f, v[2].text);

		if (f->row.at_ms < from || f->row.at_ms >= from + c->bucket_ms ||
		    f->row.component != v[3].integer || isnan(value))
			continue;
		values[n++] = value;
		sum += value;
		size += fabs(value);
	}
	assert_int_equal(v[4].integer, n);
	assert_true(fabs(v[5].real - sum) <= 1e-12 * size);
	qsort(values, n, sizeof(*values), by_size);
	assert_true(v[6].real - values[0] == 0);
	assert_true(v[7].real - values[n - 1] == 0);
	assert_near(v[8].real, values[(size_t)ceil(0.95 * (double)n) - 1], ERROR_MAX);
	c->numbers += n;
	c->rows++;
	free(values);
	return true;
}

/* Every row is right, and no number is missing. */
static void check_level(struct rig *r, const struct model *m, const char *level, int64_t bucket_ms)
{
	static const char *const metrics[] = {"took_ms", "load", "bytes", "status_code", "quote"};
	struct checking c = {.m = m, .bucket_ms = bucket_ms};
	uint64_t numbers = 0;
	char sql[300];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT r.day, r.slot, m.name, r.component_id, r.count, r.sum, r.min, r.max,"
		       " r.p95 FROM metric_rollups_%s r JOIN metrics m ON m.id = r.metric_id",
		       level);
	rig_must(r, db_query(r->hand, sql, NULL, 0, check_row, &c, &r->err));
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < ARRAY_LEN(metrics); j++)
			numbers += isnan(value_of(&m->v[i], metrics[j])) ? 0 : 1;
	assert_int_equal(c.numbers, numbers);
	assert_true(c.rows > 0);
}

/* --- the tests --- */

static void compare_with_scratch(struct rig *live, struct model *m, int64_t now_ms)
{
	struct rig *scratch = open_rig(live->engine);
	struct str a = {0}, b = {0};
	uint64_t buckets = 0;

	qsort(m->v, m->n, sizeof(*m->v), by_key);
	rig_must(scratch, db_begin(scratch->hand, &scratch->err));
	for (size_t i = 0; i < m->n; i++)
		put(scratch, &m->v[i]);
	rig_seen(scratch, m->v[0].row.at_ms, m->v[m->n - 1].row.at_ms);
	rig_must(scratch, db_commit(scratch->hand, &scratch->err));
	rig_must(scratch, keep_rebuild(scratch->store, 0, 0, &buckets, &scratch->err));
	assert_true(buckets > 0);
	(void)rig_roll_up(scratch, now_ms);
	dump_all(live, &a);
	dump_all(scratch, &b);
	assert_true(a.len > 1000);
	assert_string_equal(str_text(&a), str_text(&b));
	str_done(&a);
	str_done(&b);
	rig_close(scratch);
}

/* Few bytes, so that a bucket takes several passes. */
static void squeeze(struct rig *r)
{
	struct keep *k = keep_of(r->store);

	rollups_free(k->rollups);
	k->rollups = rollups_new(2000 + upto(3) * 10000);
}

static void live_is_rebuilt_is_arithmetic(enum db_engine engine, int rounds)
{
	for (int round = 0; round < rounds; round++) {
		struct rig *r = open_rig(engine);
		struct model m = {0};
		int64_t now = T0 + 20 * HOUR, seq = 0;

		squeeze(r);
		for (int step = 0; step < 60; step++) {
			bool more = true;

			write_batch(r, &m, now, &seq);
			now += (int64_t)upto((unsigned)(step % 20 == 0 ? 5 * HOUR : 7 * MINUTE));
			for (unsigned i = upto(12); more && i > 0; i--)
				rig_must(r, keep_roll_up(r->store, now, &more, &r->err));
		}
		now += 2 * DAY;
		(void)rig_roll_up(r, now);
		assert_int_equal(rig_int(r, "SELECT count(*) FROM rollup_pending"), 0);
		check_level(r, &m, "5m", 5 * MINUTE);
		check_level(r, &m, "1h", HOUR);
		check_level(r, &m, "1d", DAY);
		compare_with_scratch(r, &m, now);
		rig_close(r);
		free(m.v);
	}
}

/* Some steps, and on until a bucket that was begun has gone. */
static void purge_some(struct rig *r, int64_t now_ms, unsigned steps)
{
	bool more = true;
	struct keep_purged purged = {0};

	while (more && (steps > 0 || rig_int(r, "SELECT count(*) FROM meta WHERE value LIKE"
						" '% partly'") > 0)) {
		rig_must(r, keep_purge(r->store, &r->options, now_ms, &purged, &more, &r->err));
		steps -= steps > 0 ? 1 : 0;
	}
	assert_int_equal(purged.not_rolled_up, 0);
}

/* Rows that come when those of their bucket have gone are added to what was made of those. */
static void days_are_right_whatever_has_gone(enum db_engine engine)
{
	struct rig *r = open_rig(engine);
	struct model m = {0};
	int64_t now = T0 + 20 * HOUR, seq = 0;

	r->options.retention.results_ms = HOUR;
	r->options.retention.rollups_5m_ms = 5 * HOUR;
	r->options.retention.rollups_1h_ms = 26 * HOUR;
	for (int step = 0; step < 80; step++) {
		bool more = true;

		squeeze(r);
		for (unsigned i = step % 16 == 0 ? 40 : 1; i > 0; i--)
			write_batch(r, &m, now, &seq);
		now += (int64_t)upto((unsigned)(step % 10 == 0 ? 9 * HOUR : 20 * MINUTE));
		for (unsigned i = upto(60); more && i > 0; i--)
			rig_must(r, keep_roll_up(r->store, now, &more, &r->err));
		purge_some(r, now, upto(20));
	}
	now += 10 * DAY;
	(void)rig_roll_up(r, now);
	check_level(r, &m, "1d", DAY);
	(void)rig_purge(r, now, NULL);
	check_level(r, &m, "1d", DAY);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM results"), 0);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM metric_rollups_5m"), 0);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM metric_rollups_1h"), 0);
	assert_int_equal(rig_int(r, "SELECT count(*) FROM rollup_pending"), 0);
	rig_close(r);
	free(m.v);
}

static void live_rebuilt_and_arithmetic_agree_in_sqlite(void **state)
{
	(void)state;
	live_is_rebuilt_is_arithmetic(DB_SQLITE, 2);
}

static void live_rebuilt_and_arithmetic_agree_in_postgresql(void **state)
{
	(void)state;
	live_is_rebuilt_is_arithmetic(DB_POSTGRES, 1);
}

static void days_are_right_whatever_has_gone_in_sqlite(void **state)
{
	(void)state;
	days_are_right_whatever_has_gone(DB_SQLITE);
}

static void days_are_right_whatever_has_gone_in_postgresql(void **state)
{
	(void)state;
	days_are_right_whatever_has_gone(DB_POSTGRES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_rebuilt_and_arithmetic_agree_in_sqlite),
		cmocka_unit_test(live_rebuilt_and_arithmetic_agree_in_postgresql),
		cmocka_unit_test(days_are_right_whatever_has_gone_in_sqlite),
		cmocka_unit_test(days_are_right_whatever_has_gone_in_postgresql),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, rig_group_teardown);
}
