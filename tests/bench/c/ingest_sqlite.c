/* SPDX-License-Identifier: Apache-2.0 */
/* B6: rows into SQLite, WAL.   ingest_sqlite FILE ROWS BATCH SYNC(0|1|2) KEY CACHE_MB
 * KEY: rowid (no other index), indexed (index on check, time), norowid (clustered by check,
 * time), tsfirst (clustered by time, check). One prepared INSERT, BATCH rows a transaction.
 * CACHE_MB 0: SQLite's defaults; else that cache, and a checkpoint every 10000 pages. */
#include <sqlite3.h>
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

static sqlite3 *db;
static void x(const char *q)
{
	char *e = NULL;
	if (sqlite3_exec(db, q, NULL, NULL, &e) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", q, e);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc < 7)
		return 2;
	long rows = atol(argv[2]), batch = atol(argv[3]);
	char q[200];
	if (sqlite3_open(argv[1], &db) != SQLITE_OK)
		return 3;
	x("pragma journal_mode=wal");
	snprintf(q, sizeof q, "pragma synchronous=%d", atoi(argv[4]));
	x(q);
	if (atoi(argv[6])) {
		snprintf(q, sizeof q, "pragma cache_size=-%d; pragma wal_autocheckpoint=10000",
			 atoi(argv[6]) * 1024);
		x(q);
	}
	if (!strcmp(argv[5], "tsfirst"))
		x("create table hist(chk integer, ts integer, ok integer, us integer, code "
		  "integer, msg text, primary key(ts,chk)) without rowid");
	else if (!strcmp(argv[5], "norowid"))
		x("create table hist(chk integer, ts integer, ok integer, us integer, code "
		  "integer, msg text, primary key(chk,ts)) without rowid");
	else
		x("create table hist(chk integer, ts integer, ok integer, us integer, code "
		  "integer, msg text)");
	if (!strcmp(argv[5], "indexed"))
		x("create index hist_i on hist(chk,ts)");
	sqlite3_stmt *s, *b, *c;
	if (sqlite3_prepare_v2(db, "insert into hist values(?,?,?,?,?,?)", -1, &s, NULL) ||
	    sqlite3_prepare_v2(db, "begin immediate", -1, &b, NULL) ||
	    sqlite3_prepare_v2(db, "commit", -1, &c, NULL))
		return 4;
	double t0 = now();
	for (long i = 0; i < rows;) {
		long n = rows - i < batch ? rows - i : batch;
		if (batch > 1) {
			sqlite3_step(b);
			sqlite3_reset(b);
		}
		for (long j = 0; j < n; j++, i++) {
			char m[40] = "ok";
			int ok = i % 97 != 0, us = (int)(1000 + i * 7919 % 50000), l = 2;
			if (!ok)
				l = snprintf(m, sizeof m, "connect refused after %d us", us);
			sqlite3_bind_int64(s, 1, i % 1000);
			sqlite3_bind_int64(s, 2, 1700000000000000 + i * 1000);
			sqlite3_bind_int(s, 3, ok);
			sqlite3_bind_int(s, 4, us);
			sqlite3_bind_int(s, 5, ok ? 200 : 503);
			sqlite3_bind_text(s, 6, m, l, SQLITE_STATIC);
			if (sqlite3_step(s) != SQLITE_DONE) {
				fprintf(stderr, "%s\n", sqlite3_errmsg(db));
				return 5;
			}
			sqlite3_reset(s);
		}
		if (batch > 1) {
			if (sqlite3_step(c) != SQLITE_DONE)
				return 6;
			sqlite3_reset(c);
		}
	}
	double w = now() - t0;
	sqlite3_finalize(s);
	sqlite3_finalize(b);
	sqlite3_finalize(c);
	sqlite3_close(db);
	printf("{\"rows\":%ld,\"batch\":%ld,\"wall_s\":%.4f}\n", rows, batch, w);
	return 0;
}
