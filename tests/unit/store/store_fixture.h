/* SPDX-License-Identifier: Apache-2.0 */
/* history_fixture - a store in a directory of its own, and lines to put into it
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
#include "store/write.h"

#define T0 INT64_C(1800000000000) /* 2027-01-15 */

struct fixture {
	char dir[64];
	char path[96];
	struct store_options options;
	struct store *h;
	struct err err;
};

int store_setup(void **state);
int store_teardown(void **state);
void remove_files(const struct fixture *f);
void must(struct fixture *f, int rc);
void open_writer(struct fixture *f);
struct db *raw_open(struct fixture *f);
void raw_script(struct fixture *f, const char *sql);
void expect(struct fixture *f, const char *sql, const char *expected);
int64_t count(struct fixture *f, const char *table);
struct store_entry make_line(const char *topic, uint64_t seq, const char *json);
void free_line(struct store_entry *line);
size_t put(struct fixture *f, const char *topic, uint64_t seq, const char *json);
struct store_entry nth_line(uint64_t seq);
int write_range(struct store *h, uint64_t from, uint64_t to, struct err *err);

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
