/* SPDX-License-Identifier: Apache-2.0 */
/* B6: lines of the bus into hale's store, from frames in memory.
 *
 *   ingest_store sqlite FILE ROWS BATCH | postgres DSN ROWS BATCH | parse - ROWS BATCH
 *
 * The lines are those of 1,000 HTTP checks, one each every two seconds, as haled writes them; one
 * in 97 tells of trouble. The store is made anew. parse: lines into rows, and no store. Prints
 * JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/rows.h"
#include "store/store.h"
#include "store/writer.h"

#define COMPONENTS 1000
#define STEP_US    2000
#define START_MS   INT64_C(1800000000000)

struct bench {
	struct store_line *lines;
	size_t n, batch, at;
	char *text;
	struct writer *writer;
	int rc;
	size_t rows, skipped;
};

struct cpu {
	double user_s, system_s;
};

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Since `from`. */
static struct cpu cpu_since(struct cpu from)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (struct cpu){seconds(u.ru_utime) - from.user_s, seconds(u.ru_stime) - from.system_s};
}

static void add_line(struct str *out, size_t i)
{
	int64_t at_ms = START_MS + (int64_t)i * STEP_US / 1000;
	unsigned c = (unsigned)(i % COMPONENTS), us = (unsigned)(1000 + i * 7919 % 50000);
	bool is_bad = c % 97 == 0;
	char at[CLOCK_TEXT_MAX], success[CLOCK_TEXT_MAX];

	(void)clock_format(at_ms, at);
	(void)clock_format(is_bad ? at_ms - 2000 : at_ms, success);
	str_addf(out,
		 "{\"at\":\"%s\",\"node\":\"web1\",\"component\":\"service-%03u\","
		 "\"transition\":false,\"previous\":\"%s\",\"no_data\":false,\"state\":{"
		 "\"id\":\"service-%03u\",\"label\":\"Service %u\",\"kind\":\"http\","
		 "\"process\":\"check.http\",\"node\":\"web1\",\"status\":\"%s\","
		 "\"since\":\"2027-01-14T08:00:01.123Z\",",
		 at, c, is_bad ? "degraded" : "healthy", c, c, is_bad ? "degraded" : "healthy");
	if (is_bad)
		str_addf(out,
			 "\"message\":\"HTTP 503 in %u ms\",\"reason\":\"http_status\","
			 "\"outcome\":\"fail\",",
			 us / 1000);
	else
		str_addf(out,
			 "\"message\":\"HTTP 200 in %u ms\",\"reason\":\"ok\","
			 "\"outcome\":\"pass\",",
			 us / 1000);
	str_addf(out,
		 "\"took_ms\":%u.%03u,\"consecutive_failures\":%u,\"error_count\":%zu,"
		 "\"last_error\":\"HTTP 503 in %u ms\",\"recovery_attempts\":0,"
		 "\"last_check\":\"%s\",\"last_success\":\"%s\",\"interval_ms\":2000,"
		 "\"impact\":\"critical\",\"enabled\":true,\"configured\":true,\"depends_on\":[],"
		 "\"blocked_by\":null,\"labels\":{},\"metrics\":{\"status_code\":%u.0,"
		 "\"dns_ms\":0.00%u,\"connect_ms\":0.%03u,\"first_byte_ms\":%u.%03u,"
		 "\"transfer_ms\":0.0%02u,\"body_bytes\":%u.0},\"details\":{\"ip\":\"10.0.%u.%u\"}"
		 "}}",
		 us / 1000, us % 1000, is_bad ? 1u : 0u, is_bad ? i / COMPONENTS : 0,
		 is_bad ? us / 1000 : 9, at, success, is_bad ? 503u : 200u, 1 + us % 9,
		 100 + us % 900, us / 1000, us % 900, 10 + us % 90, 343 + c, c / 250, c % 250);
}

