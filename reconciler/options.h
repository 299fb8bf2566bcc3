/* SPDX-License-Identifier: Apache-2.0 */
/* options - the sections `reconcile` and `actions` of the configuration (docs/reconcile.md)
 *
 * Plain structs, as conf/option.h decodes them. spec.h makes a job of one of them.
 */
#ifndef HALE_RECONCILER_OPTIONS_H
#define HALE_RECONCILER_OPTIONS_H

#include "base/strlist.h"
#include "conf/manifest.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct sqlite_options {
	char *path;
};

struct postgres_options {
	char *dsn;
};

struct http_source_options {
	char *url; /* NULL: the source is not http */
	char *method;
	json_t *headers;
	char *body;
	int64_t timeout_ms;
	int64_t max_bytes;
	char *ca_file;
	char *expect;
	char *rows;
};

struct sql_source_options {
	struct sqlite_options sqlite;
	struct postgres_options postgres;
	char *query; /* NULL: the source is not sql */
	int64_t timeout_ms;
};

struct source_options {
	struct http_source_options http;
	struct sql_source_options sql;
};

struct target_options {
	struct sqlite_options sqlite;
	struct postgres_options postgres;
	char *table;
	int64_t timeout_ms;
};

struct column_options {
	char *name; /* the key */
	char *from;
	char *compare;
	double tolerance;
};

struct insert_options {
	bool is_enabled;
	json_t *values;
};

struct update_options {
	bool is_enabled;
	json_t *set;
};

struct close_options {
	char *mode;
	json_t *set;
};

struct guard_options {
	bool allow_empty;
	int64_t max_changes;
	double max_change_percent;
	struct strlist require_healthy;
	int64_t min_interval_ms;
};

struct audit_options {
	char *runs_table;
	char *changes_table;
};

struct job_options {
	char *name; /* the key */
	struct source_options source;
	struct target_options target;
	struct strlist key;
	struct conf_vec columns;
	char *skip;
	char *scope;
	struct insert_options insert;
	struct update_options update;
	struct close_options close;
	struct guard_options guards;
	char *schedule;
	int64_t every_ms;
	int64_t on_start_ms;
	struct audit_options audit;
};

struct http_action_options {
	char *url; /* NULL: the action is not http */
	char *method;
	json_t *headers;
	char *body;
	int64_t timeout_ms;
	char *ca_file;
};

struct action_options {
	char *name; /* the key */
	struct http_action_options http;
};

extern const struct conf_item job_items[];
extern const struct conf_item action_items[];
extern const struct conf_section reconciler_sections[];

#endif
