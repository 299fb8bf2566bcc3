/* SPDX-License-Identifier: Apache-2.0 */
/* B6: rows into PostgreSQL by libpq.   ingest_pg DSN MODE ROWS BATCH
 * MODE: copy (text), copybin, values (multi-row INSERT, text), unnest (INSERT .. SELECT
 * unnest of arrays, prepared), single (prepared INSERT of one row; BATCH rows a transaction),
 * pipe (the same in libpq's pipeline mode). Each batch is one transaction. */
#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static PGconn *db;
static char *buf;
static size_t len;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *w)
{
	fprintf(stderr, "%s: %s\n", w, PQerrorMessage(db));
	exit(1);
}

static void done(PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);
	if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK && s != PGRES_COPY_IN &&
	    s != PGRES_PIPELINE_SYNC)
		die("query");
	PQclear(r);
}

/* one row of history: when, which check, up or not, latency in us, code, message */
struct row {
	int64_t ts;
	int32_t chk;
	int16_t ok, code;
	int32_t us;
	char msg[40];
	int mlen;
};

static void make(struct row *r, long i)
{
	r->ts = 800000000000000 + i * 1000; /* us since 2000 */
	r->chk = (int32_t)(i % 1000);
	r->ok = i % 97 != 0;
	r->code = r->ok ? 200 : 503;
	r->us = (int32_t)(1000 + i * 7919 % 50000);
	r->mlen = r->ok ? 2 : snprintf(r->msg, sizeof r->msg, "connect refused after %d us", r->us);
	if (r->ok)
		memcpy(r->msg, "ok", 3);
}

static void put(const void *p, size_t n)
{
	memcpy(buf + len, p, n);
	len += n;
}
static void p16(int v)
{
	uint16_t x = htons((uint16_t)v);
	put(&x, 2);
}
static void p32(int v)
{
	uint32_t x = htonl((uint32_t)v);
	put(&x, 4);
}
static void p64(int64_t v)
{
	uint64_t x = htobe64((uint64_t)v);
	put(&x, 8);
}

static void row_bin(const struct row *r)
{
	p16(6);
	p32(8);
	p64(r->ts);
	p32(4);
	p32(r->chk);
	p32(2);
	p16(r->ok);
	p32(4);
	p32(r->us);
	p32(2);
	p16(r->code);
	p32(r->mlen);
	put(r->msg, (size_t)r->mlen);
}