static void make_lines(struct bench *b)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	size_t *ends = mem_array(b->n, sizeof(*ends));
	size_t from = 0;

	for (size_t i = 0; i < b->n; i++) {
		add_line(&text, i);
		str_addc(&text, '\0');
		ends[i] = text.len;
	}
	b->text = str_take(&text);
	b->lines = mem_array(b->n, sizeof(*b->lines));
	for (size_t i = 0; i < b->n; i++) {
		b->lines[i] = (struct store_line){.topic = "health",
						  .epoch = "e19a8c11d03",
						  .seq = i + 1,
						  .text = b->text + from,
						  .len = ends[i] - from - 1};
		from = ends[i];
	}
	free(ends);
}

/* --- without a store --- */

static int on_result(void *ctx, const struct row_result *row)
{
	(void)row;
	((struct bench *)ctx)->rows++;
	return 0;
}

static void parse(struct bench *b)
{
	const struct row_sink sink = {.result = on_result};
	struct rows_reader *reader = rows_reader_new();

	for (size_t i = 0; i < b->n; i++)
		if (rows_read(reader, &b->lines[i], &sink, b) != 0)
			b->skipped++;
	rows_reader_free(reader);
}

/* --- with one --- */

static void write_next(struct bench *b);

static void on_done(void *ctx, const struct writer_done *done)
{
	struct bench *b = ctx;

	b->rc = done->rc;
	if (done->rc != 0) {
		fprintf(stderr, "%s\n", done->err->text);
		return;
	}
	b->skipped += done->skipped + done->repeated;
	b->rows = b->at;
	if (b->at < b->n)
		write_next(b);
}

static void write_next(struct bench *b)
{
	size_t n = HALE_MIN(b->batch, b->n - b->at);
	const struct store_line *lines = b->lines + b->at;

	b->at += n;
	writer_write(b->writer, lines, n, on_done, b);
}

static void on_open(void *ctx, const struct writer_done *done)
{
	struct bench *b = ctx;

	b->rc = done->rc;
	if (done->rc != 0)
		fprintf(stderr, "%s\n", done->err->text);
}

static int open_store(struct bench *b, const struct store_options *o, uv_loop_t *loop)
{
	struct store *keeper = NULL;
	struct err err;

	if (store_open(o, STORE_KEEPER, &keeper, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	store_close(keeper);
	b->writer = writer_new(loop, o, "web1");
	writer_open(b->writer, on_open, b);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	return b->rc;
}

static long long size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long long)st.st_size : -1;
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	struct store_options options = {0};
	uv_loop_t loop;
	struct cpu cpu;
	double wall;

	if (argc != 5)
		return 2;
	b.n = (size_t)atoll(argv[3]);
	b.batch = (size_t)atoll(argv[4]);
	if (strcmp(argv[1], "postgres") == 0)
		options.postgres.dsn = argv[2];
	else
		options.sqlite.path = argv[2];
	make_lines(&b);
	(void)uv_loop_init(&loop);
	if (strcmp(argv[1], "parse") != 0 && open_store(&b, &options, &loop) != 0)
		return 1;
	wall = (double)clock_mono_us() / 1e6;
	cpu = cpu_since((struct cpu){0});
	if (b.writer == NULL)
		parse(&b);
	else
		write_next(&b);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	wall = (double)clock_mono_us() / 1e6 - wall;
	cpu = cpu_since(cpu);
	if (b.writer != NULL)
		writer_close(b.writer, NULL, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	printf("{\"rows\":%zu,\"batch\":%zu,\"wall_s\":%.4f,\"user_s\":%.4f,\"system_s\":%.4f,"
	       "\"rows_per_s\":%.0f,"
	       "\"cpu_us_per_row\":%.3f,\"skipped\":%zu,\"bytes\":%lld,\"bytes_per_line\":%zu}\n",
	       b.rows, b.batch, wall, cpu.user_s, cpu.system_s, (double)b.rows / wall,
	       (cpu.user_s + cpu.system_s) / (double)b.rows * 1e6, b.skipped,
	       options.sqlite.path != NULL ? size_of(options.sqlite.path) : -1,
	       b.lines[b.n - 1].len);
	free(b.lines);
	free(b.text);
	return b.rc == 0 ? 0 : 1;
}
