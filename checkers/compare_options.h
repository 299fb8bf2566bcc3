/* SPDX-License-Identifier: Apache-2.0 */
/* compare_options - what can be configured under components.<id>.compare
 *
 * Pure. See also: docs/checks.md "compare"
 */
#ifndef HALE_CHECKERS_COMPARE_OPTIONS_H
#define HALE_CHECKERS_COMPARE_OPTIONS_H

#include "compare_rows.h"
#include "sql_options.h"

struct compare_http_opts {
	char *url;
	char *method;
	json_t *headers;
	char *body;
	char *username;
	char *password;
	char *bearer_token;
	char *expect;
	char *jq;
	int64_t body_max;
	bool verify;
	char *ca;
};

struct compare_sql_opts {
	struct sqlite_opts sqlite;
	struct postgres_opts postgres;
	char *query;
};

struct compare_file_opts {
	char *path;
	char *format; /* NULL: by the name */
	char *separator;
	char *jq;
	int64_t size_max;
};

struct compare_source_opts {
	struct compare_http_opts http;
	struct compare_sql_opts sql;
	struct compare_file_opts file;
	json_t *rename; /* name of ours -> name in the source */
	char *count;
};

struct compare_opts {
	struct compare_source_opts a, b;
	struct {
		char *a, *b;
	} names;
	struct strlist key;
	json_t *columns;
	char *quantity;
	bool zero_is_absent;
	char *negative;
	int64_t count_tolerance;
	int64_t rows_max;
	char *severity;
};

extern const struct conf_item compare_items[];

void compare_validate(const void *opts, service_problem_fn problem, void *ctx);

enum source_kind { SOURCE_HTTP, SOURCE_SQL, SOURCE_FILE };
enum source_kind compare_source_kind(const struct compare_source_opts *s);
bool compare_file_is_csv(const struct compare_file_opts *f);

/* A side's name within names of details: "Interactive Brokers" is "interactive_brokers". Returns
 * buf. */
#define COMPARE_SLUG_MAX 40
const char *compare_slug(const char *name, char buf[COMPARE_SLUG_MAX]);

#endif
