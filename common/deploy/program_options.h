/* SPDX-License-Identifier: Apache-2.0 */
/* program_options - the options of one entry of `programs:`
 *
 * The tables, and the struct that conf_decode fills from them; programs.c makes a process_spec of
 * it. What a limit is depends on whether it is there at all (core: 0 is a limit), so `limits` is
 * kept as the JSON it came as.
 */
#ifndef HALE_DEPLOY_PROGRAM_OPTIONS_H
#define HALE_DEPLOY_PROGRAM_OPTIONS_H

#include "base/strlist.h"
#include "conf/option.h"
#include "deploy/core_options.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct program_log_options {
	char *file; /* "none": no file; NULL: <state-dir>/log/<name>.log */
	int64_t max_size_bytes;
	int64_t files;
	bool timestamps;
};

struct program_limit_options {
	int64_t memory_bytes;
	int64_t cpu_ms;
	int64_t nofile;
	int64_t core_bytes;
	int64_t processes;
	int64_t file_size_bytes;
};

struct program_check_options {
	struct strlist components;
	char *status;
	int64_t after_ms;
	int64_t limit;
	int64_t window_ms;
};

struct program_options {
	char *name; /* the key */
	struct strlist command;
	char *user;
	char *group;
	char *directory;
	json_t *environment;
	char *umask;
	char *stdin_path;
	struct program_log_options log;
	bool notify;
	bool oneshot;
	int64_t ready_after_ms;
	char *stop_signal;
	int64_t start_timeout_ms;
	int64_t stop_timeout_ms;
	int64_t watchdog_ms;
	struct program_limit_options limits;
	struct strlist after;
	struct strlist requires;
	struct restart_options restart;
	struct strlist forward_signals;
	struct strlist on_failing;
	int64_t failing_after_ms;
	struct program_check_options on_check_failure;
	bool is_enabled;
	char *label;
	char *impact;
	double weight;
	struct strlist depends_on;
	json_t *labels;
};

extern const struct conf_item program_items[];

#endif
