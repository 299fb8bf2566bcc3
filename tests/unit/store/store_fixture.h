/* SPDX-License-Identifier: Apache-2.0 */
/* store_fixture - a store in a directory of its own, and lines to put into it
 */
#ifndef HALE_TEST_STORE_STORE_FIXTURE_H
#define HALE_TEST_STORE_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "db/db.h"
#include "store/read.h"
#include "store/writer.h"

#define T0 INT64_C(1800000000000) /* 2027-01-15 */

struct fixture {
	char dir[64];
	char path[96];
	bool is_postgres;
	struct store_options options;
	struct store *h;
	struct err err;

	uv_loop_t loop;
	struct writer *w; /* NULL: not open */
	/* What its last call told. */
	int rc;
	bool is_done;
	size_t skipped, repeated;
	char epoch[64];
	uint64_t seq;
};

int store_setup(void **state);
/* The same with the schema `hale` of a server that runs for the whole group
 * (store_fixture_postgres.c, ../db/pg_server.c). */
int store_setup_postgres(void **state);
int store_teardown(void **state);
int store_start_server(void **state);
int store_stop_server(void **state);
void remove_files(const struct fixture *f);
void must(struct fixture *f, int rc);
/* Opens the store as its keeper, and the writer, both anew. */
void open_writer(struct fixture *f);
void close_writer(struct fixture *f);
/* The same without a word about errors. */
int try_open_writer(struct fixture *f);
struct db *raw_open(struct fixture *f);
void raw_script(struct fixture *f, const char *sql);
void expect(struct fixture *f, const char *sql, const char *expected);
int64_t count(struct fixture *f, const char *table);
/* Fills in "at" and "node" where they are missing. */
struct store_line make_line(const char *topic, uint64_t seq, const char *json);
void free_line(struct store_line *line);
int write_lines(struct fixture *f, const struct store_line *lines, size_t n);
/* Writes one line; returns how many were skipped. */
size_t put(struct fixture *f, const char *topic, uint64_t seq, const char *json);
/* Line number seq of an endless history, always the same. */
struct store_line nth_line(uint64_t seq);
int write_range(struct fixture *f, uint64_t from, uint64_t to);

#define HEALTHY(extra)                                                                             \
	"{\"component\":\"api\",\"transition\":false,\"previous\":\"healthy\",\"no_data\":false,"  \
	"\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":\"ok\","                \
	"\"message\":\"200\",\"took_ms\":41.2,\"metrics\":{\"status_code\":200.0}" extra "}}"
#define DOWN                                                                                       \
	"{\"component\":\"api\",\"transition\":true,\"previous\":\"healthy\",\"no_data\":false,"   \
	"\"overall\":{\"status\":\"critical\",\"previous\":\"healthy\",\"transition\":true},"      \
	"\"state\":{\"status\":\"down\",\"outcome\":\"down\",\"reason\":\"conn_refused\","         \
	"\"message\":\"Connection refused\",\"took_ms\":1.5,\"metrics\":{},"                       \
	"\"details\":{\"address\":\"::1\"}}}"

#endif
