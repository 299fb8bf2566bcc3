/* SPDX-License-Identifier: Apache-2.0 */
/* top_sample - one look at all processes: what haled says of them, and what they take
 *
 * haled itself is one of the rows. Rates need two looks: without a former sample they are -1.
 *
 * Ownership: a sample holds haled's status; rows borrow from it.
 */
#ifndef HALE_CLI_TOP_SAMPLE_H
#define HALE_CLI_TOP_SAMPLE_H

#include "cli.h"
#include "proc_usage.h"

struct top_row {
	const char *name;
	const json_t *process; /* as in haled's status */
	bool has_usage;
	struct proc_usage usage;
	double cpu_percent; /* -1: not known yet */
};

enum top_sort { TOP_BY_NAME, TOP_BY_CPU, TOP_BY_MEMORY, TOP_BY_RESTARTS, TOP_SORT_MAX };

struct top_sample {
	json_t *status;
	int64_t wall_ms, mono_ms;
	struct top_row *rows;
	size_t rows_n;
	bool has_pss;         /* of every row that runs: else they compare by resident memory */
	double in_per_second; /* bus, lines; -1: not known yet */
	double out_per_second;
};

const char *top_sort_name(enum top_sort sort);
bool top_sort_from_name(const char *name, enum top_sort *sort_r);

/* 0, or what cli_try() said. `before` may be NULL. */
int top_sample_take(const struct cli *cli, const struct top_sample *before, uint32_t timeout_ms,
		    struct top_sample *sample_r, struct err *err);
void top_sample_done(struct top_sample *s);
/* Largest first; equal ones, and all by name, in the order of their names. */
void top_sample_sort(struct top_sample *s, enum top_sort sort);
/* What a row takes of the memory, in bytes; -1: not known. */
int64_t top_row_memory(const struct top_sample *s, const struct top_row *row);
/* For -o json. New reference. */
json_t *top_sample_encode(const struct top_sample *s);

#endif
