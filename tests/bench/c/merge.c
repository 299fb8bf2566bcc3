/* SPDX-License-Identifier: Apache-2.0 */
/* B5 floor: compare two row sets in C.
 *   merge mem ROWS        two arrays in memory, sorted by key: merge; and hash join of the
 *                         same rows unsorted
 *   merge pg DSN TEXT|BIN two cursors of COPY (SELECT .. ORDER BY id) TO STDOUT, merged as
 *                         they come (the case of two sources that no one query can join)
 *   merge csv FILE DSN    a CSV file sorted by key, against the table's COPY text stream
 * Prints one JSON object. */
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct rec {
	uint64_t key, sum;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static long missing, extra, changed, same;

static void mem(long n)
{
	struct rec *a = malloc(sizeof *a * (size_t)n), *b = malloc(sizeof *b * (size_t)n * 2);
	long na = 0, nb = 0;
	if (!a || !b)
		exit(3);
	for (long i = 0; i < n; i++) {
		a[na++] = (struct rec){(uint64_t)i, mix((uint64_t)i)};
		if (i % 200 == 7)
			continue;
		b[nb++] = (struct rec){(uint64_t)i, mix((uint64_t)i) + (i % 200 == 9)};
	}
	double t0 = now();
	for (int rep = 0; rep < 20; rep++) {
		long i = 0, j = 0;
		missing = extra = changed = same = 0;
		while (i < na && j < nb) {
			if (a[i].key < b[j].key) {
				missing++;
				i++;
			} else if (a[i].key > b[j].key) {
				extra++;
				j++;
			} else {
				if (a[i].sum == b[j].sum)
					same++;
				else
					changed++;
				i++;
				j++;
			}
		}
		missing += na - i;
		extra += nb - j;
	}
	double merge = (now() - t0) / 20;
	for (long i = na - 1; i > 0; i--) {
		long k = (long)(mix((uint64_t)i) % (uint64_t)(i + 1));
		struct rec t = a[i];
		a[i] = a[k];
		a[k] = t;
	}
	for (long i = nb - 1; i > 0; i--) {
		long k = (long)(mix((uint64_t)i + 1) % (uint64_t)(i + 1));
		struct rec t = b[i];
		b[i] = b[k];
		b[k] = t;
	}
	size_t cap = 1;
	while (cap < (size_t)na * 2)
		cap *= 2;
	t0 = now();
	struct rec *h = malloc(sizeof *h * cap);
	if (!h)
		exit(3);
	memset(h, 0xff, sizeof *h * cap);
	for (long i = 0; i < na; i++) {
		size_t p = mix(a[i].key) & (cap - 1);
		while (h[p].key != UINT64_MAX)
			p = (p + 1) & (cap - 1);
		h[p] = a[i];
	}
	long hs = 0, hc = 0, he = 0;
	for (long j = 0; j < nb; j++) {
		size_t p = mix(b[j].key) & (cap - 1);
		while (h[p].key != UINT64_MAX && h[p].key != b[j].key)
			p = (p + 1) & (cap - 1);
		if (h[p].key == UINT64_MAX)
			he++;
		else if (h[p].sum == b[j].sum)
			hs++;
		else
			hc++;
	}
	printf("{\"rows\":%ld,\"merge_s\":%.6f,\"hash_s\":%.6f,\"same\":%ld,\"changed\":%ld,"
	       "\"missing\":%ld,\"extra\":%ld,\"hash_same\":%ld}\n",
	       n, merge, now() - t0, same, changed, missing, extra, hs + 0 * (hc + he));
}

/* one ordered stream of rows: key, then the rest of the row as bytes */
struct src {
	PGconn *db;
	FILE *f;
	int bin, first;
	char *row, line[512];
	uint64_t key;
	const char *rest;
	size_t n;
	long got;
};

static int next(struct src *s)
{
	int r;
	if (s->f) {
		if (!fgets(s->line, sizeof s->line, s->f))
			return 0;
		r = (int)strlen(s->line);
		s->row = s->line;
	} else {
		if (s->row)
			PQfreemem(s->row);
		s->row = NULL;
		r = PQgetCopyData(s->db, &s->row, 0);
		if (r < 0)
			return 0;
	}
	const char *p = s->row;
	if (s->bin) {
		if (s->first) {
			p += 19;
			s->first = 0;
		}
		if (p[0] == (char)0xff && p[1] == (char)0xff)
			return next(s);
		uint64_t k = 0;
		for (int i = 0; i < 8; i++)
			k = k << 8 | (unsigned char)p[6 + i];
		s->key = k;
		s->rest = p + 14;
	} else {
		char *e;
		s->key = strtoull(p, &e, 10);
		s->rest = e;
	}
	s->n = (size_t)(s->row + r - s->rest);
	s->got++;
	return 1;
}

static void stream(struct src *s, const char *dsn, const char *table, int bin)
{
	char q[200];
	s->db = PQconnectdb(dsn);
	s->bin = s->first = bin;
	snprintf(q, sizeof q, "copy (select * from %s order by id) to stdout %s", table,
		 bin ? "binary" : "(delimiter ',')");
	PGresult *r = PQexec(s->db, q);
	if (PQresultStatus(r) != PGRES_COPY_OUT) {
		fprintf(stderr, "%s", PQerrorMessage(s->db));
		exit(4);
	}
	PQclear(r);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "mem")) {
		mem(atol(argv[2]));
		return 0;
	}
	if (argc < 4)
		return 2;
	struct src a = {0}, b = {0};
	double t0 = now();
	if (!strcmp(argv[1], "csv")) {
		a.f = fopen(argv[2], "r");
		if (!a.f)
			return 3;
		stream(&b, argv[3], "dst", 0);
	} else {
		int bin = !strcmp(argv[3], "BIN");
		stream(&a, argv[2], "src", bin);
		stream(&b, argv[2], "dst", bin);
	}
	int x = next(&a), y = next(&b);
	while (x || y) {
		if (x && (!y || a.key < b.key)) {
			missing++;
			x = next(&a);
		} else if (y && (!x || a.key > b.key)) {
			extra++;
			y = next(&b);
		} else {
			if (a.n == b.n && !memcmp(a.rest, b.rest, a.n))
				same++;
			else
				changed++;
			x = next(&a);
			y = next(&b);
		}
	}
	printf("{\"rows\":%ld,\"wall_s\":%.4f,\"same\":%ld,\"changed\":%ld,\"missing\":%ld,"
	       "\"extra\":%ld}\n",
	       a.got, now() - t0, same, changed, missing, extra);
	return 0;
}