static int stamp(char *o, int64_t ts, const char *q)
{
	time_t s = (time_t)(ts / 1000000 + 946684800);
	struct tm t;
	gmtime_r(&s, &t);
	return sprintf(o, "%s%04d-%02d-%02d %02d:%02d:%02d.%06d+00%s", q, t.tm_year + 1900,
		       t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(ts % 1000000),
		       q);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	const char *mode = argv[2];
	long rows = atol(argv[3]), batch = atol(argv[4]);
	buf = malloc((size_t)batch * 160 + 4096);
	db = PQconnectdb(argv[1]);
	if (!buf || PQstatus(db) != CONNECTION_OK)
		die("connect");
	int single = !strcmp(mode, "single"), pipe = !strcmp(mode, "pipe");
	if (single || pipe)
		done(PQprepare(db, "i", "insert into hist values($1,$2,$3,$4,$5,$6)", 6,
			       (Oid[]){1184, 23, 21, 23, 21, 25}));
	if (!strcmp(mode, "unnest"))
		done(PQprepare(db, "u",
			       "insert into hist select * from "
			       "unnest($1::timestamptz[],$2::int[],$3::smallint[],$4::int[],$5::"
			       "smallint[],$6::text[])",
			       0, NULL));
	double t0 = now();
	for (long i = 0; i < rows;) {
		long n = rows - i < batch ? rows - i : batch;
		struct row r;
		len = 0;
		if (!strcmp(mode, "copy")) {
			for (long j = 0; j < n; j++) {
				make(&r, i + j);
				len += (size_t)stamp(buf + len, r.ts, "");
				len += (size_t)sprintf(buf + len, "\t%d\t%d\t%d\t%d\t%s\n", r.chk,
						       r.ok, r.us, r.code, r.msg);
			}
			done(PQexec(db, "copy hist from stdin"));
			if (PQputCopyData(db, buf, (int)len) != 1 || PQputCopyEnd(db, NULL) != 1)
				die("copy");
			done(PQgetResult(db));
			PQclear(PQgetResult(db));
		} else if (!strcmp(mode, "copybin")) {
			put("PGCOPY\n\377\r\n\0", 11);
			p32(0);
			p32(0);
			for (long j = 0; j < n; j++) {
				make(&r, i + j);
				row_bin(&r);
			}
			p16(-1);
			done(PQexec(db, "copy hist from stdin binary"));
			if (PQputCopyData(db, buf, (int)len) != 1 || PQputCopyEnd(db, NULL) != 1)
				die("copy");
			done(PQgetResult(db));
			PQclear(PQgetResult(db));
		} else if (!strcmp(mode, "values")) {
			len = (size_t)sprintf(buf, "insert into hist values");
			for (long j = 0; j < n; j++) {
				make(&r, i + j);
				buf[len++] = j ? ',' : ' ';
				buf[len++] = '(';
				len += (size_t)stamp(buf + len, r.ts, "'");
				len += (size_t)sprintf(buf + len, ",%d,%d,%d,%d,'%s')", r.chk, r.ok,
						       r.us, r.code, r.msg);
			}
			buf[len] = 0;
			done(PQexec(db, buf));
		} else if (!strcmp(mode, "unnest")) { /* binary arrays */
			static const Oid el[6] = {1184, 23, 21, 23, 21, 25};
			const char *v[6];
			int l[6], f[6] = {1, 1, 1, 1, 1, 1};
			for (int c = 0; c < 6; c++) {
				size_t at = len;
				p32(1);
				p32(0);
				p32((int)el[c]);
				p32((int)n);
				p32(1);
				for (long j = 0; j < n; j++) {
					make(&r, i + j);
					switch (c) {
					case 0:
						p32(8);
						p64(r.ts);
						break;
					case 1:
						p32(4);
						p32(r.chk);
						break;
					case 2:
						p32(2);
						p16(r.ok);
						break;
					case 3:
						p32(4);
						p32(r.us);
						break;
					case 4:
						p32(2);
						p16(r.code);
						break;
					default:
						p32(r.mlen);
						put(r.msg, (size_t)r.mlen);
					}
				}
				v[c] = buf + at;
				l[c] = (int)(len - at);
			}
			done(PQexecPrepared(db, "u", 6, v, l, f, 1));
		} else { /* single, pipe */
			if (pipe) {
				if (!PQenterPipelineMode(db))
					die("pipeline");
			} else if (batch > 1)
				done(PQexec(db, "begin"));
			for (long j = 0; j < n; j++) {
				make(&r, i + j);
				len = 0;
				row_bin(&r);
				const char *v[6];
				int l[6], f[6] = {1, 1, 1, 1, 1, 1};
				size_t o = 2;
				for (int c = 0; c < 6; c++) {
					uint32_t x;
					memcpy(&x, buf + o, 4);
					l[c] = (int)ntohl(x);
					v[c] = buf + o + 4;
					o += 4 + (size_t)l[c];
				}
				if (pipe) {
					if (!PQsendQueryPrepared(db, "i", 6, v, l, f, 1))
						die("send");
				} else
					done(PQexecPrepared(db, "i", 6, v, l, f, 1));
			}
			if (pipe) {
				if (!PQpipelineSync(db))
					die("sync");
				for (long j = 0; j < n; j++) {
					done(PQgetResult(db));
					PQclear(PQgetResult(db));
				}
				done(PQgetResult(db));
				PQexitPipelineMode(db);
			} else if (batch > 1)
				done(PQexec(db, "commit"));
		}
		i += n;
	}
	printf("{\"rows\":%ld,\"batch\":%ld,\"wall_s\":%.4f}\n", rows, batch, now() - t0);
	PQfinish(db);
	return 0;
}
